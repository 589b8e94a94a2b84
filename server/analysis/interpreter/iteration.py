"""Builtins that make or walk iterables: `list`, `dict`, `range`, `zip`, `map`, `iter`, `next`, `sorted`, `any`."""

from __future__ import annotations

from collections.abc import Callable

from ..autograd.tensor import Tensor
from ..values import (
    RANGE,
    AtLeast,
    BoundMethod,
    Call,
    DictValue,
    Instance,
    IterValue,
    Length,
    ListValue,
    ModuleObject,
    Scalar,
    Site,
    Unknown,
    Value,
)
from . import generators
from .elements import fresh, later
from .keys import CONSTANTS
from .machine import Machine

_MAX_RANGE = 64


def _sequence(kind: str) -> Callable[[Machine, Call], Value]:
    def make(machine: Machine, call: Call) -> Value:
        if not call.args:
            return () if kind == "tuple" else ListValue((), kind)
        items, open_ = machine.iterate(call.args[0], call.site)
        if kind == "tuple" and not open_:
            return tuple(items)
        return ListValue(items, kind, open_)

    return make


def _dict(machine: Machine, call: Call) -> Value:
    result = DictValue(call.kwargs)
    if call.args:
        source = call.args[0]
        if isinstance(source, DictValue):
            result.items = {**source.items, **result.items}
            result.rest = source.rest
        else:
            items, open_ = machine.iterate(source, call.site)
            for item in items:
                if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], CONSTANTS):
                    result.items[item[0]] = item[1]
                else:
                    open_ = True
            if open_:
                result.rest = Unknown("an entry of an unknown mapping", deps=(source,))
    return result


def _range(machine: Machine, call: Call) -> Value:
    if all(isinstance(a, int) for a in call.args) and call.args:
        try:
            numbers = range(*call.args)
        except (TypeError, ValueError):
            return IterValue([Scalar("int")], True)
        if not numbers[_MAX_RANGE:]:  # Not its length: that is refused beyond a machine's word.
            return ListValue(tuple(numbers), RANGE)
    return ListValue([_index(call)], RANGE, open_=True)


def _index(call: Call) -> Value:
    """The first number of a range that is not known as a whole: those after it are greater if it counts up.

    Who counts down writes the sign (`range(n, -1, -1)`): a step that is not known is taken to be positive.
    """
    start: Value = call.args[0] if len(call.args) > 1 else 0
    step: Value = call.args[2] if len(call.args) > 2 else 1
    counts_up = not (isinstance(step, int) and step <= 0) and not call.open_args
    return AtLeast(start) if isinstance(start, int) and counts_up else Scalar("int")


def _len(machine: Machine, call: Call) -> Value:
    value = machine.narrow(call.args[0]) if call.args else None
    if isinstance(value, (tuple, str)):
        return len(value)
    if isinstance(value, Tensor) and value.shape and value.shape[0] >= 0:
        return value.shape[0]
    if isinstance(value, ListValue) and not value.open:
        return Length(len(value.items)) if value.grows and value.items else len(value.items)
    if isinstance(value, DictValue) and value.rest is None:
        return len(value.items)
    if isinstance(value, ModuleObject) and not value.open and value.items:
        return len(value.items)
    if isinstance(value, Instance):
        found = value.cls.find("__len__")
        if found is not None:
            return machine.call(BoundMethod(found[0], value), Call([], {}, call.site))
    return Scalar("int")


def _zip(machine: Machine, call: Call) -> Value:
    columns = [machine.iterate(arg, call.site) for arg in call.args]
    if not columns:
        return IterValue(())
    exact = [len(items) for items, open_ in columns if not open_]
    if exact:
        count = min(exact)
        rows = []
        for index in range(count):
            row = []
            for items, open_ in columns:
                if open_ or index >= len(items):
                    row.append(later(items, index))
                else:
                    row.append(items[index])
            rows.append(tuple(row))
        return IterValue(rows)
    count = max(len(items) for items, _ in columns)
    return IterValue([tuple(later(items, i) for items, _ in columns) for i in range(count)], True)


def _enumerate(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    start = call.argument(1, "start", 0)
    if open_ and isinstance(start, int):
        return IterValue([(AtLeast(start), item) for item in items], True, counts=True)
    if open_:
        return IterValue([(Scalar("int"), item) for item in items], True)
    if not isinstance(start, int):
        return IterValue([(Scalar("int"), item) for item in items])
    return IterValue([(start + index, item) for index, item in enumerate(items)])


def _map(machine: Machine, call: Call) -> Value:
    if len(call.args) < 2:
        return Unknown("map()")
    rows, open_ = machine.iterate(_zip(machine, Call(call.args[1:], {}, call.site)), call.site)
    return IterValue([machine.call(call.args[0], Call(list(row), {}, call.site)) for row in rows], open_)


def _filter(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[1], call.site) if len(call.args) > 1 else ([], True)
    kept = []
    for item in items:
        outcome = item if call.args[0] is None else machine.call(call.args[0], Call([item], {}, call.site))
        known = machine.truth(outcome)
        if known is not False:
            kept.append(item)
            open_ = open_ or known is None
    return IterValue(kept, open_)


def _iter(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    return IterValue(items, open_)


def next_(machine: Machine, call: Call) -> Value:
    """`next(iterator)` and `next(iterator, default)`."""
    value = call.args[0] if call.args else None
    if isinstance(value, IterValue):
        if value.source is not None:
            generators.collect(machine, value)
        if value.modes and value.modes[0] is not machine.autograd.mode:
            machine.autograd.set_mode(value.modes[0])
        if value.items:
            first = value.items[0]
            if value.open:
                return _one_of_many(machine, value, call.site)
            machine.heap.write(value, "items", value.items[1:])
            machine.heap.write(value, "modes", value.modes[1:])
            return first
        if len(call.args) > 1:
            return call.args[1]
    items, _ = machine.iterate(value, call.site)
    return fresh(items[0]) if items else Unknown("next() of nothing")


def _one_of_many(machine: Machine, value: IterValue, site: Site) -> Value:
    """The next element of an iterator of which only the first ones are known. No two have their graph in common."""
    first = value.items[0]
    if not any(tensor.node is not None for tensor in machine.tensors_in(first)):
        return fresh(first)
    if len(value.items) > 1:
        machine.heap.write(value, "items", value.items[1:])
        machine.heap.write(value, "modes", value.modes[1:])
        return first
    if not value.used:
        machine.heap.write(value, "used", True)
        return first
    return machine.torch.another(first, site)


def _sorted(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    return ListValue(items, open_=open_ or (len(items) > 1 and not all(isinstance(i, CONSTANTS) for i in items)))


def _reversed(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    return IterValue(items[::-1], open_)


def _any_all(machine: Machine, call: Call) -> Value:
    items, _ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    del items
    return Scalar("bool")


BUILTINS: dict[str, Callable[[Machine, Call], Value]] = {
    "list": _sequence("list"),
    "tuple": _sequence("tuple"),
    "set": _sequence("set"),
    "frozenset": _sequence("set"),
    "dict": _dict,
    "range": _range,
    "len": _len,
    "zip": _zip,
    "enumerate": _enumerate,
    "map": _map,
    "filter": _filter,
    "iter": _iter,
    "next": next_,
    "sorted": _sorted,
    "reversed": _reversed,
    "any": _any_all,
    "all": _any_all,
}
