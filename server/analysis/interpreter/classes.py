"""Classes of the program: definition, instances, attributes."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from ..autograd.heap import MISSING, remember
from ..autograd.tensor import Tensor
from ..torch_model.parametrized import PARTS
from ..values import (
    BoundMethod,
    Call,
    ClassValue,
    FunctionValue,
    Instance,
    ModuleObject,
    Site,
    SuperValue,
    TorchName,
    Unknown,
    Value,
)
from . import records
from .expressions import evaluate
from .functions import PropertyValue
from .machine import Frame, Machine
from .scope import Scope


def define(machine: Machine, node: ast.ClassDef, run_block: Callable[[Machine, list[ast.stmt]], Any]) -> Value:
    """Run a class body and make the class."""
    bases = tuple(evaluate(machine, base) for base in node.bases if not isinstance(base, ast.Starred))
    cls = ClassValue(node.name, machine.third_party.bases(bases), machine.module, node)
    outer = machine.frame
    scope = Scope(machine.module, outer.scope if not outer.scope.is_module else None)
    scope.names = cls.namespace
    frame = Frame(scope)
    machine.frame = frame
    try:
        run_block(machine, node.body)
    finally:
        machine.frame = outer
    records.make_members(cls)
    for value in cls.namespace.values():
        for function in _functions_in(value):
            function.owner = cls
            if function.scope is scope:
                # Names of a class body are not visible in its methods.
                function.scope = scope.parent if scope.parent is not None else outer.scope
    return cls


def _functions_in(value: Value) -> list[FunctionValue]:
    if isinstance(value, FunctionValue):
        return [value]
    if isinstance(value, PropertyValue):
        return [f for f in (value.getter, value.setter) if isinstance(f, FunctionValue)]
    return []


def instantiate(machine: Machine, cls: ClassValue, call: Call) -> Value:
    """`Class(...)`: a new instance whose `__init__` has run."""
    if cls.enum and call.args:
        return records.member_with(cls, machine.narrow(call.args[0]))
    instance = Instance(cls)
    if machine.torch.is_module(instance):
        machine.named.append(instance)
    found = cls.find("__init__")
    if found is not None:
        machine.call(BoundMethod(found[0], instance), call)
    elif records.is_record(cls):
        records.fill(machine, cls, instance, call)
    else:
        machine.torch.initialise(instance, call)
        if cls.unknown_base() is not None:
            instance.data["unknown"] = Unknown(f"a base class of `{cls.name}`", deps=tuple(call.args))
    return instance


def get_attribute(machine: Machine, instance: Instance, name: str, site: Site) -> Value:
    """`instance.name`; MISSING if neither the instance nor its classes have it."""
    found = instance.cls.find(name)
    if found is not None and isinstance(found[0], PropertyValue) and name not in instance.attributes:
        value = machine.call(found[0].getter, Call([instance], {}, site))
        if found[0].cached:
            machine.heap.put(instance.attributes, name, value)
        return value
    if name in instance.attributes:
        return machine.narrow(instance.attributes[name])
    if found is not None:
        bound = bind(found[0], instance, instance.cls)
        return machine.torch.own_step(instance, bound) if name == "step" else bound
    return MISSING


def bind(value: Value, instance: Value, cls: ClassValue) -> Value:
    """A class attribute seen through an instance."""
    if isinstance(value, FunctionValue):
        if value.kind == "static":
            return value
        return BoundMethod(value, cls if value.kind == "class" else instance)
    return value


def class_of(value: Value) -> Value:
    """`type(value)`, `value.__class__`. A lazy layer and a parametrized one change their class."""
    if isinstance(value, Instance):
        return value.cls
    if isinstance(value, Tensor):
        return TorchName("torch.Tensor")
    if isinstance(value, ModuleObject) and "Lazy" not in value.dotted and PARTS not in value.attributes:
        return TorchName(value.dotted)
    return Unknown("type()", deps=(value,))


def get_class_attribute(cls: ClassValue, name: str) -> Value:
    """`Class.name`; MISSING if unknown."""
    if name == "__name__":
        return cls.name
    found = cls.find(name)
    if found is None:
        return MISSING
    value = found[0]
    if isinstance(value, FunctionValue) and value.kind == "class":
        return BoundMethod(value, cls)
    return value


def get_super_attribute(machine: Machine, value: SuperValue, name: str, site: Site) -> Value:
    """`super().name`."""
    owner = value.self_value
    cls = owner.cls if isinstance(owner, Instance) else owner
    if not isinstance(cls, ClassValue):
        return Unknown("super() outside a class")
    found = cls.find(name, after=value.after)
    if found is not None:
        attribute = found[0]
        if isinstance(attribute, PropertyValue):
            return machine.call(attribute.getter, Call([owner], {}, site))
        return bind(attribute, owner, cls)
    handled = machine.torch.super_attribute(owner, cls, name, site)
    if handled is not MISSING:
        return handled
    if name == "__init__":
        if isinstance(owner, Instance) and cls.unknown_base() is not None:
            remember(owner.data, "unknown", Unknown(f"a base class of `{cls.name}`"))
        from ..values import NativeMethod

        return NativeMethod(owner, name, lambda call: None)
    if any(isinstance(b, TorchName) for b in cls.mro()) or cls.unknown_base() is not None:
        return Unknown(f"`{name}` of a base class of `{cls.name}`", deps=(owner,))
    return Unknown(f"`super().{name}`", deps=(owner,))
