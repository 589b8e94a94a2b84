"""Which statement hands a value over to the next pass of a loop: for `freed-graph`, and for whoever asks the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import Node
from ..facts import Facts
from ..report import Span

_KEEPING = frozenset({"append", "appendleft", "extend", "insert", "add", "push", "put", "setdefault", "update"})


def place(facts: Facts, node: Node, made: Span, sink: Span) -> tuple[Span, str]:
    """(span, name) to mark for a value that outlives a pass of a loop around `sink`.

    That is the assignment which the loop reads again, what stores the value in an object, or `made` itself, where the
    value is computed.
    """
    for site in node.stack:
        statement = facts.statement_at(site.span) if facts.here(site.span) else None
        name = _read_again(facts, statement, sink) if statement is not None else ""
        if statement is not None and name:
            return facts.source.span(statement), f"`{name}`"
    for span in (*(site.span for site in node.stack), made):
        handed = _handed_on(facts, facts.statement_at(span), sink) if facts.here(span) else None
        if handed is not None:
            return _span(facts, handed[0]), f"`{handed[1]}`"
    statement = facts.statement_at(made)
    if isinstance(statement, ast.Return):
        # What a helper returns is kept, or used, by who called it.
        outer = [site.span for site in reversed(node.stack) if facts.here(site.span) and site.span != made]
        while isinstance(statement, ast.Return) and outer and not _is_cached(facts, statement):
            made = outer.pop(0)
            statement = facts.statement_at(made)
    if statement is not None:
        name = _read_again(facts, statement, sink)
        if name:
            return made, f"`{name}`"
        keeper = _keeper(facts, statement)
        if keeper is not None:
            return facts.source.span(keeper), f"`{_kept_in(facts, keeper)}`"
    return made, facts.value_name(made)


def _is_cached(facts: Facts, statement: ast.stmt) -> bool:
    """Whether a decorator keeps what a function returns: the next call gets the same again."""
    function = facts.enclosing_function(statement)
    given = getattr(function, "decorator_list", [])
    words = {
        each.id if isinstance(each, ast.Name) else getattr(each, "attr", "") for d in given for each in ast.walk(d)
    }
    return not words.isdisjoint({"cache", "cached_property", "lru_cache"})


def _read_again(facts: Facts, statement: ast.stmt, sink: Span) -> str:
    """The name that an assignment gives a value and that the loop around it and the sink reads no later than there."""
    names = set(_names(statement))
    loop = facts.parsed.parents.get(statement)
    while loop is not None and not isinstance(loop, (ast.For, ast.While, ast.AsyncFor)):
        if isinstance(loop, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return ""
        loop = facts.parsed.parents.get(loop)
    if loop is None or not names or not loop.lineno <= sink.start.line <= (loop.end_lineno or loop.lineno):
        return ""
    end = statement.end_lineno or statement.lineno
    uses = [each for each in ast.walk(loop) if isinstance(each, ast.Name) and each.id in names]
    stored = {each.id: each.lineno for each in reversed(uses) if isinstance(each.ctx, ast.Store)}
    early = [u.id for u in uses if isinstance(u.ctx, ast.Load) and u.lineno <= min(end, stored.get(u.id, end))]
    return early[0] if early else ""


def _span(facts: Facts, statement: ast.stmt) -> Span:
    """The span of a statement, by which it is found again: `a = b` evaluates nothing that has one."""
    span = getattr(statement, "gradsight_span", None)
    if span is None:
        span = statement.gradsight_span = facts.source.span(statement)  # type: ignore[attr-defined]
    return span


def _handed_on(facts: Facts, made: ast.stmt | None, sink: Span) -> tuple[ast.Assign, str] | None:
    """The `state = next_state` behind an assignment, whose name the loop reads again; None if there is none."""
    names = set(_names(made)) if made is not None else set()
    block = facts.parsed.parents.get(made) if made is not None and names else None
    for later in ast.walk(block) if block is not None else ():
        if isinstance(later, ast.Assign) and made is not None and later.lineno > made.lineno:
            given = later.value.elts if isinstance(later.value, ast.Tuple) else [later.value]
            if any(isinstance(each, ast.Name) and each.id in names for each in given):
                name = _read_again(facts, later, sink)
                if name:
                    return later, name
    return None


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
        if isinstance(later, (ast.Expr, ast.Assign)) and later.lineno > statement.lineno:
            kept = _kept_by(later)
            if any(isinstance(each, ast.Name) and each.id in names for each in kept):
                return later
    return None


def _kept_by(statement: ast.Expr | ast.Assign) -> list[ast.expr]:
    """What `memory.append(v)` or `self.state = v` keeps."""
    value = statement.value
    if isinstance(statement, ast.Expr):
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _KEEPING:
            return list(value.args)
        return []
    kept = all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in statement.targets)
    return (list(value.elts) if isinstance(value, ast.Tuple) else [value]) if kept else []


def _kept_in(facts: Facts, keeper: ast.stmt) -> str:
    """The object that keeps the value, as it is written."""
    if isinstance(keeper, ast.Assign):
        return facts.text(keeper.targets[0])
    called = keeper.value.func if isinstance(keeper, ast.Expr) and isinstance(keeper.value, ast.Call) else None
    return facts.text(called.value if isinstance(called, ast.Attribute) else keeper)
