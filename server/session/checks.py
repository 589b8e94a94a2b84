"""The execution check of an open document: which findings, under which settings, and what its result means here.

Making the request and reading the report happen on the event loop's thread; `run` is called in a worker thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..analysis.report import Edit
from ..analysis.source.notebook import FILE, Lines
from ..features.findings import Outcome, finding_id, leads_to, on_lines, predicts_no_damage
from ..verify import CheckReport, CheckRequest, InterpreterNotFound, Result, find_interpreter, run_check
from .session import Session, View

UNTRUSTED = "The gradient check runs your code, so it is off until you trust this workspace."


class Refused(Exception):
    """The check was not started; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check of one version of a document. Progress sentences come from the worker thread."""

    view: View
    request: CheckRequest

    def run(self, progress: Callable[[str], None], cancel: threading.Event) -> CheckReport:
        """Runs for seconds, in the calling thread.

        Raises CheckCancelled when `cancel` was set, Refused when there is no interpreter to run it with.
        """
        try:
            interpreter = find_interpreter(self.request.path, self.request.interpreter)
        except InterpreterNotFound as error:
            raise Refused(str(error)) from None
        progress(f"{Path(self.request.path).name} with {interpreter}")
        return run_check(self.request, progress=progress, cancel=cancel)


def prepare(session: Session, view: View, line: int | None, rule: str | None, fix: bool) -> Check:
    """The check of the findings on a 1-based line (None: all), of one rule (None: any).

    Findings whose trace ends at a `backward()` on the line count as well: that is where a code lens stands. Raises
    Refused in an untrusted workspace and when there is nothing to check.
    """
    if not session.client.trusted:
        raise Refused(UNTRUSTED)
    chosen = [item for item in view.shown if rule is None or item.finding.rule == rule]
    if line is not None:
        on_line = on_lines(chosen, line, line)
        chosen = on_line or [item for item in chosen if leads_to(item, line)]
    if not chosen:
        where = f" on {view.document.lines.words(line)}" if line is not None else f" in {Path(view.document.path).name}"
        raise Refused(f"There is no finding{f' of `{rule}`' if rule else ''}{where} to check.")
    config = session.verify_config(view.document.path)
    defaults = CheckRequest(path="", text="")
    return Check(
        view,
        CheckRequest(
            path=view.document.path,
            text=view.document.text,
            findings=tuple(item.finding for item in chosen),
            sinks=view.report.sinks,
            interpreter=config.python,
            device=config.device or defaults.device,
            timeout=config.timeout or defaults.timeout,
            launcher=config.launcher,
            fix=fix,
            lines=view.document.lines,
            entry=config.entry,
            cwd=session.entry_folder(view.document.path) if config.entry else None,
        ),
    )


def outcomes_of(check: Check, report: CheckReport) -> dict[str, Outcome]:
    """What a report says about each finding of the check. A verdict that says nothing about it is no outcome."""
    outcomes: dict[str, Outcome] = {}
    for finding, result in zip(check.request.findings, report.results, strict=False):
        rejected = frozenset({result.fix.title} if result.fix is not None and result.fix.verdict == "rejected" else ())
        if result.verdict in ("confirmed", "refuted"):
            words = seen(result, check.request.lines)
            outcomes[finding_id(finding)] = Outcome(result.verdict, report.device, words, rejected)
        elif rejected:
            outcomes[finding_id(finding)] = Outcome(result.verdict, rejected_fixes=rejected)
    return outcomes


def verified_edits(check: Check, report: CheckReport) -> tuple[str, tuple[Edit, ...]] | None:
    """Title and edits of the first fix that was verified. One alone: two were never seen to work together."""
    for finding, result in zip(check.request.findings, report.results, strict=False):
        if result.fix is None or result.fix.verdict != "verified":
            continue
        for fix in finding.fixes:
            if fix.title == result.fix.title:
                return fix.title, fix.edits
    return None


def seen(result: Result, lines: Lines = FILE) -> str:
    """The observation in a few words, for the end of a message: "`x.grad` is None, line 7 raises RuntimeError"."""
    words = {"none": "None", "zero": "zero", "present": "there", "wrong": "wrong"}
    leaves = [leaf for leaf in result.leaves if (leaf.grad == "present") == (result.verdict == "refuted")]
    parts = [f"`{leaf.name}.grad` is {words[leaf.grad]}" for leaf in leaves[:3]]
    if len(leaves) > 3:
        parts[2:] = [f"{len(leaves) - 2} more"]
    if result.raised is not None and result.verdict == "confirmed":
        where = f"{lines.words(result.raised.line)} raises" if result.raised.line else "it raises"
        parts.append(f"{where} {result.raised.type}")
    return ", ".join(parts) or result.reason.rstrip(".")


def sentences(check: Check, report: CheckReport) -> list[str]:
    """One sentence per finding for the log, and for a message where the diagnostics alone do not tell it."""
    name = Path(report.path or check.request.path).name
    told, lines = [], check.request.lines
    for finding, result in zip(check.request.findings, report.results, strict=False):
        seen_there = f"{result.verdict} on {report.device}: {result.reason or seen(result, lines)}"
        text = f"{name}:{lines.short(finding.span.start.line)} {finding.rule}: {result.summary or seen_there}"
        if result.verdict == "refuted" and not predicts_no_damage(finding):
            text = f"{text.rstrip('.')}. The finding is withdrawn until the text changes."
        if result.fix is not None and result.fix.verdict != "not-tried":
            text = f"{text.rstrip('.')}. Fix {result.fix.verdict}: {result.fix.title}"
        told.append(text)
    return told
