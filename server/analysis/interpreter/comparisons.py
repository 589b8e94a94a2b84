"""Comparisons: `a < b`, `a == b`, `a is b`, `a in b`. The same one of the same unknown is the same condition twice."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from ..autograd.heap import MISSING
from ..autograd.tensor import Tensor
from ..values import (
    AtLeast,
    Choice,
    DictValue,
    First,
    Instance,
    Length,
    ListValue,
    ModuleObject,
    Scalar,
    Site,
    TorchName,
    Unknown,
    Value,
)
from .expressions import evaluate, expression, record
from .keys import CONSTANTS, key_of
from .machine import Machine, Negation

COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
NAMES: dict[type, str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}
"""The middle of the special methods' names: `__lt__`."""


@expression(ast.Compare)
def _compare(machine: Machine, node: ast.Compare) -> Value:
    left = evaluate(machine, node.left)
    if len(node.ops) == 1:
        right = evaluate(machine, node.comparators[0])
        result = compare(machine, node.ops[0], left, right, machine.site(node))
        if type(result) is Tensor:
            record(machine, node, result)
        return result
    outcomes = []
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(machine, comparator)
        outcomes.append(compare(machine, op, left, right, machine.site(node)))
        left = right
    if any(o is False for o in outcomes):
        return False
    return True if all(o is True for o in outcomes) else Scalar("bool")


def compare(machine: Machine, op: ast.cmpop, left: Value, right: Value, site: Site) -> Value:
    """`left op right` for comparisons, `is` and `in`."""
    left, right = machine.narrow(left), machine.narrow(right)
    if isinstance(op, (ast.Is, ast.IsNot)):
        same = _identical(machine, left, right)
        if isinstance(same, bool):
            return same is isinstance(op, ast.Is)
        return same if isinstance(op, ast.Is) else Negation(same)
    if isinstance(op, (ast.In, ast.NotIn)):
        inside = _contains(machine, left, right)
        if isinstance(inside, bool):
            return inside is isinstance(op, ast.In)
        return inside if isinstance(op, ast.In) else Negation(inside)
    if (type(left) is Length) is not (type(right) is Length) and isinstance(left, int) and isinstance(right, int):
        grown = [AtLeast(each) if type(each) is Length else each for each in (left, right)]
        known = _bounded(op, *grown)
        return Scalar("bool") if known is None else known
    if isinstance(left, CONSTANTS) and isinstance(right, CONSTANTS):
        try:
            return bool(COMPARE[type(op)](left, right))
        except TypeError:
            return Scalar("bool")
    if isinstance(left, Instance) or isinstance(right, Instance):
        members = _compare_members(op, left, right)
        if members is not None:
            return members
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return machine.torch.binary(NAMES[type(op)], left, right, site, False)
    if isinstance(left, Choice) or isinstance(right, Choice):
        return _compare_choice(machine, op, left, right, site)
    if isinstance(left, TorchName) and isinstance(right, TorchName):
        return (left == right) is isinstance(op, ast.Eq)
    if isinstance(left, AtLeast) or isinstance(right, AtLeast):
        known = _bounded(op, left, right)
        if known is not None:
            return known
    if isinstance(left, (Unknown, Scalar)) and isinstance(right, CONSTANTS):
        key = (left, type(ast.Eq() if isinstance(op, ast.NotEq) else op), right)
        result = machine.comparison(key, lambda: Scalar("bool"))
        return Negation(result) if isinstance(op, ast.NotEq) else result
    return Scalar("bool")


_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
}


def _bounded(op: ast.cmpop, left: Value, right: Value) -> bool | None:
    """The answer that a lower bound of one side and a number on the other give; None if they give none."""
    kind: type[ast.cmpop] | None = type(op)
    if isinstance(right, AtLeast):
        left, right, kind = right, left, _MIRRORED.get(type(op))
    if not isinstance(left, AtLeast) or not isinstance(right, (int, float)):
        return None
    if right < left.least:
        return {ast.Gt: True, ast.GtE: True, ast.NotEq: True, ast.Lt: False, ast.LtE: False, ast.Eq: False}.get(kind)  # type: ignore[arg-type]
    if right == left.least:
        if isinstance(left, First):
            left.asked = True
            return COMPARE[kind](right, right)  # type: ignore[index]
        return {ast.GtE: True, ast.Lt: False}.get(kind)  # type: ignore[arg-type]
    return None


def _compare_members(op: ast.cmpop, left: Value, right: Value) -> bool | None:
    """`==` and `!=` where a member of an enum takes part; None if the answer is not known."""
    if not isinstance(op, (ast.Eq, ast.NotEq)):
        return None
    equal = isinstance(op, ast.Eq)
    sides = [each.cls.enum if isinstance(each, Instance) else False for each in (left, right)]
    if all(sides):
        return (left is right) is equal
    for member, other, is_member in ((left, right, sides[0]), (right, left, sides[1])):
        if is_member and isinstance(other, CONSTANTS):
            # A member equals a plain value only where the enum is also a str or int.
            value = member.attributes["value"]
            return (isinstance(value, CONSTANTS) and value == other and len(member.cls.bases) > 1) is equal
    return None


def _compare_choice(machine: Machine, op: ast.cmpop, left: Value, right: Value, site: Site) -> Value:
    one, other = (left, right) if isinstance(left, Choice) else (right, left)
    if isinstance(other, Choice):
        return Scalar("bool")
    alternatives = tuple(
        (path, compare(machine, op, value, other, site) if one is left else compare(machine, op, other, value, site))
        for path, value in one.alternatives
    )
    outcomes = {v for _, v in alternatives if isinstance(v, bool)}
    if len(outcomes) == 1 and all(isinstance(v, bool) for _, v in alternatives):
        return outcomes.pop()
    return Choice(alternatives)


def _identical(machine: Machine, left: Value, right: Value) -> Value:
    if left is None or right is None:
        other = right if left is None else left
        if other is None:
            return True
        if isinstance(other, Unknown):
            return machine.comparison((other, "is None"), lambda: Scalar("bool"))
        if isinstance(other, Choice):
            return Choice(tuple((p, _identical(machine, v, None)) for p, v in other.alternatives))
        return False
    if isinstance(left, (bool, type(Ellipsis))) and isinstance(right, (bool, type(Ellipsis))):
        return left is right
    if left is right and isinstance(left, (Tensor, Instance, ModuleObject, ListValue, DictValue)):
        return True
    if isinstance(left, (Tensor, Instance, ModuleObject)) and isinstance(right, (Tensor, Instance, ModuleObject)):
        return False
    return Scalar("bool")


def _contains(machine: Machine, left: Value, right: Value) -> Value:
    if isinstance(right, DictValue):
        if key_of(left) is not MISSING:
            if left in right.items:
                return True
            return False if right.rest is None else machine.comparison((left, "in", right), lambda: Scalar("bool"))
        return Scalar("bool")
    if isinstance(left, CONSTANTS):
        if isinstance(right, str) and isinstance(left, str):
            return left in right
        items = right if isinstance(right, tuple) else right.items if isinstance(right, ListValue) else None
        if items is not None and all(isinstance(item, CONSTANTS) for item in items):
            if left in items:
                return True
            return False if isinstance(right, tuple) or not right.open else Scalar("bool")
    return Scalar("bool")
