"""Predicted and observed, step by step along a finding's trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .facts import Facts
from .verdicts import Observation

_GRAD_MODES = {
    "no_grad": "was entered: tracking off",
    "inference_mode": "was entered: inference mode",
    "enable_grad": "was entered: tracking on",
    "set_grad_enabled": "was run",
}


def observations(facts: Facts) -> tuple[Observation, ...]:
    """One entry per step of the trace that lies in this file."""
    out = []
    finding = facts.watched.finding
    for ident, index in facts.watched.steps.items():
        if index < 0:
            continue
        step = finding.trace[index]
        seen = facts.seen.get(ident, ())
        if step.role == "sink":
            observed, agrees = _sink(facts)
        elif seen:
            observed, agrees = _words(seen[-1]), _agrees(finding.rule, step.role, seen)
        else:
            observed, agrees = "not seen", None
        out.append(Observation(step.span.start.line, step.role, step.message, observed, agrees))
    return tuple(out)


def first_difference(steps: Sequence[Observation]) -> Observation | None:
    """The first step that was predicted wrongly: there the analysis erred."""
    return next((step for step in steps if step.agrees is False and step.role != "sink"), None)


def _sink(facts: Facts) -> tuple[str, bool | None]:
    for after in facts.afters:
        if after.raised:
            return f"raised {after.raised.type}: {after.raised.message.splitlines()[0][:300]}", None
    if facts.afters:
        times = facts.afters[-1].number
        return ("ran" if times == 1 else f"ran {times} times"), None
    return "did not run", None


def _words(message: dict[str, Any]) -> str:
    facts = message["facts"]
    name = f"`{message['name']}`"
    if facts["type"] in _GRAD_MODES:
        return f"{name} {_GRAD_MODES[facts['type']]}"
    if not facts.get("tensor"):
        return f"{name} is a {facts['type']}, not a tensor"
    kind = "a leaf" if facts["is_leaf"] else f"made by {facts['grad_fn']}"
    needs = "requires grad" if facts["requires_grad"] else "does not require grad"
    return f"{name} {needs}, is {kind}, {facts['dtype']} on {facts['device']}"


def _agrees(rule: str, role: str, seen: Sequence[dict[str, Any]]) -> bool | None:
    """Whether what was seen is what the step's role claims; None where the role claims nothing visible."""
    facts = seen[-1]["facts"]
    if role == "cut":
        if not facts.get("tensor"):
            return True
        return not facts["requires_grad"] or facts["is_leaf"]
    if role == "source" and facts.get("tensor"):
        if rule == "late-requires-grad":
            return None
        if rule == "nothing-requires-grad":
            return not facts["requires_grad"]
        return bool(facts["requires_grad"])
    return None
