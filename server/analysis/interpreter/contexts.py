"""`with`: what entering and leaving each kind of manager does around the block."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import reduce
from typing import Any

from ..autograd.heap import MISSING
from ..autograd.operation import Mode
from ..autograd.truth import NO, YES, Truth, join, maybe
from ..values import Call, Choice, External, GradModeValue, Instance, IterValue, NativeMethod, Site, Unknown, Value
from . import expected, generators
from .blocks import Leave, run_block
from .expressions import evaluate
from .machine import DeadEnd, Machine
from .targets import assign


class ExitStackValue:
    """`contextlib.ExitStack()`: what is entered on it is left at the end of its block."""

    __slots__ = ()


def run_with(machine: Machine, node: ast.With | ast.AsyncWith) -> Leave | None:
    """The managers from left to right, the block inside the last one."""
    return _item(machine, node, 0)


def _item(machine: Machine, node: ast.With | ast.AsyncWith, index: int) -> Leave | None:
    if index == len(node.items):
        return run_block(machine, node.body)
    item = node.items[index]
    # `set_grad_enabled(False)` takes effect when it is called, before it is entered.
    mode = machine.autograd.mode
    if expected.wants_error(item.context_expr):
        return _raises(machine, node, item, index)
    manager = machine.narrow(evaluate(machine, item.context_expr))
    site = machine.site(item.context_expr)

    def inside(value: Value) -> Leave | None:
        if item.optional_vars is not None:
            assign(machine, item.optional_vars, value)
        return _item(machine, node, index + 1)

    exits = len(machine.frame.exits)
    if isinstance(manager, IterValue) and manager.source is not None:
        leave = generators.around(machine, manager, inside)
        _settle_mode(machine, exits, mode)
        return leave
    if isinstance(manager, Instance) and manager.cls.find("__exit__") is not None:
        leave = inside(_enter_manager(machine, manager, site))
        _leave_manager(machine, manager, site)
        _settle_mode(machine, exits, machine.autograd.mode)
        return leave
    value = enter(machine, manager, site)
    restore = machine.autograd.mode is not mode or isinstance(manager, ExitStackValue)
    try:
        return inside(value)
    finally:
        if restore:
            machine.autograd.set_mode(mode)
            _settle_mode(machine, exits, mode)


def enter(machine: Machine, manager: Value, site: Any) -> Value:
    """`__enter__` of a manager; for one of several possible managers, a grad mode that may be either."""
    if isinstance(manager, Choice):
        modes = [each for _, each in manager.alternatives if isinstance(each, GradModeValue)]
        if any(each.kind == "autocast" and each.enabled is not False for each in modes):
            machine.autograd.set_mode(replace(machine.autograd.mode, casts=True))
        outer = machine.autograd.mode
        flags = [_enabled_in(each, outer.enabled) for _, each in manager.alternatives]
        flag = reduce(join, flags)
        if modes and flag is not outer.enabled:
            off = next((each for each in modes if each.kind != "autocast" and each.enabled is not True), None)
            cut = off.cut() if off is not None and outer.enabled.possible else outer.cut
            machine.autograd.set_mode(replace(outer, enabled=flag, cut=cut))
        return Unknown("one of several context managers")
    if isinstance(manager, ExitStackValue):
        return manager
    value = machine.torch.enter(manager, site)
    return _enter_manager(machine, manager, site) if value is MISSING else value


def _enabled_in(manager: Value, outer: Truth) -> Truth:
    """Grad mode inside a manager; one that is not torch's leaves it as it is, and so does `autocast`."""
    if not isinstance(manager, GradModeValue) or manager.kind in ("autocast", "cached", "packing"):
        return outer
    return YES if manager.enabled is True else NO if manager.enabled is False else maybe("the flag is not known")


def attribute(machine: Machine, owner: ExitStackValue, name: str) -> Value:
    """The methods of an `ExitStack`."""
    del owner

    def enter_context(call: Any) -> Value:
        manager = machine.narrow(call.args[0]) if call.args else None
        if isinstance(manager, IterValue) and manager.source is not None:
            return generators.start(machine, manager, call.site)
        return enter(machine, manager, call.site)

    if name in ("enter_context", "enter_async_context"):
        return NativeMethod(None, name, enter_context)
    return NativeMethod(None, name, lambda call: call.args[0] if call.args else None)


def _settle_mode(machine: Machine, exits: int, mode: Mode) -> None:
    """States that left the block early have left the manager too."""
    for pending in machine.frame.exits[exits:]:
        pending.writes[(id(machine.autograd), "mode")] = (machine.autograd, "mode", mode)


def _raises(machine: Machine, node: ast.With | ast.AsyncWith, item: ast.withitem, index: int) -> Leave | None:
    """`with pytest.raises(RuntimeError):` the error is what the program wants, and ends the block only."""
    if item.optional_vars is not None:
        assign(machine, item.optional_vars, Unknown("an exception"))
    machine.expecting.append(None)
    try:
        leave = _item(machine, node, index + 1)
    finally:
        machine.expecting.pop()
    return None if leave is not None and leave.kind == "dead" else leave


__all__ = ["DeadEnd", "ExitStackValue", "External", "attribute", "enter", "run_with"]


def _enter_manager(machine: Machine, manager: Value, site: Site) -> Value:
    """`__enter__` of a context manager that is not torch's."""
    if isinstance(manager, Instance):
        found = manager.cls.find("__enter__")
        if found is not None:
            return machine.call(found[0], Call([manager], {}, site))
        return manager
    if isinstance(manager, IterValue):
        return manager.items[0] if manager.items else None
    if isinstance(manager, GradModeValue):
        return None
    return manager if isinstance(manager, Unknown) else Unknown("a context manager", deps=(manager,))


def _leave_manager(machine: Machine, manager: Instance, site: Site) -> None:
    """`__exit__` of an object of the program."""
    found = manager.cls.find("__exit__")
    if found is not None:
        try:
            machine.call(found[0], Call([manager, None, None, None], {}, site))
        except DeadEnd:
            return
