"""Arithmetic and boolean operators: `a + b`, `-a`, `not a`, `a and b`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from ..autograd.tensor import Tensor
from ..values import Call, Choice, Instance, IterValue, Length, ListValue, Scalar, Site, Unknown, Value
from .expressions import evaluate, expression, record
from .keys import CONSTANTS
from .machine import Machine, Negation

ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.MatMult: operator.matmul,
}
NAMES: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.MatMult: "matmul",
}
"""The middle of the special methods' names: `__add__`, `__radd__`, `__iadd__`."""


@expression(ast.BinOp)
def _bin_op(machine: Machine, node: ast.BinOp) -> Value:
    left = evaluate(machine, node.left)
    right = evaluate(machine, node.right)
    site = machine.site(node)
    if type(left) is Choice or type(right) is Choice:
        result = machine.each(left, lambda a: machine.each(right, lambda b: binary(machine, node.op, a, b, site)))
    else:
        result = binary(machine, node.op, left, right, site)
    if type(result) is Tensor:
        record(machine, node, result)
    return result


def binary(machine: Machine, op: ast.operator, left: Value, right: Value, site: Site, in_place: bool = False) -> Value:
    """`left op right`, or `left op= right`."""
    name = NAMES[type(op)]
    if isinstance(right, Choice):
        return machine.each(right, lambda each: binary(machine, op, left, each, site, in_place))
    if isinstance(left, CONSTANTS) and isinstance(right, CONSTANTS):
        result = _fold(ARITHMETIC[type(op)], left, right)
        return _of_length(op, result) if type(left) is Length else result
    for each, other, reflected in ((left, right, False), (right, left, True)):
        if isinstance(each, Instance):
            names = [f"__i{name}__"] if in_place and not reflected else []
            for method in [*names, f"__{'r' if reflected else ''}{name}__"]:
                found = each.cls.find(method)
                if found is not None:
                    return machine.call(found[0], Call([each, other], {}, site))
            return Unknown(f"`{name}` on an object", deps=(left, right))
    if isinstance(left, str) or isinstance(right, str) or _is_text(left) or _is_text(right):
        return Scalar("str")
    sequences = (tuple, ListValue)
    if isinstance(left, sequences) and name == "add" and isinstance(right, (*sequences, IterValue)):
        return _concatenate(machine, left, right, site)
    if isinstance(left, sequences) and name == "mul":
        return _repeat(left, right)
    if isinstance(right, sequences) and name == "mul":
        return _repeat(right, left)
    return machine.torch.binary(name, left, right, site, in_place)


def _of_length(op: ast.operator, result: Value) -> Value:
    """What is known of `len(memory) - 1` or of `len(memory) % 10`, where the memory grows from pass to pass."""
    if not isinstance(result, (int, float)):
        return result
    grows = isinstance(op, (ast.Add, ast.Sub, ast.Mult)) and isinstance(result, int)
    return Length(result) if grows else Scalar(type(result).__name__)


def _is_text(value: Value) -> bool:
    return isinstance(value, Scalar) and value.kind == "str"


def _fold(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Value:
    try:
        if function is operator.pow and isinstance(right, (int, float)) and abs(right) > 64:
            return Scalar("number")
        result = function(left, right)
        if isinstance(result, (str, bytes)) and len(result) > 10_000:
            return Scalar("str")
        if isinstance(result, int) and result.bit_length() > 512:
            return Scalar("int")
        return result
    except Exception:  # the program's own type errors; nothing about gradients follows from them
        return Scalar("number")


def _concatenate(machine: Machine, left: Value, right: Value, site: Site) -> Value:
    a, open_a = machine.iterate(left, site)
    b, open_b = machine.iterate(right, site)
    if isinstance(left, tuple) and not (open_a or open_b):
        return (*a, *b)
    return ListValue([*a, *b], open_=open_a or open_b)


def _repeat(sequence: Value, count: Value) -> Value:
    items = sequence if isinstance(sequence, tuple) else sequence.items
    if isinstance(count, int) and 0 <= count * len(items) <= 64:
        repeated = items * count
        return repeated if isinstance(sequence, tuple) else ListValue(repeated)
    return ListValue(items, open_=True)


@expression(ast.UnaryOp)
def _unary(machine: Machine, node: ast.UnaryOp) -> Value:
    operand = evaluate(machine, node.operand)
    if isinstance(node.op, ast.Not):
        known = machine.truth(operand)
        if known is not None:
            return not known
        return operand.value if isinstance(operand, Negation) else Negation(operand)
    if isinstance(operand, (int, float, complex)):
        operations: dict[type, Callable[[Any], Any]] = {
            ast.USub: operator.neg,
            ast.UAdd: operator.pos,
            ast.Invert: operator.invert,
        }
        try:
            return operations[type(node.op)](operand)
        except TypeError:
            return Scalar("number")
    names: dict[type, str] = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}
    site = machine.site(node)
    result = machine.each(operand, lambda each: machine.torch.unary(names[type(node.op)], each, site))
    if type(result) is Tensor:
        record(machine, node, result)
    return result


@expression(ast.BoolOp)
def _bool_op(machine: Machine, node: ast.BoolOp) -> Value:
    is_and = isinstance(node.op, ast.And)
    values: list[Value] = []
    for operand in node.values:
        value = evaluate(machine, operand)
        known, _, _ = machine.test(value)
        if known is None:
            values.append(value)
            continue
        if known is not is_and:
            if not values:
                return value
            values.append(value)
            break
        if operand is node.values[-1]:
            values.append(value)
    if len(values) == 1:
        return values[0]
    if not values:
        return is_and
    if all(isinstance(v, (bool, Scalar, Negation)) for v in values):
        return Scalar("bool")
    return machine.join_all(values)
