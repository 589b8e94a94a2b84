"""Displays: tuples, lists, sets and dicts as they are written, comprehensions, and generator expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from ..autograd.heap import MISSING
from ..values import DictValue, IterValue, ListValue, Unknown, Value
from .elements import any_of, open_elements
from .expressions import evaluate, expression
from .keys import key_of
from .machine import Machine
from .targets import assign


def _sequence(machine: Machine, elts: list[ast.expr]) -> tuple[list[Value], bool]:
    items: list[Value] = []
    open_ = False
    for element in elts:
        if isinstance(element, ast.Starred):
            more, more_open = machine.iterate(evaluate(machine, element.value), machine.site(element))
            items.extend(more)
            open_ = open_ or more_open
        else:
            items.append(evaluate(machine, element))
    return items, open_


@expression(ast.Tuple)
def _tuple(machine: Machine, node: ast.Tuple) -> Value:
    items, open_ = _sequence(machine, node.elts)
    return ListValue(items, open_=True) if open_ else tuple(items)


@expression(ast.List)
def _list(machine: Machine, node: ast.List) -> Value:
    items, open_ = _sequence(machine, node.elts)
    value = ListValue(items, open_=open_)
    if not items and not open_:
        value.items = machine.no_elements()
    return value


@expression(ast.Set)
def _set(machine: Machine, node: ast.Set) -> Value:
    items, open_ = _sequence(machine, node.elts)
    return ListValue(items, "set", open_)


@expression(ast.Dict)
def _dict(machine: Machine, node: ast.Dict) -> Value:
    result = DictValue()
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        value = evaluate(machine, value_node)
        if key_node is None:
            if isinstance(value, DictValue):
                result.items.update(value.items)
                if value.rest is not None:
                    result.rest = value.rest
            else:
                result.rest = Unknown("an unknown mapping", deps=(value,))
            continue
        key = key_of(evaluate(machine, key_node))
        if key is not MISSING:
            result.items[key] = value
        else:
            result.rest = value if result.rest is None else machine.join(result.rest, value)
    return result


def _comprehension(machine: Machine, node: Any, emit: Callable[[], None]) -> bool:
    """Run the generators of a comprehension, calling `emit` for each element; whether elements may be missing."""

    def level(depth: int) -> bool:
        if depth == len(node.generators):
            emit()
            return False
        generator = node.generators[depth]
        items, open_ = machine.iterate(evaluate(machine, generator.iter), machine.site(generator.iter))
        if open_ or len(items) > 64:
            items, open_ = open_elements(machine, items)[:1], True
        for item in items:
            assign(machine, generator.target, item)
            skip = False
            for condition in generator.ifs:
                known, _, _ = machine.test(evaluate(machine, condition))
                if known is False:
                    skip = True
                elif known is None:
                    open_ = True
            if not skip:
                open_ = level(depth + 1) or open_
        return open_

    scope = machine.frame.scope
    kept = dict(scope.names)
    try:
        return level(0)
    finally:
        for target in _bound_names(node.generators):
            machine.heap.put(scope.names, target, kept.get(target, MISSING))


def _bound_names(generators: list[ast.comprehension]) -> list[str]:
    return [n.id for g in generators for n in ast.walk(g.target) if isinstance(n, ast.Name)]


@expression(ast.ListComp, ast.SetComp)
def _list_comp(machine: Machine, node: ast.ListComp | ast.SetComp) -> Value:
    items: list[Value] = []
    open_ = _comprehension(machine, node, lambda: items.append(evaluate(machine, node.elt)))
    return ListValue(items, "set" if isinstance(node, ast.SetComp) else "list", open_)


@expression(ast.GeneratorExp)
def _generator(machine: Machine, node: ast.GeneratorExp) -> Value:
    items: list[Value] = []
    open_ = _comprehension(machine, node, lambda: items.append(evaluate(machine, node.elt)))
    return IterValue(items, open_)


@expression(ast.DictComp)
def _dict_comp(machine: Machine, node: ast.DictComp) -> Value:
    result = DictValue()

    def emit() -> None:
        key, value = key_of(evaluate(machine, node.key)), evaluate(machine, node.value)
        if key is not MISSING:
            result.items[key] = value
        else:
            result.rest = value if result.rest is None else machine.join(result.rest, value)

    if _comprehension(machine, node, emit) and result.rest is None and result.items:
        result.rest = any_of(machine, list(result.items.values()))
    return result
