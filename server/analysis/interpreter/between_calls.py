"""What an object is like between two calls of its methods, where nobody in the file calls them.

`__init__` has run, and who holds the object has called its methods any number of times since: an empty memory has been
filled, a counter has gone on, a state that was `None` has been set.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ..values import (
    AtLeast,
    Choice,
    ClassValue,
    DictValue,
    FunctionValue,
    Instance,
    ListValue,
    Scalar,
    Unknown,
    Value,
)
from .machine import Machine

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Change = ast.expr | ast.AugAssign | None
"""What an attribute is set to, or what is done to it; None: taken from a tuple, a loop, a `with`."""


def prepare(machine: Machine, instance: Instance) -> None:
    """Make the state that `__init__` left one that any call of a method may meet."""
    _may_be_filled(machine, list(instance.attributes.values()))
    for name, changes in _changes(instance.cls).items():
        if name in instance.attributes:
            before = instance.attributes[name]
            after = _after(before, changes)
            if after is not before:
                machine.heap.put(instance.attributes, name, after)


def _may_be_filled(machine: Machine, values: list[Value]) -> None:
    """An empty list or dict that `__init__` leaves is there to be filled: by another method, or by who holds the
    object, before the one that is run."""
    known: set[int] = set()
    for value in values:
        if id(value) in known:
            continue
        known.add(id(value))
        if isinstance(value, ListValue) and not value.items:
            machine.heap.write(value, "open", True)
        elif isinstance(value, Choice):
            values += [each for _, each in value.alternatives]
        elif isinstance(value, DictValue):
            values += [*value.items.values(), value.rest]
            if not value.items and value.rest is None:
                machine.heap.write(value, "rest", Unknown("an entry that is put in between two calls"))


def _after(before: Value, changes: list[_Change]) -> Value:
    """What a number or `None` may have become; anything else is left as it is, and so is what is only set back."""
    changes = [each for each in changes if not (isinstance(each, ast.Constant) and each.value == before)]
    if not changes:
        return before
    if before is None:
        return Unknown("an attribute that is set between two calls")
    if type(before) is int and all(map(_counts_up, changes)):
        return AtLeast(before)
    if type(before) in (int, float):
        return Scalar(type(before).__name__)
    return before


def _counts_up(change: _Change) -> bool:
    return isinstance(change, ast.AugAssign) and isinstance(change.op, ast.Add)


def _changes(cls: ClassValue) -> Mapping[str, list[_Change]]:
    """What the methods of a class do to the attributes of their object, `__init__` left out."""
    found: dict[str, list[_Change]] = {}
    for base in cls.mro():
        for value in base.namespace.values() if isinstance(base, ClassValue) else ():
            if isinstance(value, FunctionValue) and isinstance(value.node, _FUNCTIONS) and value.name != "__init__":
                for name, change in _set_in(value.node):
                    found.setdefault(name, []).append(change)
    return found


def _set_in(function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[tuple[str, _Change], ...]:
    """The attributes of its first argument that a method sets, each with what it becomes; found once."""
    known: tuple[tuple[str, _Change], ...] | None = getattr(function, "gradsight_sets", None)
    if known is None:
        known = tuple(_sets(function))
        function.gradsight_sets = known  # type: ignore[union-attr]
    return known


def _sets(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, _Change]]:
    arguments = [*function.args.posonlyargs, *function.args.args]
    if not arguments:
        return
    plain: dict[ast.expr, _Change] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            plain |= dict.fromkeys(node.targets, node.value)
        elif isinstance(node, ast.AnnAssign):
            plain[node.target] = node.value
        elif isinstance(node, ast.AugAssign):
            plain[node.target] = node
    stores = (n for n in ast.walk(function) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
    for node in stores:
        if isinstance(node.value, ast.Name) and node.value.id == arguments[0].arg:
            yield node.attr, plain.get(node)
