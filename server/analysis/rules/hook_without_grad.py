"""`hook-without-grad`: a hook or `retain_grad()` on a tensor that gets no gradient."""

from __future__ import annotations

from collections.abc import Iterator

from ..autograd.graph import Node
from ..describe import cut_words, first_cut
from ..events import Forbidden
from ..facts import Facts
from ..report import Finding, Span
from .base import Rule
from .claims import HOOK, Law
from .no_grad_block import place_in, with_of
from .nothing_requires_grad import creation_fix

RULE = Rule(
    name="hook-without-grad",
    summary="`retain_grad()` or a hook on a tensor that does not require grad raises",
    family="reading the gradient",
    severity="error",
    fix="`requires_grad=True` where the tensor is created, if that is in sight",
    claim=Law("raises-at", HOOK),
    what="""\
Finds `t.retain_grad()`, `t.register_hook(...)` and `t.register_post_accumulate_grad_hook(...)` on a tensor that
surely does not require grad: a plain tensor, or a result that was computed from plain tensors, detached, or made under
`torch.no_grad()`. The trace shows where it was made, and where it was cut.

Hooks of modules (`register_forward_hook`, `register_full_backward_hook`) are another thing and not reported.""",
    why="""\
Both ask for a gradient that is to come. No gradient comes to a tensor that does not require grad, so a hook on it
would never be called; PyTorch says so at once: *cannot register a hook on a tensor that doesn't require gradient*,
*can't retain_grad on Tensor that has requires_grad=False*.

This is often the first place that notices a cut further up: activations that are kept for a picture of what a
network looks at, computed under `torch.no_grad()` or by a network whose parameters are frozen.""",
    example="""\
import torch

x = torch.randn(3)
features = x * 2
features.retain_grad()  # raises: can't retain_grad on Tensor that has requires_grad=False
""",
    instead="""\
import torch

x = torch.randn(3, requires_grad=True)
features = x * 2
features.retain_grad()
features.sum().backward()
print(features.grad)
""",
    fix_safety="""\
Setting `requires_grad=True` at the creation of the tensor itself is *unsafe*: another tensor may be the one that was
meant. For a result there is no automatic fix.""",
    blind_spots="A tensor of which it is not known whether it requires grad: the rule stays silent.",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Hooks that PyTorch refuses, at the call that asks for one."""
    for event in facts.refused("hook"):
        yield _finding(facts, event)


def _finding(facts: Facts, event: Forbidden) -> Finding:
    tensor = event.tensor
    name = facts.name_of(tensor) if tensor is not None else ""
    subject = f"`{name}`" if name else "a tensor"
    node = tensor.node if tensor is not None else None
    made = facts.innermost_here(node) if node is not None else tensor.origin if tensor is not None else None
    lost = first_cut(node)
    asks = "`retain_grad()`" if "retain_grad" in event.message else "a hook"
    message = f"{asks} on {subject}, which does not require grad: PyTorch raises"
    trace = [
        facts.step(facts.innermost_here(lost), "cut", cut_words(lost.cut)) if lost and lost.cut else None,
        facts.step(facts.marked(made), "source", f"{subject} is made here and does not require grad") if made else None,
        facts.step(event.site.span, "sink", f"raises: {event.message}"),
    ]
    fix = creation_fix(facts, tensor) if tensor is not None and node is None else None
    place = _in_the_block(facts, event, lost) or event.site.span
    return facts.finding(RULE.name, facts.confidence_on(event.path), message, facts.marked(place), trace, [fix])


def _in_the_block(facts: Facts, event: Forbidden, lost: Node | None) -> Span | None:
    """The statement under `no_grad` that ends at a hook asked for elsewhere, in what it calls."""
    if lost is None or lost.cut is None or lost.cut.kind != "grad-mode" or lost.cut.function is not None:
        return None
    block = with_of(facts, facts.node_at(lost.cut.span)) if facts.here(lost.cut.span) else None
    if block is None or facts.enclosing_function(block) is facts.enclosing_function(facts.node_at(event.site.span)):
        return None
    return place_in(facts, lost, block)
