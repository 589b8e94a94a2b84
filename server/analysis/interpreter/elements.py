"""Elements that stand for many: of iterables whose length is not known, and at an index that is not."""

from __future__ import annotations

from ..values import AtLeast, First, Scalar, Unknown, Value
from .keys import CONSTANTS
from .machine import Machine


def any_of(machine: Machine, values: list[Value]) -> Value:
    """One of the values, at an index or key that is not known."""
    if not values:
        return Unknown("an element of an empty container")
    return machine.join_all(values)


def open_elements(machine: Machine, items: list[Value], counts: bool = False) -> list[Value]:
    """Two elements that stand for the first and a later pass over an iterable of unknown length.

    `counts`: it is a range or an `enumerate`, whose numbers grow from pass to pass; then there is a third one, of a
    pass behind that.
    """
    if not items:
        return []
    if len(items) > 2:
        if all(type(item) is int for item in items):
            least = min(items)  # type: ignore[type-var]
            first = AtLeast(least)  # type: ignore[arg-type]
            up = counts and items[0] == least
            return _counted(first) if up else [first, AtLeast(first.least)]
        if all(isinstance(item, (int, float)) for item in items):
            return [Scalar(type(items[0]).__name__), Scalar(type(items[0]).__name__)]
        if len(items) <= 64 and not all(isinstance(item, CONSTANTS) for item in items):
            joined = any_of(machine, items)
            return [joined, joined]
    first, last = items[0], items[-1]
    if isinstance(first, (int, float, str)):
        scalar = Scalar(type(first).__name__)
        return [scalar, Scalar(scalar.kind)]
    if first is last:
        last = fresh(last)
    return _counted(first, last) if counts else [first, last]


def _counted(first: Value, last: Value | None = None) -> list[Value]:
    later = _counted_on(first if last is None else last)
    return [_first(first), later, fresh(later)]


def _first(value: Value) -> Value:
    """What the first pass has: an index that is where the range begins."""
    if isinstance(value, AtLeast):
        return First(value.least)
    return (_first(value[0]), *value[1:]) if type(value) is tuple and value else value


def asked_for_start(value: Value) -> bool:
    """Whether the pass that had this value compared its index with the one that the range begins at."""
    if type(value) is tuple and value:
        return asked_for_start(value[0])
    return isinstance(value, First) and value.asked


def _counted_on(value: Value) -> Value:
    """What a later pass has in place of what the first one had: an index that is greater by one at least."""
    if isinstance(value, AtLeast):
        return AtLeast(value.least + 1)
    return (_counted_on(value[0]), *value[1:]) if type(value) is tuple and value else value


def fresh(value: Value) -> Value:
    """Another value like this one, for the next pass of a loop: unknowns are new, known objects stay."""
    if isinstance(value, Unknown):
        return value.another()
    if type(value) is tuple:
        return tuple(fresh(item) for item in value)
    if isinstance(value, AtLeast):
        return AtLeast(value.least)
    if isinstance(value, Scalar):
        return Scalar(value.kind, value.node)
    return value


def later(items: list[Value], index: int) -> Value:
    """An element of an iterable of which only the first ones are known: behind those, one like the last."""
    if not items:
        return Unknown("an element of an empty iterable")
    return items[index] if index < len(items) else fresh(items[-1])
