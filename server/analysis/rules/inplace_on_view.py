"""`inplace-on-view`: an in-place write to a view that autograd cannot follow back to its base."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Facts
from ..report import Finding, Fix
from ..source.edits import assign_detached
from .base import Rule
from .claims import CHANGED, Law

RULE = Rule(
    name="inplace-on-view",
    summary="an in-place write to a view that autograd cannot follow back to its base",
    family="in place",
    severity="error",
    fix="`detach()` for `detach_()`; else none: out of place, or a clone before the write, whichever was meant",
    claim=Law("raises-at", CHANGED),
    what="""\
Finds in-place writes to the outputs of `unbind`, `split` and `chunk` and to the elements a loop over a tensor gives,
and to views made under `torch.no_grad()` that are changed with tracking on. Where the base was changed instead, the
next use of such a view is reported. So is `detach_()` on a view: it would have to cut the base as well.

A write to a single view (`x[0]`, `x.view(-1)`, `x.t()`) of a tensor that is not a leaf is legal and not reported.""",
    why="""\
A write to a view changes its base, so autograd gives the base a new `grad_fn` and derives the view again from it. For
an operation that returns several views at once that is not implemented, and PyTorch raises: *Output 0 of Unbind is a
view and is being modified inplace. This view is the output of a function that returns multiple views*. A view made
without tracking has no recipe to derive it from, which is forbidden too.""",
    example="""\
import torch

x = torch.randn(2, 3, requires_grad=True)
y = x * 2
first, second = y.unbind(0)
first.add_(1)  # raises: a view of a function that returns multiple views
y.sum().backward()
""",
    instead="""\
import torch

x = torch.randn(2, 3, requires_grad=True)
y = x * 2
first, second = y.unbind(0)
first = first + 1
(first + second).sum().backward()
print(x.grad)
""",
    fix_safety="""\
`t = t.detach()` for `t.detach_()` is *unsafe*: other names of the same tensor keep their history. For a write there is
no automatic fix: out of place changes the view only, a write through the base changes both.""",
    blind_spots="Whether `reshape` gives a view or a copy depends on strides, known only where all sizes are.",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Writes to views that autograd forbids."""
    for event in facts.refused("view-inplace", "view-detach"):
        tensor = event.tensor
        name = facts.name_of(tensor) if tensor is not None else ""
        subject = f"`{name}`" if name else "a view"
        made = facts.innermost_here(tensor.node) if tensor is not None and tensor.node is not None else None
        message = f"in-place write involving {subject}, a view that may not be changed in place: PyTorch raises"
        story = f"{subject} is a view made here"
        if not name:
            message, story = "in-place write to a view that may not be changed in place: PyTorch raises", "the view"
        if tensor is not None and tensor.node is not None and tensor.node.name == "BackwardHookFunction":
            what = f"`{name}`, which" if name and made != event.site.span else "what"
            message = f"in-place write to {what} comes through a full backward hook: PyTorch raises"
            story = "a module with a full backward hook takes or gives it as a view"
        fixes: list[Fix | None] = []
        if event.kind == "view-detach":
            message = f"{subject} is a view, which `detach_()` cannot cut from its base: PyTorch raises"
            edits = assign_detached(facts.parsed, facts.statement_at(event.site.span))
            fixes = [facts.fix("write it out of place", "unsafe", edits)]
        trace = [
            facts.step(made, "source", story),
            facts.step(event.site.span, "mutation", f"raises: {event.message}"),
        ]
        confidence = facts.confidence_on(event.path)
        yield facts.finding(RULE.name, confidence, message, facts.marked(event.site.span), trace, fixes)
