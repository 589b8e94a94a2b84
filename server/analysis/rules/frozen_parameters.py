"""`frozen-parameters`: everything that could learn was frozen before the loss."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Facts
from ..report import Finding
from .base import Rule
from .claims import CUT
from .nothing_requires_grad import held_untracked

RULE = Rule(
    name="frozen-parameters",
    summary="everything that could learn was frozen before the loss",
    family="the path is cut",
    severity="error",
    fix="no fix: which part should learn is for a person to say",
    claim=CUT,
    what="""\
Finds a `backward()` on a loss none of whose tensors requires grad because `requires_grad_(False)` or
`requires_grad = False` froze all parameters on the way.

Freezing a part of a model, or a model whose input requires grad, is not reported.""",
    why="""\
A parameter with `requires_grad=False` is a constant to autograd: operations on it record nothing. If every parameter
and every input on the way to the loss is a constant, the loss has no `grad_fn`, and `backward()` raises *element 0 of
tensors does not require grad and does not have a grad_fn*.

It happens when a feature extractor is frozen for inspection (saliency, Grad-CAM) and the input was not asked for a
gradient either, or when a freezing loop also covers the new head.""",
    example="""\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
for parameter in model.parameters():
    parameter.requires_grad = False

loss = model(torch.randn(2, 4)).mean()
loss.backward()  # raises: element 0 of tensors does not require grad
""",
    instead="""\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
for parameter in model[0].parameters():
    parameter.requires_grad = False

loss = model(torch.randn(2, 4)).mean()
loss.backward()
print(model[2].weight.grad)
""",
    fix_safety="There is no automatic fix: only a person knows which part should learn.",
    blind_spots="Parameters frozen in another file, or by a condition on their name, may not be seen as frozen.",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Sinks that raise because all parameters on the way to them were frozen."""
    for sink, candidates in facts.nothing_trainable:
        frozen = [t for t in candidates if t.is_parameter and facts.frozen_at(t, sink.entry) is not None]
        asked = any(id(t) in facts.read for t in candidates) or held_untracked(facts, sink)
        if not frozen or sink.after_error or asked:
            continue
        place = facts.frozen_at(frozen[0], sink.entry)
        if not facts.here(place) or place is None:
            continue
        names = facts.leaf_text(frozen)
        message = f"nothing on the way to {facts.sink_name(sink)} requires grad: {names} frozen here"
        trace = [
            facts.step(place, "cut", "frozen: does not require grad from here"),
            facts.sink_step(sink, "raises: element 0 of tensors does not require grad"),
        ]
        yield facts.finding(RULE.name, facts.confidence(sink), message, facts.marked(place), trace)
