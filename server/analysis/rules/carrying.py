"""Which statement hands a value over to the next pass of a loop: for `freed-graph`, and for whoever asks the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import Node
from ..facts import Facts
from ..report import Span

_KEEPING = frozenset({"append", "appendleft", "extend", "insert", "add", "push", "put", "setdefault", "update"})


def place(facts: Facts, node: Node, made: Span, sink: Span) -> Span:
    """The span to mark for a value that outlives a pass of a loop around `sink`.

    That is the assignment which the loop reads again, what stores the value in an object, or `made` itself, where the
    value is computed.
    """
    for site in node.stack:
        statement = facts.statement_at(site.span) if facts.here(site.span) else None
        if statement is not None and _is_read_again(facts, statement, sink):
            return facts.source.span(statement)
    statement = facts.statement_at(made)
    if statement is None or _is_read_again(facts, statement, sink):
        return made
    keeper = _keeper(facts, statement)
    return facts.source.span(keeper) if keeper is not None else made


def _is_read_again(facts: Facts, statement: ast.stmt, sink: Span) -> bool:
    """Whether the loop around an assignment and the sink reads the name no later than there, so in the next pass."""
    names = set(_names(statement))
    loop = facts.parsed.parents.get(statement)
    while loop is not None and not isinstance(loop, (ast.For, ast.While, ast.AsyncFor)):
        if isinstance(loop, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return False
        loop = facts.parsed.parents.get(loop)
    if loop is None or not names or not loop.lineno <= sink.start.line <= (loop.end_lineno or loop.lineno):
        return False
    end = statement.end_lineno or statement.lineno
    first_stores = {
        each.id: each.lineno for each in reversed([*ast.walk(loop)]) if _is_name(each, ast.Store) and each.id in names
    }
    return any(
        _is_name(each, ast.Load) and each.id in names and each.lineno <= min(end, first_stores.get(each.id, end))
        for each in ast.walk(loop)
    )


def _is_name(node: ast.AST, context: type[ast.expr_context]) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, context)


def _names(statement: ast.stmt) -> Iterator[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    for target in targets:
        for each in ast.walk(target):
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                yield each.id


def _keeper(facts: Facts, statement: ast.stmt) -> ast.stmt | None:
    """The statement after an assignment that puts the value into a list or an attribute; None if there is none."""
    names = set(_names(statement))
    block = facts.parsed.parents.get(statement)
    for later in ast.walk(block) if block is not None and names else ():
        if not isinstance(later, (ast.Expr, ast.Assign)) or later.lineno <= statement.lineno:
            continue
        value = later.value
        if isinstance(later, ast.Expr):
            called = value.func if isinstance(value, ast.Call) else None
            if not isinstance(called, ast.Attribute) or called.attr not in _KEEPING:
                continue
            value = ast.Tuple(value.args, ast.Load())  # type: ignore[union-attr]
        elif not all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in later.targets):
            continue
        if isinstance(value, (ast.Name, ast.Tuple)) and any(
            _is_name(each, ast.Load) and each.id in names
            for each in ast.walk(value)  # type: ignore[attr-defined]
        ):
            return later
    return None
