"""Expressions: from syntax to values. Here is what `evaluate` is, with names, literals and what only picks a value.

The other kinds of expression register themselves: `operators`, `comparisons`, `displays`, `primaries` (attributes,
calls, subscripts), and `targets` for `:=`.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from typing import Any

from ..autograd.heap import MISSING, remember
from ..autograd.tensor import Tensor
from ..values import Builtin, Choice, Scalar, Unknown, Value
from .imports import STAR, LazyImport
from .machine import Machine
from .torch_names import USUAL_NAMES

Handler = Callable[[Machine, Any], Value]
BUILTINS = frozenset([*dir(builtins), "reveal_grad"])
"""Names that are defined everywhere."""
POLL = 31
"""The caller may have lost interest: asked once in so many steps and one."""
_HANDLERS: dict[type, Handler] = {}


def expression(*kinds: type[ast.expr]) -> Callable[[Handler], Handler]:
    """Register how expressions of these kinds are evaluated."""

    def add(handler: Handler) -> Handler:
        for kind in kinds:
            _HANDLERS[kind] = handler
        return handler

    return add


def evaluate(machine: Machine, node: ast.expr) -> Value:
    """The value of an expression."""
    # A tick of the budget, written out: nothing else is done as often.
    machine.steps += 1
    if machine.steps > machine.max_steps or not machine.steps & POLL:
        machine.tick(0)
    handler = _HANDLERS.get(type(node))
    if handler is None:
        machine.unresolved(f"expression {type(node).__name__}")
        return Unknown(f"an expression of kind {type(node).__name__}")
    return handler(machine, node)


def record(machine: Machine, node: ast.AST, value: Value) -> None:
    """Remember the tensor at a place, for hover."""
    if type(value) is Tensor and machine.module is machine.main:
        kept = machine.recorded.setdefault(node, [])
        if len(kept) < 4:
            kept.append((value, value.node, value.requires_grad))


def load_name(machine: Machine, name: str, node: ast.AST) -> Value:
    """The value a name is bound to."""
    value = machine.frame.scope.lookup(name)
    if value is MISSING:
        if name in BUILTINS:
            return Builtin(name)
        if name in USUAL_NAMES:
            return USUAL_NAMES[name]
        star = machine.module.namespace.get(STAR)
        origin = "is not defined here" if star is None else f"may come from `{getattr(star, 'dotted', '*')}`"
        value = Unknown(f"`{name}` {origin}", name=name)
        # The same unresolved name is the same unknown everywhere.
        if name not in machine.module.namespace:
            remember(machine.module.namespace, name, value)
        return machine.module.namespace[name]
    kind = type(value)
    if kind is Tensor:
        if machine.module is machine.main:
            record(machine, node, value)
        return value
    if kind is LazyImport:
        value = machine.importer.settle(machine, value)
        record(machine, node, value)
        kind = type(value)
    if kind is Choice:
        value = machine.narrow(value)
        record(machine, node, value)
    return value


@expression(ast.Name)
def _name(machine: Machine, node: ast.Name) -> Value:
    return load_name(machine, node.id, node)


@expression(ast.Constant)
def _constant(machine: Machine, node: ast.Constant) -> Value:
    return node.value


@expression(ast.IfExp)
def _if_exp(machine: Machine, node: ast.IfExp) -> Value:
    known, key, polarity = machine.test(evaluate(machine, node.test))
    if known is True:
        return evaluate(machine, node.body)
    if known is False:
        return evaluate(machine, node.orelse)
    return machine.fork(
        [
            (frozenset({(key, polarity)}), lambda: evaluate(machine, node.body)),
            (frozenset({(key, not polarity)}), lambda: evaluate(machine, node.orelse)),
        ]
    )


@expression(ast.JoinedStr)
def _joined_str(machine: Machine, node: ast.JoinedStr) -> Value:
    for value in node.values:
        if isinstance(value, ast.FormattedValue):
            evaluate(machine, value.value)
    return Scalar("str")


@expression(ast.Await)
def _await(machine: Machine, node: ast.Await) -> Value:
    return evaluate(machine, node.value)


@expression(ast.Yield)
def _yield(machine: Machine, node: ast.Yield) -> Value:
    value = evaluate(machine, node.value) if node.value is not None else None
    _hand_out(machine, [value])
    # What the consumer sends is not known; a plain `yield` gives None, and nobody looks.
    return Unknown("a value sent to the generator")


@expression(ast.YieldFrom)
def _yield_from(machine: Machine, node: ast.YieldFrom) -> Value:
    items, _ = machine.iterate(evaluate(machine, node.value), machine.site(node))
    _hand_out(machine, items)
    return None


def _hand_out(machine: Machine, items: list[Value]) -> None:
    frame = machine.frame
    if frame.on_yield is not None:
        for item in items:
            frame.on_yield(item)
    elif frame.yields is not None:
        frame.yields.extend(items)


@expression(ast.Starred)
def _starred(machine: Machine, node: ast.Starred) -> Value:
    return evaluate(machine, node.value)
