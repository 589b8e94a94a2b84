"""`step-before-backward`: parameters are updated between a forward and the backward that needs their old values."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import ALWAYS, Node
from ..autograd.outcome import Raise
from ..describe import operation_name
from ..events import Sink
from ..facts import Facts
from ..report import Confidence, Finding, Fix, Span, TraceStep
from ..source.edit_base import body_of
from ..source.edits import move_behind
from . import unseen_steps
from .base import Rule
from .claims import CHANGED, Law
from .forgetting import forget
from .freed_graph import brought, first_through, is_old
from .inplace_on_saved import changes, is_update

RULE = Rule(
    name="step-before-backward",
    summary="parameters are updated between a forward pass and the `backward()` that needs their old values",
    family="in place",
    severity="error",
    fix="move the step after the backward",
    claim=Law("raises", CHANGED, passes=3),
    what="""\
Finds an `optimizer.step()`, or an update written by hand (`w -= lr * w.grad` under `no_grad`), that changes a parameter
which an operation has saved for a `backward()` that is still to come. The finding sits on the step; the trace shows the
operation that saved the parameter and the `backward()` that raises. Where `retain_graph=True` lets a later pass of a
loop go back through the graph of an earlier one, it sits on the statement whose value carries that graph along.

A forward pass that starts after the step, as in a usual training loop, is not reported.""",
    why="""\
A linear layer saves its weight, because the gradient of its input is computed with it. A step changes the weight in
place and raises its version, so a `backward()` of a loss that was computed before the step fails with *one of the
variables needed for gradient computation has been modified by an inplace operation*: its gradient would be that of
another function.

The usual stories are a GAN or actor-critic step that computes both losses first and then goes *backward, step,
backward, step*; and a hidden state carried over iterations without `detach()`, whose old graph still asks for the
parameters of an earlier iteration (`retain_graph=True` does not help: it keeps the graph, not the old weights).""",
    example="""\
import torch
from torch import nn

encoder, critic = nn.Linear(4, 4), nn.Linear(4, 1)
optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)

features = encoder(torch.randn(2, 4))
critic_loss = critic(features.detach()).mean()
encoder_loss = critic(features).mean()
critic_loss.backward()
optimizer.step()
encoder_loss.backward()  # RuntimeError: modified by an inplace operation
print(encoder.weight.grad)
""",
    instead="""\
import torch
from torch import nn

encoder, critic = nn.Linear(4, 4), nn.Linear(4, 1)
optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)

features = encoder(torch.randn(2, 4))
critic_loss = critic(features.detach()).mean()
critic_loss.backward()
optimizer.step()
encoder_loss = critic(features).mean()  # computed with the weights as they are now
encoder_loss.backward()
print(encoder.weight.grad)
""",
    fix_safety="""\
Moving the step behind the later `backward()` is a *suggestion*: it does not raise any more, but gradients of the second
loss may then add to those the step uses. Computing the second loss after the step is the other way. Where a state is
carried over iterations, a `detach()` where the pass has no more use for its graph is *unsafe*: it shortens the
history.""",
    blind_spots="""\
- `fused=True` optimizers change parameters without raising their version: nothing raises, see `data-mutation`.
- Of an optimizer that is handed in only this order is seen, in one block: `zero_grad()`, the forward, `step()`, and the
  loss's `backward()` as the next statement.
- A step behind an unknown call (a trainer, an accelerator's wrapper) is not seen.
- Whether a parameter has a gradient when `step()` is called may depend on a branch; then the finding is *likely*.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Backwards that meet a parameter which an update has changed since it was saved; one finding per step."""
    told: set[Span] = set()
    for sink, raised, confidence in changes(facts):
        if not is_update(facts, sink, raised) or (raised.node is not None and is_old(facts, sink, raised.node)):
            continue
        for finding in _finding(facts, sink, raised, confidence):
            if finding.span not in told:
                told.add(finding.span)
                yield finding
    for idle in unseen_steps.step_before_backward(facts):
        span = facts.marked(idle.stepped.site.span)
        if span in told:
            continue
        told.add(span)
        text = facts.text(idle.step)
        message = f"`{text}` comes before the backward of {facts.sink_name(idle.sink)}: it finds no gradient"
        trace = [
            facts.step(idle.cleared.site.span, "note", "leaves no gradients"),
            facts.step(span, "mutation", "nothing has been computed to step with"),
            facts.sink_step(idle.sink, "computes what the step should have used"),
        ]
        fix = _move(facts, span, idle.sink)
        yield facts.finding(RULE.name, "likely", message, span, trace, [fix])


def _finding(facts: Facts, sink: Sink, raised: Raise, confidence: Confidence) -> Iterator[Finding]:
    node, saved, culprit = raised.node, raised.saved, raised.culprit
    if node is None or saved is None or culprit is None or culprit.span is None:
        return
    if culprit.path != ALWAYS and confidence == "certain":
        confidence = "likely"
    span = facts.innermost_here(culprit) or (sink.site.span if facts.here(sink.site.span) else None)
    if span is None:
        return
    older = _brought(facts, sink, node)
    name = facts.name_of(saved.tensor)
    subject = f"`{name}`" if name else "a parameter"
    operation = operation_name(node)
    step = _written(facts, span)
    message = f"{step} changes {subject}, which the backward of {facts.sink_name(sink)} still needs as it was"
    trace: list[TraceStep | None] = [
        facts.step(facts.innermost_here(node), "saved", f"`{operation}` saves {subject} for backward"),
        facts.step(span, "mutation", "updated here, before backward has used it"),
        facts.sink_step(
            sink,
            "raises: one of the variables needed for gradient computation has been modified by an inplace operation",
        ),
    ]
    fix = _move(facts, span, sink)
    if older is not None:
        first, shared, place, what, once = older
        fix = forget(facts, shared, place, first)
        needs = f"{facts.sink_name(sink)} needs {subject} as it was before {step}"
        message = f"{what} is computed once, before the loop: {needs}"
        if not once:
            message = f"{what} carries the graph of an earlier pass along: {needs}"
        trace.insert(1, facts.step(facts.marked(place), "note", f"{what} takes its graph along into the next pass"))
        span = place
    yield facts.finding(RULE.name, confidence, message, facts.marked(span), trace, [fix])


def _brought(facts: Facts, sink: Sink, node: Node) -> tuple[Sink, Node, Span, str, bool] | None:
    """What brings a node of an earlier pass to the backward of a later one, which kept its graph (`retain_graph=True`).

    That the graph is still there is the cause; every pass of training steps.
    """
    first = first_through(facts, sink, node)
    if first is None or first.site.span != sink.site.span:
        return None
    shared, place, what, once = brought(facts, sink, first)
    if shared is None or place is None or what == "a value":
        return None
    return first, shared, place, what, once


def _written(facts: Facts, span: Span) -> str:
    node = facts.node_at(span)
    text = facts.text(node, 40) if isinstance(node, ast.Call) else ""
    return f"`{text}`" if text else "this update"


def _move(facts: Facts, span: Span, sink: Sink) -> Fix | None:
    """The step put behind the backward, where both are statements of one block and nothing clears gradients between."""
    step, backward = facts.statement_at(span), facts.statement_at(sink.site.span)
    if not isinstance(step, ast.Expr) or not isinstance(backward, ast.Expr):
        return None
    edits = move_behind(facts.parsed, step, backward)
    if edits is None:
        return None
    block = body_of(facts.parsed, step)
    between = block[block.index(step) + 1 : block.index(backward)]
    if any("zero_grad" in facts.source.segment(one) for one in between):
        return None
    return facts.fix(f"move `{facts.text(step)}` after `{facts.text(backward)}`", "suggestion", edits)
