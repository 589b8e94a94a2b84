"""Entry points: what the module body never entered is run with symbolic arguments, as its framework would call it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial
from typing import Any

from ..autograd.graph import ALWAYS
from ..autograd.operation import Mode
from ..values import ClassValue, FunctionValue, ModuleValue, Value
from . import budget
from .entry_classes import methods_left, run_class
from .entry_runs import not_entered, run_with_inner, start, take_back
from .machine import BudgetExhausted, DeadEnd, Frame, Machine
from .scope import Scope


def run_entries(machine: Machine, module: ModuleValue) -> None:
    """Run every function and method of the file that nothing has entered so far."""
    machine.entry_steps = budget.FILE_STEPS
    values = [v for v in module.namespace.values() if _belongs(v, module) and not _done(machine, v)]
    roots = _called_by_nobody(values)
    values.sort(key=lambda v: (v.name not in roots, getattr(v.node, "lineno", 0)))
    values = [*not_entered(machine, 0), *values]
    roots |= {value.name for value in machine.inner}
    frame = Frame(Scope(module, None, module.namespace))
    first = True
    for value in values:
        if first and value.name not in roots:
            first, machine.entry_steps = False, max(machine.entry_steps, 0) + budget.FILE_STEPS
        machine.errors = ()
        if isinstance(value, FunctionValue):
            if not machine.has_entered(value.node):
                _enter(machine, frame, value, partial(run_with_inner, machine, value))
        else:
            _enter(machine, frame, value, partial(run_class, machine, value))


def _belongs(value: Value, module: ModuleValue) -> bool:
    if isinstance(value, FunctionValue):
        return value.module is module and isinstance(value.node, (ast.FunctionDef, ast.AsyncFunctionDef))
    return isinstance(value, ClassValue) and value.module is module


def _done(machine: Machine, value: Value) -> bool:
    """Whether there is nothing left of it to enter."""
    if isinstance(value, FunctionValue):
        return machine.has_entered(value.node)
    return not methods_left(machine, value)


def _called_by_nobody(values: list[Value]) -> set[str]:
    """Names of the functions that no other one of these mentions: where a program starts."""
    defined = {value.name for value in values if isinstance(value, FunctionValue)}
    if len(values) < 2:
        return defined
    mentioned: set[str] = set()
    for value in values:
        mentioned |= _mentions(value.node) - {getattr(value.node, "name", "")}
    return defined - mentioned


def _mentions(node: Any) -> frozenset[str]:
    """The names in a syntax node, found once."""
    known: frozenset[str] | None = getattr(node, "gradsight_mentions", None)
    if known is None:
        known = node.gradsight_mentions = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
    return known


def _enter(machine: Machine, frame: Frame, value: Value, run: Callable[[], Any]) -> None:
    """Run one entry point from the state the module left, and take its effects back."""
    late = budget.LATE_STEPS if machine.entry_steps > -budget.FILE_STEPS else budget.LAST_STEPS
    allowed = machine.left_of_all(min(budget.ENTRY_STEPS, max(machine.entry_steps, late)))
    machine.frame, machine.module, machine.statement = frame, value.module, None
    start(machine, value.name)
    entered = partial(_run_entry, machine, value.name, run, allowed)
    before = machine.steps
    if machine.trunk is not None:
        waiting = methods_left(machine, value) if isinstance(value, ClassValue) else []
        machine.trunk.entry(value, entered, allowed, tuple(method.node for method in waiting))
    else:
        entered()
    machine.entry_steps -= machine.steps - before


def _run_entry(machine: Machine, name: str, run: Callable[[], Any], allowed: int) -> None:
    mark = machine.heap.mark()
    mode = machine.autograd.mode
    machine.autograd.set_mode(Mode())
    machine.max_steps = machine.steps + allowed
    try:
        run()
    except BudgetExhausted:
        machine.stopped.append(name)
    except RecursionError:
        machine.stopped.append(name)
        machine.overflowed = True
    except DeadEnd:
        pass
    finally:
        machine.autograd.set_mode(mode)
        take_back(machine, mark)
        machine.path = ALWAYS
