"""Calls: what kind of value is called decides who answers."""

from __future__ import annotations

from ..autograd.heap import MISSING
from ..values import (
    BoundMethod,
    Builtin,
    Call,
    Choice,
    ClassValue,
    External,
    FunctionValue,
    Instance,
    IterValue,
    ModuleObject,
    NativeMethod,
    TorchName,
    Unknown,
    Value,
)
from . import builtins, classes, externals, functions, generators
from .machine import Machine


def call_value(machine: Machine, function: Value, call: Call) -> Value:
    """Call any value."""
    machine.tick()
    kind = type(function)
    if kind is Choice:
        function = machine.narrow(function)
        kind = type(function)
    if kind is TorchName or kind is ModuleObject or kind is Unknown:
        return machine.torch.call(function, call)
    if kind is FunctionValue:
        return functions.run(machine, function, call)
    if isinstance(function, BoundMethod):
        bound = Call([function.self_value, *call.args], call.kwargs, call.site, call.open_args)
        return call_value(machine, function.function, bound)
    if isinstance(function, NativeMethod):
        return function.call(call)
    if isinstance(function, ClassValue):
        return classes.instantiate(machine, function, call)
    if isinstance(function, Builtin):
        return builtins.call(machine, function.name, call)
    if isinstance(function, External):
        return externals.call(machine, function.dotted, call)
    if isinstance(function, IterValue) and function.source is not None and len(call.args) == 1:
        return generators.as_decorator(machine, function, call.args[0])
    if isinstance(function, Instance):
        handled = machine.torch.call_instance(function, call)
        if handled is not MISSING:
            machine.called(function, handled, call.site)
            return handled
        found = function.cls.find("__call__")
        if found is not None:
            return call_value(machine, found[0], Call([function, *call.args], call.kwargs, call.site))
        return machine.call_unknown(function, call, f"a call of a `{function.cls.name}` object")
    return machine.torch.call(function, call)
