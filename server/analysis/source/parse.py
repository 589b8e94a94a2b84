"""Parsing that never fails: a text in, a tree out, and a problem for each place that had to be left out.

A text that parses costs one `ast.parse`. For any other, `recovery` leaves out the broken statements; every other
statement keeps its line and columns.
"""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..report import Problem
from .text import SourceText

MAX_CHARACTERS = 2_000_000
"""Longer texts are not analysed: they are data or generated, and a keystroke must not cost seconds."""

FILE_NAME = "<gradsight source>"
# An invalid escape such as "\d" makes the parser warn, on the server's stderr; it is the user's text, not our code.
warnings.filterwarnings("ignore", module=FILE_NAME)


@dataclass(frozen=True)
class Parsed:
    """A tree, the text it came from, and what had to be left out of it."""

    path: str
    tree: ast.Module
    source: SourceText
    problems: tuple[Problem, ...] = ()

    @cached_property
    def parents(self) -> Parents:
        """Each node's parent; the module has none."""
        return Parents(self)

    def statements_at(self, line: int) -> Iterator[ast.stmt]:
        """The top-level statements on a line."""
        body = self.tree.body
        for index in range(bisect_left(body, line, key=lambda s: s.end_lineno or s.lineno), len(body)):
            statement = body[index]
            if statement.lineno > line and all(each.lineno > line for each in getattr(statement, "decorator_list", ())):
                break
            yield statement

    def nodes_near(self, line: int) -> Iterator[ast.AST]:
        """The nodes of the top-level statements on a line, outer ones first."""
        for statement in self.statements_at(line):
            yield statement
            yield from parents_in(statement)

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        """The innermost statement that is or holds the node."""
        current: ast.AST | None = node
        while current is not None and not isinstance(current, ast.stmt):
            current = self.parents.get(current)
        return current


class Parents(Mapping[ast.AST, ast.AST]):
    """The parents of the nodes of a tree, looked up in the top-level statements at a node's line: few are asked for."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed

    def __getitem__(self, node: ast.AST) -> ast.AST:
        line = getattr(node, "lineno", None)
        tree = self._parsed.tree
        for statement in tree.body if line is None else self._parsed.statements_at(line):
            if node is statement:
                return tree
            found = parents_in(statement).get(node)
            if found is not None:
                return found
        raise KeyError(node)

    def __iter__(self) -> Iterator[ast.AST]:
        for statement in self._parsed.tree.body:
            yield statement
            yield from parents_in(statement)

    def __len__(self) -> int:
        return sum(1 + len(parents_in(statement)) for statement in self._parsed.tree.body)


_NO_NODES = frozenset(
    ("ctx", "op", "ops", "id", "attr", "arg", "type_comment", "conversion", "kind", "level", "module", "is_async")
)
"""Fields that hold texts, numbers, or nodes without a place (`Load`, `Add`), which belong to every tree."""
_fields: dict[type[ast.AST], tuple[str, ...]] = {ast.Constant: ()}


def fields_with_nodes(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a kind of node under which nodes with a place may stand, in order."""
    known = _fields.get(kind)
    if known is None:
        known = _fields[kind] = tuple(name for name in kind._fields if name not in _NO_NODES)
    return known


def parents_in(statement: ast.stmt) -> dict[ast.AST, ast.AST]:
    """The nodes below a statement to their parents; kept with the statement, which may outlive its module's tree.

    `Load`, `Add` and their like are left out: they belong to every tree.
    """
    known: dict[ast.AST, ast.AST] | None = getattr(statement, "gradsight_parents", None)
    if known is None:
        known = {}
        todo: list[ast.AST] = [statement]
        for node in todo:
            for name in fields_with_nodes(type(node)):
                value = getattr(node, name, None)
                if type(value) is list:
                    for each in value:
                        if isinstance(each, ast.AST):
                            known[each] = node
                            todo.append(each)
                elif isinstance(value, ast.AST):
                    known[value] = node
                    todo.append(value)
        statement.gradsight_parents = known  # type: ignore[attr-defined]
    return known


def empty_module() -> ast.Module:
    """A module without statements."""
    return ast.Module(body=[], type_ignores=[])


def parse(path: str, text: str) -> Parsed:
    """Parse a text. Never raises: what does not parse is left out and reported as a `Problem`."""
    source = SourceText(path, text)
    if len(text) > MAX_CHARACTERS:
        message = f"the file is too large to analyse ({len(text):,} characters, the limit is {MAX_CHARACTERS:,})"
        return Parsed(path, empty_module(), source, (Problem(path, message),))
    try:
        return Parsed(path, ast.parse(source.parse_text, FILE_NAME), source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        from .recovery import recover

        tree, problems = recover(source, error)
        return Parsed(path, tree, source, problems)
