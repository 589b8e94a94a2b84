"""Lines are counted as Python counts them, whatever ends them and whatever else looks like an end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gradsight.analysis.check import Project, Snapshot
from gradsight.analysis.check import check as analyse
from gradsight.analysis.report import Edit, Position, Span, apply_edits
from gradsight.verify import CheckRequest, run_check

PROGRAM = [
    "import torch",
    "",
    "# a form feed \f and a separator \u2028 end no line",
    "x = torch.randn(10, requires_grad=True)",
    "with torch.no_grad():",
    "    größe = '\u2028'; y = x * 2",
    "loss = y.sum()",
    "loss.backward()",
    "",
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_check_and_its_fix(tmp_path: Path, end: str) -> None:
    path, text = str(tmp_path / "program.py"), end.join(PROGRAM)
    report = analyse(Snapshot(path, text), Project())
    (finding,) = report.findings
    assert finding.span.start.line == 6
    checked = run_check(CheckRequest(path, text, report.findings, report.sinks, interpreter=sys.executable, fix=True))
    (result,) = checked.results
    assert result.verdict == "confirmed" and result.raised is not None and result.raised.line == 8, result.reason
    assert [(leaf.name, leaf.line) for leaf in result.leaves] == [("x", 4)]
    assert all(step.agrees is not False and step.observed for step in result.observations if step.role == "cut")
    assert result.fix is not None and result.fix.verdict == "verified", result.fix
    edited = result.fix.edited
    assert edited is not None and edited.count("\r") == text.count("\r") - (end != "\n") and "\u2028" in edited


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_edits_at_the_places_that_the_analysis_gives(end: str) -> None:
    def at(line: int, column: int) -> Position:
        return Position(line, column)

    text = end.join(["a\f\u2028b", "c", "d"])
    edits = [Edit(Span("p", at(2, 1), at(2, 2)), "C"), Edit(Span("p", at(3, 2), at(3, 2)), "!")]
    assert apply_edits(text, edits) == end.join(["a\f\u2028b", "C", "d!"])
    assert apply_edits(text, [Edit(Span("p", at(1, 4), at(2, 1)), "")]) == end.join(["a\f\u2028c", "d"])
    with pytest.raises(ValueError, match="outside the text"):
        apply_edits(text, [Edit(Span("p", at(5, 1), at(5, 1)), "x")])
