"""Three truth values. A *maybe* says why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Truth:
    """`value` is True, False, or None for maybe; `why` explains a maybe in a few words.

    `possible` is yes or maybe. The four questions are fields, as they are asked far more often than a truth is made.
    """

    value: bool | None
    why: str = ""
    yes: bool = field(init=False, repr=False, compare=False)
    no: bool = field(init=False, repr=False, compare=False)
    maybe: bool = field(init=False, repr=False, compare=False)
    possible: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        assign, value = object.__setattr__, self.value
        assign(self, "yes", value is True)
        assign(self, "no", value is False)
        assign(self, "maybe", value is None)
        assign(self, "possible", value is not False)

    def __str__(self) -> str:
        return {True: "yes", False: "no", None: "maybe"}[self.value]


YES = Truth(True)
NO = Truth(False)
BRANCH = "it depends on a branch"
"""Why it is a maybe where two branches that know it well differ."""


def maybe(why: str) -> Truth:
    """A maybe with its reason."""
    return Truth(None, why)


def of(flag: bool | None, why: str = "") -> Truth:
    """The truth value of a Python flag; None is a maybe because of `why`."""
    return YES if flag is True else NO if flag is False else Truth(None, why)


def join(left: Truth, right: Truth) -> Truth:
    """What holds when either may be the case: equal values stay, different ones are a maybe."""
    if left.value is right.value:
        return left
    return Truth(None, left.why or right.why or BRANCH)


def either(parts: Iterable[Truth]) -> Truth:
    """Logical or: yes if any is yes, else maybe if any is maybe."""
    unsure: Truth | None = None
    for part in parts:
        if part.yes:
            return YES
        if part.maybe:
            unsure = unsure or part
    return unsure or NO


def both(left: Truth, right: Truth) -> Truth:
    """Logical and."""
    if left.no or right.no:
        return NO
    if left.yes:
        return right
    return left
