"""`match` patterns: whether a pattern fits, and the names it binds."""

from __future__ import annotations

import ast

from ..values import Unknown, Value
from .machine import Machine


def bind(machine: Machine, pattern: ast.pattern, subject: Value) -> bool | None:
    """Whether the pattern fits (None: unknown); binds its names, to unknowns where the subject says no more."""
    from .expressions import compare, evaluate

    if isinstance(pattern, ast.MatchValue):
        outcome = compare(machine, ast.Eq(), subject, evaluate(machine, pattern.value), machine.site(pattern))
        return outcome if isinstance(outcome, bool) else None
    if isinstance(pattern, ast.MatchSingleton):
        outcome = compare(machine, ast.Is(), subject, pattern.value, machine.site(pattern))
        return outcome if isinstance(outcome, bool) else None
    if isinstance(pattern, ast.MatchAs):
        fits = True if pattern.pattern is None else bind(machine, pattern.pattern, subject)
        if pattern.name is not None:
            machine.frame.scope.store(machine.heap, pattern.name, subject)
        return fits
    if isinstance(pattern, ast.MatchOr):
        outcomes = [bind(machine, each, subject) for each in pattern.patterns]
        return True if True in outcomes else None if None in outcomes else False
    if isinstance(pattern, ast.MatchSequence) and isinstance(subject, tuple):
        if len(pattern.patterns) != len(subject) or any(isinstance(p, ast.MatchStar) for p in pattern.patterns):
            return False if not any(isinstance(p, ast.MatchStar) for p in pattern.patterns) else None
        outcomes = [bind(machine, p, s) for p, s in zip(pattern.patterns, subject, strict=True)]
        return False if False in outcomes else None if None in outcomes else True
    for node in ast.walk(pattern):
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if isinstance(name, str):
            machine.frame.scope.store(machine.heap, name, Unknown("part of a matched value", deps=(subject,)))
    return None
