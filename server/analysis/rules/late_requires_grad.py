"""`late-requires-grad`: a loss that has no graph is told to require grad, so that `backward()` stops complaining."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..autograd.reach import constants
from ..autograd.tensor import Tensor
from ..describe import cut_words
from ..events import Flagged, Sink
from ..facts import Cause, Facts
from ..late import without_flags
from ..report import Finding, Fix, Span
from ..source.edits import drop_method_call
from .base import Rule
from .claims import CUT
from .no_grad_block import block_fixes, place_in, with_of
from .nothing_requires_grad import choose, creation_fix

RULE = Rule(
    name="late-requires-grad",
    summary="`requires_grad_()` on a value computed without a graph: the error goes away, the gradient does not come",
    family="the path is cut",
    severity="error",
    fix="remove the cut instead, and the flag with it",
    claim=CUT,
    what="""\
Finds a `backward()` that starts from a tensor on which `requires_grad_()` or `requires_grad = True` was set after it
had been computed without a graph. The finding sits on the flag; the trace shows where the graph was lost, or what was
never trainable.

A computed tensor that is meant to be a leaf (an adversarial input, a mask, a `detach().requires_grad_()` between two
halves of a model) is not reported: something is computed from it, and its `.grad` is what is wanted. Where such a new
leaf stands in the middle of a path, the finding sits on the cut before it.""",
    why="""\
*element 0 of tensors does not require grad and does not have a grad_fn* says that the loss does not depend on anything
trainable, as far as autograd knows. Setting the flag on the loss makes it a leaf, so that `backward()` has somewhere to
put a gradient: into `loss.grad`, which is 1. What the loss was computed from is not remembered, and no parameter gets
anything. The error was right, and it is gone.""",
    example="""\
import torch
from torch import nn

model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with torch.no_grad():
    output = model(torch.randn(4, 3))
loss = output.pow(2).mean()
loss.requires_grad = True  # backward() does not raise any more
loss.backward()
optimizer.step()  # and the model does not learn
""",
    instead="""\
import torch
from torch import nn

model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
output = model(torch.randn(4, 3))
loss = output.pow(2).mean()
loss.backward()
optimizer.step()
""",
    fix_safety="""\
Removing the cut (`.detach()`, `.data`, the `torch.no_grad()` block) and the flag together is *unsafe*: more of the
program is differentiated from then on. Setting `requires_grad=True` where a tensor is made, in place of the flag, is
offered where that tensor's `.grad` is read. Parameters that were frozen, and values that left torch, are for a person
to look at.""",
    blind_spots="""\
- A loss made anew with the flag, `torch.tensor(loss.item(), requires_grad=True)`, is `rewrapped-tensor`.
- Where it depends on a branch or on unknown code whether the value has a graph, the rule is silent.
- A flag on a value in the middle of a function whose result goes elsewhere: somebody may read that value's `.grad`.""",
)


_TOO = {True: " and the late flag", False: ", and drop the late flag"}


def check(facts: Facts) -> Iterator[Finding]:
    """Backwards that start from a late leaf; one finding per flag."""
    told: set[Span] = set()
    for sink in facts.events.sinks:
        flags = facts.flags_of(sink)
        if sink.after_error or not flags or flags[0].site.span in told:
            continue
        causes = facts.lost_behind(sink)
        never = [] if causes else _never_trainable(facts, sink)
        span = flags[0].site.span
        if not facts.here(span) or not (causes or never):
            continue
        told.add(span)
        yield _finding(facts, sink, flags, causes, never)


def _never_trainable(facts: Facts, sink: Sink) -> list[Tensor]:
    """What the loss was computed from, if some of it should learn: its gradient is read, or it is a parameter."""
    found = constants(sink.outcome.roots)
    return [t for t in found if id(t) in facts.read] or [t for t in found if t.is_parameter]


def _finding(facts: Facts, sink: Sink, flags: list[Flagged], causes: list[Cause], never: list[Tensor]) -> Finding:
    span = flags[0].site.span
    name = facts.sink_name(sink)
    lost = [leaf for cause in causes for leaf in cause.leaves]
    whom, does = facts.leaf_text(lost or never), "do" if len(lost or never) > 1 else "does"
    message = f"{name} is told to require grad after it was computed without a graph: no gradient reaches {whom}"
    cuts = [facts.step(_place(facts, cause), "cut", cut_words(cause.why)) for cause in causes]
    made = [
        facts.step(facts.marked(tensor.origin), "source", f"{whom} {does} not require grad")
        for tensor in never[:1]
        if tensor.origin is not None
    ]
    trace = [
        *facts.source_steps(lost),
        *made,
        *cuts,
        facts.step(facts.marked(span), "note", f"{name} becomes a leaf: the error goes away, the graph does not come"),
        facts.sink_step(sink, f"raises nothing, and ends at {name}"),
    ]
    sure = all(cause.confidence == "certain" for cause in causes) and not any(id(s.leaf) in facts.reached for s in lost)
    confidence = facts.confidence_on(sink.path, sure)
    fixes = _fixes(facts, sink, flags, causes, never)
    return facts.finding(RULE.name, confidence, message, facts.marked(span), trace, fixes)


def _place(facts: Facts, cause: Cause) -> Span | None:
    """Where a cut is seen: in the block that switched tracking off, else at the operation."""
    block = with_of(facts, facts.node_at(cause.why.span))
    return place_in(facts, cause.cut, block) if block is not None else facts.innermost_here(cause.cut)


def _fixes(
    facts: Facts, sink: Sink, flags: Sequence[Flagged], causes: list[Cause], never: list[Tensor]
) -> list[Fix | None]:
    found: list[Fix | None] = []
    if not causes:
        chosen = choose(facts, [t for t in never if facts.here(t.origin)])
        found = [creation_fix(facts, chosen)] if chosen is not None else []
    elif causes[0].why.kind in ("detach", "data") and len(causes) == 1:
        node = facts.node_at(causes[0].cut.span)
        if isinstance(node, (ast.Call, ast.Attribute)):
            title = f"drop `{causes[0].why.detail}`"
            found = [facts.fix(title, "unsafe", drop_method_call(facts.parsed, node))]
    elif all(c.why.kind == "grad-mode" and c.why.function is None and c.why.span == causes[0].why.span for c in causes):
        block, place = with_of(facts, facts.node_at(causes[0].why.span)), _place(facts, causes[0])
        if place is not None:
            # With several values lost in the block only dropping it brings all of them back.
            found = block_fixes(facts, block, place, causes[0].why.detail)[0 if len(causes) == 1 else 1 :]
    return [
        Fix(f"{fix.title}{_TOO[fix.title.startswith('drop')]}", "unsafe", fix.edits)
        for fix in (without_flags(facts, each, flags) for each in found)
        if fix is not None
    ]
