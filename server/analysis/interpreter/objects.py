"""Attribute access and iteration for every kind of value."""

from __future__ import annotations

from ..autograd.heap import MISSING, remember
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
    IterValue,
    ListValue,
    ModuleObject,
    ModuleValue,
    Scalar,
    Site,
    SuperValue,
    TorchName,
    Unknown,
    Value,
)
from . import classes, containers, contexts, generators, records
from .functions import PropertyValue
from .imports import CONSTANTS
from .machine import DeadEnd, Machine

MAX_RANGE = 64

# Fields of the named tuples that torch returns (torch/_C/_return_types), by position.
_FIELDS = {
    "values": 0,
    "indices": 1,
    "eigenvalues": 0,
    "eigenvectors": 1,
    "Q": 0,
    "R": 1,
    "U": 0,
    "S": 1,
    "V": 2,
    "Vh": 2,
    "sign": 0,
    "logabsdet": 1,
    "min": 0,
    "max": 1,
    "solution": 0,
    "residuals": 1,
    "mantissa": 0,
    "exponent": 1,
    "inverse": 0,
    "info": 1,
    "LU": 0,
    "pivots": 1,
    "LD": 0,
    "L": 0,
}
_FIELDS_OF_LU = {"P": 0, "L": 1, "U": 2}


def _field(owner: tuple[Value, ...], name: str) -> int | None:
    """The place of a field in what an operation of torch returns; None if it has none of that name."""
    first = owner[0] if owner else None
    if not isinstance(first, Tensor):
        return None
    place = (_FIELDS_OF_LU if first.node is not None and first.node.name == "lu" else _FIELDS).get(name)
    return place if place is not None and place < len(owner) else None


def attribute(machine: Machine, owner: Value, name: str, site: Site) -> Value:
    """`owner.name`."""
    owner = machine.narrow(owner)
    kind = type(owner)
    if kind is ModuleObject and name == "__class__":
        return classes.class_of(owner)
    if kind is Tensor or kind is TorchName or kind is ModuleObject or kind is Scalar:
        value = machine.torch.attribute(owner, name, site)
        return Unknown(f"`.{name}`", deps=(owner,)) if value is MISSING else value
    if isinstance(owner, Instance):
        value = classes.get_attribute(machine, owner, name, site)
        if value is MISSING:
            value = machine.torch.attribute(owner, name, site)
        if value is MISSING:
            value = records.tuple_method(machine, owner, name)
        if value is MISSING and (found := owner.cls.find("__getattr__")) is not None and not name.startswith("__"):
            value = machine.call(found[0], Call([owner, name], {}, site))
        if value is MISSING:
            value = _instance_fallback(machine, owner, name)
        return value
    if isinstance(owner, ModuleValue):
        if name in owner.namespace:
            return machine.importer.settle(machine, owner.namespace[name])
        found = machine.importer.from_star(machine, owner, name) or machine.importer.submodule(
            machine, owner, name, site
        )
        return found if found is not None else Unknown(f"`{name}` of module `{owner.name}`", name=name)
    if isinstance(owner, SuperValue):
        return classes.get_super_attribute(machine, owner, name, site)
    if isinstance(owner, ClassValue):
        value = classes.get_class_attribute(owner, name)
        if value is MISSING:
            value = machine.torch.attribute(owner, name, site)
        return Unknown(f"`{name}` of class `{owner.name}`", name=name) if value is MISSING else value
    if isinstance(owner, contexts.ExitStackValue):
        return contexts.attribute(machine, owner, name)
    if isinstance(owner, External):
        dotted = f"{owner.dotted}.{name}"
        return CONSTANTS.get(dotted, External(dotted))
    if isinstance(owner, tuple) and (place := _field(owner, name)) is not None:
        return owner[place]
    if isinstance(owner, (ListValue, DictValue, IterValue, tuple, str)):
        return containers.method(machine, owner, name)
    if isinstance(owner, Unknown):
        if name in owner.attributes:
            return owner.attributes[name]
        value = machine.torch.attribute(owner, name, site)
        if value is MISSING:
            value = Unknown(owner.reason, name=name, deps=(owner,), symbolic=owner.symbolic)
            remember(owner.attributes, name, value)
        return value
    if isinstance(owner, PropertyValue):
        return Unknown("a property")
    if isinstance(owner, (FunctionValue, BoundMethod)):
        return machine_function_attribute(owner, name)
    if isinstance(owner, Builtin):
        return Builtin(f"{owner.name}.{name}")
    if owner is None:
        raise DeadEnd
    value = machine.torch.attribute(owner, name, site)
    return Unknown(f"`.{name}`", name=name, deps=(owner,)) if value is MISSING else value


def machine_function_attribute(owner: Value, name: str) -> Value:
    """`function.__name__` and its kin."""
    if name == "__name__":
        return owner.name if isinstance(owner, FunctionValue) else "method"
    if name == "__wrapped__" and isinstance(owner, FunctionValue):
        return owner
    return Unknown(f"`{name}` of a function")


def _instance_fallback(machine: Machine, owner: Instance, name: str) -> Value:
    if name == "__class__":
        return owner.cls
    if name == "__dict__":
        return DictValue(owner.attributes)
    reason = f"attribute `{name}` of `{owner.cls.name}`"
    value = Unknown(reason, name=name, deps=(owner.data["unknown"],) if "unknown" in owner.data else ())
    # The same missing attribute is the same unknown twice.
    remember(owner.attributes, name, value)
    return value


def _alternatives(machine: Machine, choice: Choice, site: Site) -> tuple[list[Value], bool]:
    """The elements of all that it may be (None cannot be walked), joined where they stand at the same place."""
    found = [iterate(machine, value, site) for _, value in choice.alternatives if value is not None]
    items: list[Value] = []
    for index in range(max((len(each) for each, _ in found), default=0)):
        here = [each[index] for each, _ in found if index < len(each)]
        items.append(machine.join_all(here))
    return items, any(open_ for _, open_ in found) or len({len(each) for each, _ in found}) != 1


def iterate(machine: Machine, value: Value, site: Site) -> tuple[list[Value], bool]:
    """(elements, open): the elements of an iterable; `open` if their number is not known."""
    value = machine.narrow(value)
    if isinstance(value, tuple):
        return list(value), False
    if isinstance(value, ListValue):
        return list(value.items), value.open
    if isinstance(value, Choice):
        return _alternatives(machine, value, site)
    if isinstance(value, IterValue):
        if value.source is not None:
            generators.collect(machine, value)
        items = [] if value.used and not value.open else list(value.items)
        machine.heap.write(value, "used", True)
        return items, value.open
    if isinstance(value, DictValue):
        keys: list[Value] = list(value.items)
        return (keys, False) if value.rest is None else ([*keys, Scalar("str")], True)
    if isinstance(value, str):
        return list(value)[:MAX_RANGE], len(value) > MAX_RANGE
    if isinstance(value, ClassValue) and value.enum:
        return list(records.members(value)), False
    if isinstance(value, Instance):
        fields = records.elements(value)
        if fields is not None:
            return list(fields), False
        found = value.cls.find("__iter__")
        if found is not None:
            result = machine.call(found[0], Call([value], {}, site))
            if result is not value:
                return iterate(machine, result, site)
            step = value.cls.find("__next__")
            if step is not None:
                return [machine.call(step[0], Call([value], {}, site))], True
        found = value.cls.find("__getitem__")
        if found is not None and not machine.torch.is_module(value):
            return [machine.call(found[0], Call([value, Scalar("int")], {}, site))], True
    handled = machine.torch.iterate(value, site)
    if handled is not None:
        return handled
    element = Unknown(
        "an element of an unknown iterable", deps=(value,), symbolic=isinstance(value, Unknown) and value.symbolic
    )
    return [element], True
