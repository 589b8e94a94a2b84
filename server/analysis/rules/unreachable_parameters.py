"""`unreachable-parameters`: an optimizer holds the parameters of a layer that nothing uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache, partial

from ..autograd.tensor import Tensor
from ..events import Step
from ..facts import Facts
from ..report import Finding, Span, TraceStep
from ..source.index import Index, index_of
from ..torch_model.module_tree import children, is_module, named_parameters
from ..values import ClassValue, Instance, Value
from .base import Rule
from .claims import CUT
from .passed_by import PassedBy, passed_by

_BY_NAME = frozenset(
    {"__dict__", "__getattr__", "_modules", "_parameters", "children", "named_children"}
    | {"get_submodule", "get_parameter", "find_unused_parameters"}
)
"""Ways to use a layer without writing its name; and the flag of those who know that they have unused ones."""
_UPKEEP = frozenset(
    {"parameters", "named_parameters", "to", "cuda", "cpu", "half", "float", "double", "train", "eval", "zero_grad"}
    | {"apply", "state_dict", "load_state_dict", "requires_grad_"}
)

_PROGRAM = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.relu(self.{layer}(x))
        return self.out(x)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    loss = net(torch.randn(2, 4)).mean()
    loss.backward()
    optimizer.step()
"""
RULE = Rule(
    name="unreachable-parameters",
    summary="an optimizer holds the parameters of a layer that no loss reaches",
    family="the training step",
    severity="warning",
    fix="no fix: use the layer, or leave it out",
    claim=CUT,
    what="""\
Finds a layer (or an `nn.Parameter`) whose parameters an optimizer holds and steps with, while no loss of the program
depends on them and the layer is used nowhere: an attribute that no method but `__init__` reads, or a module in a
variable that is only moved, counted and handed to optimizers. The finding sits where the layer is made.

Also finds an optimizer whose parameters never get a gradient because a copy of them learns in their place
(`copy.deepcopy`, `load_state_dict`): the copy of an inner loop that the outer loop's optimizer does not see, a model
that was copied under its own name after the optimizer was made, an optimizer of the target network. The finding sits on
the copy.

A layer that is used in some branch, a second head, a stage or for evaluation only is not reported, nor is a frozen one,
one whose weight is shared with a layer in use, and any layer of a program that finds its layers by name (`getattr`,
`children()`) or sets `find_unused_parameters`.""",
    why="""\
Their `.grad` is None at every step, and the optimizer skips them. Nothing raises, so a layer that was written and
then forgotten in `forward` (or a `forward` that uses the first layer twice) trains without it. On several GPUs the same
program stops: `DistributedDataParallel` waits for gradients that never come.""",
    example=_PROGRAM.format(layer="first"),
    instead=_PROGRAM.format(layer="second"),
    fix_safety="There is no automatic fix: whether the layer should be used or left out only its author knows.",
    blind_spots="""\
- A layer that is called, and whose result goes nowhere, is not reported: it may be there for evaluation.
- The optimizer, its steps and the model's class have to be in the file; steps of trainers of frameworks are not seen.
- A program that is too large to be run to its end by the analysis is not judged.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Unused layers and parameters of modules of the file, then unused modules in variables."""
    if facts.machine.exhausted or facts.machine.foreign.hides or not facts.events.steps:
        return
    for found in passed_by(facts):
        yield _copied(facts, found)
    unused = list(_unused(facts, _dead(facts)))
    if unused and not any(_uses_names(index_of(each)) for each in facts.parsed.tree.body):
        yield from unused


def _unused(facts: Facts, dead: dict[int, Step]) -> Iterator[Finding]:
    if not dead:
        return
    told: set[int] = set()
    alive: dict[int, bool] = {}
    # There may be many instances of one class.
    is_own = cache(partial(_is_own, facts))
    made_in_init = cache(partial(_made_in_init, facts))
    for value in facts.machine.named:
        if isinstance(value, Instance) and is_module(value) and is_own(value.cls):
            for name, part in value.attributes.items():
                lost = _all_dead(part, dead, alive)
                span = made_in_init(value.cls, name) if lost and not told & {id(t) for t in lost} else None
                if span is not None:
                    told |= {id(t) for t in lost}
                    yield _finding(facts, f"`{name}` of `{value.cls.name}` is used by no method", lost, span, dead)
    for value in facts.machine.named:
        lost = _all_dead(value, dead, alive)
        span = _made_in_variable(facts, value, lost) if lost and not told & {id(t) for t in lost} else None
        if span is not None:
            told |= {id(t) for t in lost}
            yield _finding(facts, f"`{value.name}` is used nowhere", lost, span, dead)


def _copied(facts: Facts, found: PassedBy) -> Finding:
    whom = facts.leaf_text([found.held])
    message = f"the gradient goes to {facts.leaf_text([found.learning])} and stops there: {whom}, which the optimizer"
    message += " steps with, never gets one, because this copies the values without their history"
    holders = [held.site.span for held in facts.events.held if held.tensor is found.held]
    sinks = [sink for sink in facts.events.sinks[: found.step.sinks_before] if sink.kind == "backward"]
    trace: list[TraceStep | None] = [
        *facts.source_steps([found.held]),
        facts.step(holders[0], "note", "the optimizer holds the parameters") if holders else None,
        facts.step(found.span, "cut", "a copy: its gradients are its own"),
        facts.sink_step(sinks[-1], "reaches one of the two only") if sinks else None,
        facts.step(found.step.site.span, "note", "finds no gradient"),
    ]
    return facts.finding(RULE.name, "likely", message, facts.marked(found.span), trace)


def _uses_names(index: Index) -> bool:
    """Whether a statement finds attributes by name, or knows of unused parameters."""
    return (
        not index.names.isdisjoint(("getattr", "vars", "eval", "exec"))
        or not index.keywords.isdisjoint(_BY_NAME)
        or not index.functions.isdisjoint(_BY_NAME)
        or any(name in index.attributes for name in _BY_NAME)
    )


def _dead(facts: Facts) -> dict[int, Step]:
    """Parameters without a gradient in every step that holds them, where others had one; with the last such step."""
    found: dict[int, Step] = {}
    alive: set[int] = set(facts.reached | facts.events.exposed | facts.read)
    alive |= {id(s.leaf) for sink in facts.events.sinks for s in facts.severed_by(sink)}
    for step in facts.events.steps:
        learns = any(grad.present.yes for _, grad in step.grads)
        for tensor, grad in step.grads:
            usual = tensor.is_parameter and tensor.requires_grad.yes and not tensor.group and not tensor.note
            if step.open or step.after_error or step.entry != "module" or not usual or not grad.present.no:
                alive.add(id(tensor))
            elif learns:
                found[id(tensor)] = step
    return {key: step for key, step in found.items() if key not in alive}


def _holds_another(part: Value, dead: dict[int, Step], known: dict[int, bool]) -> bool:
    """Whether a module holds a parameter that is not dead, which most do; `known` are the answers so far."""
    found = known.get(id(part))
    if found is None:
        known[id(part)] = False  # What holds itself holds nothing more by that.
        found = known[id(part)] = any(
            type(value) is Tensor and value.is_parameter and id(value) not in dead for value in part.attributes.values()
        ) or any(is_module(child) and _holds_another(child, dead, known) for _, child in children(part))
    return found


def _all_dead(part: Value, dead: dict[int, Step], known: dict[int, bool]) -> list[Tensor]:
    """The parameters of a layer when all of them are dead; empty otherwise."""
    if known.get(id(part)):
        return []
    if isinstance(part, Tensor):
        tensors = [part] if part.is_parameter else []
    elif not is_module(part) or _holds_another(part, dead, known):
        return []
    else:
        tensors = [tensor for _, tensor in named_parameters(part)]
    return tensors if all(id(tensor) in dead for tensor in tensors) else []


def _is_own(facts: Facts, cls: ClassValue) -> bool:
    """Whether all of a class is in the file that is checked, but for what `nn.Module` gives it."""
    order = cls.mro()
    own = [entry for entry in order if isinstance(entry, ClassValue)]
    return (
        cls.unknown_base() is None
        and all(entry.module.path == facts.path for entry in own)
        and set(cls.torch_bases()) <= {"torch.nn.Module", "torch.nn.modules.module.Module"}
    )


def _made_in_init(facts: Facts, cls: ClassValue, name: str) -> Span | None:
    """Where `__init__` makes an attribute that nothing but `__init__` reads; None if anything does."""
    made: Span | None = None
    indices = [index_of(each) for each in facts.parsed.tree.body]
    if any(name in index.words for index in indices):
        return None
    for node in [node for index in indices for node in index.attributes.get(name, ())]:
        function = facts.enclosing_function(node)
        if not isinstance(function, ast.FunctionDef) or function.name != "__init__":
            return None
        statement = facts.parsed.statement_of(node)
        own = facts.parsed.parents.get(function) is cls.node and isinstance(node.ctx, ast.Store)
        if own and isinstance(statement, (ast.Assign, ast.AnnAssign)) and made is None:
            made = facts.source.span(statement)
    return made


def _made_in_variable(facts: Facts, value: Value, lost: list[Tensor]) -> Span | None:
    """Where a variable is given a module that is only kept up: moved, counted, handed to optimizers."""
    statement = facts.statement_at(lost[0].origin)
    name = getattr(value, "name", "")
    if not name.isidentifier() or not isinstance(statement, ast.Assign):
        return None
    if [facts.text(each) for each in statement.targets] != [name]:
        return None
    scope = facts.enclosing_function(statement) or facts.parsed.tree
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and node.id == name and node is not statement.targets[0]:
            above = facts.parsed.parents.get(node)
            call = facts.parsed.parents.get(above) if isinstance(above, ast.Attribute) else None
            kept_up = isinstance(above, ast.Attribute) and above.attr in _UPKEEP and isinstance(call, ast.Call)
            if not kept_up and not (isinstance(node.ctx, ast.Store) and _moved(facts, node, name)):
                return None
    return facts.source.span(statement)


def _moved(facts: Facts, node: ast.AST, name: str) -> bool:
    """`net = net.to(device)`."""
    statement = facts.parsed.statement_of(node)
    value = statement.value if isinstance(statement, ast.Assign) else None
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and facts.text(value.func.value) == name
    )


def _finding(facts: Facts, what: str, lost: list[Tensor], span: Span, dead: dict[int, Step]) -> Finding:
    step = dead[id(lost[0])]
    holders = [held.site.span for held in facts.events.held if held.tensor is lost[0]]
    sinks = [sink for sink in facts.events.sinks[: step.sinks_before] if sink.kind == "backward"]
    trace: list[TraceStep | None] = [
        facts.step(span, "source", "its parameters are made here"),
        facts.step(holders[0], "note", "the optimizer holds them") if holders else None,
        facts.sink_step(sinks[-1], "does not reach them") if sinks else None,
    ]
    return facts.finding(RULE.name, "likely", f"{what}: its parameters never get a gradient", span, trace)
