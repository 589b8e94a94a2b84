"""Parsing a text again after an edit: statements on lines that did not change keep their syntax nodes.

What is remembered about a node (spans, names, what a run recorded there) stays with it. Where both texts parse, the
parser reads only the top-level statements around the edit. Nodes below the edit are moved in place: their old lines are
gone afterwards.
"""

from __future__ import annotations

import ast
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..report import Position, Span
from .parse import FILE_NAME, MAX_CHARACTERS, Parsed, parents_in, parse
from .text import SourceText


@dataclass(frozen=True, slots=True)
class Change:
    """The lines of an edit: before `first` nothing changed; the old line `old_tail` is the new line `new_tail`, and
    from there on the texts are the same."""

    first: int
    old_tail: int
    new_tail: int

    @property
    def shift(self) -> int:
        """By how many lines what follows has moved."""
        return self.new_tail - self.old_tail


def change_between(old: SourceText, new: SourceText) -> Change:
    """The smallest range of lines that holds every difference."""
    before, after = old.parse_text, new.parse_text
    limit = min(len(before), len(after))
    head = _longest(limit, lambda n: before[:n] == after[:n])
    tail = _longest(limit - head, lambda n: before[len(before) - n :] == after[len(after) - n :])
    first = min(bisect_right(old.line_starts, head), bisect_right(new.line_starts, head))
    lines = min(
        len(old.line_starts) - bisect_left(old.line_starts, len(before) - tail),
        len(new.line_starts) - bisect_left(new.line_starts, len(after) - tail),
        len(old.line_starts) - first + 1,
        len(new.line_starts) - first + 1,
    )
    return Change(first, old.line_count - lines + 1, new.line_count - lines + 1)


def _longest(limit: int, holds: object) -> int:
    """The greatest n up to the limit for which `holds(n)`; it holds for all smaller ones."""
    return bisect_left(range(limit), True, key=lambda n: not holds(n + 1))  # type: ignore[operator]


def reparse(old: Parsed, text: str) -> Parsed:
    """The new text parsed, with the nodes of `old` where lines did not change.

    `old` must not be used afterwards: its nodes have moved.
    """
    return _around_the_edit(old, text) or _as_a_whole(old, parse(old.path, text))


def _as_a_whole(old: Parsed, new: Parsed) -> Parsed:
    """A new tree with the nodes of the old one for equal statements on lines that did not change.

    A text that does not parse has lost statements, and which ones may depend on what stands far away.
    """
    change = change_between(old.source, new.source)
    _keep_lines(new.tree.body, old.tree.body, change, _equal)
    before = set(new.tree.body)
    for ours, theirs in _counterparts(new.tree.body, [each for each in old.tree.body if each not in before]):
        if ours is not theirs:
            _keep_lines(ours.body, theirs.body, change, _equal)  # type: ignore[attr-defined]
    return new


def _around_the_edit(old: Parsed, text: str) -> Parsed | None:
    """The new text with only the statements around the edit parsed; None where that does not do."""
    if old.problems or len(text) > MAX_CHARACTERS:
        return None
    source = SourceText(old.path, text)
    change = change_between(old.source, source)
    body = old.tree.body
    head = bisect_left(body, change.first, key=lambda s: s.end_lineno or s.lineno)
    while 0 < head < len(body) and first_line(body[head]) <= last_line(body[head - 1]):
        head -= 1
    tail = max(head, bisect_left(body, change.old_tail, key=first_line))
    while head < tail < len(body) and first_line(body[tail]) <= last_line(body[tail - 1]):
        tail += 1
    start = last_line(body[head - 1]) + 1 if head else 1
    if head and old.source.line_text(start - 1).endswith("\\"):
        return None
    end = first_line(body[tail]) + change.shift if tail < len(body) else source.line_count + 1
    middle = source.parse_text[source.line_start(start) : source.line_start(end)]
    try:
        made = ast.parse("\n" * (start - 1) + middle, FILE_NAME).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for new, before in _counterparts(made, body[head:tail]):
        _keep_lines(new.body, before.body, change, _same_place)  # type: ignore[attr-defined]
    for statement in body[tail:]:
        _move(statement, change.shift)
    tree = ast.Module(body=[*body[:head], *made, *body[tail:]], type_ignores=[])
    return Parsed(old.path, tree, source)


def first_line(statement: ast.stmt) -> int:
    """The first line of a statement, its decorators included."""
    decorators: Sequence[ast.expr] = getattr(statement, "decorator_list", ())
    return min([statement.lineno, *(each.lineno for each in decorators)])


def last_line(statement: ast.stmt) -> int:
    """The last line of a statement."""
    return statement.end_lineno or statement.lineno


def _counterparts(new: list[ast.stmt], old: list[ast.stmt]) -> list[tuple[ast.stmt, ast.stmt]]:
    """Functions of the same name before and after, and what stands under `if` at the top."""
    waiting: dict[object, list[ast.stmt]] = {}
    for statement in old:
        waiting.setdefault(_kind(statement), []).append(statement)
    pairs = []
    for statement in new:
        known = waiting.get(_kind(statement)) if _kind(statement) is not None else None
        if known:
            pairs.append((statement, known.pop(0)))
    return pairs


def _kind(statement: ast.stmt) -> object:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return statement.name
    return ast.If if isinstance(statement, ast.If) else None


def _keep_lines(
    ours: list[ast.stmt], theirs: list[ast.stmt], change: Change, same: Callable[[ast.stmt, ast.stmt, int], bool]
) -> None:
    """Give the statements of a body that lie on unchanged lines their old nodes."""
    count = 0
    while count < min(len(ours), len(theirs)):
        if last_line(theirs[count]) >= change.first or not same(ours[count], theirs[count], 0):
            break
        ours[count] = theirs[count]
        count += 1
    back = 0
    while back < min(len(ours), len(theirs)) - count:
        mine, before = ours[-1 - back], theirs[-1 - back]
        if first_line(before) < change.old_tail or not same(mine, before, change.shift):
            break
        back += 1
        _move(before, change.shift)
        ours[-back] = before


def _same_place(new: ast.stmt, old: ast.stmt, shift: int) -> bool:
    return (
        type(new) is type(old)
        and first_line(new) == first_line(old) + shift
        and last_line(new) == last_line(old) + shift
        and new.col_offset == old.col_offset
        and new.end_col_offset == old.end_col_offset
    )


def _equal(new: ast.AST, old: ast.AST, shift: int) -> bool:
    """Whether two trees are the same, places included, but for so many lines."""
    todo: list[tuple[Any, Any]] = [(new, old)]
    while todo:
        left, right = todo.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, ast.AST):
            if isinstance(left, _PLACED) and (
                (left.lineno, left.end_lineno) != (right.lineno + shift, (right.end_lineno or right.lineno) + shift)
                or (left.col_offset, left.end_col_offset) != (right.col_offset, right.end_col_offset)
            ):
                return False
            todo += [(getattr(left, name, None), getattr(right, name, None)) for name in left._fields]
        elif type(left) is list:
            if len(left) != len(right):
                return False
            todo += zip(left, right, strict=True)
        elif left != right:
            return False
    return True


_PLACED = (ast.stmt, ast.expr, ast.arg, ast.keyword, ast.alias, ast.excepthandler, ast.pattern)


def _move(statement: ast.stmt, lines: int) -> None:
    """Move all nodes of a statement, and the spans they remember, down by so many lines."""
    if not lines:
        return
    moved: set[int] = set()
    placed, others = _nodes(statement)
    for node in placed:
        node.lineno += lines
        node.end_lineno += lines
    # The spans themselves move, as everything a run has recorded holds these.
    write = object.__setattr__
    for node in (*placed, *others):
        span: Span | None = getattr(node, "gradsight_span", None)
        if span is not None and id(span) not in moved:
            moved.add(id(span))
            start, end = span.start, span.end
            write(span, "start", Position(start.line + lines, start.column))
            write(span, "end", Position(end.line + lines, end.column))


def _nodes(statement: ast.stmt) -> tuple[list[Any], list[ast.AST]]:
    """The nodes of a statement that have a place, itself included, and those that span others; found once."""
    known: tuple[list[Any], list[ast.AST]] | None = getattr(statement, "gradsight_nodes", None)
    if known is None:
        every = [statement, *parents_in(statement)]
        known = [n for n in every if hasattr(n, "lineno")], [n for n in every if not hasattr(n, "lineno")]
        statement.gradsight_nodes = known  # type: ignore[attr-defined]
    return known
