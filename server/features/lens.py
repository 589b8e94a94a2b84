"""The line above a `backward()`: how much of the model its gradient reaches, and where the rest is cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..analysis.report import FileReport, SinkFacts, Span
from ..analysis.source.notebook import FILE, Lines
from .findings import Shown, leads_to


@dataclass(frozen=True, slots=True)
class Lens:
    """A text over a sink; with `can_check` a click runs the check of the findings that end there."""

    span: Span
    title: str
    can_check: bool = False


def lenses(report: FileReport, shown: Sequence[Shown], trusted: bool, lines: Lines = FILE) -> tuple[Lens, ...]:
    """One lens per line that holds a sink; "run check" where code may run and a finding ends there."""
    seen: dict[int, Lens] = {}
    for sink in report.sinks:
        line = sink.span.start.line
        can_check = trusted and any(leads_to(item, line) for item in shown)
        text = _raising(sink, shown, lines) or summary(sink, lines)
        text += " · run check" if can_check else ""
        seen.setdefault(line, Lens(sink.span, text, can_check))
    return tuple(seen.values())


def _raising(sink: SinkFacts, shown: Sequence[Shown], lines: Lines) -> str:
    """ "raises in the next pass, see line 7": what is reached is not the point where nothing was cut, and it raises."""
    for item in shown if not sink.cut else ():
        for step in item.finding.trace:
            if step.role != "sink" or step.span.start.line != sink.span.start.line or "raises:" not in step.message:
                continue
            when = "raises in the next pass" if step.message.startswith("the next pass") else "raises"
            line = item.finding.span.start.line
            return when if line == sink.span.start.line else f"{when}, see {lines.words(line)}"
    return ""


def summary(sink: SinkFacts, lines: Lines = FILE) -> str:
    """ "gradient reaches 12 of 14 parameters · 2 cut at line 40"."""
    total = len(sink.reached) + len(sink.cut) + len(sink.unsure)
    if total == 0:
        return "gradient reaches no tensor that requires grad"
    noun = "parameter" if any("." in name for name in _names(sink)) else "trainable tensor"
    parts = [f"gradient reaches {len(sink.reached)} of {total} {noun}{'' if total == 1 else 's'}"]
    if sink.cut:
        parts.append(f"{len(sink.cut)} cut at {_lines((span for _, span in sink.cut), lines)}")
    if sink.unsure:
        parts.append(f"{len(sink.unsure)} not known")
    return " · ".join(parts)


def _names(sink: SinkFacts) -> list[str]:
    return [*sink.reached, *(name for name, _ in sink.cut), *sink.unsure]


def _lines(spans: Iterable[Span], lines: Lines) -> str:
    numbers = sorted({span.start.line for span in spans})
    if lines.cells:
        named = [lines.words(number) for number in numbers]
        return named[0] if len(named) == 1 else f"{named[0]} and {len(named) - 1} more"
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    if len(numbers) <= 3:
        return f"lines {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
    return f"lines {numbers[0]} to {numbers[-1]}"
