"""Comments that silence findings.

    y = x.detach()  # gradsight: ignore[detached-value]
    # gradsight: ignore-file[left-torch]

`# gradsight: ignore` silences every rule, `ignore[rule, rule]` those rules, on any line of the statement the finding
starts in (of a compound statement only its header counts). `ignore-file` does the same for the file, wherever it
stands. `# noqa: rule` works as ruff users expect: it names rules, and a bare `# noqa` silences all of them; codes that
are not ours (`E501`) are other tools' business. Several comments may share a line (`# noqa: E501  # gradsight: …`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from ..report import Problem, Span
from .lexer import comments
from .parse import Parsed
from .text import SourceText

_IGNORE = re.compile(r"#\s*gradsight\s*:\s*(ignore-file|ignore)\b(?!-)\s*(?:\[([^\]#]*)\]?)?", re.IGNORECASE)
_NOQA = re.compile(r"#\s*noqa\b(?:\s*:\s*([A-Za-z][\w-]*(?:[\s,]+[A-Za-z][\w-]*)*)|(?!\s*:))", re.IGNORECASE)
_FLAKE_CODE = re.compile(r"[A-Z]+[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One suppressing comment: its place, what it names (`rules` empty: every rule), and how far it reaches."""

    span: Span
    rules: tuple[str, ...]
    whole_file: bool
    spelling: str

    def covers(self, rule: str) -> bool:
        """Whether findings of the rule are silenced where the comment applies."""
        return not self.rules or rule in self.rules


@dataclass(frozen=True)
class Suppressions:
    """The suppressing comments of one file."""

    source: SourceText
    found: tuple[Suppression, ...]
    tree: ast.Module | None = None

    @classmethod
    def of(cls, source: SourceText, tree: ast.Module | None = None) -> Suppressions:
        """Read the comments of a text. Without its tree a comment reaches only its own physical line."""
        return cls(source, tuple(_read(source)), tree)

    @classmethod
    def of_parsed(cls, parsed: Parsed) -> Suppressions:
        """The comments of a parsed file."""
        return cls.of(parsed.source, parsed.tree)

    @cached_property
    def _by_line(self) -> dict[int, list[Suppression]]:
        lines: dict[int, list[Suppression]] = {}
        for one in self.found:
            lines.setdefault(one.span.start.line, []).append(one)
        return lines

    @cached_property
    def _statements(self) -> list[tuple[int, int]]:
        """Line ranges of statements (headers only for compound ones) that span more than one line."""
        if self.tree is None or not self.found:
            return []
        return [lines for node in ast.walk(self.tree) if (lines := _lines_of(node, self.source)) is not None]

    def hides(self, rule: str, span: Span) -> bool:
        """Whether a finding of `rule` that starts at `span` is silenced."""
        if not self.found:
            return False
        if any(one.whole_file and one.covers(rule) for one in self.found):
            return True
        first = last = span.start.line
        for start, end in self._statements:
            if start <= span.start.line <= end:
                first, last = min(first, start), max(last, end)
        return any(
            not one.whole_file and one.covers(rule)
            for line in range(first, last + 1)
            for one in self._by_line.get(line, ())
        )

    def comment_at(self, line: int, column: int) -> Suppression | None:
        """The suppressing comment at a 1-based position, for hover."""
        return next((one for one in self._by_line.get(line, ()) if one.span.contains(line, column)), None)

    def unknown_rules(self, known: Collection[str]) -> tuple[Problem, ...]:
        """A problem for each name in a `gradsight:` comment that is no rule. `noqa` may name other tools' rules."""
        return tuple(
            Problem(
                self.source.path, f"line {one.span.start.line}: unknown rule `{rule}` in `{one.spelling}`", one.span
            )
            for one in self.found
            if not one.spelling.lower().startswith("noqa")
            for rule in one.rules
            if rule not in known
        )


def _read(source: SourceText) -> Iterator[Suppression]:
    lowered = source.text.lower()
    if "gradsight" not in lowered and "noqa" not in lowered:
        return
    for comment in comments(source.text):
        text = source.text[comment.start : comment.end]
        for match in _IGNORE.finditer(text):
            span = source.span_of_offsets(comment.start + match.start(), comment.start + match.end())
            kind = match[1].lower()
            # `ignore[]` names nothing yet: somebody is typing. It must not silence every rule meanwhile.
            if match[2] is not None and not _names(match[2]):
                continue
            yield Suppression(span, _names(match[2] or ""), kind == "ignore-file", f"gradsight: {kind}")
        for match in _NOQA.finditer(text):
            span = source.span_of_offsets(comment.start + match.start(), comment.start + match.end())
            rules = tuple(name for name in _names(match[1] or "") if not _FLAKE_CODE.match(name))
            if rules or match[1] is None:
                yield Suppression(span, rules, False, "noqa")


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in re.split(r"[\s,]+", text.strip()) if name))


_BODIES = frozenset({"body", "orelse", "finalbody", "handlers", "cases", "decorator_list"})


def _lines_of(node: ast.AST, source: SourceText) -> tuple[int, int] | None:
    """First and last line of a simple statement or of a compound one's header; None when that is one line."""
    if isinstance(node, ast.match_case):
        first, last = node.pattern.lineno, _last_line(node)
    elif isinstance(node, (ast.stmt, ast.ExceptHandler)):
        first = node.lineno
        compound = getattr(node, "body", None) or getattr(node, "cases", None)
        last = max(first, _last_line(node)) if compound else node.end_lineno or first
        # The bracket that closes a header often has a line of its own: `) -> Tensor:`.
        while compound and source.line_text(last + 1).lstrip()[:1] in tuple(")]}"):
            last += 1
    else:
        return None
    return (first, last) if last > first else None


def _last_line(node: ast.AST) -> int:
    """The last line of the parts of a compound statement that stand before its body."""
    last = 0
    for name, value in ast.iter_fields(node):
        for part in value if isinstance(value, list) else [value]:
            if name not in _BODIES and isinstance(part, ast.AST):
                last = max(last, *(getattr(child, "end_lineno", 0) or 0 for child in ast.walk(part)), 0)
    return last
