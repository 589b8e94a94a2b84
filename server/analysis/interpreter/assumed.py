"""What a test tells about the name that it asks: `if state is not None: state = state.detach()`.

Past such a statement `state` is what the branch made of it, or None; the unknown value that it was before is gone.
"""

from __future__ import annotations

import ast

from ..values import Choice, Instance, ModuleObject, Unknown, Value
from .machine import Machine


def assume(machine: Machine, node: ast.If, outcome: bool) -> None:
    """At the start of the arm that a test with this `outcome` leads to: the name it asks is None there.

    Only where the other arm gives the name something else: a value that is merely looked at stays one value, and is
    not told apart from None in all that follows.
    """
    asked = _asked(node.test)
    if asked is None or asked[1] != outcome:
        return
    place, other = asked[0], node.orelse if outcome else node.body
    if not _is_given(place, other):
        return
    if isinstance(place, ast.Name):
        if _may_be_anything(machine.frame.scope.lookup(place.id)):
            machine.frame.scope.store(machine.heap, place.id, None)
        return
    assert isinstance(place.value, ast.Name)
    owner = machine.frame.scope.lookup(place.value.id)
    if isinstance(owner, (Instance, ModuleObject)) and _may_be_anything(owner.attributes.get(place.attr)):
        machine.heap.put(owner.attributes, place.attr, None)


def _asked(test: ast.expr) -> tuple[ast.Name | ast.Attribute, bool] | None:
    """(the name or attribute, the outcome that says it is None) of `x is None`, `x is not None` and their `not`."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        asked = _asked(test.operand)
        return None if asked is None else (asked[0], not asked[1])
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], (ast.Is, ast.IsNot)):
        return None
    place, none = test.left, test.comparators[0]
    if not isinstance(none, ast.Constant) or none.value is not None:
        return None
    plain = isinstance(place, ast.Name) or (isinstance(place, ast.Attribute) and isinstance(place.value, ast.Name))
    return (place, isinstance(test.ops[0], ast.Is)) if plain else None  # type: ignore[return-value]


def _is_given(place: ast.Name | ast.Attribute, body: list[ast.stmt]) -> bool:
    written = ast.unparse(place)
    return any(
        isinstance(each, (ast.Name, ast.Attribute)) and isinstance(each.ctx, ast.Store) and ast.unparse(each) == written
        for statement in body
        for each in ast.walk(statement)
    )


def _may_be_anything(value: Value) -> bool:
    if isinstance(value, Choice):
        return any(_may_be_anything(each) for _, each in value.alternatives)
    return isinstance(value, Unknown)
