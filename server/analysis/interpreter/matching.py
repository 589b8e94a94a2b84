"""`match` patterns: whether a pattern fits, and the names it binds."""

from __future__ import annotations

import ast

from ..autograd.heap import MISSING
from ..values import ClassValue, DictValue, Instance, ListValue, Unknown, Value
from . import records
from .comparisons import compare
from .expressions import evaluate
from .machine import Machine


def bind(machine: Machine, pattern: ast.pattern, subject: Value) -> bool | None:
    """Whether the pattern fits (None: unknown); binds its names, to unknowns where the subject says no more."""
    subject = machine.narrow(subject)
    if isinstance(pattern, ast.MatchValue):
        outcome = compare(machine, ast.Eq(), subject, evaluate(machine, pattern.value), machine.site(pattern))
        return outcome if isinstance(outcome, bool) else None
    if isinstance(pattern, ast.MatchSingleton):
        outcome = compare(machine, ast.Is(), subject, pattern.value, machine.site(pattern))
        return outcome if isinstance(outcome, bool) else None
    if isinstance(pattern, ast.MatchAs):
        fits = True if pattern.pattern is None else bind(machine, pattern.pattern, subject)
        if pattern.name is not None:
            _store(machine, pattern.name, subject)
        return fits
    if isinstance(pattern, ast.MatchOr):
        for each in pattern.patterns:
            fits = bind(machine, each, subject)
            if fits is not False:
                # The first that may fit binds; the names of all alternatives are the same.
                return fits
        return False
    if isinstance(pattern, ast.MatchSequence):
        return _sequence(machine, pattern, subject)
    if isinstance(pattern, ast.MatchMapping):
        return _mapping(machine, pattern, subject)
    if isinstance(pattern, ast.MatchClass):
        return _class(machine, pattern, subject)
    return _unknown(machine, pattern, subject)


def _store(machine: Machine, name: str, value: Value) -> None:
    machine.frame.scope.store(machine.heap, name, value)


def _unknown(machine: Machine, pattern: ast.pattern, subject: Value) -> bool | None:
    for node in ast.walk(pattern):
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if isinstance(name, str):
            _store(machine, name, Unknown("part of a matched value", deps=(subject,)))
    return None


def _all(outcomes: list[bool | None]) -> bool | None:
    return False if False in outcomes else None if None in outcomes else True


def _sequence(machine: Machine, pattern: ast.MatchSequence, subject: Value) -> bool | None:
    if isinstance(subject, Instance) and (fields := records.elements(subject)) is not None:
        subject = fields
    if isinstance(subject, ListValue) and not subject.open and subject.kind == "list":
        items: tuple[Value, ...] = subject.items
    elif isinstance(subject, tuple):
        items = subject
    else:
        # Numbers, text, dicts and tensors are no sequences to `match`.
        return _unknown(machine, pattern, subject) if isinstance(subject, (Unknown, ListValue)) else False
    star = next((i for i, p in enumerate(pattern.patterns) if isinstance(p, ast.MatchStar)), None)
    if star is None:
        if len(pattern.patterns) != len(items):
            return False
        return _all([bind(machine, p, s) for p, s in zip(pattern.patterns, items, strict=True)])
    after = len(pattern.patterns) - star - 1
    if len(items) < star + after:
        return False
    outcomes = [bind(machine, p, s) for p, s in zip(pattern.patterns[:star], items, strict=False)]
    rest = items[star : len(items) - after]
    name = pattern.patterns[star].name  # type: ignore[attr-defined]
    if name is not None:
        _store(machine, name, ListValue(rest))
    last = zip(pattern.patterns[star + 1 :], items[len(items) - after :], strict=False)
    outcomes += [bind(machine, p, s) for p, s in last]
    return _all(outcomes)


def _mapping(machine: Machine, pattern: ast.MatchMapping, subject: Value) -> bool | None:
    if not isinstance(subject, DictValue):
        return _unknown(machine, pattern, subject) if isinstance(subject, Unknown) else False
    outcomes: list[bool | None] = []
    taken = []
    for key_node, each in zip(pattern.keys, pattern.patterns, strict=True):
        key = evaluate(machine, key_node)
        taken.append(key)
        if isinstance(key, (str, int, float, bytes, type(None))) and key in subject.items:
            outcomes.append(bind(machine, each, subject.items[key]))
        elif subject.rest is not None:
            outcomes.append(None if bind(machine, each, subject.rest) is not False else False)
        else:
            outcomes.append(False)
            break
    if pattern.rest is not None:
        rest = {key: value for key, value in subject.items.items() if key not in taken}
        _store(machine, pattern.rest, DictValue(rest, subject.rest))
    return _all(outcomes)


def _class(machine: Machine, pattern: ast.MatchClass, subject: Value) -> bool | None:
    cls = evaluate(machine, pattern.cls)
    site = machine.site(pattern)
    outcome = machine.is_a(subject, cls)
    if outcome is False:
        return False
    outcomes: list[bool | None] = [outcome]
    names = [name for name, _ in records.fields_of(cls)] if isinstance(cls, ClassValue) else []
    for index, each in enumerate(pattern.patterns):
        if index < len(names):
            outcomes.append(bind(machine, each, machine.attribute(subject, names[index], site)))
        else:
            # `int(x)`, `str(x)`: the value itself.
            outcomes.append(bind(machine, each, subject))
    for name, each in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
        value = machine.attribute(subject, name, site)
        outcomes.append(False if value is MISSING else bind(machine, each, value))
    return _all(outcomes)
