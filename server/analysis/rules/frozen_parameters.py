"""`frozen-parameters`: everything that could learn was frozen before the loss."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import Frozen
from ..facts import Facts
from ..report import Finding, Span
from .base import Rule
from .claims import CUT
from .nothing_requires_grad import held_untracked

RULE = Rule(
    name="frozen-parameters",
    summary="everything that could learn was frozen before the loss",
    family="the path is cut",
    severity="error",
    fix="no fix: which part should learn is for a person to say",
    claim=CUT,
    what="""\
Finds a `backward()` on a loss none of whose tensors requires grad because `requires_grad_(False)` or
`requires_grad = False` froze all parameters on the way. Also an optimizer whose steps find every one of its parameters
frozen, and none with a gradient: it never changes anything, whatever else the loss reaches.

Freezing a part of a model, or a model whose input requires grad, is not reported.""",
    why="""\
A parameter with `requires_grad=False` is a constant to autograd: operations on it record nothing. If every parameter
and every input on the way to the loss is a constant, the loss has no `grad_fn`, and `backward()` raises *element 0 of
tensors does not require grad and does not have a grad_fn*.

It happens when a feature extractor is frozen for inspection (saliency, Grad-CAM) and the input was not asked for a
gradient either, or when a freezing loop also covers the new head.""",
    example="""\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
for parameter in model.parameters():
    parameter.requires_grad = False

loss = model(torch.randn(2, 4)).mean()
loss.backward()  # raises: element 0 of tensors does not require grad
""",
    instead="""\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
for parameter in model[0].parameters():
    parameter.requires_grad = False

loss = model(torch.randn(2, 4)).mean()
loss.backward()
print(model[2].weight.grad)
""",
    fix_safety="There is no automatic fix: only a person knows which part should learn.",
    blind_spots="Parameters frozen in another file, or by a condition on their name, may not be seen as frozen.",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Sinks that raise because all parameters on the way were frozen, and optimizers that step with nothing else."""
    told: set[Span] = set()
    for sink, candidates in facts.nothing_trainable:
        frozen = [t for t in candidates if t.is_parameter and facts.frozen_at(t, sink.entry) is not None]
        asked = any(id(t) in facts.read and t not in frozen for t in candidates) or held_untracked(facts, sink)
        if not frozen or sink.after_error or asked:
            continue
        place = _place(facts, facts.frozen_at(frozen[0], sink.entry))
        if place is None:
            continue
        names = facts.leaf_text(frozen)
        are = "is" if len(frozen) == 1 else "are"
        message = f"nothing on the way to {facts.sink_name(sink)} requires grad: {names} {are} frozen here"
        trace = [
            facts.step(place, "cut", "frozen: does not require grad from here"),
            facts.sink_step(sink, "raises: element 0 of tensors does not require grad"),
        ]
        yield facts.finding(RULE.name, facts.confidence(sink), message, facts.marked(place), trace)
        told.add(place)
    yield from _idle_steps(facts, told)


def _place(facts: Facts, frozen: Frozen | None) -> Span | None:
    """Where the flag is set, as seen from this file; of a helper that is told what to set, the call that tells it."""
    span = facts.innermost_here(frozen) if frozen is not None else None
    calls = [site.span for site in reversed(frozen.stack)] if frozen is not None else []
    calls = calls[calls.index(span) + 1 :] if span in calls else calls
    for call in calls:
        node = facts.node_at(span)
        function = facts.enclosing_function(node)
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or not facts.here(call):
            break
        if not _passes_on(facts.parsed.statement_of(node) if node is not None else None, function):
            break
        span = call
    return span


def _passes_on(statement: ast.stmt | None, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the flag that a statement sets, or hands to a call, is a parameter of the function around it."""
    given = function.args
    names = {each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    if isinstance(statement, ast.Assign):
        return isinstance(statement.value, ast.Name) and statement.value.id in names
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    values = [*statement.value.args, *(each.value for each in statement.value.keywords)]
    told = any(isinstance(each, ast.Constant) and isinstance(each.value, bool) for each in values)
    called = statement.value.func
    least = 1 if isinstance(called, ast.Attribute) and called.attr == "requires_grad_" else 2
    return not told and len(values) >= least and isinstance(values[-1], ast.Name) and values[-1].id in names


def _idle_steps(facts: Facts, told: set[Span]) -> Iterator[Finding]:
    """Optimizers that only ever step with frozen parameters."""
    if facts.machine.exhausted or facts.machine.foreign.hides:
        return
    awake: set[int] = set(facts.events.exposed)
    for step in facts.events.steps:
        if not step.frozen or step.open:
            awake |= {id(tensor) for tensor, _ in step.grads}
    for step in facts.events.steps:
        place = _place(facts, step.frozen[-1]) if step.frozen else None
        tensors = [tensor for tensor, _ in step.grads]
        sinks = [s for s in facts.events.sinks[: step.sinks_before] if s.kind == "backward" and s.entry == step.entry]
        if place is None or place in told or step.after_error or not sinks or not awake.isdisjoint(map(id, tensors)):
            continue
        told.add(place)
        names = facts.leaf_text(tensors)
        several = len(tensors) > 1
        message = f"the optimizer never changes {names}: {'they are' if several else 'it is'} frozen"
        trace = [
            facts.step(place, "cut", "frozen: does not require grad from here"),
            facts.sink_step(sinks[-1], f"brings {'them' if several else 'it'} no gradient"),
            facts.step(step.site.span, "note", "finds no gradient and changes nothing"),
        ]
        yield facts.finding(RULE.name, "likely", message, facts.marked(place), trace)
