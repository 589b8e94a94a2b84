"""Running literate suites: every program is analysed, and run by torch, and both must be as the Markdown says.

A suite is a Markdown file in this folder (its form is told in `suite`, the expectations in `expect`, the torch
annotations in `oracle`). For each program:

- `check` runs on every file of it; each finding must be expected on its line, each expectation met;
- torch runs it in a worker process, unless it says `no-run`, and must end as the `torch:` annotation says, so that a
  suite cannot claim what PyTorch does not do;
- a program marked `known wrong` expects what the analysis says today, and says why that is a mistake.

With `GRADSIGHT_UPDATE=1` the expectations in the Markdown are rewritten to what the analysis says (run without xdist).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.report import Finding

from .expect import expectations, mismatches, rewrite_line
from .oracle import TorchWorker, disagreements, parse_claim
from .suite import Program, SourceFile, read_suite

FOLDER = Path(__file__).parent


def updating() -> bool:
    """Whether this run rewrites expectations."""
    return os.environ.get("GRADSIGHT_UPDATE", "") not in ("", "0")


def suites(folder: Path = FOLDER) -> Iterator[Path]:
    """The suite files, in order of name."""
    yield from (path for path in sorted(folder.glob("*.md")) if path.name != "README.md")


def write_program(program: Program, directory: Path) -> None:
    """Lay the program's files out in `directory`."""
    for file in program.files:
        path = directory / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")


def analyse(file: SourceFile, directory: Path) -> list[Finding]:
    """The findings of one file of a program that lies in `directory`; all of them must be about that file."""
    path = str(directory / file.path)
    report = check(Snapshot(path, file.text), Project(roots=(str(directory),)))
    astray = [f for f in report.findings if f.span.path != path]
    assert not astray, f"findings outside the file that was checked: {astray}"
    return list(report.findings)


def check_findings(program: Program, directory: Path) -> list[str]:
    """What differs between the expectations and the analysis, one sentence each; with update, rewrites and agrees."""
    complaints: list[str] = []
    for file in program.files:
        findings = analyse(file, directory)
        if updating():
            rewrite(program.suite, file, findings)
            continue
        found = mismatches(expectations(file.text), findings, known_wrong=program.known_wrong is not None)
        complaints += [f"{file.path}, {complaint}" for complaint in found]
    return complaints


def rewrite(suite: Path, file: SourceFile, findings: list[Finding]) -> None:
    """Put what was found on the lines of one file's block in the suite."""
    lines = suite.read_text(encoding="utf-8").split("\n")
    expected = expectations(file.text)
    for number, line in enumerate(file.text.split("\n")[:-1], 1):
        here = [f for f in findings if f.span.start.line == number]
        wanted = [e for e in expected if e.line == number]
        if here or wanted:
            lines[file.offset + number - 1] = rewrite_line(line, wanted, here)
    suite.write_text("\n".join(lines), encoding="utf-8")


def check_torch(program: Program, directory: Path, worker: TorchWorker) -> list[str]:
    """Where torch disagrees with the annotation, one sentence each."""
    assert program.torch is not None
    claim = parse_claim(program.torch)
    return disagreements(claim, worker.run(directory, claim.probes))


def programs(folder: Path = FOLDER) -> list[Program]:
    """All programs of all suites."""
    return [program for path in suites(folder) for program in read_suite(path)]
