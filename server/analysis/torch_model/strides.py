"""How elements lie in memory, as far as it is certain: which `reshape` copies, whether `contiguous` is the tensor
itself, and which writes PyTorch refuses because elements share memory.

Sources: aten/src/ATen/TensorUtils.cpp (computeStride), MemoryOverlap.cpp and native/TensorShape.cpp of PyTorch. Sizes
and strides that are not known are -1, as in `sizes`. `view_strides` has the rules for views, `new_strides` those for
what is computed.
"""

from __future__ import annotations

from ..autograd.tensor import Form
from ..values import Value
from .sizes import UNKNOWN, Shape, known, numel

Strides = tuple[int, ...]


def times(left: int, right: int) -> int:
    return UNKNOWN if UNKNOWN in (left, right) else left * right


def in_order(shape: Shape) -> Strides:
    """The strides of elements that lie one after the other."""
    result: list[int] = []
    step = 1
    for size in reversed(shape):
        result.append(step)
        step = UNKNOWN if UNKNOWN in (size, step) else step * max(size, 1)
    return tuple(reversed(result))


def of(form: Form) -> Strides | None:
    """The strides of a tensor; None where not even how many there are is known."""
    if form.shape is None:
        return None
    return in_order(form.shape) if form.plain else form.strides or (UNKNOWN,) * len(form.shape)


def form_of(shape: Shape, strides: Strides | None, offset: int | None) -> Form:
    if strides is None:
        return Form(shape, offset=offset)
    plain = UNKNOWN not in strides and strides == in_order(shape)
    return Form(shape, plain, None if plain else strides, offset)


def contiguous(form: Form) -> bool | None:
    """`is_contiguous()`; sizes of 1 do not count, and nothing does where there is no element."""
    if form.plain:
        return True
    if form.strides is None or form.shape is None:
        return None
    if 0 in form.shape:
        return True
    expected = 1
    for size, stride in zip(reversed(form.shape), reversed(form.strides), strict=True):
        if size == 1:
            continue
        if UNKNOWN in (size, stride, expected):
            return None
        if stride != expected:
            return False
        expected *= size
    return True


def dense(shape: Shape, strides: Strides) -> bool:
    """`is_non_overlapping_and_dense()` for known sizes and strides."""
    expected = 1
    for stride, size in sorted((stride, size) for stride, size in zip(strides, shape, strict=True) if size > 1):
        if stride != expected:
            return False
        expected *= size
    return True


def overlaps(form: Form) -> bool:
    """Whether a write is refused because several elements are certainly one: a dimension that was expanded."""
    if form.plain or form.shape is None or form.strides is None:
        return False
    return 0 not in form.shape and any(s == 0 and n > 1 for s, n in zip(form.strides, form.shape, strict=True))


def mixes(target: Form, other: Form) -> bool:
    """Whether the elements of an operand in the same memory lie across those that are written.

    Source: get_overlap_status, which gives up on tensors with gaps.
    """
    a, b = of(target), of(other)
    if a is None or b is None or target.shape is None or other.shape is None:
        return False
    if target.offset is None or other.offset is None:
        return False
    sizes = numel(target.shape), numel(other.shape)
    if not all(sizes) or UNKNOWN in (*a, *b):
        return False
    if not dense(target.shape, a) or not dense(other.shape, b):
        return False
    mine, others = target.offset + (sizes[0] or 0), other.offset + (sizes[1] or 0)
    if target.offset == other.offset and mine == others:
        return a != b
    return target.offset < others and other.offset < mine


def viewed(shape: Shape, strides: Strides, wanted: Shape) -> Strides | None:
    """The strides with which a tensor can be seen in another shape; None if that takes a copy."""
    if not known(shape) or not known(wanted) or UNKNOWN in strides:
        return None
    if numel(shape) == 0:
        return strides if shape == wanted else in_order(wanted)
    if not shape:
        return (1,) * len(wanted)
    result = [0] * len(wanted)
    place = len(wanted) - 1
    base, tensor_numel, view_numel = strides[-1], 1, 1
    for d in range(len(shape) - 1, -1, -1):
        tensor_numel *= shape[d]
        if d == 0 or (shape[d - 1] != 1 and strides[d - 1] != tensor_numel * base):
            while place >= 0 and (view_numel < tensor_numel or wanted[place] == 1):
                result[place] = view_numel * base
                view_numel *= wanted[place]
                place -= 1
            if view_numel != tensor_numel:
                return None
            if d > 0:
                base, tensor_numel, view_numel = strides[d - 1], 1, 1
    return tuple(result) if place == -1 else None


def must_copy(form: Form, wanted: Shape | None) -> bool:
    """Whether `reshape` certainly copies."""
    if form.plain or form.strides is None or form.shape is None or wanted is None or UNKNOWN in form.strides:
        return False
    return known(form.shape) and known(wanted) and viewed(form.shape, form.strides, wanted) is None


def expanded(shape: Shape, strides: Strides, wanted: Shape) -> Strides:
    result: list[int] = []
    new = len(wanted) - len(shape)
    for place in range(len(wanted) - 1, -1, -1):
        size = wanted[place]
        if place >= new:
            old, stride = shape[place - new], strides[place - new]
            if UNKNOWN in (size, old):
                stride = stride if old == size else UNKNOWN
            result.append(0 if old == 1 and size not in (1, UNKNOWN) else stride)
        elif size == 1:
            behind = len(wanted) - place - 2
            result.append(times(wanted[place + 1], result[behind]) if place + 1 < len(wanted) else 1)
        else:
            result.append(0)
    return tuple(reversed(result))


def shift_of(index: Value, size: int, stride: int) -> int | None:
    """How far in memory an index leads."""
    if not isinstance(index, int) or isinstance(index, bool):
        return None
    index = index + size if index < 0 and size != UNKNOWN else index
    return 0 if index == 0 else None if index < 0 or stride == UNKNOWN else index * stride
