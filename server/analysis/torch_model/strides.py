"""How elements lie in memory, as far as it is certain: which `reshape` copies, whether `contiguous` is the tensor
itself, and which writes PyTorch refuses because elements share memory.

Sources: aten/src/ATen/TensorUtils.cpp (computeStride), MemoryOverlap.cpp, TensorIterator.cpp (reorder_dimensions) and
native/TensorShape.cpp of PyTorch. Sizes and strides that are not known are -1, as in `shapes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..autograd.graph import Node
from ..autograd.tensor import ANY_FORM, Form, Tensor
from ..values import SliceValue, Value
from . import shapes
from .arguments import as_tensor
from .shapes import UNKNOWN, Bound, Shape, known, numel, plain_name

Strides = tuple[int, ...]
Moved = tuple[Strides, int | None]
"""Strides of a view, and how far its first element lies from that of its base."""


def _times(left: int, right: int) -> int:
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
    """The strides of a tensor; None where nothing is known."""
    if form.shape is None:
        return None
    return in_order(form.shape) if form.plain else form.strides


def _form(shape: Shape, strides: Strides | None, offset: int | None) -> Form:
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


def _dense(shape: Shape, strides: Strides) -> bool:
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
    if not _dense(target.shape, a) or not _dense(other.shape, b):
        return False
    mine, others = target.offset + (sizes[0] or 0), other.offset + (sizes[1] or 0)
    if target.offset == other.offset and mine == others:
        return a != b
    return target.offset < others and other.offset < mine


# ---------------------------------------------------------------------------------------------------- views


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


def _expanded(shape: Shape, strides: Strides, wanted: Shape) -> Strides:
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
            result.append(_times(wanted[place + 1], result[behind]) if place + 1 < len(wanted) else 1)
        else:
            result.append(0)
    return tuple(reversed(result))


def _unsqueezed(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    place = bound.get("dim")
    if not isinstance(place, int):
        return None
    place %= len(shape) + 1
    new = 1 if place == len(shape) else _times(shape[place], strides[place])
    return (*strides[:place], new, *strides[place:]), 0


def _squeezed(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    dims = shapes.literal(bound["dim"]) if "dim" in bound else tuple(range(len(shape)))
    places = {each % max(len(shape), 1) for each in dims or () if each is not None}
    return tuple(strides[i] for i, size in enumerate(shape) if not (i in places and size == 1)), 0


def _selected(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    dim, index = bound.get("dim"), bound.get("index")
    if not isinstance(dim, int):
        return None
    dim %= len(shape)
    return (*strides[:dim], *strides[dim + 1 :]), _shift(index, shape[dim], strides[dim])


def _narrowed(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    dim = bound.get("dim")
    if not isinstance(dim, int):
        return None
    return strides, _shift(bound.get("start"), shape[dim], strides[dim])


def _shift(index: Value, size: int, stride: int) -> int | None:
    """How far in memory an index leads."""
    if not isinstance(index, int) or isinstance(index, bool):
        return None
    index = index + size if index < 0 and size != UNKNOWN else index
    return 0 if index == 0 else None if index < 0 or stride == UNKNOWN else index * stride


def _diagonal(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    return None if UNKNOWN in strides else ((strides[0] + strides[1],), 0)


def _unfolded(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    dim, step = bound.get("dimension"), bound.get("step")
    if not isinstance(dim, int) or not isinstance(step, int):
        return None
    dim %= len(shape)
    return (*strides[:dim], _times(strides[dim], step), *strides[dim + 1 :], strides[dim]), 0


def _turned(name: str) -> Callable[[Shape, Strides, Bound, Shape], Moved | None]:
    """A permutation does to the strides what it does to the sizes."""

    def rule(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
        turned = shapes.VIEWS[name](strides, bound)
        return None if turned is None else (turned, 0)

    return rule


def _seen(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    found = viewed(shape, strides, after)
    return None if found is None else (found, 0)


def _wide(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    return _expanded(shape, strides, after), 0


_TURNS = ("t", "T", "mT", "transpose", "permute", "swapaxes", "swapdims")
_SEEN = ("view", "view_as", "reshape", "reshape_as", "flatten", "ravel", "unflatten")
_RULES: dict[str, Callable[[Shape, Strides, Bound, Shape], Moved | None]] = {
    **{name: _turned(name) for name in _TURNS},
    **dict.fromkeys(_SEEN, _seen),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _wide),
    "unsqueeze": _unsqueezed,
    "squeeze": _squeezed,
    "select": _selected,
    "narrow": _narrowed,
    "diagonal": _diagonal,
    "unfold": _unfolded,
}
_KEEP_PLAIN = frozenset([*_SEEN, "unsqueeze", "squeeze"])
"""Views that leave elements that lie one after the other so."""


_PIECES = frozenset(["unbind", "split", "chunk", "split_with_sizes", "tensor_split"])


def _moved(form: Form, shape: Shape, moved: Moved | None) -> Form:
    if moved is None:
        return Form(shape, offset=None)
    strides, shift = moved
    return _form(shape, strides, None if shift is None or form.offset is None else form.offset + shift)


def view(name: str, bound: Bound, shape: Shape) -> Form:
    """The form of the result of an operation that gives one view of its operand."""
    name = plain_name(name)
    first = _viewed(bound)
    if first is not None and first.form.plain and name in _KEEP_PLAIN:
        return Form(shape, True, None, first.form.offset)
    strides = of(first.form) if first is not None else None
    if first is None or strides is None or first.shape is None:
        return Form(shape, offset=None)
    if name == "as_strided":
        wanted, offset = shapes.literal(bound.get("stride")), bound.get("storage_offset", first.form.offset)
        strided = None if wanted is None else tuple(UNKNOWN if each is None else each for each in wanted)
        return _form(shape, strided, offset if isinstance(offset, int) else None)
    rule = _RULES.get(name)
    return _moved(first.form, shape, None if rule is None else rule(first.shape, strides, bound, shape))


def _viewed(bound: Bound) -> Tensor | None:
    return as_tensor(bound.get("self", bound.get("input", bound.get("tensor"))))


def lay_out_views(name: str, bound: Bound, shape: Shape, results: Sequence[Tensor]) -> None:
    """Say of the results of a view how they lie in the memory of its operand."""
    first = _viewed(bound)
    strides = of(first.form) if first is not None else None
    dim = bound.get("dim", 0)
    if len(results) == 1 and name not in _PIECES:
        results[0].form = view(name, bound, shape)
    elif name in _PIECES and first is not None and strides and isinstance(dim, int):
        _lay_out_pieces(name, bound, first.form, strides, dim % len(strides), results)
    else:
        for result in results:
            result.form = Form(shape, offset=None)


def _lay_out_pieces(name: str, bound: Bound, form: Form, strides: Strides, dim: int, results: Sequence[Tensor]) -> None:
    shape = form.shape or ()
    place: int | None = 0
    for index, result in enumerate(results):
        if name == "unbind":
            moved = (*strides[:dim], *strides[dim + 1 :]), _shift(index, shape[dim], strides[dim])
            result.form = _moved(form, (*shape[:dim], *shape[dim + 1 :]), moved)
            continue
        size = _piece(name, bound, shape[dim], index, len(results))
        shift = None if place is None else _shift(place, shape[dim], strides[dim])
        result.form = _moved(form, (*shape[:dim], size, *shape[dim + 1 :]), (strides, shift))
        place = None if place is None or size == UNKNOWN else place + size


def _piece(name: str, bound: Bound, size: int, index: int, count: int) -> int:
    """The size of one of the pieces that `split` or `chunk` make of a dimension."""
    if size == UNKNOWN:
        return UNKNOWN
    given = next((bound[key] for key in ("split_size", "split_sizes", "split_size_or_sections") if key in bound), None)
    sizes = shapes.literal(given)
    if name == "chunk":
        chunks = bound.get("chunks")
        sizes = (-(-size // chunks),) if isinstance(chunks, int) and chunks > 0 else None
    if sizes is None or name == "tensor_split":
        return UNKNOWN
    if isinstance(given, int) or name == "chunk":
        step = sizes[0] or 1
        return min(step, size - index * step)
    each = sizes[index] if index < len(sizes) else None
    return UNKNOWN if each is None else each


def _is_run(part: Value) -> bool:
    return isinstance(part, SliceValue) and part.step is None


def _is_all(part: Value) -> bool:
    return isinstance(part, SliceValue) and part.lower is None and part.upper is None and part.step is None


def indexed(form: Form, index: Value) -> Form:
    """The form of `x[index]` for numbers, slices, None and `...`."""
    shape = shapes.indexed(form.shape, index)
    strides = of(form)
    parts = index if isinstance(index, tuple) else (index,)
    if shape is None or strides is None or form.shape is None or UNKNOWN in strides:
        rows = all(isinstance(part, int) or part is Ellipsis or _is_run(part) for part in parts[:1])
        whole = all(part is Ellipsis or _is_all(part) for part in parts)
        return Form(shape, form.plain and (whole or (rows and len(parts) == 1)), offset=None)
    taken = sum(1 for part in parts if part is not None and part is not Ellipsis)
    result: list[int] = []
    place, shift = 0, 0 if form.offset is not None else None
    for part in parts:
        if part is Ellipsis:
            rest = len(strides) - taken
            result += strides[place : place + rest]
            place += rest
            continue
        if part is None:
            # As `unsqueeze` at this place of what is left to index (ATen/TensorIndexing.h).
            result.append(_times(form.shape[place], strides[place]) if place < len(strides) else 1)
            continue
        size, stride = form.shape[place], strides[place]
        if isinstance(part, SliceValue):
            step = 1 if part.step is None else part.step if isinstance(part.step, int) else UNKNOWN
            result.append(_times(stride, step))
            start: Value = 0 if part.lower is None else part.lower
            if isinstance(start, int) and size != UNKNOWN:
                start = min(max(start + size if start < 0 else start, 0), size)
            moved = _shift(start, size, stride)
        else:
            moved = _shift(part, size, stride)
        shift = None if shift is None or moved is None else shift + moved
        place += 1
    offset = None if shift is None or form.offset is None else form.offset + shift
    return _form(shape, (*result, *strides[place:]), offset)


# ---------------------------------------------------------------------------------------------------- results


def copied(tensor: Tensor) -> Form:
    """The form of a copy: as it was where the elements leave no gap (`torch.preserve_format`)."""
    form = tensor.form
    if form.plain:
        return form if not form.offset else Form(form.shape, True)
    if form.shape is None:
        return ANY_FORM
    if form.strides is None or not known(form.shape) or UNKNOWN in form.strides:
        return Form(form.shape)
    strides = form.strides if _dense(form.shape, form.strides) else _ordered(form.shape, [(form.shape, form.strides)])
    return _form(form.shape, strides, 0)


def _ordered(shape: Shape, operands: Sequence[tuple[Shape, Strides]]) -> Strides:
    """Strides without gaps, with the dimensions in the order in which those of the operands lie."""
    wide = [_expanded(of_shape, strides, shape) for of_shape, strides in operands]
    perm = list(range(len(shape) - 1, -1, -1))

    def should_swap(one: int, other: int) -> int:
        for strides in wide:
            left, right = strides[one], strides[other]
            if left == 0 or right == 0:
                continue
            if left != right:
                return -1 if left < right else 1
            if shape[one] > shape[other]:
                return 1
        return 0

    for i in range(1, len(perm)):
        place = i
        for before in range(i - 1, -1, -1):
            verdict = should_swap(perm[before], perm[place])
            if verdict > 0:
                perm[before], perm[place] = perm[place], perm[before]
                place = before
            elif verdict < 0:
                break
    result = [0] * len(shape)
    step = 1
    for dim in perm:
        result[dim] = step
        step *= max(shape[dim], 1)
    return tuple(result)


def _together(shape: Shape, tensors: Sequence[Tensor], number: bool) -> Form:
    """The form of what is computed element by element (TensorIterator); a `number` among the operands is broadcast."""
    if all(t.form.plain for t in tensors):
        return Form(shape, True)
    operands = [(t.shape, of(t.form)) for t in tensors]
    found = [(s, strides) for s, strides in operands if s is not None and strides is not None]
    if len(found) < len(operands) or not known(shape) or any(UNKNOWN in (*s, *strides) for s, strides in found):
        return Form(shape)
    if not number and all(s == shape for s, _ in found):
        if all(contiguous(t.form) for t in tensors):
            return Form(shape, True)
        if len({strides for _, strides in found}) == 1 and _dense(*found[0]):
            return _form(shape, found[0][1], 0)
    return _form(shape, _ordered(shape, found), 0)


_HAND_ON = frozenset("add radd sub clone detach positive dropout where".split())
"""Element-wise operations that may give an operand the gradient that came to them, expanded as it may be."""


def of_gradient(target: Tensor, node: Node | None) -> Form:
    """The form of the gradient of `target` with which backward comes out, begun at a node."""
    if not target.form.plain or node is None:
        return Form(target.shape)
    todo, seen, users = [node], set[Node](), list[Node]()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        for edge in current.edges:
            if edge.tensor is target and edge.flows:
                users.append(current)
            elif edge.node is not None and edge.node.order >= target.born:
                todo.append(edge.node)
    computes = all(shapes.elementwise(plain_name(n.name)) and plain_name(n.name) not in _HAND_ON for n in users)
    return Form(target.shape, bool(users) and (computes or len(users) > 1))


_IN_ORDER = frozenset("softmax log_softmax cumsum matmul mm bmm linear stack cat masked_fill".split())


def computed(name: str, bound: Bound, shape: Shape) -> Form:
    """The form of the results of an operation that is no view."""
    if len(shape) < 2:
        return Form(shape, True)
    name = plain_name(name)
    if name in _IN_ORDER:
        return Form(shape, True)
    tensors = [t for t in map(as_tensor, bound.values()) if t is not None]
    if shapes.elementwise(name):
        return _together(shape, tensors, "other" in bound and not isinstance(bound["other"], Tensor))
    parts = [t for t in tensors if t.shape is None or len(t.shape) > 1]
    return Form(shape, bool(parts) and shapes.keeps_shape(name) and all(t.form.plain for t in parts))
