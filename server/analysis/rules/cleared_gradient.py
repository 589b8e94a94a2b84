"""`cleared-gradient`: gradients are set to None between `backward()` and the step that should use them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..events import Step
from ..facts import Facts
from ..report import Finding, Fix, Span
from ..source.edits import move_behind
from .base import Rule
from .claims import Law

RULE = Rule(
    name="cleared-gradient",
    summary="`zero_grad()` stands between `backward()` and `step()`: the step finds no gradient",
    family="the training step",
    severity="error",
    fix="move `zero_grad()` behind the step",
    claim=Law("unseen"),
    what="""\
Finds an `optimizer.step()` none of whose parameters has a gradient, because `zero_grad()` (of the optimizer or of a
module) or `p.grad = None` has cleared what a `backward()` had left there. The finding sits on the clearing.

Clearing before the backward, or after the step, is not reported; nor is a step that finds at least one gradient.""",
    why="""\
A training step is *clear, backward, step*. In any other order nothing raises: `zero_grad()` sets `.grad` to None,
`step()` skips every parameter whose `.grad` is None, and the loss stays where it is.""",
    example="""\
import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    loss = model(torch.randn(2, 4)).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()  # changes nothing
""",
    instead="""\
import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(2, 4)).mean()
    loss.backward()
    optimizer.step()
""",
    fix_safety="""\
Moving `zero_grad()` behind the step is *unsafe*: the program computes something else afterwards, namely what a training
step is for. It is offered where both are statements of one block.""",
    blind_spots="""\
- `zero_grad(set_to_none=False)` leaves zeros, which a step with momentum or weight decay still uses; not reported.
- Where a branch decides whether gradients were cleared, or unknown code runs between clearing and step, the rule is
  silent.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Steps that find no gradient at all although a backward had left some; one finding per place of clearing."""
    useful = {step.site.span for step in facts.events.steps if any(grad.present.possible for _, grad in step.grads)}
    told: set[Span] = set()
    for step in facts.events.steps:
        place = _cleared_at(facts, step)
        if place is None or place in told or step.site.span in useful:
            continue
        told.add(place)
        text = facts.text(facts.node_at(place)) or "this"
        message = f"`{text}` clears the gradients that the next `step()` should use: the step changes nothing"
        wanted = {id(tensor) for tensor, _ in step.grads}
        sinks = [
            sink
            for sink in facts.events.sinks[: step.sinks_before]
            if sink.kind == "backward" and any(id(leaf) in wanted for leaf in sink.outcome.reach.leaves)
        ]
        trace = [
            facts.step(sinks[-1].site.span, "note", "leaves gradients") if sinks else None,
            facts.step(place, "cut", "cleared here"),
            facts.step(step.site.span, "sink", "finds no gradient, changes nothing"),
        ]
        confidence = facts.confidence_on(step.path)
        yield facts.finding(RULE.name, confidence, message, facts.marked(place), trace, [_move(facts, place, step)])


def _cleared_at(facts: Facts, step: Step) -> Span | None:
    """Where all gradients of a step were cleared, in this file, with nothing unknown in between; else None."""
    if step.after_error or step.open or not step.grads or any(not grad.present.no for _, grad in step.grads):
        return None
    for tensor, grad in step.grads:
        if grad.by is None or grad.by not in facts.events.cleared or not facts.here(grad.by):
            continue
        unknown_before, had = facts.events.cleared[grad.by]
        if id(tensor) in had and unknown_before == step.unknown_before:
            return grad.by
    return None


def _move(facts: Facts, place: Span, step: Step) -> Fix | None:
    clearing, stepping = facts.statement_at(place), facts.statement_at(step.site.span)
    if not isinstance(clearing, ast.Expr) or not isinstance(stepping, ast.Expr):
        return None
    edits = move_behind(facts.parsed, clearing, stepping)
    return facts.fix(f"move `{facts.text(clearing)}` behind `{facts.text(stepping)}`", "unsafe", edits)
