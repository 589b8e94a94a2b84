"""Builtins that look at objects: `isinstance`, `getattr`, `type`, `super`; and `reveal_grad`."""

from __future__ import annotations

import copy
from collections.abc import Callable

from ..autograd.tensor import Tensor
from ..values import (
    BoundMethod,
    Builtin,
    Call,
    Choice,
    ClassValue,
    DictValue,
    External,
    FunctionValue,
    Instance,
    ListValue,
    Scalar,
    SuperValue,
    Unknown,
    Value,
)
from . import classes
from .functions import PropertyValue
from .keys import CONSTANTS
from .machine import Machine, Negation
from .scope import Scope
from .targets import delete_attribute, set_attribute

_PYTHON_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float,),
    "str": (str,),
    "bool": (bool,),
    "tuple": (tuple,),
    "bytes": (bytes,),
}


def _isinstance(machine: Machine, call: Call) -> Value:
    if len(call.args) < 2:
        return Scalar("bool")
    value, kinds = machine.narrow(call.args[0]), call.args[1]
    wanted = list(kinds) if isinstance(kinds, tuple) else [kinds]
    outcomes = [is_a(machine, value, kind) for kind in wanted]
    if True in outcomes:
        return True
    if all(o is False for o in outcomes):
        return False
    return machine.comparison((value, "isinstance", tuple(wanted)), lambda: Scalar("bool"))


def is_a(machine: Machine, value: Value, kind: Value) -> bool | None:
    """`isinstance(value, kind)` for one class; None if it is not known."""
    if isinstance(value, (Unknown, Negation)) or type(value).__name__ == "Choice":
        return None
    if isinstance(kind, Builtin):
        if kind.name in _PYTHON_KINDS:
            if isinstance(value, Scalar):
                return value.kind == kind.name if value.kind in ("int", "float", "str", "bool") else None
            if isinstance(value, ListValue) and value.kind == kind.name:
                return True  # A tuple of unknown length.
            return isinstance(value, _PYTHON_KINDS[kind.name])
        if kind.name in ("list", "set"):
            return isinstance(value, ListValue) and value.kind == kind.name
        if kind.name == "dict":
            return isinstance(value, DictValue)
        return None
    handled = machine.torch.is_instance(value, kind)
    if handled is not None:
        return handled
    if isinstance(kind, ClassValue):
        if isinstance(value, Instance):
            return True if kind in value.cls.mro() else None if value.cls.unknown_base() else False
        return False
    if isinstance(kind, External):
        return False if isinstance(value, (Tensor, *CONSTANTS)) else None
    return None


def _hasattr(machine: Machine, call: Call) -> Value:
    value, name = machine.narrow(call.argument(0, "obj")), call.argument(1, "name")
    if isinstance(value, Choice):
        return Choice(tuple((path, _has(machine, each, name)) for path, each in value.alternatives))
    return _has(machine, value, name)


def _has(machine: Machine, value: Value, name: Value) -> Value:
    if isinstance(value, CONSTANTS) and isinstance(name, str):
        return hasattr(value, name)
    if isinstance(value, Tensor) and isinstance(name, str) and machine.torch.tensor_has(name):
        return True
    if isinstance(value, Instance) and isinstance(name, str):
        if name in value.attributes and not isinstance(value.attributes[name], Unknown):
            return True
        if value.cls.find(name) is not None:
            return True
        return machine.comparison((value, "has", name), lambda: Scalar("bool"))
    return machine.comparison((id(value), "has", str(name)), lambda: Scalar("bool"))


def _getattr(machine: Machine, call: Call) -> Value:
    owner, name = call.argument(0, "object"), call.argument(1, "name")
    if isinstance(name, str):
        return machine.each(owner, lambda each: machine.attribute(each, name, call.site))
    return Unknown("getattr() with an unknown name", deps=(owner,))


def _setattr(machine: Machine, call: Call) -> Value:
    if len(call.args) != 3 or call.site.node is None:
        return None
    owner, name, value = call.args
    if isinstance(owner, Instance) and not isinstance(name, str) and machine.torch.is_module(owner):
        # `setattr(self, f"layer{i}", layer)`: a name of its own, under which the layer is registered.
        name = f"[{len(owner.attributes)}]"
    if isinstance(name, str):
        set_attribute(machine, owner, name, value, call.site.node)
    return None


def _delattr(machine: Machine, call: Call) -> Value:
    if len(call.args) == 2:
        machine.each(call.args[0], lambda each: delete_attribute(machine, each, call.args[1]))
    return None


def _type(machine: Machine, call: Call) -> Value:
    value = machine.narrow(call.args[0]) if call.args else None
    if isinstance(value, Choice):
        return machine.each(value, classes.class_of)
    return classes.class_of(value)


def _super(machine: Machine, call: Call) -> Value:
    if len(call.args) == 2 and isinstance(call.args[0], ClassValue):
        return SuperValue(call.args[1], call.args[0])
    return _zero_argument_super(machine)


def _zero_argument_super(machine: Machine) -> Value:
    """`super()` inside a method."""
    scope: Scope | None = machine.frame.scope
    while scope is not None and (scope.function is None or scope.function.owner is None):
        scope = scope.parent
    if scope is None:
        return Unknown("super() outside a class")
    function: FunctionValue = scope.function
    arguments = function.node.args
    every = [*arguments.posonlyargs, *arguments.args]
    if not every:
        return Unknown("super() without self")
    assert function.owner is not None
    return SuperValue(scope.names.get(every[0].arg), function.owner)


def _callable(machine: Machine, call: Call) -> Value:
    return True if isinstance(call.argument(0, "obj"), (FunctionValue, BoundMethod, ClassValue)) else Scalar("bool")


def _object(machine: Machine, call: Call) -> Value:
    return Unknown("object()")


def _reveal(machine: Machine, call: Call) -> Value:
    value = call.args[0] if call.args else None
    snapshot = value
    if isinstance(value, Tensor):
        machine.autograd.refresh(value)
        snapshot = (value, value.node, value.requires_grad)
    machine.events.reveals.append((call.site, snapshot))
    return value


def _of_kind(kind: str, call: Call) -> Value:
    """`func = staticmethod(f)`: the function as the class has it; `f` itself stays a plain function."""
    function = call.args[0] if call.args else Unknown(f"{kind}method()")
    if isinstance(function, FunctionValue):
        function = copy.copy(function)
        function.kind = kind
    return function


BUILTINS: dict[str, Callable[[Machine, Call], Value]] = {
    "isinstance": _isinstance,
    "issubclass": lambda machine, call: Scalar("bool"),
    "hasattr": _hasattr,
    "getattr": _getattr,
    "setattr": _setattr,
    "delattr": _delattr,
    "type": _type,
    "super": _super,
    "callable": _callable,
    "object": _object,
    "staticmethod": lambda machine, call: _of_kind("static", call),
    "classmethod": lambda machine, call: _of_kind("class", call),
    "property": lambda machine, call: PropertyValue(call.args[0]) if call.args else Unknown("property()"),
    "reveal_grad": _reveal,
}
