"""Inlay hints: behind what an assignment names, whether autograd tracks it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..analysis.report import FileReport, Position, ValueFacts
from ..analysis.source.notebook import FILE, Lines
from ..analysis.source.parse import parse
from ..analysis.source.text import SourceText


@dataclass(frozen=True, slots=True)
class Hint:
    """A few words behind the name that ends at `position`; `tooltip` is the value's state as hover has it."""

    position: Position
    label: str
    tooltip: str


def hints(source: SourceText, report: FileReport, first: int, last: int, lines: Lines = FILE) -> list[Hint]:
    """The hints of the 1-based lines `first` to `last`: one per assigned name that holds a tensor
    on its way to a gradient.

    A tensor that does not require grad and was not cut off (a batch, a target) gets none: most tensors of a program are
    such, and there is nothing to say about them.
    """
    found = []
    for target in _targets(parse(source.path, source.text).tree):
        span = source.span(target)
        if not first <= span.end.line <= last:
            continue
        facts = report.value_at(span.start.line, span.start.column)
        label = _label(facts) if facts is not None and facts.span == span else ""
        if label and facts is not None:
            found.append(Hint(span.end, label, told_state(facts, lines)))
    return sorted(found, key=lambda hint: hint.position)


def told_state(facts: ValueFacts, lines: Lines) -> str:
    """The state of a tensor, the line of its cut as the user counts it."""
    if facts.cut_line is None:
        return facts.state
    return facts.state.removesuffix(f"line {facts.cut_line}") + lines.words(facts.cut_line)


def _label(facts: ValueFacts) -> str:
    if facts.requires_grad == "maybe":
        return "gradient not known"
    if facts.requires_grad == "yes":
        return {"yes": "leaf that requires grad", "no": "requires grad"}.get(facts.is_leaf, "requires grad")
    return "no gradient" if facts.path else ""


def _targets(tree: ast.AST) -> Iterator[ast.expr]:
    """The names and attributes that assignments bind, in the order of the text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _names(target)
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
            yield from _names(node.target)


def _names(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, (ast.Name, ast.Attribute)):
        yield target
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _names(element)
    elif isinstance(target, ast.Starred):
        yield from _names(target.value)
