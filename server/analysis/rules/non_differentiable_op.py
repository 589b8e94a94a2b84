"""`non-differentiable-op`: an operation without gradient stands on the only way from a leaf to a loss."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import Node
from ..describe import COMPARED, INDICES, operation_name
from ..facts import Facts
from ..report import Finding, Fix
from ..source.edits import rename_call
from ..story import cut_story, elsewhere, lost_value
from ..torch_model.distributions import RSAMPLE
from .base import Rule
from .claims import CUT

RULE = Rule(
    name="non-differentiable-op",
    summary="an operation without gradient stands on the only way from a trainable tensor to a loss",
    family="the path is cut",
    severity="error",
    fix="`rsample()` for `sample()`; else no fix: a soft or straight-through form changes what is computed",
    claim=CUT,
    what="""\
Finds `argmax`, comparisons, `.long()`, `one_hot`, `bincount`, `histc`, the indices of `max`, `topk` and `sort`, and
other operations whose result never requires grad, when a tensor that should learn reaches the loss only through them;
also `round`, `floor`, `ceil`, `trunc` and `sign`, whose gradient is zero everywhere.

Metrics (`pred.argmax(1) == target`), masks that multiply a tracked value, and indices that select from one are not
reported: the gradient has another way.""",
    why="""\
The result of `argmax` or of a comparison is an integer or a boolean: it does not change when its input changes a
little, and where it does change it jumps. There is no derivative, so PyTorch gives the result no `grad_fn`. What lies
behind it learns nothing from this loss.

Casting back to floating point (`(x > 0).float()`) gives a tensor that looks differentiable and is not: the history
ended at the comparison.""",
    example="""\
import torch
from torch import nn

scores = nn.Linear(4, 3)
values = torch.randn(3, 2)
optimizer = torch.optim.SGD(scores.parameters(), lr=0.1)

choice = scores(torch.randn(8, 4)).argmax(dim=1)
loss = values[choice].pow(2).mean()
loss.backward()  # raises: element 0 of tensors does not require grad
optimizer.step()
""",
    instead="""\
import torch
from torch import nn

scores = nn.Linear(4, 3)
values = torch.randn(3, 2)
optimizer = torch.optim.SGD(scores.parameters(), lr=0.1)

weights = scores(torch.randn(8, 4)).softmax(dim=1)
loss = (weights @ values).pow(2).mean()
loss.backward()
optimizer.step()
print(scores.weight.grad)
""",
    fix_safety="""\
A distribution's `sample()` becomes `rsample()` where it has one: the same numbers in distribution, now differentiable
in its parameters. The fix is *unsafe*, because a sample that is an action or a target is meant to carry no gradient.
There is no other automatic fix. Common replacements: `softmax` weights instead of `argmax`,
`F.gumbel_softmax(hard=True)` for sampling, the straight-through form `soft + (hard - soft).detach()`, interpolation
(`grid_sample`) instead of integer indices, a sigmoid instead of a threshold.""",
    blind_spots="""\
A gradient that is zero for the numbers at hand (a saturated `clamp`, a dead `relu`) is not seen. A policy gradient
that samples with `multinomial` and weighs `log_prob` is connected through `log_prob` and silent.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Cuts made by operations whose result never requires grad."""
    for cause, span in facts.cuts("non-differentiable", "zero-gradient"):
        operation = operation_name(cause.cut)
        written = "a cast to integers" if operation == "to" else COMPARED.get(operation, f"`{operation}`")
        sink = facts.sink_name(cause.sink)
        what = "is not differentiable"
        cut = f"cut: the result of {written} never requires grad"
        indices = operation in INDICES and cause.why.kind == "non-differentiable"
        if indices:
            written = f"the indices of {written}"
            what, cut = "are not differentiable", f"cut: {written} are integers, which never require grad"
        if cause.why.kind == "zero-gradient":
            what, cut = "has a gradient of zero everywhere", f"the gradient of {written} is zero everywhere"
        place = elsewhere(facts, cause.cut.span)
        lost = lost_value(facts, span, cause.sink, 1 if indices else None)
        message = f"{lost} carries no gradient to {sink}: {written} {what}{place}"
        trace = cut_story(facts, cause, cut)
        fixes = [_rsample(facts, cause.cut)] if cause.cut.note == RSAMPLE and not place else []
        yield facts.finding(RULE.name, cause.confidence, message, facts.marked(span), trace, fixes)


def _rsample(facts: Facts, cut: Node) -> Fix | None:
    node = facts.node_at(cut.span)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "sample":
        return None
    name = f"{facts.source.segment(node.func.value)}.rsample"
    return facts.fix("draw with `rsample()`", "unsafe", rename_call(facts.parsed, node, name))
