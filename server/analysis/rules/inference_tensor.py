"""`inference-tensor`: a tensor made in inference mode meets autograd, which cannot save or change it."""

from __future__ import annotations

from collections.abc import Iterator

from ..events import Sink
from ..facts import Facts
from ..report import Finding
from .base import Rule
from .claims import INFERENCE, Law

RULE = Rule(
    name="inference-tensor",
    summary="a tensor made in inference mode meets autograd",
    family="in place",
    severity="error",
    fix="no fix: `torch.no_grad()` or a clone outside, whichever was meant",
    claim=Law("raises", INFERENCE),
    what="""\
Finds tensors made under `torch.inference_mode()` that a tracked operation has to save for backward, that are changed
in place outside of inference mode, that are asked to require grad, or that are the `.grad` a backward has to add to.

An inference tensor that is only added, compared, printed or cloned outside is not reported.""",
    why="""\
`inference_mode` is faster than `no_grad` because its tensors have no version counter. So autograd cannot tell whether
such a tensor was changed between forward and backward, and refuses to save it: *Inference tensors cannot be saved for
backward*. A linear layer with a trainable weight saves its input, so features from a frozen backbone computed under
`inference_mode` raise as soon as the head is called.""",
    example="""\
import torch
from torch import nn

backbone, head = nn.Linear(8, 4), nn.Linear(4, 1)
x = torch.randn(2, 8)

with torch.inference_mode():
    features = backbone(x)
loss = head(features).sum()  # raises: Inference tensors cannot be saved for backward
loss.backward()
""",
    instead="""\
import torch
from torch import nn

backbone, head = nn.Linear(8, 4), nn.Linear(4, 1)
x = torch.randn(2, 8)

with torch.no_grad():
    features = backbone(x)
loss = head(features).sum()
loss.backward()
print(head.weight.grad)
""",
    fix_safety="There is no automatic fix: `no_grad` instead of `inference_mode`, or `.clone()` outside of the block.",
    blind_spots="Inference tensors that come back from another library, or from code that is not followed.",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Uses of inference tensors that autograd forbids, told where the tensor was made."""
    for event in facts.events.forbidden:
        tensor = event.tensor
        if event.kind != "inference" or event.after_error or not event.certain or tensor is None:
            continue
        made = facts.innermost_here(tensor.node) if tensor.node is not None else tensor.origin
        span = made if facts.here(made) else event.site.span
        if span is None or not facts.here(span):
            continue
        name = facts.name_of(tensor)
        subject = f"`{name}`" if name else facts.value_name(made)
        message = f"{subject} is made in inference mode and then used where autograd needs it: PyTorch raises"
        trace = [
            facts.step(made, "source", f"{subject} is an inference tensor") if facts.here(made) else None,
            facts.step(event.site.span, "sink", f"raises: {event.message}"),
        ]
        yield facts.finding(RULE.name, facts.confidence_on(event.path), message, facts.marked(span), trace)
    for sink in facts.events.sinks:
        raised = sink.outcome.raises
        if raised is not None and raised.kind == "inference" and raised.certain and not sink.after_error:
            yield from _gradient(facts, sink)


def _gradient(facts: Facts, sink: Sink) -> Iterator[Finding]:
    """A gradient that was put there in inference mode, to which a backward has to add."""
    raised = sink.outcome.raises
    if raised is None or raised.leaf is None or raised.by is None or not facts.here(raised.by):
        return
    name = facts.name_of(raised.leaf)
    subject = f"`{name}.grad`" if name else "this gradient"
    message = f"{subject} is an inference tensor, to which {facts.sink_name(sink)} has to add: PyTorch raises"
    trace = [
        facts.step(raised.by, "source", f"{subject} is made in inference mode"),
        facts.sink_step(sink, "raises: Inplace update to inference tensor outside InferenceMode"),
    ]
    yield facts.finding(RULE.name, facts.confidence(sink), message, facts.marked(raised.by), trace)
