"""What a hover says: a tensor's gradient state, its path with the cut drawn in it, why, and what PyTorch will say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..analysis.report import FileReport, Span, TraceStep, ValueFacts
from ..analysis.source.notebook import FILE, Lines
from ..analysis.source.text import SourceText
from .findings import Shown, at
from .ignore import rules_of_comment
from .inlay import told_state
from .picture import LineOf, draw, fenced
from .rule_pages import rule_link, rule_page


@dataclass(frozen=True, slots=True)
class HoverText:
    """Markdown, and the span it is about (None: the word under the cursor)."""

    markdown: str
    span: Span | None


def hover(
    source: SourceText,
    report: FileReport,
    shown: Sequence[Shown],
    line_of: LineOf,
    line: int,
    column: int,
    lines: Lines = FILE,
    beside: bool = False,
) -> HoverText | None:
    """The hover at a 1-based position of a text with its report, or None when nothing is known there.

    A tensor's own facts come first, then the findings whose span holds the position. A suppression comment shows the
    page of the rules it names. `lines` says what the lines are called. `beside`: the editor itself puts the
    sentences and links of findings into the same hover, so they are not said again.
    """
    page = _suppression(source, line, column)
    if page:
        return HoverText(page, None)
    facts = report.value_at(line, column)
    here = at(shown, line, column)
    if facts is not None and facts.cut_line == line and not here:
        # `y` of `y = x.detach()`: the mark is on the call, the name has lost its gradient there all the same.
        here = [item for item in shown if item.finding.span.start.line == line and facts.span.start.line == line]
    if facts is None and not here:
        return None
    parts: list[str] = []
    if facts is not None:
        parts.append(told_state(facts, lines))
    trace = _trace(facts, here)
    unsaid = [item for item in here if not (beside and item.finding.span.contains(line, column))]
    parts += [_headline(item) for item in unsaid]
    parts.append(fenced(draw(trace, line_of, report.path, lines)))
    if facts is not None:
        parts += facts.notes
    parts.append(_torch_says(trace, lines, report.path))
    parts += [f"Checked: {item.outcome}." for item in here if item.outcome is not None]
    parts += dict.fromkeys(f"What this rule means: {rule_link(item.finding.rule)}" for item in unsaid)
    span = here[0].finding.span if facts is None else facts.span
    return HoverText("\n\n".join(dict.fromkeys(part for part in parts if part)), span)


def _trace(facts: ValueFacts | None, here: Sequence[Shown]) -> tuple[TraceStep, ...]:
    """A finding's trace tells the story of this place best; without one it is the value's own path."""
    for item in here:
        if item.finding.trace:
            return item.finding.trace
    return facts.path if facts is not None else ()


def _headline(item: Shown) -> str:
    finding = item.finding
    return f"**{finding.severity}** {rule_link(finding.rule)}: {finding.message}"


def _torch_says(trace: Sequence[TraceStep], lines: Lines, home: str) -> str:
    """The sink's message, when it is an error that PyTorch will raise; "raises nothing" is none."""
    for step in trace:
        when, raises, words = step.message.partition("raises: ")
        if step.role == "sink" and raises:
            at = (lines if step.span.path == home else FILE).words(step.span.start.line)
            return f"PyTorch will say at {at}{' in the next pass' if when else ''}: *{words}*"
    return ""


def _suppression(source: SourceText, line: int, column: int) -> str | None:
    pages = [page for name in rules_of_comment(source, line, column) if (page := rule_page(name))]
    return "\n\n---\n\n".join(pages) or None
