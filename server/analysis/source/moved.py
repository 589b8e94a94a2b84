"""Where edits put the places of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..report import Edit, Finding, Position, Span
from .text import SourceText


def _shift(source: SourceText, edits: Sequence[Edit]) -> list[tuple[int, int, int]]:
    """(start, end, growth) of every edit as offsets of the original text."""
    spans = [(source.offset_at(edit.span.start), source.offset_at(edit.span.end), len(edit.text)) for edit in edits]
    return sorted((start, end, length - (end - start)) for start, end, length in spans)


def move_finding(finding: Finding, text: str, edits: Sequence[Edit], after: str) -> Finding:
    """The finding with its spans where the edits have put them; a span inside an edit shrinks to the edit's place."""
    before, edited = SourceText(finding.span.path, text), SourceText(finding.span.path, after)
    shifts = _shift(before, edits)

    def moved(position: Position, end: bool) -> Position:
        at = before.offset_at(position)
        out = at
        for start, stop, growth in shifts:
            if stop < at or (stop == at and (start < stop or not end)):
                out += growth
            elif start < at:
                out += start - at + (stop - start + growth if end else 0)
        return edited.position_at(max(0, min(out, len(after))))

    def span(one: Span) -> Span:
        start = moved(one.start, False)
        return Span(one.path, start, max(start, moved(one.end, True)))

    trace = tuple(replace(step, span=span(step.span)) for step in finding.trace)
    return replace(finding, span=span(finding.span), trace=trace, fixes=())
