"""Whether a rule says what a raising program raises, and at the statement that is to blame.

`python -m tests.oracle.blame --profile P --seed S --count N` prints the figures per kind of error and, with `--show`,
programs where they are not as they should be. A program that torch runs to its end counts as well if a finding is
certain that it raises.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from gradsight.analysis.check import Snapshot, check
from gradsight.analysis.report import FileReport, Finding, Span

from .cores import on_all_cores
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
    ("to a single memory location", "overlapping memory"),
    ("cannot assign 'torch.FloatTensor' as parameter", "tensor as a parameter"),
    ("returned an incorrect number of gradients", "wrong number of gradients"),
    ("You must implement either the backward or vjp", "no backward"),
    ("leaf variable has been moved into the graph interior", "leaf moved"),
    ("use_reentrant=True, torch.utils.checkpoint is incompatible", "reentrant checkpoint"),
)

#: errors about which no rule speaks, and why
OUTSIDE: dict[str, str] = {
    "overlapping memory": "raised without autograd as well: nothing about a gradient",
    "reentrant checkpoint": "the library's own check of how it is called, with the remedy in its message",
}

#: errors whose finding may sit further up, where something can be done about it
BY_CAUSE = frozenset({
    "no grad_fn", "freed graph", "untracked input", "retain_grad without grad", "inference tensor", "stale view",
    "wrong number of gradients", "no backward", "saved tensor detached in place", "optimizer of a non-leaf",
    "leaf moved",
})  # fmt: skip

WORDS = ("right", "on cause", "wrong statement", "no finding", "left open", "not checked", "outside", "invented")
GOOD = frozenset({"right", "on cause"})
COUNTED = frozenset({*GOOD, "wrong statement", "no finding", "invented"})


def called(raised: Raised) -> str:
    """What an error is called in the figures."""
    return next((name for part, name in ERRORS if part in raised.message), raised.message.splitlines()[0][:30])


def placed(raised: Raised, report: FileReport) -> str:
    """How the findings stand to an error: one of `WORDS`.

    A finding speaks of the error if its story ends there. It is right on the statement that raised, or for a changed
    saved tensor on one that changed it ("not checked" where torch's counters do not tell which did); some errors are
    told on their cause further up.
    """
    name = called(raised)
    about = [f for f in report.findings if f.severity in ("error", "warning") and speaks_of(f, raised)]
    if not about:
        return "outside" if name in OUTSIDE else "no finding"
    if name == "changed saved tensor":
        places = raised.changed
        return "not checked" if not places else "right" if on(about, places) else "wrong statement"
    return "right" if on(about, raised.lines) else "on cause" if name in BY_CAUSE else "wrong statement"


def on(findings: Iterable[Finding], lines: Iterable[int]) -> bool:
    return any(covers(finding.span, lines) for finding in findings)


def speaks_of(finding: Finding, raised: Raised) -> bool:
    """Whether the story of a finding ends at the statement that raised."""
    return any(covers(step.span, raised.lines) for step in finding.trace if "raises: " in step.message)


def claims_an_error(finding: Finding) -> bool:
    """Whether a finding is certain that torch raises."""
    return finding.confidence == "certain" and any("raises: " in step.message for step in finding.trace)


def covers(span: Span, lines: Iterable[int]) -> bool:
    return any(span.start.line <= line <= span.end.line for line in lines)


@dataclass
class Blame:
    """Counts: per profile and error, how many findings stand where; and the programs where they do not stand right."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    cases: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, profile: str, seed: int, torch_side: Torch) -> None:
        """Judge one program."""
        program = generate(seed, profile)
        text = program.text
        outcome = torch_side.run_one(text)
        raised = outcome.raised
        if not outcome.valid:
            return
        report = check(Snapshot(PATH, text))
        if raised is None:
            for finding in filter(claims_an_error, report.findings):
                self.note(profile, seed, finding.rule, "invented", f"{finding.span.start}: {finding.message}\n{text}")
            return
        where = placed(raised, report)
        if where == "no finding" and program.conditions:
            certain = ask(text).raises
            if certain is None or certain[0] != raised.line:
                where = "left open"  # it depends on a branch that nobody can foresee
        self.note(profile, seed, called(raised), where, f"{raised}; changed {raised.changed}\n{text}")

    def note(self, profile: str, seed: int, name: str, where: str, story: str) -> None:
        self.counts[profile, name, where] += 1
        if where in COUNTED - GOOD:
            self.cases.append((name, where, f"# {profile} {seed}: {story}"))

    def take(self, other: Blame) -> None:
        self.counts.update(other.counts)
        self.cases += other.cases

    def report(self) -> str:
        """The figures as a table, one row per error."""
        rows = [f"{'error':<31}" + "".join(f"{word:>16}" for word in WORDS)]
        for name in sorted({key[1] for key in self.counts}):
            found = [sum(n for key, n in self.counts.items() if key[1:] == (name, word)) for word in WORDS]
            rows.append(f"{name:<31}" + "".join(f"{n:>16}" for n in found))
        shares = ", ".join(f"{profile} {self.share(profile):.2%}" for profile in PROFILES)
        return "\n".join([*rows, f"right or on the cause: {self.share():.2%} of the certain errors; {shares}"])

    def count(self, word: str) -> int:
        """How many errors stand so."""
        return sum(n for key, n in self.counts.items() if key[2] == word)

    def amiss(self, profile: str) -> int:
        """How many certain errors of a profile have no finding at the right place, or were invented."""
        return sum(n for key, n in self.counts.items() if key[0] == profile and key[2] in COUNTED - GOOD)

    def share(self, profile: str | None = None) -> float:
        """The share of the certain errors that a finding blames on the right statement or on its cause."""
        counts = {key: n for key, n in self.counts.items() if profile in (None, key[0]) and key[2] in COUNTED}
        good = sum(n for key, n in counts.items() if key[2] in GOOD)
        return good / max(sum(counts.values()), 1)


def part(profile: str, seeds: range) -> Blame:
    blame = Blame()
    with Torch() as torch_side:
        for seed in seeds:
            blame.add(profile, seed, torch_side)
    return blame


def run(first: int, count: int, profiles: Iterable[str] = PROFILES, processes: int | None = None) -> Blame:
    """Judge `count` programs of each profile from the seed `first` on, with a torch process for each core."""
    whole = Blame()
    for each in on_all_cores(part, first, count, profiles, processes):
        whole.take(each)
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.blame", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=300, help="programs per profile")
    parser.add_argument("--profile", choices=[*PROFILES, "all"], default="all")
    parser.add_argument("--show", type=int, default=0, help="how many programs of each error to show")
    parser.add_argument("--only", default="", help="only errors whose name, or how they stand, contains this")
    arguments = parser.parse_args()
    blame = run(arguments.seed, arguments.count, PROFILES if arguments.profile == "all" else [arguments.profile])
    print(blame.report())
    shown: Counter[tuple[str, str]] = Counter()
    for name, where, text in sorted(blame.cases, key=lambda case: len(case[2])):
        if arguments.only in f"{name} {where}":
            shown[name, where] += 1
            if shown[name, where] <= arguments.show:
                print(f"\n### {name}: {where}\n{text}")


if __name__ == "__main__":
    main()
