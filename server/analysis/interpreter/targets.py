"""Assignment targets: names, attributes, subscripts, tuples; augmented assignment; `del`."""

from __future__ import annotations

import ast
from typing import Any

from ..autograd.graph import Path
from ..autograd.heap import MISSING, remember
from ..autograd.tensor import Tensor
from ..values import Call, Choice, DictValue, Instance, ListValue, ModuleObject, Scalar, SliceValue, Unknown, Value
from . import operators, slices
from .expressions import evaluate, expression, load_name, record
from .functions import PropertyValue
from .keys import key_of
from .machine import Machine
from .subscripts import subscript

_REGISTERED = frozenset({"_parameters", "_buffers", "_modules"})
"""The tables in which a module keeps what it has registered: `del module._parameters["weight"]`."""


def assign(machine: Machine, target: ast.expr, value: Value) -> None:
    """Store a value into a target."""
    if isinstance(target, ast.Name):
        _name_it(machine, value, target.id)
        if machine.events.held and isinstance(value, (Instance, ModuleObject)):
            machine.torch.rebinding(target.id, machine.frame.scope.lookup(target.id), value, machine.site(target))
        machine.frame.scope.store(machine.heap, target.id, value)
        if type(value) is Tensor:
            record(machine, target, value)
    elif isinstance(target, ast.Attribute):
        owner = evaluate(machine, target.value)
        _name_it(
            machine,
            value,
            target.attr if not isinstance(target.value, ast.Name) else f"{target.value.id}.{target.attr}",
        )
        machine.each(owner, lambda each: set_attribute(machine, each, target.attr, value, target))
        if type(value) is Tensor:
            record(machine, target, value)
    elif isinstance(target, ast.Subscript):
        owner = evaluate(machine, target.value)
        index = evaluate(machine, target.slice)
        machine.each(owner, lambda each: set_item(machine, each, index, value, target))
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(machine, target.elts, value)
    elif isinstance(target, ast.Starred):
        assign(machine, target.value, value)


def _name_it(machine: Machine, value: Value, name: str) -> None:
    if isinstance(value, (Tensor, Unknown, Instance, ModuleObject)) and not value.name:
        remember(value, "name", name)
        if isinstance(value, (Instance, ModuleObject)) and machine.torch.is_module(value):
            machine.named.append(value)
    elif type(value) is tuple and len(value) == 1:
        _name_it(machine, value[0], name)


def _unpack(machine: Machine, targets: list[ast.expr], value: Value) -> None:
    if not targets:  # `() = f()`, as it stands there while it is written.
        return
    value = machine.narrow(value)
    if isinstance(value, Choice):
        fitting = _fitting(value, targets)
        rows = [(p, _row(machine, v, targets)) for p, v in fitting if v is not None] if len(fitting) > 1 else []
        if len(fitting) == 1:
            value = fitting[0][1]
        elif rows and all(row is not None for _, row in rows):
            first, joined = rows[0]
            for path, other in rows[1:]:
                joined = tuple(machine.joiner.values(a, b, first, path) for a, b in zip(joined, other, strict=True))  # type: ignore[arg-type]
            value = joined
    site = machine.site(targets[0])
    star = next((i for i, t in enumerate(targets) if isinstance(t, ast.Starred)), None)
    items, open_ = machine.iterate(value, site)
    if open_ or len(items) < len(targets) - (star is not None):
        element = items[0] if items else Unknown("an element of an unknown iterable", deps=(value,))
        for index, target in enumerate(targets):
            if isinstance(target, ast.Starred):
                assign(machine, target.value, ListValue([element], open_=True))
            else:
                each = items[index] if index < len(items) else element
                assign(machine, target, _fresh(machine, each, value) if index >= len(items) else each)
        return
    if star is None:
        for target, item in zip(targets, items, strict=False):
            assign(machine, target, item)
        return
    after = len(targets) - star - 1
    for target, item in zip(targets[:star], items, strict=False):
        assign(machine, target, item)
    middle = items[star : len(items) - after]
    assign(machine, targets[star].value, ListValue(middle))  # type: ignore[attr-defined]
    for target, item in zip(targets[star + 1 :], items[len(items) - after :], strict=False):
        assign(machine, target, item)


def _fitting(choice: Choice, targets: list[ast.expr]) -> list[tuple[Path, Value]]:
    """The alternatives that may be unpacked into so many targets.

    Where one is a tuple of that length, the program was written for it: a tensor beside it, of a first dimension that
    is not known, is what the function gives to other callers (`forward(x, labels=None)`).
    """
    fitting = [(p, v) for p, v in choice.alternatives if not isinstance(v, tuple) or len(v) == len(targets)]
    if any(isinstance(v, tuple) for _, v in fitting):
        return [(p, v) for p, v in fitting if not isinstance(v, Tensor) or (v.shape or (0,))[0] == len(targets)]
    return fitting


def _row(machine: Machine, value: Value, targets: list[ast.expr]) -> tuple[Value, ...] | None:
    """As many elements of one alternative as there are targets; None where that is not one for one."""
    if isinstance(value, tuple):
        return value
    if any(isinstance(t, ast.Starred) for t in targets):
        return None
    items, open_ = machine.iterate(value, machine.site(targets[0]))
    if not open_:
        return tuple(items) if len(items) == len(targets) else None
    element = items[0] if items else Unknown("an element of an unknown iterable", deps=(value,))
    return tuple(items[i] if i < len(items) else _fresh(machine, element, value) for i in range(len(targets)))


def _fresh(machine: Machine, element: Value, owner: Value) -> Value:
    """Another element of the same unknown iterable: alike, but not the same object."""
    return element.another() if isinstance(element, Unknown) else element


def set_attribute(machine: Machine, owner: Value, name: str, value: Value, node: ast.AST) -> None:
    """`owner.name = value`."""
    site = machine.site(node)
    handled = machine.torch.set_attribute(owner, name, value, site)
    if handled is not MISSING:
        return
    if isinstance(owner, Instance):
        found = owner.cls.find(name)
        if found is not None and isinstance(found[0], PropertyValue) and found[0].setter is not None:
            machine.call(found[0].setter, Call([owner, value], {}, site))
            return
        machine.heap.put(owner.attributes, name, value)
    elif isinstance(owner, Unknown):
        machine.heap.put(owner.attributes, name, value)
    elif hasattr(owner, "namespace") and isinstance(owner.namespace, dict):
        machine.heap.put(owner.namespace, name, value)


def set_item(machine: Machine, owner: Value, index: Value, value: Value, node: ast.AST) -> None:
    """`owner[index] = value`."""
    site = machine.site(node)
    if isinstance(owner, DictValue):
        if key_of(index) is not MISSING:
            machine.heap.put(owner.items, index, value)
        else:
            rest = value if owner.rest is None else machine.join(owner.rest, value)
            machine.heap.write(owner, "rest", rest)
    elif isinstance(owner, ListValue):
        if isinstance(index, int) and not isinstance(index, bool) and -len(owner.items) <= index < len(owner.items):
            items = list(owner.items)
            items[index] = value
            machine.heap.write(owner, "items", tuple(items))
        elif isinstance(index, SliceValue):
            slices.set_slice(machine, owner, index, *machine.iterate(value, site))
        elif not isinstance(index, int):
            machine.heap.write(owner, "items", tuple(machine.join(item, value) for item in owner.items) or (value,))
    elif isinstance(owner, (Tensor, Unknown, Scalar, ModuleObject)):
        machine.torch.set_item(owner, index, value, site)
    elif isinstance(owner, Instance):
        found = owner.cls.find("__setitem__")
        if found is not None:
            machine.call(found[0], Call([owner, index, value], {}, site))


def augmented(machine: Machine, node: ast.AugAssign) -> None:
    """`target op= value`: in place for tensors and lists, else compute and store."""
    target: Any = node.target
    if isinstance(target, ast.Name):
        owner, current = None, load_name(machine, target.id, target)
    elif isinstance(target, ast.Attribute):
        owner = evaluate(machine, target.value)
        current = machine.each(owner, lambda each: machine.attribute(each, target.attr, machine.site(target)))
    else:
        owner = evaluate(machine, target.value)
        index = evaluate(machine, target.slice)
        current = machine.each(owner, lambda each: subscript(machine, each, index, machine.site(target)))
    value = evaluate(machine, node.value)
    site = machine.site(node)
    if isinstance(current, ListValue) and isinstance(node.op, ast.Add):
        items, open_ = machine.iterate(value, site)
        machine.heap.write(current, "items", current.items + tuple(items))
        if open_:
            machine.heap.write(current, "open", True)
        result: Value = current
    else:
        result = machine.each(
            current, lambda each: operators.binary(machine, node.op, each, value, site, in_place=True), skip_none=True
        )
    if isinstance(node.op, ast.Add):
        machine.grown(site, result)
    if isinstance(target, ast.Name):
        _name_it(machine, result, target.id)
        machine.frame.scope.store(machine.heap, target.id, result)
        if type(result) is Tensor:
            record(machine, target, result)
    elif isinstance(target, ast.Attribute):
        machine.each(owner, lambda each: set_attribute(machine, each, target.attr, result, target))
    else:
        machine.each(owner, lambda each: set_item(machine, each, index, result, target))


def delete(machine: Machine, target: ast.expr) -> None:
    """`del target`."""
    if isinstance(target, ast.Name):
        machine.heap.put(machine.frame.scope.table_for(target.id), target.id, MISSING)
    elif isinstance(target, ast.Attribute):
        owner, name = evaluate(machine, target.value), target.attr
        machine.each(owner, lambda each: delete_attribute(machine, each, name))
    elif isinstance(target, ast.Subscript):
        table = target.value.attr if isinstance(target.value, ast.Attribute) else ""
        if table in _REGISTERED:
            owner = evaluate(machine, target.value.value)  # type: ignore[attr-defined]
            index = evaluate(machine, target.slice)
            machine.each(owner, lambda each: delete_attribute(machine, each, index))
            return
        owner = evaluate(machine, target.value)
        index = evaluate(machine, target.slice)
        machine.each(owner, lambda each: delete_item(machine, each, index))
    elif isinstance(target, (ast.Tuple, ast.List)):
        for each in target.elts:
            delete(machine, each)


def delete_attribute(machine: Machine, owner: Value, name: Value) -> None:
    """`del owner.name`; of a module also what torch's `__init__` registered under the name."""
    inner = owner.data.get("torch") if isinstance(owner, Instance) else None
    for each in (owner, inner):
        if isinstance(each, (Instance, ModuleObject, Unknown)) and isinstance(name, str) and name in each.attributes:
            machine.heap.put(each.attributes, name, MISSING)


def delete_item(machine: Machine, owner: Value, index: Value) -> None:
    """`del owner[index]`."""
    if isinstance(owner, DictValue):
        key = key_of(index)
        if key is not MISSING and key in owner.items:
            machine.heap.put(owner.items, key, MISSING)
    elif isinstance(owner, ListValue):
        if isinstance(index, SliceValue):
            slices.delete_slice(machine, owner, index)
        elif isinstance(index, int) and -len(owner.items) <= index < len(owner.items):
            items = list(owner.items)
            del items[index]
            machine.heap.write(owner, "items", tuple(items))
        else:
            machine.heap.write(owner, "open", True)


@expression(ast.NamedExpr)
def _named(machine: Machine, node: ast.NamedExpr) -> Value:
    value = evaluate(machine, node.value)
    assign(machine, node.target, value)
    return value
