"""Statements: what each does to the state, and how control leaves it. Loops and `with` have files of their own."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from ..values import FunctionValue, Unknown, Value
from . import classes, contexts, expected, loops, matching
from .assumed import assume
from .blocks import DEAD, HANDLERS, Leave, branch, run_block
from .decorators import decorate
from .expressions import evaluate
from .functions import make_function
from .machine import DeadEnd, Machine, ProgramRaises
from .targets import assign, augmented, delete

# ---------------------------------------------------------------------- simple statements


def _expr(machine: Machine, node: ast.Expr) -> None:
    evaluate(machine, node.value)


def _assign(machine: Machine, node: ast.Assign) -> None:
    value = evaluate(machine, node.value)
    if machine.frame.loose and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Add):
        machine.grown(machine.site(node), value)
    for target in node.targets:
        assign(machine, target, value)


def _ann_assign(machine: Machine, node: ast.AnnAssign) -> None:
    if node.value is not None:
        assign(machine, node.target, evaluate(machine, node.value))


def _return(machine: Machine, node: ast.Return) -> Leave:
    return Leave("return", evaluate(machine, node.value) if node.value is not None else None)


def _break(machine: Machine, node: ast.Break) -> Leave:
    return Leave("break")


def _continue(machine: Machine, node: ast.Continue) -> Leave:
    return Leave("continue")


def _raise(machine: Machine, node: ast.Raise) -> Leave:
    if node.exc is not None:
        evaluate(machine, node.exc)
    raise DeadEnd


def _pass(machine: Machine, node: ast.stmt) -> None:
    return None


def _assert(machine: Machine, node: ast.Assert) -> None:
    known, key, polarity = machine.test(evaluate(machine, node.test))
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
        value = decorate(machine, decorator, value)
    if isinstance(value, FunctionValue) and machine.frame.function is not None and machine.module is machine.main:
        machine.inner.append(value)
    machine.frame.scope.store(machine.heap, node.name, value)


def _class(machine: Machine, node: ast.ClassDef) -> None:
    value = classes.define(machine, node, run_block)
    for decorator in reversed(node.decorator_list):
        value = decorate(machine, decorator, value)
    machine.frame.scope.store(machine.heap, node.name, value)


# ---------------------------------------------------------------------- branches


def _if(machine: Machine, node: ast.If) -> Leave | None:
    known, key, polarity = machine.test(evaluate(machine, node.test))
    if known is True:
        return run_block(machine, node.body)
    if known is False:
        return run_block(machine, node.orelse)

    def arm(outcome: bool, body: list[ast.stmt]) -> Leave | None:
        assume(machine, node, outcome)
        return run_block(machine, body)

    return branch(machine, key, polarity, lambda: arm(True, node.body), lambda: arm(False, node.orelse))


def _match(machine: Machine, node: ast.Match) -> Leave | None:
    subject = evaluate(machine, node.subject)

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


# ---------------------------------------------------------------------- with, try


def _try(machine: Machine, node: ast.Try) -> Leave | None:
    mode = machine.autograd.mode
    start = machine.path
    mark = machine.heap.mark()
    raised = False
    wanted = expected.statements_of(node)
    if wanted is not None:
        machine.expecting.append(wanted)
    try:
        leave = run_block(machine, node.body)
    except ProgramRaises:
        if not any(expected.takes_runtime_error(h) is not False for h in node.handlers):
            _finally(machine, node)
            raise
        leave, raised = DEAD, True
    finally:
        if wanted is not None:
            machine.expecting.pop()
    dead = leave is not None and leave.kind == "dead"
    if dead and node.handlers and not [p for p in machine.frame.exits if p.mark >= mark]:
        # Everything in the body raised: the first handler is what runs.
        machine.path = start
        machine.autograd.set_mode(mode)
        takes = [h for h in node.handlers if expected.takes_runtime_error(h) is not False]
        leave = _handler(machine, (takes or node.handlers)[0])
        del raised
    elif leave is None and node.orelse:
        leave = run_block(machine, node.orelse)
    elif leave is None and node.handlers:
        handlers = [h for h in node.handlers if not _only_leaves(h)]
        if handlers and not machine.importer.cannot_fail(machine, node):
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


_KINDS: dict[type, Callable[[Machine, Any], Leave | None]] = {
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
    ast.For: loops.run_for,
    ast.AsyncFor: loops.run_for,
    ast.While: loops.run_while,
    ast.With: contexts.run_with,
    ast.AsyncWith: contexts.run_with,
    ast.Try: _try,
    ast.Delete: _delete,
}
if hasattr(ast, "TryStar"):
    _KINDS[ast.TryStar] = _try  # type: ignore[attr-defined]
HANDLERS.update(_KINDS)
