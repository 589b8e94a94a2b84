"""`x[index]` for numbers, slices, None and `...`: its shape, and where its elements lie in the memory of `x`."""

from __future__ import annotations

from ..autograd.tensor import Form
from ..values import SliceValue, Value
from .sizes import UNKNOWN, Shape
from .strides import form_of, of, shift_of, times


def shape_of(shape: Shape | None, index: Value) -> Shape | None:
    """The shape of `x[index]` for numbers, slices, None and `...`; None for anything else."""
    if shape is None:
        return None
    parts = index if isinstance(index, tuple) else (index,)
    taken = sum(1 for part in parts if part is not None and part is not Ellipsis)
    if taken > len(shape) or parts.count(Ellipsis) > 1:
        return None
    result: list[int] = []
    place = 0
    for part in parts:
        if part is Ellipsis:
            rest = len(shape) - taken
            result += shape[place : place + rest]
            place += rest
        elif part is None:
            result.append(1)
        elif isinstance(part, SliceValue):
            result.append(_sliced(shape[place], part))
            place += 1
        elif isinstance(part, int) and not isinstance(part, bool):
            place += 1
        else:
            return None
    return (*result, *shape[place:])


def _sliced(size: int, part: SliceValue) -> int:
    bounds = (part.lower, part.upper, part.step)
    if size == UNKNOWN:
        return UNKNOWN
    if any(not (each is None or (isinstance(each, int) and not isinstance(each, bool))) for each in bounds):
        return UNKNOWN
    return len(range(*slice(*bounds).indices(size)))


def writes_all(index: Value, shape: Shape | None) -> bool:
    """Whether `x[index] = v` writes to `x` itself: `...` and slices that leave nothing out make no view.

    Measured on torch 2.13; the slice is dropped by `applySlice` in ATen/TensorIndexing.h.
    """
    parts = index if isinstance(index, tuple) else (index,)
    after = [i for i, part in enumerate(parts) if part is Ellipsis]
    for place, part in enumerate(parts):
        if part is Ellipsis:
            continue
        if not isinstance(part, SliceValue) or part.lower not in (None, 0) or part.step not in (None, 1):
            return False
        dim = place if not after or place < after[0] else place - len(parts)
        size = shape[dim] if shape is not None and -len(shape) <= dim < len(shape) else UNKNOWN
        if part.upper is not None and not (isinstance(part.upper, int) and 0 <= size <= part.upper):
            return False
    return bool(parts)


def _is_run(part: Value) -> bool:
    return isinstance(part, SliceValue) and part.step is None


def _is_all(part: Value) -> bool:
    return isinstance(part, SliceValue) and part.lower is None and part.upper is None and part.step is None


def form_of_index(form: Form, index: Value) -> Form:
    """The form of `x[index]` for numbers, slices, None and `...`."""
    shape = shape_of(form.shape, index)
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
            result.append(times(form.shape[place], strides[place]) if place < len(strides) else 1)
            continue
        size, stride = form.shape[place], strides[place]
        if isinstance(part, SliceValue):
            step = 1 if part.step is None else part.step if isinstance(part.step, int) else UNKNOWN
            result.append(times(stride, step))
            start: Value = 0 if part.lower is None else part.lower
            if isinstance(start, int) and size != UNKNOWN:
                start = min(max(start + size if start < 0 else start, 0), size)
            moved = shift_of(start, size, stride)
        else:
            moved = shift_of(part, size, stride)
        shift = None if shift is None or moved is None else shift + moved
        place += 1
    offset = None if shift is None or form.offset is None else form.offset + shift
    return form_of(shape, (*result, *strides[place:]), offset)
