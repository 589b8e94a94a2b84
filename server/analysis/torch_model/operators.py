"""Python's operators where one side may be a tensor: `a + b`, `a += b`, `a < b`, `-a`."""

from __future__ import annotations

from ..autograd.graph import Node
from ..autograd.operation import Operation
from ..autograd.tensor import Tensor
from ..autograd.truth import maybe
from ..values import Call, Runtime, Scalar, Site, Unknown, Value, unknown_tensor
from . import arrays, ops
from .arguments import history, operands_for
from .table import TABLE


def binary(rt: Runtime, name: str, left: Value, right: Value, site: Site, in_place: bool) -> Value:
    """`left op right` where one side may be a tensor."""
    one = _operand(rt, left)
    other = _operand(rt, right)
    if one is None and other is None:
        if in_place and isinstance(left, Scalar) and left.kind == "array" and left.memory is not None:
            arrays.changed(rt, left, f"i{name}", site)
            return Scalar("array", history([left, right], name, site, rt), left.memory)
        return _untracked(rt, name, left, right, site)
    if one is not None:
        dunder = f"__i{name}__" if in_place and TABLE.method(f"__i{name}__") is not None else f"__{name}__"
        if in_place and isinstance(left, Unknown) and left.node is None:
            dunder = f"__{name}__"
        return ops.method(rt, dunder, Call([one, other if other is not None else right], {}, site))
    reflected = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}.get(name, f"r{name}")
    return ops.method(rt, f"__{reflected}__", Call([other, left], {}, site))


def unary(rt: Runtime, name: str, value: Value, site: Site) -> Value:
    """`-x`, `+x`, `~x`, `abs(x)`."""
    tensor = _operand(rt, value)
    if tensor is None:
        if isinstance(value, Unknown):
            result = Unknown(value.reason, deps=(value,), symbolic=value.symbolic)
            result.plain = value.plain
            return result
        return Scalar(
            value.kind if isinstance(value, Scalar) else "number", value.node if isinstance(value, Scalar) else None
        )
    if name == "pos":
        return tensor
    return ops.method(rt, f"__{name}__", Call([tensor], {}, site))


def _operand(rt: Runtime, value: Value) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Unknown) and (value.node is not None or value.tensor is not None):
        return unknown_tensor(value)
    return None


def _of_numbers(rt: Runtime, sides: tuple[Value, Value], unknown: Unknown, plain: bool, site: Site) -> Node | None:
    """The history of a number that left torch, in what is computed of it and an unknown value (`t.item() * args.k`)."""
    numbers = [side for side in sides if isinstance(side, Scalar) and side.node is not None]
    if not numbers:
        return None
    operands = tuple(operand for number in numbers for operand in operands_for("input", number, True))
    operation = Operation("call", site.span, operands, opaque=unknown.reason, holds_numbers=True)
    node = rt.autograd.apply(operation)[0].node
    if node is not None and node.tracked.no and not plain:
        node.tracked = maybe(unknown.reason)
    return node


def _untracked(rt: Runtime, name: str, left: Value, right: Value, site: Site) -> Value:
    if name in ("eq", "ne", "lt", "le", "gt", "ge"):
        return Scalar("bool")
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        unknown = left if isinstance(left, Unknown) else right
        symbolic = all(v.symbolic for v in (left, right) if isinstance(v, Unknown))
        result = Unknown(unknown.reason, deps=(left, right), symbolic=symbolic)
        result.plain = all(not isinstance(v, Unknown) or v.plain for v in (left, right))
        result.node = _of_numbers(rt, (left, right), unknown, result.plain, site)
        return result
    kinds = {v.kind if isinstance(v, Scalar) else type(v).__name__ for v in (left, right)}
    kind = (
        "array"
        if "array" in kinds
        else "float"
        if "float" in kinds or name == "truediv"
        else "int"
        if kinds == {"int"}
        else "number"
    )
    return Scalar(kind, history([left, right], name, site, rt))
