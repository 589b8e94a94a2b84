"""`itertools` and `operator`: exact for iterables of known elements, as far as these are few; else alike in kind."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from typing import Any

from ..values import Call, External, IterValue, NativeMethod, Scalar, Unknown, Value
from . import builtins, operators
from .elements import later
from .machine import Machine
from .subscripts import subscript

MOST = 64
"""Elements that a combination of iterables may have to be made one by one."""

Function = Callable[[Machine, Call], Value]


def _elements(machine: Machine, call: Call, index: int = 0) -> tuple[list[Value], bool]:
    return machine.iterate(call.args[index], call.site) if len(call.args) > index else ([], False)


def _chain(machine: Machine, call: Call) -> Value:
    items: list[Value] = []
    open_ = False
    for argument in call.args:
        more, more_open = machine.iterate(argument, call.site)
        items.extend(more)
        open_ = open_ or more_open
    return IterValue(items, open_)


def _chain_from(machine: Machine, call: Call) -> Value:
    parts, open_ = _elements(machine, call)
    chained = _chain(machine, Call(parts, {}, call.site))
    assert isinstance(chained, IterValue)
    return IterValue(chained.items, open_ or chained.open)


def _count(machine: Machine, call: Call) -> Value:
    return IterValue([Scalar("int")], True)


def _cycle(machine: Machine, call: Call) -> Value:
    return IterValue(_elements(machine, call)[0], True)


def _repeat(machine: Machine, call: Call) -> Value:
    times = call.argument(1, "times", None)
    item = call.args[0] if call.args else None
    if isinstance(times, int) and times <= MOST:
        return IterValue([item] * max(times, 0))
    return IterValue([item], True)


def _islice(machine: Machine, call: Call) -> Value:
    items, open_ = _elements(machine, call)
    bounds = call.args[1:]
    if open_ or not bounds or not all(bound is None or (type(bound) is int and bound >= 0) for bound in bounds):
        return IterValue(items, True)
    return IterValue(list(itertools.islice(items, *bounds)))  # type: ignore[arg-type]


def _combined(combine: Callable[..., Any]) -> Function:
    """`permutations`, `combinations` and their kin: tuples of elements of one iterable."""

    def run(machine: Machine, call: Call) -> Value:
        items, open_ = _elements(machine, call)
        size = call.argument(1, "r", len(items))
        if not open_ and isinstance(size, int) and size >= 0:
            rows = list(itertools.islice(combine(items, size), MOST + 1))
            if len(rows) <= MOST:
                return IterValue(rows)
        width = size if isinstance(size, int) and 0 <= size <= MOST else 2
        return IterValue([tuple(later(items, index) for index in range(width))], True)

    return run


def _product(machine: Machine, call: Call) -> Value:
    columns = [machine.iterate(argument, call.site) for argument in call.args]
    repeat = call.kwargs.get("repeat", 1)
    if isinstance(repeat, int) and 0 < repeat <= 4 and not any(open_ for _, open_ in columns):
        rows = list(itertools.islice(itertools.product(*(items for items, _ in columns), repeat=repeat), MOST + 1))
        if len(rows) <= MOST:
            return IterValue(rows)
    return IterValue([tuple(later(items, 0) for items, _ in columns)], True)


def _zip_longest(machine: Machine, call: Call) -> Value:
    columns = [machine.iterate(argument, call.site) for argument in call.args]
    fill = call.kwargs.get("fillvalue")
    if any(open_ for _, open_ in columns):
        return builtins.call(machine, "zip", Call(call.args, {}, call.site))
    return IterValue(list(itertools.zip_longest(*(items for items, _ in columns), fillvalue=fill)))


def _pairwise(machine: Machine, call: Call) -> Value:
    items, open_ = _elements(machine, call)
    if open_:
        return IterValue([(later(items, 0), later(items, 1))], True)
    return IterValue(list(itertools.pairwise(items)))


def _accumulate(machine: Machine, call: Call) -> Value:
    items, open_ = _elements(machine, call)
    function = call.argument(1, "func", None)
    total: list[Value] = []
    first = call.kwargs.get("initial")
    for item in [first, *items] if first is not None else items:
        if not total:
            total.append(item)
        elif function is None:
            total.append(operators.binary(machine, ast.Add(), total[-1], item, call.site))
        else:
            total.append(machine.call(function, Call([total[-1], item], {}, call.site)))
    return IterValue(total, open_)


def _starmap(machine: Machine, call: Call) -> Value:
    rows, open_ = _elements(machine, call, 1)
    found = []
    for row in rows:
        arguments, _ = machine.iterate(row, call.site)
        found.append(machine.call(call.args[0], Call(list(arguments), {}, call.site)))
    return IterValue(found, open_)


def _tee(machine: Machine, call: Call) -> Value:
    items, open_ = _elements(machine, call)
    number = call.argument(1, "n", 2)
    return tuple(IterValue(items, open_) for _ in range(number if isinstance(number, int) and number <= MOST else 2))


def _some(index: int) -> Function:
    """A choice among the elements that depends on what they are worth: `takewhile`, `dropwhile`, `compress`."""

    def run(machine: Machine, call: Call) -> Value:
        return IterValue(_elements(machine, call, index)[0], True)

    return run


def _operator(kind: ast.operator) -> Function:
    def run(machine: Machine, call: Call) -> Value:
        if len(call.args) < 2:
            return Unknown("an operator with too few operands")
        return operators.binary(machine, kind, call.args[0], call.args[1], call.site)

    return run


def _getter(by_name: bool) -> Function:
    """`itemgetter(1)`, `attrgetter("weight")`: a function of its argument; several keys give a tuple."""

    def make(machine: Machine, call: Call) -> Value:
        keys = list(call.args)

        def one(owner: Value, key: Value, site: Any) -> Value:
            if not by_name:
                return subscript(machine, owner, key, site)
            if not isinstance(key, str):
                return Unknown("attrgetter() of a name that is not known")
            for name in key.split("."):
                owner = machine.attribute(owner, name, site)
            return owner

        def run(inner: Call) -> Value:
            if not inner.args or not keys:
                return Unknown("a getter without an argument")
            found = [one(inner.args[0], key, inner.site) for key in keys]
            return found[0] if len(found) == 1 else tuple(found)

        return NativeMethod(External("operator"), "attrgetter" if by_name else "itemgetter", run)

    return make


FUNCTIONS: dict[str, Function] = {
    "itertools.accumulate": _accumulate,
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": _chain_from,
    "itertools.combinations": _combined(itertools.combinations),
    "itertools.combinations_with_replacement": _combined(itertools.combinations_with_replacement),
    "itertools.compress": _some(0),
    "itertools.count": _count,
    "itertools.cycle": _cycle,
    "itertools.dropwhile": _some(1),
    "itertools.filterfalse": _some(1),
    "itertools.islice": _islice,
    "itertools.pairwise": _pairwise,
    "itertools.permutations": _combined(itertools.permutations),
    "itertools.product": _product,
    "itertools.repeat": _repeat,
    "itertools.starmap": _starmap,
    "itertools.takewhile": _some(1),
    "itertools.tee": _tee,
    "itertools.zip_longest": _zip_longest,
    "operator.add": _operator(ast.Add()),
    "operator.attrgetter": _getter(True),
    "operator.itemgetter": _getter(False),
    "operator.matmul": _operator(ast.MatMult()),
    "operator.mul": _operator(ast.Mult()),
    "operator.pow": _operator(ast.Pow()),
    "operator.sub": _operator(ast.Sub()),
    "operator.truediv": _operator(ast.Div()),
}
"""What the standard library's iterator functions give, by dotted name."""
