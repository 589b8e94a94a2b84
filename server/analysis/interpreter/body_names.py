"""Names in the body of a loop: what it may read before it has written it, and what it only counts up."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from ..source.parse import fields_with_nodes


class _Reads(ast.NodeVisitor):
    """Names that a body may read before it has written them, in the order Python evaluates."""

    def __init__(self) -> None:
        self.written: set[str] = set()
        self.live: set[str] = set()
        self.counted: set[str] = set()

    def visit(self, node: ast.AST) -> None:
        """As `NodeVisitor.visit`, without looking for a method by its name each time."""
        kind = type(node)
        method = _VISITS.get(kind)
        if method is None:
            method = _VISITS[kind] = getattr(_Reads, f"visit_{kind.__name__}", _Reads.generic_visit)
        method(self, node)

    def generic_visit(self, node: ast.AST) -> None:
        """The nodes below, in order."""
        for name in fields_with_nodes(type(node)):
            value = getattr(node, name, None)
            if type(value) is list:
                for each in value:
                    if isinstance(each, ast.AST):
                        self.visit(each)
            elif isinstance(value, ast.AST):
                self.visit(value)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            if node.id not in self.written:
                self.live.add(node.id)
        else:
            self.written.add(node.id)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        # A name that is only shown changes nothing.
        if not isinstance(node.value, ast.Name):
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        shown = isinstance(node.func, ast.Name) and node.func.id == "print"
        self.visit(node.func)
        for argument in node.args:
            if not (shown and isinstance(argument, ast.Name)):
                self.visit(argument)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            if node.target.id not in self.written:
                self.counted.add(node.target.id)
        else:
            self.visit(node.target)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._either(node.body, node.orelse)

    def visit_For(self, node: Any) -> None:
        self.visit(node.iter)
        before = set(self.written)
        self.visit(node.target)
        self._all(node.body)
        self.written = before
        self._all(node.orelse)

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._either(node.body, node.orelse)

    def visit_Try(self, node: Any) -> None:
        before = set(self.written)
        self._all(node.body)
        for handler in node.handlers:
            self.written = set(before)
            self._all(handler.body)
        self.written = before
        self._all(node.orelse)
        self._all(node.finalbody)

    visit_TryStar = visit_Try

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before = set(self.written)
        for case in node.cases:
            self.written = set(before)
            if case.guard is not None:
                self.visit(case.guard)
            self._all(case.body)
        self.written = before

    def _comprehension(self, node: Any) -> None:
        before = set(self.written)
        for generator in node.generators:
            self.visit(generator.iter)
            self.visit(generator.target)
            for condition in generator.ifs:
                self.visit(condition)
        for part in (getattr(node, "elt", None), getattr(node, "key", None), getattr(node, "value", None)):
            if part is not None:
                self.visit(part)
        self.written = before

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def _function(self, node: Any) -> None:
        self.live |= free_names(node) - self.written
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        if not isinstance(node, ast.Lambda):
            self.written.add(node.name)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.live |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - self.written
        self.written.add(node.name)

    def _all(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)

    def _either(self, first: list[ast.stmt], second: list[ast.stmt]) -> None:
        before = set(self.written)
        self._all(first)
        after_first, self.written = self.written, before
        self._all(second)
        self.written &= after_first


_VISITS: dict[type[ast.AST], Callable[[_Reads, Any], None]] = {}


def free_names(node: Any) -> frozenset[str]:
    """Names that a function reads and does not bind, its inner functions included; found once."""
    cached = getattr(node, "gradsight_free", None)
    if cached is None:
        arguments = node.args
        bound = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        bound |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None}
        loads: set[str] = set()
        outer: set[str] = set()
        for each in ast.walk(node):
            if isinstance(each, ast.Name):
                (loads if isinstance(each.ctx, ast.Load) else bound).add(each.id)
            elif isinstance(each, (ast.Global, ast.Nonlocal)):
                outer.update(each.names)
        cached = node.gradsight_free = frozenset((loads - bound) | outer)
    return cached


def carried_names(node: Any) -> tuple[frozenset[str], frozenset[str]]:
    """(names the body may read before it writes them, names it only counts up), found once per loop."""
    cached = getattr(node, "gradsight_carried", None)
    if cached is None:
        reads = _Reads()
        if not isinstance(node, ast.While):
            reads.visit(node.target)
        else:
            reads.visit(node.test)
        for statement in node.body:
            reads.visit(statement)
        counted = reads.counted - reads.live
        cached = node.gradsight_carried = (frozenset(reads.live), frozenset(counted))
    return cached


def uses(node: Any) -> bool:
    """Whether the body of a `for` reads its target, other than to show it."""
    cached = getattr(node, "gradsight_uses_target", None)
    if cached is None:
        names = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
        reads = _Reads()
        for statement in node.body:
            reads.visit(statement)
        simple = isinstance(node.target, (ast.Name, ast.Tuple, ast.List))
        cached = node.gradsight_uses_target = not simple or bool(names & (reads.live | reads.counted))
    return cached
