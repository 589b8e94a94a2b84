"""A fix is tried on the text in memory: the same check on the rewritten text says whether the gradient is there."""

from __future__ import annotations

from ..analysis.report import Finding, Fix, apply_edits
from .facts import Facts
from .judge import judge
from .laws import law_of
from .plan import same_file
from .verdicts import FixResult


def choose_fix(finding: Finding) -> Fix | None:
    """The first safe fix, else the first that is no mere suggestion, else the first."""
    for wanted in ("safe", "unsafe", "suggestion"):
        for fix in finding.fixes:
            if fix.applicability == wanted:
                return fix
    return None


def edited_text(path: str, text: str, fix: Fix) -> str:
    """The text after the fix. Raises ValueError when the fix does not fit it or edits another file."""
    if not all(same_file(edit.span.path, path) for edit in fix.edits):
        raise ValueError("it edits another file")
    return apply_edits(text, fix.edits)


def judge_fix(fix: Fix, facts: Facts, before: Facts, edited: str, device: str) -> FixResult:
    """Whether the gradient is there now and nothing else was raised."""
    law = law_of(facts.watched.finding.rule)
    result = judge(facts, device)

    def rejected(reason: str) -> FixResult:
        return FixResult(fix.title, "rejected", reason, result.leaves, edited)

    if result.verdict == "confirmed":
        return rejected(f"After the fix still: {result.reason}")
    if result.verdict != "refuted":
        return rejected(f"After the fix: {result.reason}")
    if any(leaf.grad == "zero" for leaf in result.leaves) and not _was_zero(before):
        return rejected("After the fix a gradient arrives, but it is zero everywhere.")
    if law.claim in ("hoards", "no-leaf", "dirty"):
        return FixResult(fix.title, "verified", f"{result.reason.rstrip('.')} after the fix ({device}).", (), edited)
    if law.claim not in ("raises", "raises-at") and not result.leaves:
        return rejected("After the fix no gradient could be observed.")
    there = ", ".join(f"`{leaf.name}.grad`" for leaf in result.leaves[:4] if leaf.grad == "present")
    reason = f"{there} is there after the fix" if there else "Nothing is raised after the fix"
    return FixResult(fix.title, "verified", f"{reason} ({device}).", result.leaves, edited)


def _was_zero(facts: Facts) -> bool:
    return any(leaf.grad.grad == "zero" for leaf in facts.wanted())
