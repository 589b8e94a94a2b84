"""`stale-optimizer`: a part of a model is replaced after its optimizer was made, which goes on with the old part."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.truth import NO, Truth
from ..events import Held, Replaced
from ..facts import Facts
from ..report import Finding
from .base import Rule
from .claims import Law

RULE = Rule(
    name="stale-optimizer",
    summary="parameters are replaced after the optimizer was made: it holds the old ones",
    family="the training step",
    severity="error",
    fix="no fix: make the optimizer after the replacement, or `add_param_group` the new parameters",
    claim=Law("unseen"),
    what="""\
Finds a layer or parameter of a module that is replaced (`model.fc = nn.Linear(...)`, `model[2] = ...`) or added
(`model.blocks.append(...)`, a layer that `forward` makes when it is first called), and a model that is made anew under
its name (`model = Net()`), after an optimizer was built from the parameters, when a loss reaches the new parameters, no
optimizer is ever given them, and the old one goes on stepping. The finding sits on the replacement; where a module that
was there before joins a new one together with what the optimizer holds (a loss with weights of its own), on the
optimizer.

Replacing before the optimizer is made, making another one afterwards, or `add_param_group`, is not reported.""",
    why="""\
An optimizer holds the parameters it was given, not the model. When `model.fc` is replaced afterwards, the new layer
takes part in the forward pass and gets gradients, and `step()` goes on to update the old layer, which nothing uses any
more. Nothing raises; the new head stays as it was initialised.

`model.to(device)` is not such a replacement: parameters stay the objects they are.""",
    example="""\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model[2] = nn.Linear(8, 2)  # the optimizer holds the old layer

for _ in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(2, 4)).mean()
    loss.backward()
    optimizer.step()
""",
    instead="""\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 10))
model[2] = nn.Linear(8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for _ in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(2, 4)).mean()
    loss.backward()
    optimizer.step()
""",
    fix_safety="There is no automatic fix: other lines between the two may need the optimizer as it is.",
    blind_spots="""\
- Replacements and optimizers in unknown code, or in different functions that nobody calls, do not meet.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Replacements of parameters an optimizer holds by ones that learn and that none holds."""
    reached: dict[int, Truth] | None = None
    # Where a new part joins what the optimizer holds says more than where a module took in one of its layers.
    joined = {id(t) for e in facts.events.replaced if e.listed or not e.added for t in e.after}
    for event in facts.events.replaced:
        if event.added and not event.listed and joined.issuperset(map(id, event.after)):
            continue
        if any(id(t) in facts.held or id(t) in facts.events.exposed for t in event.after):
            continue
        if reached is None:
            reached = _reached(facts)
        if not any(reached.get(id(t), NO).yes for t in event.after) and not _one_of_several(event, reached):
            continue
        holder = _holder(facts, event)
        if holder is None or not facts.here(event.site.span) or not _made_there(facts, event):
            continue
        if not _stepped_later(facts, event):
            continue
        text = facts.text(facts.node_at(event.site.span)) or event.name
        how = "added" if event.added else "replaced"
        step = facts.events.steps[-1]
        if event.added and _brought_along(facts, event) and facts.here(holder.site.span):
            message = f"the optimizer is not given the parameters of `{text}`: they are never updated"
            trace = [
                facts.step(holder.site.span, "cut", "the optimizer holds the parameters it is given here"),
                facts.step(event.site.span, "note", "joins what the loss is computed with, and its parameters learn"),
                facts.step(step.site.span, "sink", "updates the others only"),
            ]
            confidence = facts.confidence_on(event.path | step.path)
            yield facts.finding(RULE.name, confidence, message, facts.marked(holder.site.span), trace)
            continue
        message = f"`{text}` is {how} after the optimizer was made: its new parameters are never updated"
        trace = [
            facts.step(holder.site.span, "source", "the optimizer holds the parameters that there are here"),
            facts.step(event.site.span, "cut", f"{how}: the optimizer does not hold the new ones"),
            facts.step(step.site.span, "sink", "updates the old parameters only"),
        ]
        confidence = facts.confidence_on(event.path | step.path)
        yield facts.finding(RULE.name, confidence, message, facts.marked(event.site.span), trace)


def _made_there(facts: Facts, event: Replaced) -> bool:
    """Whether a name gets something new: `net = Net()`, not one more of several (`for layer in net.layers`)."""
    if not isinstance(facts.node_at(event.site.span), ast.Name):
        return True
    statement = facts.statement_at(event.site.span)
    return isinstance(statement, (ast.Assign, ast.AnnAssign)) and isinstance(statement.value, ast.Call)


def _brought_along(facts: Facts, event: Replaced) -> bool:
    """Whether a module that was there before joins a new one that holds both: `self.model, self.loss = model, loss`."""
    statement = facts.statement_at(event.site.span)
    made = isinstance(statement, (ast.Assign, ast.AnnAssign)) and isinstance(statement.value, (ast.Name, ast.Attribute))
    return made and not event.listed


def _holder(facts: Facts, event: Replaced) -> Held | None:
    """The optimizer's hold on the old parameters, taken before the replacement."""
    old = {id(tensor) for tensor in event.before}
    return next((held for held in facts.events.held[: event.held_before] if id(held.tensor) in old), None)


def _reached(facts: Facts) -> dict[int, Truth]:
    """How the losses reach the leaves that learn, by identity."""
    found: dict[int, Truth] = {}
    for sink in facts.events.sinks:
        for leaf, how in sink.outcome.reach.leaves.items() if sink.outcome.raises is None else ():
            if leaf.requires_grad.yes and (how.yes or id(leaf) not in found):
                found[id(leaf)] = how
    return found


def _one_of_several(event: Replaced, reached: dict[int, Truth]) -> bool:
    """Whether it was added under a key that is not known, and a loss reaches one of the elements, whichever it is."""
    return event.added and not event.name and any(reached.get(id(t), NO).possible for t in event.after)


def _stepped_later(facts: Facts, event: Replaced) -> bool:
    """Whether the optimizers known in the file step with the old parameters, all of them fully known."""
    old = {id(tensor) for tensor in event.before}
    later = facts.events.steps[event.steps_before :]
    steps = [step for step in later if any(id(tensor) in old for tensor, _ in step.grads)]
    return bool(steps) and not any(step.open for step in facts.events.steps)
