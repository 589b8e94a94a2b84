"""`grad-without-path`: `.grad` is read on a leaf that no loss ever reached."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import Node
from ..events import Forbidden, GradRead
from ..facts import Facts
from ..report import Finding, Span
from .base import Rule
from .claims import HOOK, NO_GRAD, Law
from .device_move_leaf import only_asked
from .function_none_gradient import denied
from .non_leaf_grad import lost_leaf

RULE = Rule(
    name="grad-without-path",
    summary="`.grad` is read on a tensor from which no way leads to the loss: it is `None`",
    family="reading the gradient",
    severity="error",
    fix="no fix: only the author knows where the tensor was meant to enter the loss",
    claim=Law("unread", (*NO_GRAD, *HOOK)),
    what="""\
Finds a read of `.grad`, after a `backward()`, on a leaf that requires grad and that none of the losses so far was
computed from; and an input of `torch.autograd.grad` which the outputs do not depend on. The finding sits on the read
(or on the call).

When the tensor does lead to the loss but the way is cut, the rule of the cut reports it at the cut. Before the
first `backward()` every `.grad` is `None`, and a test such as `if p.grad is not None:` expects that; neither is
reported.""",
    why="""\
`backward()` fills `.grad` of the leaves it reaches and leaves all others alone. There is no error for a leaf that was
not reached: its `.grad` simply stays `None`, and the next arithmetic on it fails with a message about `NoneType`.
`torch.autograd.grad` is stricter and raises *One of the differentiated Tensors appears to not have been used in the
graph*.

The usual stories: a forgotten term (the bias was created and never added), a name that was overwritten so that the loss
uses another tensor, a copy (`copy.deepcopy`, a fresh `nn.Parameter`) of which the wrong one is asked, a branch that
was not taken.""",
    example="""\
import torch

weight = torch.randn(3, requires_grad=True)
bias = torch.zeros(3, requires_grad=True)
x = torch.randn(3)
loss = (weight * x).sum()  # `bias` was forgotten
loss.backward()
print(weight.grad)
print(bias.grad)  # None
""",
    instead="""\
import torch

weight = torch.randn(3, requires_grad=True)
bias = torch.zeros(3, requires_grad=True)
x = torch.randn(3)
loss = (weight * x + bias).sum()
loss.backward()
print(weight.grad)
print(bias.grad)
""",
    fix_safety="""\
There is no automatic fix. A tensor can enter a loss in many ways, and a guess would change what is computed.""",
    blind_spots="""\
- A tensor that goes into an unknown call may reach the loss there; the rule stays silent.
- A tensor that is used in one branch of an `if` only may or may not have a gradient; not reported.
- Parameters which an optimizer holds and no loss reaches, but whose `.grad` nobody reads, are another rule's
  subject.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Reads of `.grad` of leaves that no backward so far has reached, and unused inputs of `autograd.grad`."""
    present_somewhere = {r.site.span for r in facts.events.reads if r.present.possible}
    for event in facts.events.reads:
        if not _is_missing(facts, event) or event.site.span in present_somewhere or not facts.here(event.site.span):
            continue
        name = facts.name_of(event.tensor)
        subject = f"`{name}`" if name else facts.value_name(event.site.span)
        rebound = _rebound(facts, event)
        if rebound is not None:
            message = f"{subject} is a new tensor here: the leaf is not updated, and the new one has no `.grad`"
        elif event.requires_grad.no:
            message = f"`.grad` of {subject} is None: it does not require grad"
        else:
            message = f"`.grad` of {subject} is None: no backward before this line reaches it"
        trace = [
            facts.step(facts.marked(event.tensor.origin), "source", f"{subject} is made here")
            if event.tensor.origin
            else None,
            *[
                facts.step(s.site.span, "note", f"does not reach {subject}")
                for s in facts.events.sinks[: event.sinks_before][-2:]
            ],
            facts.step(event.site.span, "sink", "`.grad` is None"),
        ]
        confidence = facts.confidence_on(event.path, event.sure)
        yield facts.finding(RULE.name, confidence, message, facts.marked(rebound or event.site.span), trace)
    for forbidden in facts.events.forbidden:
        if forbidden.kind == "untracked-input" and forbidden.certain and not forbidden.after_error:
            yield from _untracked_input(facts, forbidden)
        if forbidden.kind != "unused-input" or forbidden.after_error or not facts.here(forbidden.site.span):
            continue
        if _handed_in(facts, forbidden):
            continue
        if any(s.leaf is forbidden.tensor and c.sink.kind == "grad" for c in facts.causes for s in c.leaves):
            # The outputs were computed from it, and what cut them off is told.
            continue
        name = facts.name_of(forbidden.tensor) if forbidden.tensor is not None else ""
        subject = f"`{name}`" if name else "an input"
        message = f"{subject} is not used by the outputs of `autograd.grad`: PyTorch raises"
        trace = [facts.step(forbidden.site.span, "sink", f"raises: {forbidden.message}")]
        confidence = facts.confidence_on(forbidden.path)
        yield facts.finding(RULE.name, confidence, message, facts.marked(forbidden.site.span), trace)


def _handed_in(facts: Facts, event: Forbidden) -> bool:
    """Whether the outputs come from what a function is given that nobody calls, and the input was there before: what a
    caller hands in (`agent.update(loss)`) may be made of it (`self.context`)."""
    function = facts.enclosing_function(statement) if (statement := facts.statement_at(event.site.span)) else None
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or event.tensor is None:
        return False
    made, last = event.tensor.origin, function.end_lineno or function.lineno
    if made is not None and facts.here(made) and function.lineno <= made.start.line <= last:
        return False
    return any(
        leaf.note in ("symbolic", "unknown")
        for sink in facts.events.sinks
        if sink.site is event.site
        for leaf in sink.outcome.reach.leaves
    )


def _untracked_input(facts: Facts, event: Forbidden) -> Iterator[Finding]:
    """An input of `autograd.grad`, or of `backward(inputs=...)`, that requires no grad, told where it is made."""
    tensor = event.tensor
    if tensor is None:
        return
    span = facts.innermost_here(tensor.node) if tensor.node is not None else tensor.origin
    made = span if facts.here(span) else None
    if made is None and not facts.here(event.site.span):
        return
    name = facts.name_of(tensor)
    subject = f"`{name}`" if name else "an input"
    asks = "`backward(inputs=...)`" if "retain_grad" in event.message else "`autograd.grad`"
    message = f"{subject} does not require grad, so {asks} has nothing to differentiate for it: PyTorch raises"
    trace = [
        facts.step(facts.marked(made), "source", f"{subject} is made here and does not require grad") if made else None,
        facts.step(event.site.span, "sink", f"raises: {event.message}"),
    ]
    confidence = facts.confidence_on(event.path)
    yield facts.finding(RULE.name, confidence, message, facts.marked(made or event.site.span), trace)


def _rebound(facts: Facts, event: GradRead) -> Span | None:
    """Where an update without tracking made a new tensor (`w = w - lr * w.grad`), whose `.grad` is used as if it were
    the leaf's (`w.grad.zero_()`: nothing to clear, PyTorch raises); None otherwise."""
    if not event.requires_grad.no or event.node is None or not event.node.tracked.no:
        return None
    parent = facts.parsed.parents.get(event.site.node) if event.site.node is not None else None
    if only_asked(facts, event) and not (isinstance(parent, ast.Attribute) and parent.attr == "zero_"):
        return None
    return lost_leaf(facts, event.tensor, event.node) or _taken_name(facts, event.node)


def _taken_name(facts: Facts, node: Node) -> Span | None:
    """The statement of `node`, if it gives the name of a leaf it reads to its result (`p = p - lr * p.grad`)."""
    place = facts.statement_at(node.span)
    if not isinstance(place, ast.Assign) or len(place.targets) != 1 or not isinstance(place.targets[0], ast.Name):
        return None
    target = place.targets[0].id
    reads = any(isinstance(n, ast.Name) and n.id == target for n in ast.walk(place.value))
    leaf = any(e.tensor is not None and e.node is None and e.tensor.requires_grad.yes for e in node.edges)
    return node.span if reads and leaf else None


def _is_missing(facts: Facts, event: GradRead) -> bool:
    tensor = event.tensor
    if not event.leaf.yes or not event.present.no or not event.sinks_before or tensor.note or tensor.group:
        return False
    if (only_asked(facts, event) and _rebound(facts, event) is None) or tensor.grad.by is not None:
        return False
    node = event.site.node
    if tensor.is_parameter and not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute)):
        # In a loop over parameters a missing gradient is no news; `net.spare.weight.grad` is written on purpose.
        return False
    sinks = facts.events.sinks[: event.sinks_before]
    if any(s.after_error or s.outcome.raises is not None for s in sinks):
        return False
    if any(leaf is tensor for each in denied(facts) for leaf in each.leaves):
        return False
    if id(tensor) in facts.behind_flags:
        return False
    if id(tensor) in facts.reached or id(tensor) in facts.events.exposed:
        # Reached by a later backward, or cleared in between: not a question of the path. And code that is not known may
        # have sent a backward to what it was given.
        return False
    parent = facts.parsed.parents.get(node) if isinstance(node, ast.Attribute) else None
    if isinstance(parent, ast.Assign) and node in parent.targets:
        return False
    if event.requires_grad.no:
        return tensor.floating.yes and tensor.origin is not None and not any(s.kind == "grad" for s in sinks)
    return not any(s.leaf is tensor for sink in sinks for s in facts.severed_by(sink))
