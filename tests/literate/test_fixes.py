"""Every fix that is offered for a program of a suite, applied and run by torch: it does what it is offered for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.report import Finding, Fix, apply_edits
from gradsight.analysis.tried import NEXT, tried_fixes

from .expect import REVEAL, expectations
from .oracle import TorchWorker
from .runner import programs, write_program
from .suite import Program

CUTS = ("no-grad-block", "no-grad-function", "detached-value", "left-torch", "rewrapped-tensor")
"""Rules whose fix brings a gradient to a leaf that had none."""

FIRING = [p for p in programs() if any(e.rule != REVEAL for file in p.files for e in expectations(file.text))]


def offered(program: Program, directory: Path) -> list[tuple[Path, Finding, Fix]]:
    """(file, finding, fix) of all fixes that hold and say of nothing that comes next."""
    found = []
    for file in program.files:
        path = directory / file.path
        snapshot, project = Snapshot(str(path), file.text), Project(roots=(str(directory),))
        report = check(snapshot, project)
        for finding, fixes in tried_fixes(report, snapshot, project).items():
            found += [(path, finding, fix) for fix in fixes if fix.edits and NEXT not in fix.title]
    return found


def apply(fix: Fix) -> dict[Path, str]:
    """Writes the edited files; returns what they held."""
    before = {}
    for path in {Path(edit.span.path) for edit in fix.edits}:
        before[path] = path.read_text(encoding="utf-8")
        own = [edit for edit in fix.edits if edit.span.path == str(path)]
        path.write_text(apply_edits(before[path], own), encoding="utf-8")
    return before


def complaint(rule: str, before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """What torch has against a fix. What the program itself asserts about the broken gradient may change."""
    raised = after["raised"]
    if raised is not None and raised["type"] != "AssertionError":
        same = before["raised"] is not None and before["raised"]["message"] == raised["message"]
        return f"{'still' if same else 'now'} raises at line {raised['line']}: {raised['message']}"
    lacking = [name for name, state in before["leaves"].items() if state == "none" and before["raised"] is None]
    if rule in CUTS and lacking and all(after["leaves"].get(name, "none") == "none" for name in lacking):
        return f"no gradient arrives at any of {', '.join(lacking)}"
    return None


@pytest.mark.parametrize("program", [pytest.param(p, id=p.id) for p in FIRING if p.no_run is None])
def test_a_fix_does_what_it_is_offered_for(program: Program, tmp_path: Path, torch_worker: TorchWorker) -> None:
    write_program(program, tmp_path)
    fixes = offered(program, tmp_path)
    before = torch_worker.run(tmp_path, ()) if fixes else {}
    others = [finding for _, finding, _ in fixes]
    for _, finding, fix in fixes:
        texts = apply(fix)
        after = torch_worker.run(tmp_path, ())
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
        told = complaint(finding.rule, before, after)
        # Of several mistakes each fix takes one away, and PyTorch raises at the next.
        if told is not None and not (after["raised"] and _raises_at(others, finding, after["raised"]["line"])):
            raise AssertionError(
                f"{program.suite.name}:{program.line} {finding.rule}: after `{fix.title}` torch {told}"
            )


def _raises_at(findings: list[Finding], mended: Finding, line: int) -> bool:
    """Whether another finding of the program stands at most a few moved lines from where it raises."""
    ends = [
        step.span.start.line for f in findings if f.rule != mended.rule or f.span != mended.span for step in f.trace
    ]
    return any(abs(end - line) <= 2 for end in ends)


def test_a_fix_that_moves_the_cut_elsewhere_is_not_offered() -> None:
    text = (
        "import torch\nw = torch.randn(3, requires_grad=True)\ny = w.detach().argmax(-1) * 1.0\nloss = (y * 2).sum()\n"
        "loss.requires_grad_()\nloss.backward()\nprint(w.grad)\n"
    )
    snapshot = Snapshot("program.py", text)
    report = check(snapshot)
    assert any("drop `.detach()`" in fix.title for finding in report.findings for fix in finding.fixes)
    assert not any(fix.edits for fixes in tried_fixes(report, snapshot).values() for fix in fixes)


def test_a_fix_says_what_comes_next() -> None:
    text = (
        "import torch\nx = torch.randn(3, requires_grad=True)\nwith torch.no_grad():\n    y = x * 2\n"
        "z = y.exp()\nz.add_(1)\nloss = z.sum()\nloss.backward()\n"
    )
    snapshot = Snapshot("program.py", text)
    ((finding, (fix,)),) = tried_fixes(check(snapshot), snapshot).items()
    assert (finding.rule, finding.fixes[0].applicability) == ("no-grad-block", "safe")
    assert fix.title == f"{finding.fixes[0].title} (then comes `inplace-on-saved`)" and fix.applicability == "unsafe"
