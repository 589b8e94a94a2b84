"""The shape of a view, from that of its base and the arguments of the call: a rule for each operation."""

from __future__ import annotations

from collections.abc import Callable

from ..values import Value
from .sizes import UNKNOWN, Bound, Shape, dimension, known, literal, numel, sizes_asked


def seen(shape: Shape | None, bound: Bound) -> Shape | None:
    if "dtype" in bound:
        return shape
    wanted = literal(bound.get("size", bound.get("shape")))
    if wanted is None:
        return None
    open_ = tuple(UNKNOWN if each is None else each for each in wanted)
    if None in wanted or open_.count(UNKNOWN) != 1:
        return open_
    total, rest = numel(shape), numel(tuple(size for size in open_ if size != UNKNOWN))
    if total is None or not rest:
        return open_
    return tuple(total // rest if size == UNKNOWN else size for size in open_)


def _flatten(shape: Shape, bound: Bound) -> Shape | None:
    if not shape:
        return (1,)
    start = dimension(bound.get("start_dim", 0), len(shape))
    end = dimension(bound.get("end_dim", -1), len(shape))
    if start is None or end is None or start > end:
        return None
    middle = numel(shape[start : end + 1])
    return (*shape[:start], UNKNOWN if middle is None else middle, *shape[end + 1 :])


def _swapped(shape: Shape, one: Value, other: Value) -> Shape | None:
    first, second = dimension(one, len(shape)), dimension(other, len(shape))
    if first is None or second is None or not shape:
        return None
    result = list(shape)
    result[first], result[second] = result[second], result[first]
    return tuple(result)


def _permuted(shape: Shape, bound: Bound) -> Shape | None:
    dims = literal(bound.get("dims"))
    if dims is None or len(dims) != len(shape):
        return None
    places = [dimension(each, len(shape)) for each in dims]
    return None if None in places else tuple(shape[place] for place in places if place is not None)


def _unsqueezed(shape: Shape, bound: Bound) -> Shape | None:
    dim = dimension(bound.get("dim"), len(shape) + 1)
    return None if dim is None else (*shape[:dim], 1, *shape[dim:])


def _squeezed(shape: Shape, bound: Bound) -> Shape | None:
    if "dim" not in bound:
        return tuple(size for size in shape if size != 1) if known(shape) else None
    dims = literal(bound["dim"])
    places = {dimension(each, len(shape)) for each in dims or ()}
    if (
        dims is None
        or None in places
        or any(shape[place] == UNKNOWN for place in places if place is not None and shape)
    ):
        return None
    return tuple(size for i, size in enumerate(shape) if not (i in places and size == 1))


def _selected(shape: Shape, bound: Bound) -> Shape | None:
    dim = dimension(bound.get("dim"), len(shape))
    return None if dim is None or not shape else (*shape[:dim], *shape[dim + 1 :])


def _narrowed(shape: Shape, bound: Bound) -> Shape | None:
    dim, length = dimension(bound.get("dim"), len(shape)), bound.get("length")
    if dim is None or not shape:
        return None
    return (*shape[:dim], length if isinstance(length, int) else UNKNOWN, *shape[dim + 1 :])


def _expanded(shape: Shape, bound: Bound) -> Shape | None:
    wanted = literal(bound.get("size", bound.get("sizes")))
    if wanted is None or len(wanted) < len(shape):
        return None
    padded = (1,) * (len(wanted) - len(shape)) + shape
    sizes_ = zip(padded, wanted, strict=True)
    return tuple(UNKNOWN if new is None else old if new == -1 else new for old, new in sizes_)


def _unfolded(shape: Shape, bound: Bound) -> Shape | None:
    dim, size, step = dimension(bound.get("dimension"), len(shape)), bound.get("size"), bound.get("step")
    if dim is None or not shape or not isinstance(size, int) or not isinstance(step, int) or step < 1:
        return None
    count = UNKNOWN if shape[dim] == UNKNOWN else (shape[dim] - size) // step + 1
    return (*shape[:dim], count, *shape[dim + 1 :], size)


def _unflattened(shape: Shape, bound: Bound) -> Shape | None:
    dim, wanted = dimension(bound.get("dim"), len(shape)), literal(bound.get("sizes"))
    if dim is None or wanted is None or not shape:
        return None
    inner = seen((shape[dim],), {"size": bound["sizes"]})
    return None if inner is None else (*shape[:dim], *inner, *shape[dim + 1 :])


def _diagonal(shape: Shape, bound: Bound) -> Shape | None:
    if len(shape) != 2 or len(bound) != 1:
        return None
    return (min(shape),) if known(shape) else (UNKNOWN,)


VIEWS: dict[str, Callable[[Shape, Bound], Shape | None]] = {
    "flatten": _flatten,
    "t": lambda shape, bound: shape[::-1] if len(shape) <= 2 else None,
    "T": lambda shape, bound: shape[::-1],
    "mT": lambda shape, bound: _swapped(shape, -1, -2),
    "transpose": lambda shape, bound: _swapped(shape, bound.get("dim0"), bound.get("dim1")),
    "permute": _permuted,
    "unsqueeze": _unsqueezed,
    "squeeze": _squeezed,
    "select": _selected,
    "narrow": _narrowed,
    "swapaxes": lambda shape, bound: _swapped(shape, bound.get("axis0"), bound.get("axis1")),
    "swapdims": lambda shape, bound: _swapped(shape, bound.get("dim0"), bound.get("dim1")),
    "unfold": _unfolded,
    "unflatten": _unflattened,
    "as_strided": lambda shape, bound: sizes_asked([bound.get("size")]),
    "expand": _expanded,
    "broadcast_to": _expanded,
    "diagonal": _diagonal,
    "view": seen,
    "reshape": seen,
    "ravel": lambda shape, bound: _flatten(shape, {}),
    "unbind": lambda shape, bound: _selected(shape, {"dim": bound.get("dim", 0)}),
}
