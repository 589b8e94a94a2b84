"""Plain data that the analysis hands out: findings, trace steps, fixes, and what is known about a value.

Everything here is frozen, knows no engine, no protocol and no terminal. Lines and columns are 1-based; columns count
characters (Unicode code points) of the line, so `ast` byte offsets and LSP's UTF-16 units are converted at the edges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .made_often import made_often

Severity = Literal["error", "warning", "information", "hint"]
Confidence = Literal["certain", "likely", "possible"]
Role = Literal["source", "cut", "mutation", "saved", "sink", "note"]
Applicability = Literal["safe", "unsafe", "suggestion"]

SEVERITY_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "information": 2, "hint": 3}
CONFIDENCE_ORDER: dict[Confidence, int] = {"certain": 0, "likely": 1, "possible": 2}


@made_often
@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text: 1-based line, 1-based column in characters."""

    line: int
    column: int


@made_often
@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of one file: `end` is the first position after it."""

    path: str
    start: Position
    end: Position

    def contains(self, line: int, column: int) -> bool:
        """Whether the 1-based position lies in the span (its end counts, as editors hover there)."""
        return self.start <= Position(line, column) <= self.end

    def __str__(self) -> str:
        return f"{self.path}:{self.start.line}:{self.start.column}"


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One sentence of the story of a finding, and where it happens."""

    span: Span
    role: Role
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of `span` by `text`; an empty span inserts."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that belong together. `safe`: the execution check would show the gradient and nothing else changes."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, one finding: a sentence that stands alone, the path as `trace`, and rewrites."""

    rule: str
    severity: Severity
    confidence: Confidence
    message: str
    span: Span
    trace: tuple[TraceStep, ...] = ()
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What kept a file from being analysed (whole or in part), in one sentence."""

    path: str
    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class ValueFacts:
    """What the engine knows about the tensor that the name or expression at `span` holds.

    `state` is one line for the top of a hover ("`y`: no gradient, cut at line 5"; it ends with its `cut_line`, if it
    has one); `path` the way from the trainable sources to the sink with the cut in it; `notes` further sentences (why
    an operation is safe). `requires_grad` and `is_leaf` are "yes", "no" or "maybe".
    """

    span: Span
    name: str
    state: str
    requires_grad: Literal["yes", "no", "maybe"]
    is_leaf: Literal["yes", "no", "maybe"]
    path: tuple[TraceStep, ...] = ()
    notes: tuple[str, ...] = ()
    cut_line: int | None = None


@dataclass(frozen=True, slots=True)
class SinkFacts:
    """A `backward()` or its kin: which trainable names it reaches, which only over a cut."""

    span: Span
    text: str
    reached: tuple[str, ...] = ()
    cut: tuple[tuple[str, Span], ...] = ()
    unsure: tuple[str, ...] = ()


def _no_values(line: int, column: int) -> ValueFacts | None:
    return None


@dataclass(frozen=True, slots=True)
class FileReport:
    """All there is to say about one file.

    `value_at(line, column)` answers hover: facts of the innermost tensor-valued expression there, or None. It only
    reads what the run recorded, starts no analysis, and is safe to call from any thread.
    `suppressed` holds the findings that a comment or a setting silenced; `unresolved` the names of other libraries that
    an answer of `names.resolver` could make more precise.
    """

    path: str
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    sinks: tuple[SinkFacts, ...] = ()
    suppressed: tuple[Finding, ...] = ()
    value_at: Callable[[int, int], ValueFacts | None] = field(default=_no_values, compare=False, repr=False)
    unresolved: tuple[str, ...] = field(default=(), compare=False)


LINE_END = re.compile(r"\r\n|\r|\n")
"""Where Python's tokenizer ends a line. A form feed or U+2028 ends none."""


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text after the edits of one file, all given in coordinates of the original text. Lines end as Python's do: at
    a newline, a carriage return or both, and at nothing else.

    Raises ValueError when two edits overlap or one lies outside the text.
    """
    starts = [0, *(match.end() for match in LINE_END.finditer(text)), len(text)]

    def offset(position: Position) -> int:
        if not 1 <= position.line <= len(starts) or position.column < 1:
            raise ValueError(f"edit outside the text: line {position.line}, column {position.column}")
        return min(starts[position.line - 1] + position.column - 1, len(text))

    pieces: list[str] = []
    last = 0
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end)):
        start, end = offset(edit.span.start), offset(edit.span.end)
        if start < last or end < start:
            raise ValueError(f"overlapping edits at line {edit.span.start.line}")
        pieces += [text[last:start], edit.text]
        last = end
    pieces.append(text[last:])
    return "".join(pieces)
