"""Blocks of statements: running them in order, running alternatives and joining them, and how control leaves them.

`run_block` gives None when control falls through, or a `Leave` ("return", "break", "continue", "abandon" when the
consumer of a generator asks for no more, or "dead" when every path has already left early or raised). Paths that leave
early inside a branch wait in `frame.exits` as `Pending`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..autograd.graph import Path
from ..autograd.heap import Pending
from ..check_types import Cancelled
from ..values import Value
from .machine import Abandon, BudgetExhausted, DeadEnd, Machine, ProgramRaises


@dataclass(slots=True)
class Leave:
    """Control leaves a block: `kind` is "return", "break", "continue", "abandon" or "dead"."""

    kind: str
    value: Value = None
    extra: dict[str, Any] = field(default_factory=dict)


DEAD = Leave("dead")
HANDLERS: dict[type, Callable[[Machine, Any], Leave | None]] = {}
"""What runs each kind of statement; filled by `statements`."""


def run_block(machine: Machine, body: list[ast.stmt]) -> Leave | None:
    """Run statements in order."""
    if machine.trunk is not None and machine.trunk.holds(body):
        taken: Leave | None = machine.trunk.run_block(body)
        return taken
    for statement in body:
        leave = run_statement(machine, statement)
        if leave is not None:
            return leave
    return None


def run_statement(machine: Machine, statement: ast.stmt) -> Leave | None:
    """Run one statement. An unhandled kind is skipped and counted, never silently passed over."""
    machine.tick()
    outer, path = machine.statement, machine.path
    machine.statement = statement
    try:
        handler = HANDLERS.get(type(statement))
        if handler is None:
            machine.unresolved(f"statement {type(statement).__name__}")
            return None
        leave = handler(machine, statement)
        if machine.observer is not None:
            machine.observer(machine, statement)
        return leave
    except ProgramRaises:
        raise
    except DeadEnd:
        return Leave("dead")
    except Abandon as abandoned:
        return Leave("abandon", abandoned.leave)
    except (BudgetExhausted, Cancelled, RecursionError):
        raise
    except Exception as error:
        machine.crashed(error)
        machine.path = path
        return None
    finally:
        machine.statement = outer


def branch(
    machine: Machine,
    key: Any,
    polarity: bool,
    first: Callable[[], Leave | None],
    second: Callable[[], Leave | None],
) -> Leave | None:
    """Run both arms of an unknown condition from the same state and join what falls through."""
    before: Path = machine.path
    yes, no = before | {(key, polarity)}, before | {(key, not polarity)}
    frame, heap = machine.frame, machine.heap
    mark = heap.mark()

    def leave_early(leave: Leave, path: Path) -> None:
        if leave.kind != "dead":
            writes = machine.undo(mark)
            frame.exits.append(Pending(mark, writes, leave.kind, leave.value, path, {"loop": frame.loops}))
        else:
            machine.undo(mark)

    machine.path = yes
    leave_first = first()
    path_first = machine.path
    writes_first = None
    if leave_first is None:
        writes_first = machine.undo(mark)
    else:
        leave_early(leave_first, path_first)
    machine.path = no
    leave_second = second()
    path_second = machine.path
    if leave_second is None:
        if writes_first is None:
            return None
        machine.merge(mark, writes_first, path_second, path_first)
        machine.path = before
        return None
    leave_early(leave_second, path_second)
    if writes_first is None:
        machine.path = before
        return DEAD
    heap.redo(writes_first)
    machine.path = path_first
    return None


def settle(machine: Machine, pendings: list[Pending], live: bool, value: Value = None) -> tuple[bool, Value]:
    """Join pending states (newest mark first) into the present one; (any state left, join of what they carry)."""
    for pending in sorted(pendings, key=lambda p: -p.mark):
        if not live:
            # The present state is the one at a mark every later exit was relative to: adopt this one.
            writes = machine.heap.undo(pending.mark)
            del writes
            machine.heap.redo(pending.writes)
            machine.path = pending.path
            value, live = pending.value, True
            continue
        value = machine.joiner.values(value, pending.value, machine.path, pending.path)
        machine.merge(pending.mark, pending.writes, machine.path, pending.path)
        machine.path = machine.path & pending.path
    return live, value
