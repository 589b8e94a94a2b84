"""Runs many generated programs through both sides: what the test and the command line share."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .compare import Tally, Verdict, compare
from .cores import on_all_cores
from .engine import ask
from .generator import PROFILES, generate
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

    def take(self, other: Batch) -> None:
        """Add what another batch saw."""
        self.tally.take(other.tally)
        self.disagreements += other.disagreements
        self.torch_seconds += other.torch_seconds
        self.engine_seconds += other.engine_seconds


def judge(
    torch_side: Torch, text: str, exact: bool, conditions: tuple[str, ...] = ()
) -> tuple[Outcome, Verdict, float, float]:
    """Run one program under torch, ask the engine, compare; and the seconds that each took.

    Where the program branches on what nobody can know, a prediction that is right for other values is no error: it
    counts as maybe.
    """
    start = time.perf_counter()
    outcome = torch_side.run_one(text)
    between = time.perf_counter()
    if not outcome.valid:
        return outcome, Verdict("invalid", "invalid", str(outcome.raised)), between - start, 0.0
    prediction = ask(text)
    end = time.perf_counter()
    verdict = compare(text, outcome, prediction, exact, bool(conditions))
    if verdict.word == "disagree":
        for other in otherwise(text, conditions):
            if compare(text, torch_side.run_one(other), prediction, exact, True).agrees:
                verdict = Verdict("maybe", "right for another branch", verdict.detail)
                break
    return outcome, verdict, between - start, end - between


def otherwise(text: str, conditions: tuple[str, ...]) -> Iterator[str]:
    """The program with its unknowable conditions decided in every way, up to eight."""
    present = [c for c in dict.fromkeys(conditions) if f"if {c}:" in text][:3]
    for answers in itertools.product(["True", "False"], repeat=len(present)):
        changed = text
        for condition, answer in zip(present, answers, strict=True):
            changed = changed.replace(f"if {condition}:", f"if {answer}:")
        if present:
            yield changed


def run(torch_side: Torch, profile: str, seeds: Iterable[int], disabled: frozenset[str], batch: Batch) -> None:
    """Add the programs of these seeds to the batch."""
    for seed in seeds:
        program = generate(seed, profile, disabled)
        outcome, verdict, torch_seconds, engine_seconds = judge(
            torch_side, program.text, profile == "straight", program.conditions
        )
        batch.torch_seconds += torch_seconds
        batch.engine_seconds += engine_seconds
        batch.tally.add(profile, outcome, verdict, program.coverage)
        if verdict.word == "disagree":
            batch.disagreements.append(Case(program, outcome, verdict))


def _part(profile: str, seeds: range) -> Batch:
    batch = Batch()
    with Torch() as torch_side:
        run(torch_side, profile, seeds, frozenset(), batch)
    return batch


def run_on_all_cores(first: int, per_profile: int, processes: int | None = None) -> Batch:
    """Programs of every profile from the seed `first` on, with a torch process for each core (four at most)."""
    whole = Batch()
    for part in on_all_cores(_part, first, per_profile, PROFILES, processes):
        whole.take(part)
    return whole
