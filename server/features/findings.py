"""Findings as an editor sees them: named, placed, and joined with what a check of them has shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..analysis.report import FileReport, Finding


def finding_id(finding: Finding) -> str:
    """A name for a finding that is unique in its report and stable as long as the text is: rule, line and column."""
    return f"{finding.rule}@{finding.span.start.line}:{finding.span.start.column}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the execution check said about one finding of one text.

    `verdict` is verify's word ("confirmed", "refuted", ...), `device` where it ran, `seen` one short statement of what
    was observed ("`x.grad` is None"). `rejected_fixes` are titles of fixes that were tried and did not help.
    """

    verdict: str
    device: str = ""
    seen: str = ""
    rejected_fixes: frozenset[str] = frozenset()

    def after(self, before: Outcome) -> Outcome:
        """This outcome, with what an earlier check of the same text has rejected."""
        return replace(self, rejected_fixes=self.rejected_fixes | before.rejected_fixes)

    def __str__(self) -> str:
        where = f" on {self.device}" if self.device else ""
        return f"{self.verdict}{where}" + (f": {self.seen}" if self.seen else "")


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding that is shown, and its outcome if a check of this very text has one."""

    finding: Finding
    outcome: Outcome | None = None

    @property
    def id(self) -> str:
        """What tells it from the other findings of its document."""
        return finding_id(self.finding)

    @property
    def message(self) -> str:
        """The finding's sentence; a confirmed one also says where and what was seen."""
        if self.outcome is not None and self.outcome.verdict == "confirmed":
            return f"{self.finding.message} ({self.outcome})"
        if self.outcome is not None and self.outcome.verdict == "refuted":
            # Only a hint is still shown then: it says that the gradient is right, and the check agrees.
            return f"{self.finding.message} (checked on {self.outcome.device}: {self.outcome.seen})"
        return self.finding.message


def shown_findings(report: FileReport, outcomes: dict[str, Outcome]) -> tuple[Shown, ...]:
    """The report's findings without those a check refuted: the prediction was wrong, so it is withdrawn.

    A hint such as `inplace-on-loss-path` predicts no missing gradient; a refuted gap agrees with it, and it stays.
    """
    shown = (Shown(finding, outcomes.get(finding_id(finding))) for finding in report.findings)
    return tuple(
        item
        for item in shown
        if item.outcome is None or item.outcome.verdict != "refuted" or predicts_no_damage(item.finding)
    )


def predicts_no_damage(finding: Finding) -> bool:
    """Whether the finding itself says that the gradient is right (hints teach, they do not warn)."""
    return finding.severity == "hint"


def on_lines(shown: Iterable[Shown], first: int, last: int) -> list[Shown]:
    """Those whose span touches the lines `first` to `last`, both included."""
    return [item for item in shown if item.finding.span.start.line <= last and item.finding.span.end.line >= first]


def at(shown: Iterable[Shown], line: int, column: int) -> list[Shown]:
    """Those whose span holds the position."""
    return [item for item in shown if item.finding.span.contains(line, column)]


def leads_to(item: Shown, line: int) -> bool:
    """Whether the finding's story ends at a sink on the line."""
    return any(step.role == "sink" and step.span.start.line == line for step in item.finding.trace)
