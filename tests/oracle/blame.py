"""Whether a rule says what a raising program raises, and at the statement that is to blame.

`python -m tests.oracle.blame --profile P --seed S --count N` prints the figures per kind of error and, with `--show`,
programs of the worst.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from gradsight.analysis.check import Snapshot, check
from gradsight.analysis.report import FileReport, Finding, Span

from .engine import ask
from .generator import PROFILES, generate
from .runner import Raised, Torch

PATH = "program.py"

#: (part of torch's message, what the error is called here); first match wins
ERRORS: tuple[tuple[str, str], ...] = (
    ("a view of a leaf Variable that requires grad", "in place on a view of a leaf"),
    ("a leaf Variable that requires grad is being used in an in-place", "in place on a leaf"),
    ("is a view and is being modified inplace", "in place on a view"),
    ("is a view and its base or another view of its base has been modified", "stale view"),
    ("A view was created in no_grad mode and", "view of no_grad"),
    ("A view was created in inference mode and", "view of inference mode"),
    ("saved tensor that has been detached in-place", "saved tensor detached in place"),
    ("has been modified by an inplace operation", "changed saved tensor"),
    ("Trying to backward through the graph a second time", "freed graph"),
    ("does not require grad and does not have a grad_fn", "no grad_fn"),
    ("you can only change requires_grad flags of leaf variables", "flag on a non-leaf"),
    ("appears to not have been used in the graph", "unused input"),
    ("One of the differentiated Tensors does not require grad", "untracked input"),
    ("Can't call numpy() on Tensor that requires grad", "numpy()"),
    ("nference tensor", "inference tensor"),
    ("can't retain_grad on Tensor that has requires_grad=False", "retain_grad without grad"),
    ("floating point", "integers that require grad"),
    ("can't optimize a non-leaf Tensor", "optimizer of a non-leaf"),
    ("optimizer got an empty parameter list", "optimizer of nothing"),
    ("Can't detach views in-place", "detach_ of a view"),
    ("grad can be implicitly created only for", "backward of no scalar"),
    ("cannot register a hook on a tensor that doesn't require gradient", "hook without grad"),
    ("cannot resize variables that require grad", "resize"),
    ("support the deepcopy protocol at the moment", "deepcopy of a non-leaf"),
    ("functions with out=... arguments don't support automatic differentiation", "out="),
    ("more than one element of the written-to tensor refers to a single memory location", "overlapping memory"),
    ("cannot assign 'torch.FloatTensor' as parameter", "tensor as a parameter"),
    ("returned an incorrect number of gradients", "wrong number of gradients"),
)


def called(raised: Raised) -> str:
    """What an error is called in the figures."""
    return next((name for part, name in ERRORS if part in raised.message), raised.message.splitlines()[0][:70])


def placed(raised: Raised, report: FileReport) -> str:
    """How the findings stand to an error: "right", "on cause", "wrong statement", "no finding".

    A finding speaks of the error if its story ends there. It is right on the statement that raised, or for a changed
    saved tensor on one that changed it; a finding on the cause further up names the statement that raised at its end.
    """
    about = [f for f in report.findings if f.severity in ("error", "warning") and speaks_of(f, raised)]
    if not about:
        return "no finding"
    if raised.changed:
        return "right" if any(covers(f.span, raised.changed) for f in about) else "wrong statement"
    return "right" if any(covers(f.span, raised.lines) for f in about) else "on cause"


def speaks_of(finding: Finding, raised: Raised) -> bool:
    """Whether the story of a finding ends at the statement that raised."""
    ends = [step.span for step in finding.trace if step.role == "sink" or step.message.startswith("raises")]
    return any(covers(span, raised.lines) for span in ends)


def covers(span: Span, lines: Iterable[int]) -> bool:
    return any(span.start.line <= line <= span.end.line for line in lines)


@dataclass
class Blame:
    """Counts: per profile and error, how many findings stand where; and some programs that were not right."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    cases: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, profile: str, seed: int, torch_side: Torch) -> None:
        """Judge one program, if torch raises an error of autograd in it."""
        program = generate(seed, profile)
        text = program.text
        raised = torch_side.run_one(text).raised
        if raised is None or raised.kind is None:
            return
        where = placed(raised, check(Snapshot(PATH, text)))
        if where == "no finding" and program.conditions:
            certain = ask(text).raises
            if certain is None or certain[0] != raised.line:
                where = "left open"  # it depends on a branch that nobody can foresee
        self.counts[profile, called(raised), where] += 1
        if where in ("no finding", "wrong statement"):
            self.cases.append(
                (called(raised), where, f"# {profile} {seed}: {raised}; changed {raised.changed}\n{text}")
            )

    def take(self, other: Blame) -> None:
        self.counts.update(other.counts)
        self.cases += other.cases

    def report(self) -> str:
        words = ("right", "on cause", "wrong statement", "no finding", "left open")
        rows = [f"{'error':<34}" + "".join(f"{word:>17}" for word in words)]
        for name in sorted({key[1] for key in self.counts}):
            found = [sum(n for key, n in self.counts.items() if key[1:] == (name, word)) for word in words]
            rows.append(f"{name:<34}" + "".join(f"{n:>17}" for n in found))
        return "\n".join(rows)

    def share(self, profile: str | None = None) -> float:
        """The share of the certain errors that a finding blames on the right statement or on its cause."""
        counts = {key: n for key, n in self.counts.items() if profile in (None, key[0]) and key[2] != "left open"}
        good = sum(n for key, n in counts.items() if key[2] in ("right", "on cause"))
        return good / max(sum(counts.values()), 1)


def part(profile: str, seeds: range) -> Blame:
    blame = Blame()
    with Torch() as torch_side:
        for seed in seeds:
            blame.add(profile, seed, torch_side)
    return blame


def run(first: int, count: int, profiles: Iterable[str] = PROFILES, processes: int | None = None) -> Blame:
    """Judge `count` programs of each profile from the seed `first` on, with a torch process for each core."""
    workers = processes or min(os.cpu_count() or 1, 4)
    size = -(-count // workers)
    whole = Blame()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = [
            pool.submit(part, profile, range(start, min(start + size, first + count)))
            for profile in profiles
            for start in range(first, first + count, size)
        ]
        for each in parts:
            whole.take(each.result())
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.blame", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=300, help="programs per profile")
    parser.add_argument("--profile", choices=[*PROFILES, "all"], default="all")
    parser.add_argument("--show", type=int, default=0, help="how many programs of each error to show")
    parser.add_argument("--only", default="", help="only errors whose name contains this")
    arguments = parser.parse_args()
    blame = run(arguments.seed, arguments.count, PROFILES if arguments.profile == "all" else [arguments.profile])
    print(blame.report())
    for profile in PROFILES:
        print(f"{profile}: {blame.share(profile):.2%}")
    shown: Counter[tuple[str, str]] = Counter()
    for name, where, text in sorted(blame.cases, key=lambda case: len(case[2])):
        shown[name, where] += 1
        if arguments.only in name and shown[name, where] <= arguments.show:
            print(f"\n### {name}: {where}\n{text}")


if __name__ == "__main__":
    main()
