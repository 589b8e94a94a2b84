"""`function-none-gradient`: a custom function returns None for an input that the program wants to learn."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..autograd.reach import reach
from ..autograd.tensor import Tensor
from ..events import Applied, Sink
from ..facts import Facts
from ..report import Finding, Span
from ..torch_model.arguments import as_tensor
from ..torch_model.custom_backward import backward_of, returns_of
from .base import Rule
from .claims import CUT

RULE = Rule(
    name="function-none-gradient",
    summary="the backward of a custom function returns None for an input that should learn",
    family="custom functions",
    severity="error",
    fix="no fix: the gradient has to be written",
    claim=CUT,
    what="""\
Finds a `torch.autograd.Function` whose `backward` returns None in the place of an input behind which stands a tensor
that the program wants to learn (an optimizer holds it, or its `.grad` is read), when no loss of the program reaches
that tensor in another way. The finding sits on the `return`.

None for data, for masks and for parameters that another loss trains is not reported.""",
    why="""\
None tells autograd that there is no gradient. Everything behind that input is left as it is: `.grad` stays None, the
optimizer skips the parameter, nothing raises. It is right for inputs that cannot learn, and easily left behind when an
input that was a constant becomes a parameter.""",
    example="""\
import torch
from torch import nn


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return x * scale

    @staticmethod
    def backward(ctx, grad):
        x, scale = ctx.saved_tensors
        return grad * scale, None


layer = nn.Linear(2, 2)
scale = nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([*layer.parameters(), scale], lr=0.1)
loss = Scale.apply(layer(torch.randn(3, 2)), scale).sum()
loss.backward()
optimizer.step()  # does not move `scale`
""",
    instead="""\
import torch
from torch import nn


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return x * scale

    @staticmethod
    def backward(ctx, grad):
        x, scale = ctx.saved_tensors
        return grad * scale, (grad * x).sum(0)


layer = nn.Linear(2, 2)
scale = nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([*layer.parameters(), scale], lr=0.1)
loss = Scale.apply(layer(torch.randn(3, 2)), scale).sum()
loss.backward()
optimizer.step()
""",
    fix_safety="There is no automatic fix: what the gradient is depends on what forward computes.",
    blind_spots="""\
- Only a literal `None` (or a name that is given nothing else) counts; a gradient that turns out to be None is not seen.
- A function applied in a model that the file does not train is not judged.""",
)


@dataclass(frozen=True, slots=True)
class Denied:
    """Wanted leaves to which the None at `place` (a `return`) gives no gradient, in the backward of `sink`."""

    applied: Applied
    index: int
    place: Span
    leaves: tuple[Tensor, ...]
    sink: Sink


def check(facts: Facts) -> Iterator[Finding]:
    """Inputs for which None comes back, with a wanted leaf behind them that nothing else reaches."""
    for place, each in {each.place: each for each in reversed(denied(facts))}.items():
        lost = facts.leaf_text(each.leaves)
        message = f"`{each.applied.cls.name}.backward` returns None where {lost} should get a gradient"
        trace = [
            *facts.source_steps(each.leaves),
            facts.step(each.applied.site.span, "note", "goes through the custom function"),
            facts.step(place, "cut", f"None for input {each.index + 1}"),
            facts.sink_step(each.sink, f"no gradient arrives at {lost}"),
        ]
        confidence = facts.confidence_on(each.sink.path | each.applied.path)
        yield facts.finding(RULE.name, confidence, message, facts.marked(place), trace)


def denied(facts: Facts) -> list[Denied]:
    """Every input of a custom function for which None comes back and behind which stands something that is wanted."""
    found: list[Denied] = []
    for applied in facts.events.applied if not facts.machine.exhausted else ():
        for index, value in enumerate(applied.inputs):
            tensor = as_tensor(value)
            place = _place(facts, applied, index) if tensor is not None else None
            sink = _sink(facts, applied) if place is not None else None
            if tensor is None or place is None or sink is None:
                continue
            leaves = tuple(_lost(facts, tensor))
            if leaves:
                found.append(Denied(applied, index, place, leaves, sink))
    return found


def _lost(facts: Facts, tensor: Tensor) -> list[Tensor]:
    """The wanted leaves behind an input that no loss reaches."""
    return [
        leaf
        for leaf, how in reach([tensor]).leaves.items()
        if how.yes and leaf.requires_grad.yes and facts.is_wanted(leaf) and id(leaf) not in facts.reached
    ]


def _place(facts: Facts, applied: Applied, index: int) -> Span | None:
    """The first `return` of the class's backward, in this file, when all have None for that input; or its `def`, when
    it comes to its end without any."""
    function = backward_of(applied.cls)
    if applied.fault is not None or function is None or function.module.path != facts.path:
        return None
    returned = returns_of(function, applied.inputs)
    body = [] if isinstance(function.node, ast.Lambda) else function.node.body
    if body and not returned and not any(isinstance(each, ast.Raise) for each in body):
        return facts.source.span(function.node)
    if not returned or any(row is None or index >= len(row) or row[index] for _, row in returned):
        return None
    node: ast.Return = returned[0][0]
    return facts.source.span(node)


def _sink(facts: Facts, applied: Applied) -> Sink | None:
    """A backward that surely ran the function's."""
    return next(
        (
            sink
            for sink in facts.events.sinks
            if sink.kind == "backward"
            and sink.outcome.raises is None
            and not sink.after_error
            and applied.node in sink.outcome.reach.sure_nodes
        ),
        None,
    )
