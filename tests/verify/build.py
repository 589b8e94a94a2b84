"""Findings as the analysis would make them, built by hand from pieces of the program's text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

from gradsight.analysis.report import Edit, Finding, Fix, Position, Span, TraceStep


def place(path: str, text: str, piece: str, occurrence: int = 0) -> Span:
    """The span of the n-th occurrence of `piece`."""
    at = -1
    for _ in range(occurrence + 1):
        at = text.index(piece, at + 1)

    def position(offset: int) -> Position:
        return Position(text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1)

    return Span(path, position(at), position(at + len(piece)))


@dataclass
class Claim:
    """One finding: `steps` are (role, piece, sentence), `fix` replaces its first piece by its second."""

    rule: str
    at: str
    steps: list[tuple[str, str, str]] = field(default_factory=list)
    fix: tuple[str, str] | None = None

    def finding(self, path: str, text: str) -> Finding:
        trace = tuple(TraceStep(place(path, text, piece), role, said) for role, piece, said in self.steps)  # type: ignore[arg-type]
        fixes = ()
        if self.fix:
            fixes = (Fix(f"write `{self.fix[1]}`", "safe", (Edit(place(path, text, self.fix[0]), self.fix[1]),)),)
        return Finding(self.rule, "error", "certain", f"[{self.rule}]", place(path, text, self.at), trace, fixes)


class Story:
    """A program and what is claimed about it."""

    def __init__(self, text: str, *claims: Claim) -> None:
        self.text = textwrap.dedent(text).lstrip("\n")
        self.claims = claims

    def findings(self, path: str) -> list[Finding]:
        return [claim.finding(path, self.text) for claim in self.claims]


def cut_before_backward(sink: str = "loss.backward()") -> Claim:
    """A claim that names nothing but its sink."""
    return Claim("no-grad-block", sink, [("sink", sink, "raises")])
