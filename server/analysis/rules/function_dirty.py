"""`function-dirty`: the forward of a custom function changes an input in place and does not say so."""

from __future__ import annotations

from collections.abc import Iterator

from ..autograd.graph import Node, Version
from ..autograd.tensor import Tensor
from ..events import Applied
from ..facts import Facts
from ..report import Confidence, Finding, Fix, Span
from ..source.edits import inplace_to_outofplace, insert_line_before
from ..torch_model.arguments import as_tensor
from ..values import FunctionValue
from .base import Rule
from .claims import Law

RULE = Rule(
    name="function-dirty",
    summary="the forward of a custom function changes an input in place without `mark_dirty`",
    family="custom functions",
    severity="warning",
    fix="`ctx.mark_dirty(x)`, or the operation out of place",
    claim=Law("dirty"),
    what="""\
Finds a `torch.autograd.Function` whose `forward` changes one of its inputs in place without `ctx.mark_dirty`, when that
input has a gradient to pass on.

It is a warning when the changed input is used again on the way to a loss, or is a leaf that learns: the gradient is
wrong then. Otherwise it is information: the gradient happens to be right. An input that requires no grad (a buffer for
results, a running average) is not reported.""",
    why="""\
`forward` runs with tracking off, so autograd does not see the write. `mark_dirty` tells it: the input then
gets the function as its `grad_fn`. Without it the input keeps its old history together with its new contents. Nothing
raises, and every other use of the input passes its gradient on as if it had never been changed: in the example below
the gradient is 3 where it should be 4.

A marked input must be returned, and must not be a leaf that requires grad; PyTorch raises otherwise.""",
    example="""\
import torch


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x.mul_(2)
        return x

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


w = torch.ones(3, requires_grad=True)
x = w + 0
y = Double.apply(x)
loss = (x + y).sum()  # `x` is doubled, and its history does not know
loss.backward()
print(w.grad)
""",
    instead="""\
import torch


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(2)
        return x

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


w = torch.ones(3, requires_grad=True)
x = w + 0
y = Double.apply(x)
loss = (x + y).sum()
loss.backward()
print(w.grad)
""",
    fix_safety="""\
Both fixes are *unsafe*: marking the input changes gradients, from wrong to right; and out of place the caller's tensor
stays as it was. Marking is offered where forward returns the input and it is no leaf that learns.""",
    blind_spots="""\
- Writes through unknown functions and kernels (`ext.forward(x)`) are not seen.
- The execution check measures how the changed input moves with its old contents; where forward takes no tensors of
  double precision it cannot tell.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Inputs that forward changed and did not mark; one finding per write, the one that does harm first."""
    found = [
        (applied, tensor, write, _harm(facts, applied, tensor))
        for applied in facts.events.applied
        for tensor, write in applied.written
        if tensor.requires_grad.yes
    ]
    told: set[Span] = set()
    for applied, tensor, write, harm in sorted(found, key=lambda each: each[3] is None):
        span = facts.innermost_here(write)
        if span is None or span in told:
            continue
        told.add(span)
        name = _name(applied, tensor)
        trace = [
            facts.step(applied.site.span, "source", f"{name} goes in with a gradient to pass on"),
            facts.step(span, "mutation", f"{name} is changed, and autograd is not told"),
            facts.step(harm, "sink", "uses the new contents with the old history") if harm is not None else None,
        ]
        confidence: Confidence = "likely" if harm is not None else "possible"
        message = f"`{applied.cls.name}.forward` changes {name} in place without `mark_dirty`" + (
            ": its gradient is wrong" if harm is not None else ""
        )
        yield facts.finding(
            RULE.name, confidence, message, facts.marked(span), trace, [_fix(facts, applied, tensor, write)]
        )


def _harm(facts: Facts, applied: Applied, tensor: Tensor) -> Span | None:
    """Where the changed input is used again on the way to a loss; the call itself for a leaf that learns."""
    if tensor.is_leaf.yes:
        return applied.site.span
    for sink in facts.events.sinks:
        for node in sink.outcome.reach.nodes:
            if applied.node is not None and node.order > applied.node.order and _uses(node, tensor):
                return facts.innermost_here(node)
    return None


def _uses(node: Node, tensor: Tensor) -> bool:
    return not node.is_join and any(
        edge.node is not None and edge.node is tensor.node and edge.live.possible for edge in node.edges
    )


def _name(applied: Applied, tensor: Tensor) -> str:
    """The input's name in the signature of forward."""
    index = next(i for i, value in enumerate(applied.inputs) if as_tensor(value) is tensor)
    found = applied.cls.find("forward")
    if found is None or not isinstance(found[0], FunctionValue):
        return "an input"
    names = [each.arg for each in found[0].node.args.args]
    names = names if applied.cls.find("setup_context") else names[1:]
    return f"`{names[index]}`" if index < len(names) else "an input"


def _fix(facts: Facts, applied: Applied, tensor: Tensor, write: Version) -> Fix | None:
    node, statement = facts.node_at(write.span), facts.statement_at(write.span)
    found = applied.cls.find("forward")
    if node is None or statement is None or found is None or not isinstance(found[0], FunctionValue):
        return None
    name = _name(applied, tensor).strip("`")
    results = applied.result if isinstance(applied.result, tuple) else (applied.result,)
    if (
        any(as_tensor(each) is tensor for each in results)
        and tensor.is_leaf.no
        and not applied.cls.find("setup_context")
    ):
        arguments = found[0].node.args.args
        if arguments and facts.enclosing_function(statement) is found[0].node:
            context = arguments[0].arg
            edits = insert_line_before(facts.parsed, statement, f"{context}.mark_dirty({name})")
            return facts.fix(f"mark `{name}`: `{context}.mark_dirty({name})`", "unsafe", edits)
    return facts.fix("write it out of place", "unsafe", inplace_to_outofplace(facts.parsed, node))
