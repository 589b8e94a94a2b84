"""`non-leaf-copy`: `copy.deepcopy` of a tensor that autograd computed, or of what holds one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..events import Forbidden
from ..facts import Facts
from ..report import Finding, Fix
from ..source.edits import append_call, edit
from .base import Rule
from .claims import Law

RULE = Rule(
    name="non-leaf-copy",
    summary="`copy.deepcopy` of a computed tensor, or of a module that keeps one: only leaves can be copied so",
    family="life of the graph",
    severity="error",
    fix="`detach()` what is kept; `y.detach().clone()` for the copy of a tensor",
    claim=Law("raises", (r"support the deepcopy protocol",)),
    what="""\
Finds `copy.deepcopy(y)` where `y` surely is the result of a tracked operation, and `copy.deepcopy(model)` where an
attribute of the model (or a list or dict in one) holds such a result: features that `forward` or a hook keeps, a
hidden state, a penalty that was stored for the loss. The finding then sits where the tensor is kept, if that is one
place in this file, because that is where something can be done about it; the trace shows the copy that raises.

Parameters, buffers and everything computed under `torch.no_grad()` are copied without complaint, and not reported.""",
    why="""\
A deep copy of a result would need a copy of the graph behind it, with all that was saved in it and the parameters at
its end, and then which of the two sets of parameters should learn? PyTorch does not guess: *Only Tensors created
explicitly by the user (graph leaves) support the deepcopy protocol at the moment*.

It is met when a model is copied after it has run once: for an average of its weights, a target network, the best model
so far, a worker of its own. The copy worked before the first batch, and the tensor that stands in its way is one that
`forward` has left in an attribute. What is kept to be looked at later needs no history: `self.features =
features.detach()`. That also lets the graph of the last batch go, which the attribute keeps alive until the next.""",
    example="""\
import copy

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, x):
        self.features = self.body(x).relu()
        return self.head(self.features)


net = Net()
net(torch.randn(2, 4)).sum().backward()
best = copy.deepcopy(net)  # raises: only graph leaves support the deepcopy protocol
""",
    instead="""\
import copy

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, x):
        features = self.body(x).relu()
        self.features = features.detach()
        return self.head(features)


net = Net()
net(torch.randn(2, 4)).sum().backward()
best = copy.deepcopy(net)
""",
    fix_safety="""\
`detach()` where a tensor is kept is *unsafe*: a loss that is computed from the attribute gets no gradient through it
any more. It is not offered where the program reads the attribute: then a local name for the result, kept detached, is
what one would write by hand. `y.detach().clone()` in place of `copy.deepcopy(y)` is *unsafe* for the same reason.""",
    blind_spots="""\
- Classes with a `__deepcopy__` of their own, or with a base that is not seen, and copies by `pickle` (which raise in
  other words).
- A tensor that may be a leaf, because a branch or unknown code decides: the rule stays silent.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Deep copies that PyTorch refuses; at the statement that keeps the tensor where it is kept in an object."""
    for event in facts.refused("deepcopy"):
        tensor = event.tensor
        name = facts.name_of(tensor) if tensor is not None else ""
        kept = _keeping(facts, event)
        call = event.site.node
        what = facts.text(call.args[0]) if isinstance(call, ast.Call) and call.args else "it"
        if event.held_as:
            held = facts.text(kept.targets[0]) if kept is not None else event.held_as
            message = f"`{held}` keeps a computed tensor, so `copy.deepcopy` of `{what}` raises"
            role = f"`{held}` keeps it, with the graph behind it"
        else:
            message = f"`{name or what}` is computed, and only a leaf can be deep-copied: PyTorch raises"
            role = ""
        made = facts.innermost_here(tensor.node) if tensor is not None and tensor.node is not None else None
        trace = [
            facts.step(made, "source", "this tensor is computed, and has a grad_fn"),
            facts.step(facts.source.span(kept), "note", role) if kept is not None else None,
            facts.step(event.site.span, "sink", f"raises: {event.message}"),
        ]
        span = facts.source.span(kept) if kept is not None else facts.marked(event.site.span)
        yield facts.finding(
            RULE.name, facts.confidence_on(event.path), message, span, trace, [_fix(facts, event, kept)]
        )


def _keeping(facts: Facts, event: Forbidden) -> ast.Assign | None:
    """The one statement of the file that puts something computed into the attribute that holds the tensor."""
    if not event.held_as:
        return None
    found = [
        node
        for node in ast.walk(facts.parsed.tree)
        if isinstance(node, ast.Assign)
        and any(_attribute(target) == event.held_as for target in node.targets)
        and not isinstance(node.value, (ast.Constant, ast.List, ast.Dict))
    ]
    return found[0] if len(found) == 1 else None


def _attribute(target: ast.expr) -> str:
    """The attribute that an assignment sets, itself or an element of it."""
    while isinstance(target, ast.Subscript):
        target = target.value
    return target.attr if isinstance(target, ast.Attribute) else ""


def _fix(facts: Facts, event: Forbidden, kept: ast.Assign | None) -> Fix | None:
    call = event.site.node
    if kept is not None:
        reads = (n for n in ast.walk(facts.parsed.tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load))
        stores = {id(part) for target in kept.targets for part in ast.walk(target)}
        if len(kept.targets) > 1 or any(n.attr == event.held_as and id(n) not in stores for n in reads):
            return None
        return facts.fix(
            f"keep `{facts.text(kept.targets[0])}` without its history",
            "unsafe",
            append_call(facts.parsed, kept.value, ".detach()"),
        )
    if event.held_as or not isinstance(call, ast.Call) or len(call.args) != 1:
        return None
    if not isinstance(call.args[0], (ast.Name, ast.Attribute)) or facts.statement_at(event.site.span) is None:
        return None
    text = f"{facts.text(call.args[0], 80)}.detach().clone()"
    start, end = facts.source.offsets(call)
    return facts.fix(f"write `{text}`", "unsafe", (edit(facts.parsed, start, end, text),))
