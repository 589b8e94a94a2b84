"""Plain tensors that a module keeps as attributes and that are made to learn: for `unregistered-parameters`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.tensor import Tensor
from ..events import Sink
from ..facts import Facts
from ..report import Finding, Span
from ..torch_model.module_tree import modules, named_parameters
from ..values import Instance

_FIRST_VALUES = frozenset("zeros ones full empty eye rand randn normal tensor Tensor FloatTensor Variable".split())
_NUMBERS = (ast.Constant, ast.List, ast.Tuple, ast.UnaryOp, ast.USub, ast.UAdd, ast.Load)


def plain_tensors(facts: Facts, rule: str) -> Iterator[Finding]:
    """`self.w = torch.ones(3, requires_grad=True)`: a loss gives it a gradient, and no optimizer holds it.

    Who means to use the gradient in another way reads it, asks `autograd.grad` for it, hangs a hook on it, or hands the
    tensor to somebody.
    """
    steps, machine = facts.events.steps, facts.machine
    if not steps or any(step.open for step in steps):
        return
    if machine.exhausted or machine.crashes or machine.foreign.hides:
        return
    moved: dict[int, Sink] = {}
    for sink in facts.events.sinks:
        if sink.kind == "backward" and not sink.after_error and sink.outcome.raises is None:
            leaves = sink.outcome.reach.leaves.items()
            moved |= {id(t): sink for t, how in leaves if how.yes and not t.is_parameter and id(t) not in facts.held}
    if not moved:
        return
    used = facts.events.exposed | {id(item.tensor) for item in facts.events.reads}
    used |= {id(t) for s in facts.events.sinks if s.kind != "backward" for t in s.outcome.reach.leaves}
    seen: set[int] = set()
    said: set[Span] = set()
    for owner in [each for named in machine.named for each in modules(named, seen)]:
        if not isinstance(owner, Instance):
            continue
        registered = [tensor for _, tensor in named_parameters(owner)]
        if not any(id(tensor) in facts.held for tensor in registered):
            continue
        for name, value in owner.attributes.items():
            found = moved.get(id(value)) if isinstance(value, Tensor) and value.node is None else None
            if found is None or id(value) in used or value.hooks or any(value is each for each in registered):
                continue
            made = _made(facts, owner, name, value)
            if made is None or made in said:
                continue
            said.add(made)
            message = f"the plain tensor `self.{name}` is no parameter of `{owner.cls.name}`: no optimizer moves it"
            trace = [
                facts.step(made, "source", "requires grad, and is not registered: `parameters()` does not list it"),
                facts.sink_step(found, "gives it a gradient that nothing uses"),
            ]
            yield facts.finding(rule, "likely", message, made, trace)


def _made(facts: Facts, owner: Instance, name: str, tensor: Tensor) -> Span | None:
    """The assignment of `self.name` that makes the tensor out of nothing: data that is told to require grad is an input
    whose gradient is somebody's business."""
    statement = facts.statement_at(tensor.origin)
    if not isinstance(statement, ast.Assign) or not facts.here(tensor.origin):
        return None
    function = facts.enclosing_function(statement)
    if not isinstance(function, ast.FunctionDef) or function.name != "__init__":
        return None
    target = statement.targets[0]
    if not (isinstance(target, ast.Attribute) and target.attr == name and isinstance(target.value, ast.Name)):
        return None
    made = [each for each in ast.walk(statement.value) if isinstance(each, ast.Call) and _is_first_value(each)]
    return facts.source.span(statement) if made else None


def _is_first_value(call: ast.Call) -> bool:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called not in _FIRST_VALUES:
        return False
    if called in ("tensor", "FloatTensor", "Variable"):
        return bool(call.args) and all(isinstance(each, _NUMBERS) for each in ast.walk(call.args[0]))
    return True
