"""What the probe is to watch: the traced expressions of the findings, and the statements after which it may stop."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..analysis.report import LINE_END, Finding, SinkFacts, Span
from .laws import law_of


@dataclass(slots=True)
class Watched:
    """The part of the plan that belongs to one finding.

    `steps` maps observation ids to indices of the trace (-1: the finding's own span); `sources` are the ids whose
    tensors' gradients matter; `targets` the ids of the statements that have to run.
    """

    finding: Finding
    steps: dict[str, int] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """`watched` has one entry per finding; `observe` and `targets` are the probe's side of it."""

    watched: list[Watched]
    observe: list[dict[str, Any]]
    targets: list[dict[str, Any]]

    def document(self, path: str, text: str, **more: Any) -> dict[str, Any]:
        """What is sent to the probe."""
        return {"path": path, "text": text, "observe": self.observe, "targets": self.targets, **more}


def _numbers(span: Span) -> list[int]:
    return [span.start.line, span.start.column, span.end.line, span.end.column]


def same_file(one: str, other: str) -> bool:
    """Whether two paths, each as somebody typed it, name one file."""
    return one == other or os.path.abspath(one) == os.path.abspath(other)


def make_plan(path: str, text: str, findings: Sequence[Finding], sinks: Sequence[SinkFacts] = ()) -> Plan:
    """The plan for the findings of the file at `path`. Steps in other files are not observed."""
    lines = LINE_END.split(text)
    observe: list[dict[str, Any]] = []
    targets: dict[tuple[int, ...] | None, dict[str, Any]] = {}
    watched = []
    for number, finding in enumerate(findings):
        entry = Watched(finding)
        law = law_of(finding.rule)
        spans: dict[str, Span] = {}
        for index, step in enumerate(finding.trace):
            if same_file(step.span.path, path):
                ident = f"{number}.{index}"
                spans[ident] = step.span
                entry.steps[ident] = index
                if step.role == "source":
                    entry.sources.append(ident)
        if finding.span not in spans.values() and same_file(finding.span.path, path):
            ident = f"{number}.span"
            spans[ident] = finding.span
            entry.steps[ident] = -1
        if not entry.sources or law.claim == "unread":
            entry.sources += [i for i, span in spans.items() if span == finding.span and i not in entry.sources]
        for ident, span in spans.items():
            observe.append({"id": ident, "span": _numbers(span), "keep": ident in entry.sources})
        for place in _targets(path, lines, finding, law.claim, sinks):
            key = tuple(_numbers(place)) if place is not None else None
            target = targets.setdefault(
                key, {"id": f"t{len(targets)}", "span": list(key) if key else None, "passes": 1}
            )
            target["passes"] = max(target["passes"], law.passes)
            if target["id"] not in entry.targets:
                entry.targets.append(target["id"])
        watched.append(entry)
    return Plan(watched, observe, list(targets.values()))


def _targets(
    path: str, lines: list[str], finding: Finding, claim: str, sinks: Sequence[SinkFacts]
) -> list[Span | None]:
    """The statements that decide; [None] when this file has none: any `backward` then does."""
    here = [step for step in finding.trace if same_file(step.span.path, path)]
    found: list[Span | None] = [step.span for step in here if step.role == "sink"]
    if claim in ("raises-at", "hoards", "no-leaf") and same_file(finding.span.path, path):
        return [finding.span]
    if claim == "unread":
        reads = [s.span for s in here if s.span not in found and _reads_grad(lines, s.span)]
        if finding.span not in found and finding.span not in reads and _reads_grad(lines, finding.span):
            reads.append(finding.span)
        return [*found, *reads] or [None]
    if claim in ("cut", "harmless") and len(found) > 1:
        found = found[:1]
    if not found:
        later = [s.span for s in sinks if same_file(s.span.path, path) and s.span.start >= finding.span.start]
        found = later[:1]  # type: ignore[assignment]
    return found or [None]


def _reads_grad(lines: list[str], span: Span) -> bool:
    return 1 <= span.start.line <= len(lines) and ".grad" in lines[span.start.line - 1].replace(".grad_fn", "")
