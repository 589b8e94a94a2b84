"""`function-save-argument`: `save_for_backward` is given something that is no tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..facts import Facts
from ..report import Finding, Span
from ..torch_model.custom import SAVES_ONLY
from ..values import ClassValue, FunctionValue
from .base import Rule
from .claims import Law

RULE = Rule(
    name="function-save-argument",
    summary="`save_for_backward` is given a number or another value that is no tensor",
    family="custom functions",
    severity="error",
    fix="no fix: keep it as an attribute, `ctx.scale = scale`",
    claim=Law("raises", (r"save_for_backward can only save variables",)),
    what="""\
Finds `ctx.save_for_backward(...)` with a number, a string, a list or a tuple among its arguments, in a
`torch.autograd.Function` that is applied to something that requires grad. Tensors and None may be saved.""",
    why="""\
PyTorch raises *save_for_backward can only save variables, but argument 1 is of type float*; not at the call, but when
`forward` is over, so the traceback ends at `apply`. Without a gradient to come it saves nothing and does not look: the
same function works in an evaluation.

What is no tensor belongs on `ctx` as an attribute.""",
    example="""\
import torch


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x, factor)
        return x * factor

    @staticmethod
    def backward(ctx, grad):
        x, factor = ctx.saved_tensors
        return grad * factor, None


x = torch.randn(3, requires_grad=True)
loss = Scale.apply(x, 2.0).sum()  # TypeError
loss.backward()
""",
    instead="""\
import torch


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None


x = torch.randn(3, requires_grad=True)
loss = Scale.apply(x, 2.0).sum()
loss.backward()
""",
    fix_safety="There is no automatic fix: what `backward` unpacks has to change with it.",
    blind_spots="Values of unknown type are taken for tensors, and a function that nothing applies is not judged.",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Applications that PyTorch refuses because of what forward saved, told at the call that saves."""
    told: set[Span] = set()
    for event in facts.events.forbidden:
        if event.after_error or not event.message.startswith(SAVES_ONLY):
            continue
        cls = next((each.cls for each in facts.events.applied if each.site.span == event.site.span), None)
        index, _, kind = event.message.partition("argument ")[2].partition(" is of type ")
        argument = _argument(facts, cls, int(index)) if cls is not None else None
        span = facts.source.span(argument) if argument is not None else event.site.span
        if cls is None or span in told or not facts.here(span):
            continue
        told.add(span)
        what = f"`{facts.text(argument, 30)}`" if argument is not None else f"argument {index}"
        message = f"`save_for_backward` takes tensors only, and {what} is of type {kind}: `{cls.name}.apply` raises"
        trace = [
            facts.step(span, "cut", f"of type {kind}"),
            facts.step(event.site.span, "sink", f"raises: {event.message}"),
        ]
        confidence = facts.confidence_on(event.path, event.certain)
        yield facts.finding(RULE.name, confidence, message, facts.marked(span), trace)


def _argument(facts: Facts, cls: ClassValue, index: int) -> ast.expr | None:
    """What `save_for_backward` is given at an index, where the class calls it once, in the file that is checked."""
    calls = [
        node
        for found in map(cls.find, ("forward", "setup_context"))
        if found is not None and isinstance(found[0], FunctionValue) and found[0].module.path == facts.path
        for node in ast.walk(found[0].node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "save_for_backward"
    ]
    if len(calls) != 1 or len(calls[0].args) <= index or any(isinstance(e, ast.Starred) for e in calls[0].args):
        return None
    return calls[0].args[index]
