"""Builtins that compute with numbers: `int`, `float`, `sum`, `max`, `abs`, `pow`, `round`."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

from ..autograd.tensor import Tensor
from ..values import Call, Scalar, Unknown, Value
from .machine import Machine
from .operators import binary


def _number(kind: str) -> Callable[[Machine, Call], Value]:
    def convert(machine: Machine, call: Call) -> Value:
        if not call.args:
            return {"int": 0, "float": 0.0, "bool": False, "complex": 0j}[kind]
        value = machine.narrow(call.args[0])
        if isinstance(value, (int, float, str)) and not call.kwargs and len(call.args) == 1:
            try:
                return {"int": int, "float": float, "bool": bool, "complex": complex}[kind](value)
            except (ValueError, OverflowError):
                return Scalar(kind)
        if kind == "bool":
            known = machine.truth(value)
            return Scalar("bool") if known is None else known
        return machine.each(value, lambda each: machine.torch.to_number(each, kind, call.site))

    return convert


def _sum(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    total: Value = call.argument(1, "start", 0)
    for item in items:
        total = machine.each(item, lambda each: binary(machine, ast.Add(), total, each, call.site))  # noqa: B023
    return (
        Scalar("number", total.node if isinstance(total, Scalar) else None)
        if open_ and not isinstance(total, (Tensor, Unknown))
        else total
    )


def _extreme(machine: Machine, call: Call) -> Value:
    if len(call.args) == 1:
        items, open_ = machine.iterate(call.args[0], call.site)
    else:
        items, open_ = list(call.args), False
    if items and not open_ and all(isinstance(i, (int, float)) for i in items):
        return items[0] if len(set(items)) == 1 else Scalar("number")
    return machine.join_all(items) if items else Unknown("max() of nothing")


def _exact_extreme(function: Callable[..., Any]) -> Callable[[Machine, Call], Value]:
    def run(machine: Machine, call: Call) -> Value:
        if not call.kwargs and len(call.args) > 1 and all(isinstance(a, (int, float)) for a in call.args):
            return function(*call.args)
        return _extreme(machine, call)

    return run


def _abs(machine: Machine, call: Call) -> Value:
    value = call.args[0] if call.args else 0
    if isinstance(value, (int, float)):
        return abs(value)
    return machine.each(value, lambda each: machine.torch.unary("abs", each, call.site))


def _pow(machine: Machine, call: Call) -> Value:
    return binary(machine, ast.Pow(), call.argument(0, "base"), call.argument(1, "exp"), call.site)


def _round(machine: Machine, call: Call) -> Value:
    value = call.args[0] if call.args else 0
    if isinstance(value, float) and math.isfinite(value) and len(call.args) == 1:
        return round(value)
    return machine.torch.to_number(value, "float", call.site)


BUILTINS: dict[str, Callable[[Machine, Call], Value]] = {
    "int": _number("int"),
    "float": _number("float"),
    "bool": _number("bool"),
    "complex": _number("complex"),
    "sum": _sum,
    "max": _exact_extreme(max),
    "min": _exact_extreme(min),
    "abs": _abs,
    "pow": _pow,
    "round": _round,
}
