"""Runs many generated programs through both sides: what the test and the command line share."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from .compare import Tally, Verdict, compare
from .engine import ask
from .generator import generate
from .generator.model import Program
from .runner import Outcome, Torch


@dataclass(frozen=True, slots=True)
class Case:
    """One program with what both sides said."""

    program: Program
    outcome: Outcome
    verdict: Verdict

    def __str__(self) -> str:
        p = self.program
        return f"{p.profile} {p.seed}: {self.verdict.why}: {self.verdict.detail}"


@dataclass
class Batch:
    tally: Tally = field(default_factory=Tally)
    disagreements: list[Case] = field(default_factory=list)
    torch_seconds: float = 0.0
    engine_seconds: float = 0.0


def judge(torch_side: Torch, text: str, exact: bool, unknowable: bool = False) -> tuple[Outcome, Verdict]:
    """Run one program under torch, ask the engine, compare."""
    outcome = torch_side.run_one(text)
    if not outcome.valid:
        return outcome, Verdict("invalid", "invalid", str(outcome.raised))
    return outcome, compare(text, outcome, ask(text), exact, unknowable)


def run(torch_side: Torch, profile: str, seeds: Iterable[int], disabled: frozenset[str], batch: Batch) -> None:
    """Add the programs of these seeds to the batch."""
    for seed in seeds:
        program = generate(seed, profile, disabled)
        start = time.perf_counter()
        outcome = torch_side.run_one(program.text)
        between = time.perf_counter()
        if outcome.valid:
            prediction = ask(program.text)
            verdict = compare(program.text, outcome, prediction, profile == "straight", program.unknowable)
        else:
            verdict = Verdict("invalid", "invalid", str(outcome.raised))
        batch.torch_seconds += between - start
        batch.engine_seconds += time.perf_counter() - between
        batch.tally.add(profile, outcome, verdict, program.coverage)
        if verdict.word == "disagree":
            batch.disagreements.append(Case(program, outcome, verdict))
