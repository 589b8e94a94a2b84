"""`inference-tensor`: a tensor made in inference mode meets autograd, which cannot save or change it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..describe import first_cut
from ..events import Sink
from ..facts import Facts
from ..report import Finding, Fix, Span
from ..source.edits import rename_call
from .base import Rule
from .claims import INFERENCE, Law

RULE = Rule(
    name="inference-tensor",
    summary="a tensor made in inference mode meets autograd",
    family="in place",
    severity="error",
    fix="`torch.no_grad()` instead of `torch.inference_mode()`",
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
    fix_safety="""\
`torch.no_grad()` instead of `torch.inference_mode()` is *unsafe* only in that what is computed there stays without
gradient, as it was. `.clone()` outside of the block is the other way.""",
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
        lost = first_cut(tensor.node)
        mode = lost.cut.span if lost is not None and lost.cut is not None and lost.cut.kind == "grad-mode" else None
        trace = [
            facts.step(mode, "note", "inference mode is on from here") if facts.here(mode) else None,
            facts.step(made, "source", f"{subject} is an inference tensor") if facts.here(made) else None,
            facts.step(event.site.span, "sink", f"raises: {event.message}"),
        ]
        confidence = facts.confidence_on(event.path)
        yield facts.finding(RULE.name, confidence, message, facts.marked(span), trace, [_no_grad(facts, mode)])
    for sink in facts.events.sinks:
        raised = sink.outcome.raises
        if raised is not None and raised.kind == "inference" and raised.certain and not sink.after_error:
            yield from _gradient(facts, sink)


def _no_grad(facts: Facts, mode: Span | None) -> Fix | None:
    """`torch.no_grad()` in place of `torch.inference_mode()`: no graph either, and an ordinary tensor."""
    call = facts.node_at(mode)
    if not isinstance(call, ast.Call) or call.args or call.keywords:
        return None
    written = facts.source.segment(call.func)
    if not written.endswith(".inference_mode"):
        return None
    edits = rename_call(facts.parsed, call, written.replace("inference_mode", "no_grad"))
    return facts.fix("use `torch.no_grad()` here instead of `torch.inference_mode()`", "unsafe", edits)


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
