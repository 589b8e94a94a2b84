"""Every program of every suite: analysed, and run by torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from .oracle import TorchWorker
from .runner import check_findings, check_torch, programs, write_program
from .suite import Program

PROGRAMS = programs()


def _params(chosen: list[Program]) -> list[object]:
    return [pytest.param(program, id=program.id) for program in chosen]


@pytest.mark.parametrize("program", _params(PROGRAMS))
def test_findings_are_the_expected_ones(program: Program, tmp_path: Path) -> None:
    write_program(program, tmp_path)
    complaints = check_findings(program, tmp_path)
    assert not complaints, "\n".join([f"{program.suite.name}:{program.line} {program.heading}", *complaints])


@pytest.mark.parametrize("program", _params([p for p in PROGRAMS if p.no_run is None]))
def test_torch_does_what_the_suite_says(program: Program, tmp_path: Path, torch_worker: TorchWorker) -> None:
    assert program.torch, f"{program.suite.name}:{program.line}: a program says what torch does, or why it is not run"
    write_program(program, tmp_path)
    complaints = check_torch(program, tmp_path, torch_worker)
    assert not complaints, "\n".join([f"{program.suite.name}:{program.line} {program.heading}", *complaints])


@pytest.mark.parametrize("program", _params(PROGRAMS))
def test_a_sentence_says_what_the_program_shows(program: Program) -> None:
    assert program.prose, f"{program.suite.name}:{program.line}: write a sentence before the block"


def test_suites_have_as_many_clean_programs_as_firing_ones() -> None:
    from .expect import expectations

    firing = sum(
        any(e.severity in ("error", "warning") for f in p.files for e in expectations(f.text)) for p in PROGRAMS
    )
    assert firing <= len(PROGRAMS) - firing, f"{firing} firing programs, {len(PROGRAMS) - firing} clean ones"
