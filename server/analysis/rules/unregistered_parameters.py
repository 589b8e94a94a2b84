"""`unregistered-parameters`: layers kept where `parameters()` does not look, so that no optimizer moves them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.tensor import Tensor
from ..facts import Facts
from ..report import Finding, Span
from ..torch_model.modules import is_module, named_parameters
from ..values import DictValue, Instance, ListValue, Value
from .base import Rule

RULE = Rule(
    name="unregistered-parameters",
    summary="layers in a plain list or dict of a module are trained by nobody",
    family="the training step",
    severity="warning",
    fix="no fix: `nn.ModuleList` or `nn.ModuleDict` around them",
    what="""\
Finds layers that a module keeps in a plain `list`, `tuple` or `dict`, when a loss gives them a gradient and an
optimizer holds other parameters of the same module but not theirs.

A module hidden in a list on purpose (a frozen teacher, whose output carries no gradient to a loss) is not reported,
nor are layers whose parameters are handed to the optimizer by hand.""",
    why="""\
`nn.Module` registers what is assigned to an attribute directly: parameters, modules, and the containers of `torch.nn`.
A plain list is an ordinary attribute. The layers in it work in the forward pass and even receive gradients, but
`parameters()` does not yield them: the optimizer never updates them, `.to(device)` leaves them behind, and
`state_dict()` forgets them. The loss still goes down a little, because the registered layers learn.""",
    example="""\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(4, 4), nn.Linear(4, 4)]
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
loss = net(torch.randn(2, 4)).mean()
loss.backward()
optimizer.step()  # moves `out` alone
""",
    instead="""\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
loss = net(torch.randn(2, 4)).mean()
loss.backward()
optimizer.step()
""",
    fix_safety="There is no automatic fix yet; wrapping in `nn.ModuleList` changes the names in saved checkpoints.",
    blind_spots="A module whose optimizer is made in another file is not judged.",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Parameters in plain containers of a module that get a gradient and that no optimizer holds."""
    moved = {id(leaf) for sink in facts.events.sinks for leaf, how in sink.outcome.reach.leaves.items() if how.yes}
    said: set[Span] = set()
    for owner in facts.machine.named:
        if not isinstance(owner, Instance):
            continue
        registered = named_parameters(owner)
        if not any(id(tensor) in facts.held for _, tensor in registered):
            continue
        known = {id(tensor) for _, tensor in registered}
        for name, value in owner.attributes.items():
            hidden = [t for t in _hidden(value) if id(t) not in known]
            lost = [t for t in hidden if id(t) in moved and id(t) not in facts.held]
            span = _assignment(facts, owner, name)
            if not lost or len(lost) != len(hidden) or span is None or span in said:
                continue
            said.add(span)
            kind = "dict" if isinstance(value, DictValue) else "list"
            held = next(item for item in facts.events.held if id(item.tensor) in known)
            message = (
                f"layers in the plain {kind} `{name}` are no parameters of `{owner.cls.name}`: no optimizer moves them"
            )
            trace = [
                facts.step(span, "source", f"a plain {kind}: `parameters()` does not look into it"),
                facts.step(held.site.span, "sink", "the optimizer holds the other parameters only"),
            ]
            yield facts.finding(RULE.name, "likely", message, span, trace)


def _hidden(value: Value) -> list[Tensor]:
    """The parameters of modules directly inside a plain container."""
    items: list[Value] = []
    if isinstance(value, ListValue):
        items = list(value.items)
    elif isinstance(value, tuple):
        items = list(value)
    elif isinstance(value, DictValue):
        items = [*value.items.values(), value.rest]
    return [tensor for item in items if is_module(item) for _, tensor in named_parameters(item)]


def _assignment(facts: Facts, owner: Instance, name: str) -> Span | None:
    """Where the class assigns `self.name`, in the file that is checked."""
    for node in ast.walk(owner.cls.node):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and target.attr == name and facts.parsed.parents.get(node):
                    return facts.source.span(node)
    return None
