"""Fixes are tried before they are offered: the engine runs the text with the edit in it.

A fix that does not take its finding away, or only puts another one in its place, is not offered. One after which
something else is found still takes its own finding away, and says what comes next: a program has more than one mistake,
and PyTorch raises one at a time. It is not *safe* then.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .check import Project, Snapshot, check
from .check_types import Token
from .names import read_source
from .report import Edit, FileReport, Finding, Fix, apply_edits
from .source.moved import move_finding

LOUD = ("error", "warning")
NEXT = "then comes"
"""Stands in the title of a fix after which something else is found."""


def tried_fixes(
    report: FileReport,
    snapshot: Snapshot,
    project: Project | None = None,
    token: Token | None = None,
    wanted: Iterable[Finding] | None = None,
    seconds: float = 10.0,
) -> dict[Finding, tuple[Fix, ...]]:
    """The fixes that hold, by finding: of those `wanted`, or of all of a report of this snapshot that have any.

    One check of the file for each fix. What is not reached within `seconds` is left out. Raises Cancelled when `token`
    is set.
    """
    held: dict[Finding, tuple[Fix, ...]] = {}
    end = time.monotonic() + seconds
    for finding in report.findings if wanted is None else wanted:
        if finding.fixes and time.monotonic() > end:
            break
        if finding.fixes:
            tried = (_tried(fix, finding, report, snapshot, project or Project(), token) for fix in finding.fixes)
            held[finding] = tuple(fix for fix in tried if fix is not None)
    return held


def with_fixes(report: FileReport, held: dict[Finding, tuple[Fix, ...]]) -> FileReport:
    """The report with the fixes that are held of these findings, the others as they are."""
    if not held:
        return report
    findings = tuple(replace(each, fixes=held[each]) if each in held else each for each in report.findings)
    return replace(report, findings=findings)


def _tried(
    fix: Fix, finding: Finding, report: FileReport, snapshot: Snapshot, project: Project, token: Token | None
) -> Fix | None:
    """The fix as it may be offered; None when it does not help."""
    if not fix.edits:
        return fix
    edits = [edit for edit in fix.edits if edit.span.path == snapshot.path]
    try:
        text = apply_edits(snapshot.text, edits)
        others = _edited_others(fix, snapshot.path, project)
    except (OSError, ValueError):
        return None
    texts = {**project.open_texts, **others}
    if snapshot.path in texts:
        texts[snapshot.path] = text
    after = check(replace(snapshot, text=text), replace(project, open_texts=texts), token)
    if len(after.problems) > len(report.problems):
        return None
    there = move_finding(finding, snapshot.text, edits, text)
    before = [each for each in (*report.findings, *report.suppressed) if each is not finding]
    moved = [move_finding(each, snapshot.text, edits, text) for each in before]
    beside = {(each.rule, each.span.start) for each in moved}
    left = [each for each in after.findings if (each.rule, each.span.start) not in beside]
    if any(_place(each) == _place(there) for each in left):
        return None
    known = set(map(_place, moved))
    new = [each for each in after.findings if each.severity in LOUD and _place(each) not in known]
    return None if any(_instead(each, there) for each in new) else _with_next(fix, new)


def _instead(new: Finding, old: Finding) -> bool:
    """Whether a finding takes another one's place: in its statement, or the same leaf is cut off elsewhere."""
    if new.span.start.line <= old.span.end.line and old.span.start.line <= new.span.end.line:
        return True
    cut = [any(step.role == "cut" for step in each.trace) for each in (new, old)]
    leaves = [{step.span.start for step in each.trace if step.role == "source"} for each in (new, old)]
    return all(cut) and bool(leaves[0] & leaves[1])


def _with_next(fix: Fix, new: Sequence[Finding]) -> Fix:
    if not new:
        return fix
    rules = list(dict.fromkeys(each.rule for each in new))
    title = f"{fix.title} ({NEXT} `{rules[0]}`{f' and {len(rules) - 1} more' if len(rules) > 1 else ''})"
    return Fix(title, "unsafe" if fix.applicability == "safe" else fix.applicability, fix.edits)


def _place(finding: Finding) -> tuple[str, int]:
    return finding.rule, finding.span.start.line


def _edited_others(fix: Fix, path: str, project: Project) -> dict[str, str]:
    """The texts of other files that the fix edits (a decorator that lives there). Raises OSError and ValueError."""
    edits: dict[str, list[Edit]] = {}
    for each in fix.edits:
        if each.span.path != path:
            edits.setdefault(each.span.path, []).append(each)
    texts = {}
    for other, own in edits.items():
        text = project.open_texts.get(other)
        texts[other] = apply_edits(read_source(other) if text is None else text, own)
    return texts
