"""What a rule is: its name, its page, and where its fix stands. Rules read facts; how facts arise is the engine's."""

from __future__ import annotations

from dataclasses import dataclass

from ..report import Severity
from .claims import Law


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, declared in one file; registry, `docs/rules`, settings and hover links are generated from it.

    `name` is kebab-case and names the wrong pattern; `summary` is one line; `family` groups the table ("the path is
    cut", "in place", ...); `severity` the usual one; `fix` says in a few words what the quick fix does, or "no fix:
    why"; `claim` what the execution check has to see for a finding to be true. The page: `what`, `why` (Markdown
    paragraphs), `example` and `instead` (runnable Python programs: the example fires the rule, `instead` does not),
    `fix_safety`, `blind_spots` (Markdown), `since` the version that brought it.
    """

    name: str
    summary: str
    family: str
    severity: Severity
    fix: str
    claim: Law
    what: str
    why: str
    example: str
    instead: str
    fix_safety: str
    blind_spots: str
    since: str = "0.1.0"
