"""Classes whose body is a list of fields or members: dataclasses, named tuples, enums."""

from __future__ import annotations

import ast
from typing import Any

from ..autograd.heap import MISSING
from ..values import (
    BoundMethod,
    Call,
    ClassValue,
    DictValue,
    External,
    FunctionValue,
    Instance,
    ListValue,
    NativeMethod,
    Unknown,
    Value,
)
from .machine import Machine

_NAMED_TUPLES = ("typing.NamedTuple", "typing_extensions.NamedTuple", "collections.namedtuple")
_DATACLASSES = ("dataclass", "define", "attrs", "frozen", "mutable")
_ENUMS = ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag")


class Field:
    """`dataclasses.field(...)`: its default, or what makes one for each instance."""

    __slots__ = ("default", "factory")

    def __init__(self, default: Value, factory: Value) -> None:
        self.default, self.factory = default, factory


def field(machine: Machine, call: Call) -> Value:
    """`dataclasses.field(default=..., default_factory=...)`."""
    del machine
    factory = call.kwargs.get("default_factory", call.kwargs.get("factory", MISSING))
    return Field(call.kwargs.get("default", MISSING), factory)


def is_dataclass_decorator(value: Value) -> bool:
    """`dataclass` and its kin, by name."""
    return isinstance(value, External) and value.dotted.rpartition(".")[2] in _DATACLASSES


def is_named_tuple(cls: ClassValue) -> bool:
    """Whether instances of a class of the program are tuples with names."""
    return any(isinstance(base, External) and base.dotted in _NAMED_TUPLES for base in cls.mro())


def is_record(cls: ClassValue) -> bool:
    """Whether a class gets its `__init__` from its fields."""
    return any(isinstance(base, ClassValue) and base.dataclass for base in cls.mro()) or is_named_tuple(cls)


def fields_of(cls: ClassValue) -> list[tuple[str, Value]]:
    """(name, default or MISSING) of the fields, those of bases first."""
    fields: dict[str, Value] = {}
    for entry in reversed(cls.mro()):
        if not isinstance(entry, ClassValue):
            continue
        for name in entry.fields:
            fields[name] = MISSING
        for statement in getattr(entry.node, "body", []):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            if "ClassVar" not in ast.dump(statement.annotation):
                fields[statement.target.id] = entry.namespace.get(statement.target.id, MISSING)
    return list(fields.items())


def fill(machine: Machine, cls: ClassValue, instance: Instance, call: Call) -> None:
    """The `__init__` a dataclass or named tuple gets."""
    for index, (name, default) in enumerate(fields_of(cls)):
        if index < len(call.args):
            value: Value = call.args[index]
        elif name in call.kwargs:
            value = call.kwargs[name]
        elif isinstance(default, Field) and default.factory is not MISSING:
            value = machine.call(default.factory, Call([], {}, call.site))
        elif isinstance(default, Field) and default.default is not MISSING:
            value = default.default
        elif default is not MISSING and not isinstance(default, (Unknown, Field)):
            value = default
        else:
            value = Unknown(f"field `{name}`", name=name)
        machine.heap.put(instance.attributes, name, value)
    found = cls.find("__post_init__")
    if found is not None:
        machine.call(BoundMethod(found[0], instance), Call([], {}, call.site))


def elements(instance: Instance) -> tuple[Value, ...] | None:
    """The elements of a named tuple; None for other objects."""
    if not is_named_tuple(instance.cls):
        return None
    return tuple(instance.attributes.get(name) for name, _ in fields_of(instance.cls))


def named_tuple(machine: Machine, call: Call) -> Value:
    """`collections.namedtuple("Name", "a b")`: a class."""
    name, names = call.argument(0, "typename"), call.argument(1, "field_names")
    if isinstance(names, str):
        names = tuple(names.replace(",", " ").split())
    items = names if isinstance(names, tuple) else names.items if isinstance(names, ListValue) else ()
    # `typing.NamedTuple("Name", [("a", Tensor)])` gives pairs.
    fields = [item[0] if isinstance(item, tuple) and item else item for item in items]
    if not isinstance(name, str) or not all(isinstance(each, str) for each in fields) or not fields:
        return Unknown("a named tuple")
    cls = ClassValue(name, (External("collections.namedtuple"),), machine.module, call.site.node)
    cls.fields = tuple(fields)
    return cls


def replace(machine: Machine, call: Call) -> Value:
    """`dataclasses.replace(record, **changes)`."""
    record = machine.narrow(call.args[0]) if call.args else None
    return replaced(machine, record, call) if isinstance(record, Instance) else Unknown("a record", deps=(record,))


def replaced(machine: Machine, record: Instance, call: Call) -> Value:
    """A copy of a record with some fields changed."""
    del machine
    copy = Instance(record.cls)
    copy.attributes.update(record.attributes)
    copy.attributes.update(call.kwargs)
    return copy


def as_dict(machine: Machine, call: Call) -> Value:
    """`dataclasses.asdict(record)`."""
    record = machine.narrow(call.args[0]) if call.args else None
    if isinstance(record, Instance):
        return DictValue({name: record.attributes.get(name) for name, _ in fields_of(record.cls)})
    return Unknown("a record as a dict", deps=(record,))


def tuple_method(machine: Machine, instance: Instance, name: str) -> Value:
    """`_replace` and `_asdict` of a named tuple; MISSING otherwise."""
    if not is_named_tuple(instance.cls):
        return MISSING
    if name == "_replace":
        return NativeMethod(instance, name, lambda call: replaced(machine, instance, call))
    if name == "_asdict":
        return NativeMethod(instance, name, lambda call: as_dict(machine, Call([instance], {}, call.site)))
    return MISSING


# ---------------------------------------------------------------------- enums


def make_members(cls: ClassValue) -> None:
    """Turn the assignments in an enum's body into its members."""
    if not any(
        (isinstance(base, External) and base.dotted.startswith("enum.") and base.dotted[5:] in _ENUMS)
        or (isinstance(base, ClassValue) and base.enum)
        for base in cls.bases
    ):
        return
    cls.enum = True
    names = [
        target.id
        for statement in getattr(cls.node, "body", [])
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    ]
    for number, name in enumerate(names, 1):
        value = cls.namespace.get(name)
        if isinstance(value, FunctionValue):
            continue
        member = Instance(cls)
        member.name = name
        member.attributes.update(name=name, value=number if isinstance(value, Unknown) else value)
        cls.namespace[name] = member


def members(cls: ClassValue) -> list[Instance]:
    """The members of an enum, in order."""
    return [v for v in cls.namespace.values() if isinstance(v, Instance) and v.cls is cls]


def member_with(cls: ClassValue, value: Value) -> Value:
    """`Color(value)`: the member with that value, or one that is not known."""
    for member in members(cls):
        known: Any = member.attributes["value"]
        if member is value or (type(known) is type(value) and isinstance(known, (str, int, float)) and known == value):
            return member
    return Unknown(f"a member of `{cls.name}`")
