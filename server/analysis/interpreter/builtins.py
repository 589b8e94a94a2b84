"""Calls of Python's builtins. What most of them do is in `numeric`, `iteration` and `introspection`."""

from __future__ import annotations

from ..values import Call, Scalar, Unknown, Value
from . import introspection, iteration, numeric
from .machine import DeadEnd, Machine

_BUILTINS = {
    **numeric.BUILTINS,
    **iteration.BUILTINS,
    **introspection.BUILTINS,
    "str": lambda machine, call: call.args[0] if call.args and isinstance(call.args[0], str) else Scalar("str"),
}


def call(machine: Machine, name: str, call: Call) -> Value:
    """Call a builtin."""
    handler = _BUILTINS.get(name)
    if handler is not None:
        return handler(machine, call)
    if name.endswith(("Error", "Exception", "Warning", "Iteration", "Interrupt", "Exit")):
        return Unknown("an exception")
    if name in ("exit", "quit"):
        raise DeadEnd
    if name in ("print", "input", "repr", "format", "ascii", "chr", "hex", "bin", "oct"):
        return None if name == "print" else Scalar("str")
    if name in ("id", "hash", "ord"):
        return Scalar("int")
    deps = [*call.args, *call.kwargs.values()]
    return Unknown(f"`{name}()`", deps=tuple(deps))
