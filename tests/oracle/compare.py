"""Whether the engine's prediction and torch's outcome agree, and counting over many programs."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from .kinds import KINDS
from .runner import Outcome, Raised


class Prediction(Protocol):
    """What the engine says about a program (`gradsight.analysis.predict`)."""

    @property
    def raises(self) -> tuple[int, str, int | None] | None: ...
    @property
    def grads(self) -> dict[str, str]: ...
    @property
    def unsure(self) -> str | None: ...
    @property
    def may_raise(self) -> frozenset[tuple[int, str]]: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """`word`: agree, maybe (agrees but for names the engine left open), unsure (the engine gave up over something that
    nobody could know), disagree, or invalid (the program failed for a reason that is not autograd's; not counted).
    `why` names the kind of disagreement, `detail` says what was seen, `maybes` counts the names left open."""

    word: str
    why: str = ""
    detail: str = ""
    maybes: int = 0
    names: int = 0
    culprit: str = ""

    @property
    def agrees(self) -> bool:
        return self.word in ("agree", "maybe", "unsure")


def compare(text: str, outcome: Outcome, prediction: Prediction, exact: bool, unknowable: bool = False) -> Verdict:
    """Judge one prediction. `exact`: straight-line code, where "maybe" is no answer."""
    if not outcome.valid:
        return Verdict("invalid", "invalid", str(outcome.raised))
    if prediction.unsure is not None:
        word = "unsure" if unknowable and not exact else "disagree"
        return Verdict(word, f"unsure: {prediction.unsure}", str(outcome.raised or "torch does not raise"))
    wrong = compare_raise(outcome, prediction)
    if wrong is not None:
        if unknowable and not exact and foreseen(outcome, prediction):
            return Verdict("maybe", "the error was foreseen for one branch", wrong[1])
        return Verdict("disagree", *wrong)
    culprit = ""
    if outcome.raised is not None and outcome.raised.kind == "saved-modified" and prediction.raises is not None:
        culprit = placed(outcome.raised, prediction.raises[2])
    skipped = loop_targets(text)
    maybes = names = 0
    for name, state in outcome.grads.items():
        if state == "partial" or name in skipped:
            continue
        said = prediction.grads.get(name)
        names += 1
        if said == "maybe":
            maybes += 1
        elif said is None:
            if name not in outcome.frozen or state == "present":
                return Verdict("disagree", "grad: name missing", f"{name}: torch says {state}, the engine nothing")
        elif said != state:
            return Verdict("disagree", f"grad: torch {state}, engine {said}", f"{name}.grad", maybes, names, culprit)
    if maybes:
        if exact:
            return Verdict("disagree", "grad: maybe on straight-line code", f"{maybes} of {names} names", maybes, names)
        return Verdict("maybe", maybes=maybes, names=names, culprit=culprit)
    return Verdict("agree", names=names, culprit=culprit)


def compare_raise(outcome: Outcome, prediction: Prediction) -> tuple[str, str] | None:
    """What is wrong with what the engine says about errors, or None."""
    torch_side, engine = outcome.raised, prediction.raises
    if torch_side is None:
        if engine is None:
            return None
        return f"raise invented: {engine[1]}", f"the engine says line {engine[0]}, torch does not raise"
    if engine is None:
        return f"raise missed: {torch_side.kind}", f"torch: {torch_side}"
    if engine[0] != torch_side.line:
        return (
            f"raise at another line: torch {torch_side.kind}, engine {engine[1]}",
            f"torch: {torch_side}; engine: line {engine[0]}",
        )
    kind = engine[1] if engine[1] in KINDS else "other"  # the engine may divide "other" further
    if kind != torch_side.kind and kind not in torch_side.also:
        return f"raise of another kind: torch {torch_side.kind}, engine {engine[1]}", f"torch: {torch_side}"
    return None


def placed(raised: Raised, culprit: int | None) -> str:
    """How the statement that the engine blames for a changed tensor stands to those that torch's counters name."""
    if culprit is None:
        return "not named"
    return "right" if culprit in raised.changed else "wrong" if raised.changed else "named, not checked"


def foreseen(outcome: Outcome, prediction: Prediction) -> bool:
    """Whether the engine said that torch may raise this, there."""
    raised = outcome.raised
    if raised is None:
        return False
    kinds = {kind if kind in KINDS else "other" for line, kind in prediction.may_raise if line == raised.line}
    return bool(kinds & {raised.kind, *raised.also})


def loop_targets(text: str) -> frozenset[str]:
    """Names that `for` binds: what they hold after a loop is not what this test is about."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.For):
            names |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
    return frozenset(names)


@dataclass
class Tally:
    """Counts over many programs; prints itself as a table."""

    words: dict[str, Counter[str]] = field(default_factory=dict)
    why: Counter[str] = field(default_factory=Counter)
    raised: Counter[str] = field(default_factory=Counter)
    culprits: Counter[str] = field(default_factory=Counter)
    coverage: Counter[str] = field(default_factory=Counter)
    maybes: int = 0
    names: int = 0

    def add(self, profile: str, outcome: Outcome, verdict: Verdict, coverage: Counter[str] | None = None) -> None:
        self.words.setdefault(profile, Counter())[verdict.word] += 1
        if verdict.word == "disagree":
            self.why[verdict.why] += 1
        if verdict.culprit:
            self.culprits[verdict.culprit] += 1
        if verdict.word != "invalid":
            self.raised[outcome.raised.kind or "" if outcome.raised is not None else "runs to the end"] += 1
        self.maybes += verdict.maybes
        self.names += verdict.names
        if coverage is not None:
            self.coverage.update(coverage)

    def take(self, other: Tally) -> None:
        """Add the counts of another tally."""
        for profile, words in other.words.items():
            self.words.setdefault(profile, Counter()).update(words)
        for mine, more in (
            (self.why, other.why),
            (self.raised, other.raised),
            (self.culprits, other.culprits),
            (self.coverage, other.coverage),
        ):
            mine.update(more)
        self.maybes += other.maybes
        self.names += other.names

    def agreement(self, profile: str | None = None) -> float:
        """The share of valid programs on which both agree, 0 to 1, over one profile or all."""
        counts: Counter[str] = Counter()
        for name, words in self.words.items():
            if profile in (None, name):
                counts.update(words)
        valid = counts.total() - counts["invalid"]
        return (counts["agree"] + counts["maybe"] + counts["unsure"]) / valid if valid else 1.0

    def report(self, coverage: bool = True) -> str:
        lines = [
            f"{'profile':<10} {'programs':>8} {'agreement':>9} {'agree':>6} {'maybe':>6} {'unsure':>6} {'invalid':>7}"
        ]
        for profile, words in self.words.items():
            lines.append(
                f"{profile:<10} {words.total():>8} {self.agreement(profile):>9.2%} {words['agree']:>6} "
                f"{words['maybe']:>6} {words['unsure']:>6} {words['invalid']:>7}"
            )
        lines.append(f"overall agreement {self.agreement():.2%}; names left open: {self.maybes} of {self.names}")
        total = self.raised.total() or 1
        lines.append("torch: " + ", ".join(f"{k} {n / total:.1%}" for k, n in self.raised.most_common()))
        if self.culprits:
            lines.append(
                "changed saved tensors: the statement blamed is "
                + ", ".join(f"{k} {n}" for k, n in self.culprits.most_common())
            )
        if self.why:
            lines.append("disagreements:")
            lines += [f"  {count:>5}  {why}" for why, count in self.why.most_common(40)]
        if coverage and self.coverage:
            statements = {key.partition(":")[2]: n for key, n in self.coverage.items() if key.startswith("statement:")}
            forms = [key for key in self.coverage if ":" in key and not key.startswith("statement:")]
            lines.append(
                f"coverage: {len(statements)} kinds of statements ("
                + ", ".join(f"{k} {n}" for k, n in sorted(statements.items(), key=lambda item: -item[1]))
                + f"), {len(forms)} forms of them; by kind: times written, forms in it, the rarest"
            )
            lines += coverage_table(self.coverage)
        return "\n".join(lines)


def coverage_table(coverage: Counter[str]) -> list[str]:
    """One row per kind of statement: how often it was written, and in how many forms."""
    groups: dict[str, Counter[str]] = {}
    for key, count in coverage.items():
        kind, _, form = key.partition(":")
        if kind not in ("statement", "import", "pass"):
            groups.setdefault(kind, Counter())[form] += count
    return [
        f"  {kind:<12} {forms.total():>7}  {len(forms):>4} forms; rarest: "
        + ", ".join(f"{form} {n}" for form, n in sorted(forms.items(), key=lambda item: item[1])[:3])
        for kind, forms in sorted(groups.items())
    ]
