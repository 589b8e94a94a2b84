"""A program on which engine and torch disagree, made small, and told so that anybody can see it again."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from .batch import Case, judge
from .runner import Outcome, Torch
from .shrink import shrink


def told(torch_side: Torch, cases: Iterable[Case]) -> str:
    """Each case with the command that shows it whole, and with its program made small."""
    return "\n".join(
        f"{case}\n    python -m tests.oracle --profile {case.program.profile} --seed {case.program.seed} --show\n"
        f"```python\n{minimal(torch_side, case)}```"
        for case in cases
    )


def minimal(torch_side: Torch, case: Case) -> str:
    """The case's program made small while both sides still disagree in the same way."""

    tests = branches(case.program.text)

    def keep(text: str) -> bool:
        if not branches(text) <= tests:
            return False  # a condition that nobody can know must stay one
        exact = case.program.profile == "straight"
        outcome, verdict, *_ = judge(torch_side, text, exact, case.program.conditions)
        return (
            summary(outcome) == summary(case.outcome) and verdict.word == "disagree" and verdict.why == case.verdict.why
        )

    return shrink(case.program.text, keep)


def branches(text: str) -> set[str]:
    """What the program branches on."""
    return {ast.unparse(node.test) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.If)}


def summary(outcome: Outcome) -> str:
    """What must stay the same while a program is made small."""
    return f"{outcome.raised.kind} {outcome.raised.message[:40]}" if outcome.raised is not None else ""
