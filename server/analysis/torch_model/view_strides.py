"""Where the elements of a view lie in the memory of its base: a rule for each operation that makes one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..autograd.tensor import Form, Tensor
from .shapes import plain_name
from .sizes import UNKNOWN, Bound, Shape, literal, operand
from .strides import Strides, expanded, form_of, of, shift_of, times, viewed
from .view_shapes import VIEWS

Moved = tuple[Strides, int | None]
"""Strides of a view, and how far its first element lies from that of its base."""


def _unsqueezed(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    place = bound.get("dim")
    if not isinstance(place, int):
        return None
    place %= len(shape) + 1
    new = 1 if place == len(shape) else times(shape[place], strides[place])
    return (*strides[:place], new, *strides[place:]), 0


def _squeezed(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    dims = literal(bound["dim"]) if "dim" in bound else tuple(range(len(shape)))
    places = {each % max(len(shape), 1) for each in dims or () if each is not None}
    return tuple(strides[i] for i, size in enumerate(shape) if not (i in places and size == 1)), 0


def _selected(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    dim, index = bound.get("dim"), bound.get("index")
    if not isinstance(dim, int):
        return None
    dim %= len(shape)
    return (*strides[:dim], *strides[dim + 1 :]), shift_of(index, shape[dim], strides[dim])


def _narrowed(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    dim = bound.get("dim")
    if not isinstance(dim, int):
        return None
    return strides, shift_of(bound.get("start"), shape[dim], strides[dim])


def _diagonal(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    return None if UNKNOWN in strides else ((strides[0] + strides[1],), 0)


def _unfolded(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    dim, step = bound.get("dimension"), bound.get("step")
    if not isinstance(dim, int) or not isinstance(step, int):
        return None
    dim %= len(shape)
    return (*strides[:dim], times(strides[dim], step), *strides[dim + 1 :], strides[dim]), 0


def _turned(name: str) -> Callable[[Shape, Strides, Bound, Shape], Moved | None]:
    """A permutation does to the strides what it does to the sizes."""

    def rule(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
        turned = VIEWS[name](strides, bound)
        return None if turned is None else (turned, 0)

    return rule


def _seen(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    found = viewed(shape, strides, after)
    return None if found is None else (found, 0)


def _wide(shape: Shape, strides: Strides, bound: Bound, after: Shape) -> Moved | None:
    return expanded(shape, strides, after), 0


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
    return form_of(shape, strides, None if shift is None or form.offset is None else form.offset + shift)


def view(name: str, bound: Bound, shape: Shape) -> Form:
    """The form of the result of an operation that gives one view of its operand."""
    name = plain_name(name)
    first = operand(bound)
    if first is not None and first.form.plain and name in _KEEP_PLAIN:
        return Form(shape, True, None, first.form.offset)
    strides = of(first.form) if first is not None else None
    if first is None or strides is None or first.shape is None:
        return Form(shape, offset=None)
    if name == "as_strided":
        wanted, offset = literal(bound.get("stride")), bound.get("storage_offset", first.form.offset)
        strided = None if wanted is None else tuple(UNKNOWN if each is None else each for each in wanted)
        return form_of(shape, strided, offset if isinstance(offset, int) else None)
    rule = _RULES.get(name)
    return _moved(first.form, shape, None if rule is None else rule(first.shape, strides, bound, shape))


def lay_out_views(name: str, bound: Bound, shape: Shape, results: Sequence[Tensor]) -> None:
    """Say of the results of a view how they lie in the memory of its operand."""
    first = operand(bound)
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
            moved = (*strides[:dim], *strides[dim + 1 :]), shift_of(index, shape[dim], strides[dim])
            result.form = _moved(form, (*shape[:dim], *shape[dim + 1 :]), moved)
            continue
        size = _piece(name, bound, shape[dim], index, len(results))
        shift = None if place is None else shift_of(place, shape[dim], strides[dim])
        result.form = _moved(form, (*shape[:dim], size, *shape[dim + 1 :]), (strides, shift))
        place = None if place is None or size == UNKNOWN else place + size


def _piece(name: str, bound: Bound, size: int, index: int, count: int) -> int:
    """The size of one of the pieces that `split` or `chunk` make of a dimension."""
    if size == UNKNOWN:
        return UNKNOWN
    given = next((bound[key] for key in ("split_size", "split_sizes", "split_size_or_sections") if key in bound), None)
    sizes = literal(given)
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
