"""The light bulb: fixes, the check, fix and verify, and last the comment that silences the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..analysis.report import Edit, Finding, Fix
from ..analysis.source.text import SourceText
from .findings import Shown
from .ignore import ignore_edit

Kind = Literal["fix", "check", "fix-and-verify", "ignore"]

CHECK_TITLE = "Run gradient check on CUDA"
FIX_AND_VERIFY_TITLE = "Fix and verify"


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of the light bulb. `edits` for "fix" and "ignore"; the other two are commands on the finding."""

    kind: Kind
    title: str
    shown: Shown
    edits: tuple[Edit, ...] = ()
    preferred: bool = False

    @property
    def finding(self) -> Finding:
        """The finding it is offered for."""
        return self.shown.finding


def actions(source: SourceText, shown: Sequence[Shown], can_check: bool) -> list[Action]:
    """The actions for some findings of a text, in the order in which they are offered.

    All fixes come first, then checks, then fix-and-verify, then the comments. A fix is preferred when it is safe, the
    first of its finding, and no check has rejected it.
    """
    result: list[Action] = []
    for item in shown:
        result += [
            _fix_action(item, fix, first=index == 0) for index, fix in enumerate(item.finding.fixes) if fix.edits
        ]
    if can_check:
        result += [Action("check", CHECK_TITLE, item) for item in shown]
        result += [Action("fix-and-verify", FIX_AND_VERIFY_TITLE, item) for item in shown if verifiable_fix(item)]
    for item in shown:
        span = item.finding.span
        edit = ignore_edit(source, span.start.line, span.end.line, item.finding.rule)
        if edit is not None:
            result.append(Action("ignore", f"Ignore `{item.finding.rule}` on this line", item, (edit,)))
    return result


def verifiable_fix(item: Shown) -> Fix | None:
    """The fix that *Fix and verify* would try: the first with edits that no check has rejected."""
    for fix in item.finding.fixes:
        if fix.edits and not _rejected(item, fix):
            return fix
    return None


def fix_all(shown: Sequence[Shown]) -> tuple[Edit, ...]:
    """The edits of one safe fix per finding, in order of the text; a fix that touches an earlier one's is left out.

    Equal edits (two fixes that add the same import) are made once.
    """
    taken: list[Edit] = []
    for item in sorted(shown, key=lambda item: item.finding.span):
        fix = next(
            (fix for fix in item.finding.fixes if fix.applicability == "safe" and not _rejected(item, fix)), None
        )
        if fix is None or not fix.edits:
            continue
        new = [edit for edit in fix.edits if edit not in taken]
        if not any(_overlap(edit, other) for edit in new for other in taken):
            taken += new
    return tuple(sorted(taken, key=lambda edit: edit.span))


def _fix_action(item: Shown, fix: Fix, first: bool) -> Action:
    preferred = first and fix.applicability == "safe" and not _rejected(item, fix)
    return Action("fix", _capital(fix.title), item, fix.edits, preferred)


def _rejected(item: Shown, fix: Fix) -> bool:
    return item.outcome is not None and fix.title in item.outcome.rejected_fixes


def _overlap(one: Edit, other: Edit) -> bool:
    if one.span.path != other.span.path:
        return False
    if one.span == other.span:
        return True
    return one.span.start < other.span.end and other.span.start < one.span.end


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
