"""Sizes as numbers, as arguments and of data.

A shape is a tuple of sizes, -1 for one that is not known, or None where not even the number of dimensions is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..autograd.tensor import Tensor
from ..values import IterValue, ListValue, Scalar, Value
from .arguments import as_tensor

Shape = tuple[int, ...]
UNKNOWN = -1
Bound = Mapping[str, Value]
_NUMBERS = ("int", "float", "bool")


def known(shape: Shape | None) -> bool:
    """Whether every size is known."""
    return shape is not None and UNKNOWN not in shape


def numel(shape: Shape | None) -> int | None:
    """The number of elements; None if it is not known."""
    if shape is None or not known(shape):
        return None
    total = 1
    for size in shape:
        total *= size
    return total


def literal(value: Value) -> tuple[int | None, ...] | None:
    """Sizes or dimensions as an argument: a number, or a list or tuple of numbers; None for what is not known."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return (value,)
    if isinstance(value, (ListValue, IterValue)):
        if value.open:
            return None
        value = value.items
    if not isinstance(value, tuple):
        return None
    if len(value) == 1 and not isinstance(value[0], int):
        return literal(value[0]) if isinstance(value[0], (tuple, ListValue)) else None
    return tuple(each if isinstance(each, int) and not isinstance(each, bool) else None for each in value)


def sizes_asked(values: Sequence[Value]) -> Shape | None:
    """The shape that a factory is asked for: `rand(2, 3)`, `rand((2, 3))`, `rand([n, 3])`, `rand(*size)`."""
    found = literal(tuple(values))
    return None if found is None else tuple(UNKNOWN if each is None else each for each in found)


def of_data(data: Value, depth: int = 4) -> Shape | None:
    """The shape of what `torch.tensor(data)` makes."""
    if isinstance(data, Tensor):
        return data.shape
    if isinstance(data, (int, float, complex)) or (isinstance(data, Scalar) and data.kind in _NUMBERS):
        return ()
    if isinstance(data, ListValue):
        if data.open:
            return None
        data = data.items
    if not isinstance(data, tuple) or not depth:
        return None
    inner = [of_data(each, depth - 1) for each in data]
    if not inner:
        return (0,)
    return None if inner[0] is None or any(each != inner[0] for each in inner) else (len(inner), *inner[0])


def broadcast(shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape of an element-wise operation."""
    if any(shape is None for shape in shapes) or not shapes:
        return None
    present = [shape for shape in shapes if shape is not None]
    result = []
    for back in range(1, max(map(len, present), default=0) + 1):
        column = [shape[-back] for shape in present if len(shape) >= back]
        large = [size for size in column if size not in (1, UNKNOWN)]
        result.append(large[0] if large else UNKNOWN if UNKNOWN in column else 1)
    return tuple(reversed(result))


def operand(bound: Bound) -> Tensor | None:
    return as_tensor(bound.get("self", bound.get("input", bound.get("tensor"))))


def dimension(value: Value, rank: int) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not -max(rank, 1) <= value < max(rank, 1):
        return None
    return value % max(rank, 1)
