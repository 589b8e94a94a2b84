"""`owner[index]`, for every kind of owner."""

from __future__ import annotations

from ..autograd.heap import MISSING
from ..autograd.tensor import Tensor
from ..values import (
    Builtin,
    Call,
    ClassValue,
    DictValue,
    External,
    Instance,
    IterValue,
    ListValue,
    ModuleObject,
    Scalar,
    Site,
    SliceValue,
    TorchName,
    Unknown,
    Value,
)
from . import records
from .elements import any_of
from .keys import key_of
from .machine import Machine


def subscript(machine: Machine, owner: Value, index: Value, site: Site) -> Value:
    """`owner[index]`."""
    if isinstance(owner, (Tensor, Scalar, Unknown, ModuleObject, TorchName)):
        return machine.torch.subscript(owner, index, site)
    if isinstance(owner, DictValue):
        key = key_of(index)
        if key is not MISSING:
            if key in owner.items:
                return owner.items[key]
            if owner.factory is not None and owner.rest is None:
                made = machine.call(owner.factory[0], Call([], {}, site))
                machine.heap.put(owner.items, key, made)
                return made
            if owner.rest is not None:
                return owner.rest
            return Unknown("a missing dict entry", deps=tuple(owner.items.values()))
        if owner.factory is not None and owner.rest is None:
            machine.heap.write(owner, "rest", machine.call(owner.factory[0], Call([], {}, site)))
        values = [*owner.items.values(), *([owner.rest] if owner.rest is not None else [])]
        return any_of(machine, values)
    if isinstance(owner, (tuple, ListValue, IterValue)):
        items = owner if isinstance(owner, tuple) else owner.items
        open_ = not isinstance(owner, tuple) and owner.open
        if isinstance(index, int) and not open_:
            return items[index] if -len(items) <= index < len(items) else Unknown("an index out of range")
        if isinstance(index, int) and items and open_:
            return items[index] if -len(items) <= index < len(items) else items[-1]
        if isinstance(index, SliceValue):
            bounds = (index.lower, index.upper, index.step)
            if not open_ and all(b is None or isinstance(b, int) for b in bounds):
                part = items[slice(*bounds)]
                return part if isinstance(owner, tuple) else ListValue(part)
            return ListValue(items, open_=True)
        return any_of(machine, list(items))
    if isinstance(owner, str):
        return owner[index] if isinstance(index, int) and -len(owner) <= index < len(owner) else Scalar("str")
    if isinstance(owner, Instance):
        fields = records.elements(owner)
        if fields is not None:
            return subscript(machine, fields, index, site)
        found = owner.cls.find("__getitem__")
        if found is not None:
            return machine.call(found[0], Call([owner, index], {}, site))
        handled = machine.torch.subscript(owner, index, site)
        return handled
    if isinstance(owner, ClassValue) and owner.enum and isinstance(index, str):
        return owner.namespace.get(index) or Unknown(f"a member of `{owner.name}`")
    if isinstance(owner, (ClassValue, Builtin, External)):
        return owner
    return Unknown("an index into an unknown value", deps=(owner, index))
