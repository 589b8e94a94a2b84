"""What the execution check saw, as text for a person."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis.source.notebook import Cell, Lines
from .as_text import INDENT, write_finding
from .cells import InCells
from .terminal import Piece, Terminal, with_code

if TYPE_CHECKING:
    from ..verify import CheckReport, LeafGrad, Result

VERDICT_STYLES = {"confirmed": "bold red", "refuted": "bold green", "verified": "bold green", "rejected": "bold red"}
UNANSWERED_STYLE = "bold yellow"
DEEP = INDENT * 2
OUTPUT_LINES = 12


def write_report(out: Terminal, report: CheckReport, text: str, cells: Sequence[Cell] = ()) -> None:
    """Each finding with its trace, what the run saw, and what the fix did; then one line on how it was run."""
    texts = {report.path: text, **{cell.uri: cell.source.text for cell in cells}}
    placed, named = InCells(report.path, cells), Lines(tuple(cells))
    for result in report.results:
        if result.finding is not None:
            finding = placed.finding(result.finding)
            write_finding(out, finding, lambda path: texts.get(path, "").split("\n"), fixes=False, empty_line=False)
        else:
            out.line((f"{report.path}:{result.line}: ", "bold"), result.rule)
        _write_result(out, result, report.device, named)
        if result.fix is not None:
            _write_fix(out, result, text)
        out.line()
    if any(result.verdict == "failed" for result in report.results) and report.stdout.strip():
        out.line(("the program's last output:", "dim"))
        for line in report.stdout.rstrip().split("\n")[-OUTPUT_LINES:]:
            out.line(INDENT, (line, "dim"))
    for line in (*report.invented, *report.notes):
        out.line(("note: ", "dim"), (line, "dim"))
    out.line(*_summary(report))


def _write_result(out: Terminal, result: Result, device: str, lines: Lines) -> None:
    style = VERDICT_STYLES.get(result.verdict, UNANSWERED_STYLE)
    answered = result.verdict in VERDICT_STYLES
    where = f" on {device}" if answered and device else ""
    out.line(INDENT, (f"{result.verdict}{where}: ", style), *with_code(result.reason, "", "bold"))
    # The reason names what decided; it is not repeated below.
    if result.raised is not None and result.raised.message not in result.reason:
        raised = result.raised
        where = f" ({lines.words(raised.line)})" if raised.line else ""
        out.line(DEEP, ("raised ", "dim"), f"{raised.type}: {raised.message}{where}")
    _write_leaves(out, [leaf for leaf in result.leaves if f"`{leaf.name}.grad`" not in result.reason])


def _write_fix(out: Terminal, result: Result, text: str) -> None:
    fix = result.fix
    if fix is None:
        return
    style = VERDICT_STYLES.get(fix.verdict, UNANSWERED_STYLE)
    title = fix.title or "no fix"
    out.line(INDENT, (f"fix {fix.verdict}: ", style), *with_code(title, "", "bold"))
    if fix.edited is not None:
        for line in difflib.unified_diff(text.split("\n"), fix.edited.split("\n"), n=1, lineterm=""):
            if not line.startswith(("---", "+++", "@@")):
                colour = {"+": "green", "-": "red"}.get(line[:1], "dim")
                out.line(DEEP, (f"{line[:1]} {line[1:]}", colour))
    if fix.reason and not (fix.verdict == "verified" and fix.leaves):
        out.line(DEEP, *with_code(fix.reason, "", "bold"))
    _write_leaves(out, fix.leaves)


def _write_leaves(out: Terminal, leaves: Sequence[LeafGrad]) -> None:
    for leaf in leaves:
        norm = f" (norm {leaf.norm:.4g})" if leaf.norm is not None else ""
        style = "green" if leaf.grad == "present" else "red"
        state = {"none": "None", "present": "there", "zero": "all zero", "wrong": "wrong"}[leaf.grad]
        out.line(DEEP, (f"{leaf.name}.grad is {state}{norm}", style))


def _summary(report: CheckReport) -> list[Piece]:
    counts: dict[str, int] = {}
    for result in report.results:
        counts[result.verdict] = counts.get(result.verdict, 0) + 1
        if result.fix is not None and result.fix.verdict != "not-tried":
            key = f"fix {result.fix.verdict}"
            counts[key] = counts.get(key, 0) + 1
    pieces: list[Piece] = []
    for verdict, number in counts.items():
        style = VERDICT_STYLES.get(verdict.removeprefix("fix "), UNANSWERED_STYLE)
        pieces += [(", " if pieces else "", ""), (f"{number} {verdict}", style)]
    torch = f"torch {report.torch}" if report.torch else "no torch"
    where = ", ".join(part for part in (report.device, torch, f"{report.seconds:.1f} s") if part)
    return [*pieces, (f" ({where})", "dim")]
