"""Statements: what each does to the state, and how control leaves it.

`run_block` gives None when control falls through, or a `Leave` ("return", "break", "continue", or "dead" when every
path has already left early or raised). Paths that leave early inside a branch wait in `frame.exits` as `Pending`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..autograd.graph import Path, newest_order
from ..autograd.heap import MISSING, Pending
from ..values import (
    Instance,
    Scalar,
    Unknown,
    Value,
)
from . import classes, expressions, matching
from .calls import call_value, make_function
from .machine import DeadEnd, Machine, ProgramRaises
from .targets import assign, augmented, delete

MAX_EXACT_PASSES = 24


@dataclass(slots=True)
class Leave:
    """Control leaves a block: `kind` is "return", "break", "continue" or "dead"."""

    kind: str
    value: Value = None
    extra: dict[str, Any] = field(default_factory=dict)


DEAD = Leave("dead")


def run_block(machine: Machine, body: list[ast.stmt]) -> Leave | None:
    """Run statements in order."""
    for statement in body:
        leave = run_statement(machine, statement)
        if leave is not None:
            return leave
    return None


def run_statement(machine: Machine, statement: ast.stmt) -> Leave | None:
    """Run one statement. An unhandled kind is skipped and counted, never silently passed over."""
    machine.tick()
    outer = machine.statement
    machine.statement = statement
    try:
        handler = _HANDLERS.get(type(statement))
        if handler is None:
            machine.unresolved(f"statement {type(statement).__name__}")
            return None
        return handler(machine, statement)
    except ProgramRaises:
        raise
    except DeadEnd:
        return Leave("dead")
    finally:
        machine.statement = outer


# ---------------------------------------------------------------------- simple statements


def _expr(machine: Machine, node: ast.Expr) -> None:
    expressions.evaluate(machine, node.value)


def _assign(machine: Machine, node: ast.Assign) -> None:
    value = expressions.evaluate(machine, node.value)
    for target in node.targets:
        assign(machine, target, value)


def _ann_assign(machine: Machine, node: ast.AnnAssign) -> None:
    if node.value is not None:
        assign(machine, node.target, expressions.evaluate(machine, node.value))


def _return(machine: Machine, node: ast.Return) -> Leave:
    return Leave("return", expressions.evaluate(machine, node.value) if node.value is not None else None)


def _break(machine: Machine, node: ast.Break) -> Leave:
    return Leave("break")


def _continue(machine: Machine, node: ast.Continue) -> Leave:
    return Leave("continue")


def _raise(machine: Machine, node: ast.Raise) -> Leave:
    if node.exc is not None:
        expressions.evaluate(machine, node.exc)
    raise DeadEnd


def _pass(machine: Machine, node: ast.stmt) -> None:
    return None


def _assert(machine: Machine, node: ast.Assert) -> None:
    known, key, polarity = machine.test(expressions.evaluate(machine, node.test))
    if known is None and not isinstance(key, object().__class__):
        machine.path = machine.path | {(key, polarity)}


def _global(machine: Machine, node: ast.Global) -> None:
    machine.frame.scope.declared_global.update(node.names)


def _nonlocal(machine: Machine, node: ast.Nonlocal) -> None:
    machine.frame.scope.declared_nonlocal.update(node.names)


def _import(machine: Machine, node: ast.Import | ast.ImportFrom) -> None:
    machine.importer.run(machine, node)


def _function(machine: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    value: Value = make_function(machine, node, node.name)
    for decorator in reversed(node.decorator_list):
        value = expressions.decorate(machine, decorator, value)
    machine.frame.scope.store(machine.heap, node.name, value)


def _class(machine: Machine, node: ast.ClassDef) -> None:
    value = classes.define(machine, node, run_block)
    for decorator in reversed(node.decorator_list):
        value = expressions.decorate(machine, decorator, value)
    machine.frame.scope.store(machine.heap, node.name, value)


# ---------------------------------------------------------------------- branches


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


def _if(machine: Machine, node: ast.If) -> Leave | None:
    known, key, polarity = machine.test(expressions.evaluate(machine, node.test))
    if known is True:
        return run_block(machine, node.body)
    if known is False:
        return run_block(machine, node.orelse)
    return branch(
        machine, key, polarity, lambda: run_block(machine, node.body), lambda: run_block(machine, node.orelse)
    )


def _match(machine: Machine, node: ast.Match) -> Leave | None:
    subject = expressions.evaluate(machine, node.subject)

    def case(index: int) -> Leave | None:
        if index == len(node.cases):
            return None
        arm = node.cases[index]
        fits = matching.bind(machine, arm.pattern, subject)
        if fits is True and arm.guard is None:
            return run_block(machine, arm.body)
        if fits is False:
            return case(index + 1)
        return branch(machine, object(), True, lambda: run_block(machine, arm.body), lambda: case(index + 1))

    return case(0)


# ---------------------------------------------------------------------- loops


def _settle(machine: Machine, kind: str, live: bool) -> bool:
    """Join the states that left with `kind` in this loop into the present one; whether any state is left."""
    frame = machine.frame
    mine = [p for p in frame.exits if p.kind == kind and p.extra["loop"] == frame.loops]
    frame.exits = [p for p in frame.exits if p not in mine]
    return settle(machine, mine, live)[0]


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


def _counted(body: list[ast.stmt]) -> list[ast.expr]:
    """The targets of augmented assignments in a loop body, found once."""
    first = body[0]
    cached = getattr(first, "gradsight_counted", None)
    if cached is None:
        nodes = ast.walk(ast.Module(body=body, type_ignores=[]))
        cached = [node.target for node in nodes if isinstance(node, ast.AugAssign)]
        first.gradsight_counted = cached  # type: ignore[attr-defined]
    return cached


def _widen_counters(machine: Machine, body: list[ast.stmt]) -> None:
    """A number that the body counts up is unknown in a loop whose length is unknown."""
    for target in _counted(body):
        if isinstance(target, ast.Name):
            value = machine.frame.scope.lookup(target.id)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                machine.frame.scope.store(machine.heap, target.id, Scalar(type(value).__name__))
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = machine.frame.scope.lookup(target.value.id)
            if isinstance(owner, Instance):
                value = owner.attributes.get(target.attr)
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    machine.heap.put(owner.attributes, target.attr, Scalar(type(value).__name__))


def _passes(machine: Machine, node: Any, steps: list[Callable[[], None]]) -> Leave | None:
    """Run the body once per step; joins `continue` after each pass and `break` at the end."""
    frame = machine.frame
    frame.loops += 1
    start = machine.path
    live = True
    ended_by: Leave | None = None
    broke = False
    try:
        for prepare in steps:
            machine.loop_passes.append(newest_order())
            try:
                prepare()
                leave = run_block(machine, node.body)
            except ProgramRaises:
                raise
            except DeadEnd:
                leave = DEAD
            finally:
                machine.loop_passes.pop()
            live = leave is None
            if leave is not None and leave.kind == "continue":
                live = True
            elif leave is not None and leave.kind in ("break", "return"):
                if leave.kind == "break":
                    broke = True
                else:
                    ended_by = leave
            if broke or ended_by is not None:
                break
            live = _settle(machine, "continue", live)
            if not live:
                break
    finally:
        frame_loops = frame.loops
    if ended_by is not None:
        # `break` states of earlier passes go on after the loop; this one returns.
        mine = [p for p in frame.exits if p.kind == "break" and p.extra["loop"] == frame_loops]
        if mine:
            oldest = min(p.mark for p in mine)
            path = machine.path
            writes = machine.undo(oldest)
            frame.exits.append(Pending(oldest, writes, "return", ended_by.value, path, {"loop": frame_loops - 1}))
            live = _settle(machine, "break", False)
            frame.loops -= 1
            return None if live else DEAD
        frame.loops -= 1
        return ended_by
    live = _settle(machine, "break", live or broke)
    frame.loops -= 1
    if not live:
        machine.path = start
        return DEAD
    if not broke and node.orelse:
        return run_block(machine, node.orelse)
    return None


def _for(machine: Machine, node: ast.For | ast.AsyncFor) -> Leave | None:
    iterable = expressions.evaluate(machine, node.iter)
    site = machine.site(node.iter)
    items, open_ = machine.iterate(iterable, site)
    if not items and not open_:
        return run_block(machine, node.orelse) if node.orelse else None
    if open_ or len(items) > MAX_EXACT_PASSES:
        _widen_counters(machine, node.body)
        items = expressions.open_elements(machine, items)
    return _passes(machine, node, [lambda item=item: assign(machine, node.target, item) for item in items])  # type: ignore[misc]


def _while(machine: Machine, node: ast.While) -> Leave | None:
    known, _key, _ = machine.test(expressions.evaluate(machine, node.test))
    if known is False:
        return run_block(machine, node.orelse) if node.orelse else None
    exact = known is True and not (isinstance(node.test, ast.Constant))
    if not exact:
        _widen_counters(machine, node.body)
        return _passes(machine, node, [lambda: None, lambda: None])
    count = _count_passes(machine, node)
    if count is None:
        _widen_counters(machine, node.body)
        return _passes(machine, node, [lambda: None, lambda: None])
    return _passes(machine, node, [lambda: None] * count)


def _count_passes(machine: Machine, node: ast.While) -> int | None:
    """How often `while i < 3: ...; i += 1` runs, by counting alone; None if that is not all there is to it."""
    test = node.test
    if not (isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and len(test.ops) == 1):
        return None
    name = test.left.id
    steps = [
        s for s in node.body if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name) and s.target.id == name
    ]
    stores = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)]
    if len(steps) != 1 or len(stores) != 1:
        return None
    value = machine.frame.scope.lookup(name)
    amount = expressions.evaluate(machine, steps[0].value)
    limit = expressions.evaluate(machine, test.comparators[0])
    if not all(isinstance(v, (int, float)) for v in (value, amount, limit)):
        return None
    compare = expressions.COMPARE.get(type(test.ops[0]))
    combine = expressions.ARITHMETIC.get(type(steps[0].op))
    if compare is None or combine is None:
        return None
    count = 0
    while compare(value, limit):
        count += 1
        value = combine(value, amount)
        if count > MAX_EXACT_PASSES:
            return None
    return count


# ---------------------------------------------------------------------- with, try


def _with(machine: Machine, node: ast.With | ast.AsyncWith) -> Leave | None:
    entered: list[tuple[Value, Any]] = []
    mode = machine.autograd.mode
    for item in node.items:
        manager = expressions.evaluate(machine, item.context_expr)
        value = machine.torch.enter(manager, machine.site(item.context_expr))
        if value is MISSING:
            value = expressions.enter_manager(machine, manager, machine.site(item.context_expr))
        entered.append((manager, machine.site(item.context_expr)))
        if item.optional_vars is not None:
            assign(machine, item.optional_vars, value)
    changed = machine.autograd.mode is not mode
    exits = len(machine.frame.exits)
    try:
        leave = run_block(machine, node.body)
    finally:
        if changed:
            machine.autograd.set_mode(mode)
            for pending in machine.frame.exits[exits:]:
                pending.writes[(id(machine.autograd), "mode")] = (machine.autograd, "mode", mode)
    for manager, site in reversed(entered):
        if isinstance(manager, Instance):
            expressions.leave_manager(machine, manager, site)
    return leave


def _try(machine: Machine, node: ast.Try) -> Leave | None:
    mode = machine.autograd.mode
    start = machine.path
    mark = machine.heap.mark()
    raised = False
    try:
        leave = run_block(machine, node.body)
    except ProgramRaises:
        if not node.handlers:
            _finally(machine, node)
            raise
        leave, raised = DEAD, True
    dead = leave is not None and leave.kind == "dead"
    if dead and node.handlers and not [p for p in machine.frame.exits if p.mark >= mark]:
        # Everything in the body raised: the first handler is what runs.
        machine.path = start
        machine.autograd.set_mode(mode)
        leave = _handler(machine, node.handlers[0])
        del raised
    elif leave is None and node.orelse:
        leave = run_block(machine, node.orelse)
    elif leave is None and node.handlers:
        handlers = [h for h in node.handlers if not _only_leaves(h)]
        if handlers:
            leave = branch(machine, object(), True, lambda: None, lambda: _handler(machine, handlers[0]))
    final = _finally(machine, node)
    return final or leave


def _finally(machine: Machine, node: ast.Try) -> Leave | None:
    return run_block(machine, node.finalbody) if node.finalbody else None


def _only_leaves(handler: ast.ExceptHandler) -> bool:
    """A handler that raises again or ends the program adds no state."""
    last = handler.body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        name = ast.unparse(last.value.func)
        return name in ("exit", "quit", "sys.exit", "os._exit")
    return isinstance(last, (ast.Raise, ast.Pass))


def _handler(machine: Machine, handler: ast.ExceptHandler) -> Leave | None:
    if handler.name:
        machine.frame.scope.store(machine.heap, handler.name, Unknown("an exception"))
    return run_block(machine, handler.body)


def _delete(machine: Machine, node: ast.Delete) -> None:
    for target in node.targets:
        delete(machine, target)


def _aug_assign(machine: Machine, node: ast.AugAssign) -> None:
    augmented(machine, node)


_HANDLERS: dict[type, Callable[[Machine, Any], Leave | None]] = {
    ast.Expr: _expr,
    ast.Assign: _assign,
    ast.AnnAssign: _ann_assign,
    ast.AugAssign: _aug_assign,
    ast.Return: _return,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Raise: _raise,
    ast.Pass: _pass,
    ast.Assert: _assert,
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.If: _if,
    ast.Match: _match,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.Delete: _delete,
}
if hasattr(ast, "TryStar"):
    _HANDLERS[ast.TryStar] = _try  # type: ignore[attr-defined]

__all__ = ["DEAD", "Leave", "call_value", "run_block", "settle"]
