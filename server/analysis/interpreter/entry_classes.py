"""Classes as entry points: every method on one object, as whoever uses the class, or its framework, would call it."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator
from typing import Any

from ..autograd.backward import spoilt
from ..autograd.graph import ALWAYS, Cut, newest_order
from ..autograd.operation import Mode
from ..autograd.outcome import Outcome, Raise
from ..autograd.reach import reach
from ..autograd.tensor import Tensor
from ..autograd.truth import NO
from ..events import Sink
from ..torch_model import backward, frameworks, module_tree
from ..values import BoundMethod, Call, ClassValue, FunctionValue, Instance, ListValue, Site, Unknown, Value
from . import between_calls
from .entry_runs import run_function, run_inner, start, take_back
from .functions import PropertyValue, symbolic_arguments
from .machine import DeadEnd, Machine

_MOST_INHERITED = 6
_TRACKING_OFF = ("no_grad()", "inference_mode()")


def run_class(machine: Machine, cls: ClassValue) -> None:
    """Every method on one instance, each from the state `__init__` left."""
    methods = methods_left(machine, cls)
    if not methods or any(b.startswith("torch.autograd.") for b in cls.torch_bases()):
        return
    instance = _instance(machine, cls)
    lightning = frameworks.is_lightning(cls)
    if lightning and isinstance(instance, Instance):
        _configure(machine, cls, instance)
    if isinstance(instance, Instance):
        between_calls.prepare(machine, instance)
    mark = machine.heap.mark()
    returned: list[tuple[FunctionValue, Site, list[Tensor], Raise | None]] = []
    module = not lightning and module_tree.is_module(instance)
    plan = [(function, True) for function in _completed(cls)] + [(function, False) for function in methods]
    for function, inherited in plan:
        if machine.has_entered(function.node) and function.name != "training_step" and not inherited:
            continue
        start(machine, f"{cls.name}.{function.name}")
        owner = instance if function.kind != "static" else None
        if function.kind == "class":
            owner = cls
        try:
            inner = len(machine.inner)
            run = _run_inherited if inherited else _run_method
            value = run(machine, cls, function, owner)
            run_inner(machine, inner)
            if module and (roots := machine.tensors_in(value)[:50]):
                raised = spoilt(machine.autograd, roots) if function.name == "forward" else None
                returned.append((function, _return_site(machine, function), roots, raised))
        except (DeadEnd, RecursionError):
            pass
        finally:
            machine.path = ALWAYS
            take_back(machine, mark)
    if module:
        _weak_sinks(machine, cls, instance, returned)


def methods_left(machine: Machine, cls: ClassValue) -> list[FunctionValue]:
    """The methods that nothing has entered, those last that others of them call, as their callers may call them."""
    found: list[FunctionValue] = []
    for value in list(cls.namespace.values()):
        each = value.getter if isinstance(value, PropertyValue) else value
        if (
            isinstance(each, FunctionValue)
            and not isinstance(each.node, ast.Lambda)
            and not machine.has_entered(each.node)
        ):
            found.append(each)
    helpers = {name for each in found for name, _ in _calls_in(each.node) if name != each.name}
    return sorted(found, key=lambda each: each.name in helpers)


def _completed(cls: ClassValue) -> list[FunctionValue]:
    """Methods of the classes it is derived from that call what this class defines: only here they are whole.

    `learn` of a base that leaves `calc_loss` to others. A file that makes objects of the class calls what it wants of
    them itself.
    """
    if re.search(rf"(?<!class )\b{re.escape(cls.name)}\(", cls.module.source.text):
        return []
    own = {name for name, value in cls.namespace.items() if isinstance(value, FunctionValue)} - {"__init__"}
    found: dict[str, FunctionValue] = {}
    for base in cls.mro()[1:] if own else ():
        for name, value in base.namespace.items() if isinstance(base, ClassValue) else ():
            if (
                isinstance(value, FunctionValue)
                and value.kind not in ("static", "class")
                and not name.startswith("__")
                and name not in cls.namespace
                and not isinstance(value.node, ast.Lambda)
                and any(called in own for called, _ in _calls_in(value.node))
            ):
                found.setdefault(name, value)
    return list(found.values())[:_MOST_INHERITED]


def _run_inherited(machine: Machine, cls: ClassValue, function: FunctionValue, owner: Value) -> Value:
    """What a method of another class gives on an object of this one: called, as it may stand in another file."""
    bound = symbolic_arguments(function, True)
    given = function.node.args
    several = {each.arg for each in (given.vararg, given.kwarg) if each is not None}
    arguments = {name: value for name, value in bound.items() if name not in several}
    site = Site(machine.span(cls.node), cls.node, None, machine.module)
    return machine.call(BoundMethod(function, owner), Call([], arguments, site, open_args=True))


def _instance(machine: Machine, cls: ClassValue) -> Value:
    found = cls.find("__init__")
    site = Site(machine.span(cls.node), cls.node, None, machine.module)
    if found is None or not isinstance(found[0], FunctionValue):
        return machine.call(cls, Call([], {}, site, True))
    instance = Instance(cls)
    instance.name = "self"
    if machine.torch.is_module(instance):
        machine.named.append(instance)
    with contextlib.suppress(DeadEnd):
        run_function(machine, found[0], instance)
    return instance


def _run_method(machine: Machine, cls: ClassValue, function: FunctionValue, owner: Value) -> Value:
    name = function.name
    if frameworks.is_lightning(cls) and name in frameworks.EVALUATION_STEPS:
        # Lightning runs these under inference_mode (lightning/pytorch/loops/utilities.py, _no_grad_context).
        machine.autograd.set_mode(Mode(NO, Cut("grad-mode", machine.span(function.node), "the evaluation loop")))
        return run_function(machine, function, owner)
    if frameworks.is_lightning(cls) and name == "training_step":
        value = _training_step(machine, function, owner)
        if isinstance(owner, Instance) and _keeps_a_graph(owner):
            # It is called for each batch: what the module keeps of this one is there for the next.
            machine.loop_passes.append(newest_order())
            try:
                value = _training_step(machine, function, owner)
            finally:
                machine.loop_passes.pop()
        return value
    if frameworks.is_trainer(cls) and name == "compute_loss":
        value = run_function(machine, function, owner, _model_and_inputs)
        _returned_loss(machine, function, frameworks.loss_in(value, first=True))
        return value
    if not _evaluated_by_base(cls, name):
        return run_function(machine, function, owner)
    mode = machine.autograd.mode
    machine.autograd.set_mode(Mode(NO, Cut("grad-mode", machine.span(function.node), "a method of the base class")))
    try:
        return run_function(machine, function, owner)
    finally:
        machine.autograd.set_mode(mode)


def _evaluated_by_base(cls: ClassValue, name: str) -> bool:
    """Whether the classes it is derived from call a method, and only with tracking off."""
    found: set[bool] = set()
    for base in cls.mro()[1:]:
        for value in base.namespace.values() if isinstance(base, ClassValue) else ():
            if isinstance(value, FunctionValue) and not isinstance(value.node, ast.Lambda):
                found |= {off or bool(value.contexts) for called, off in _calls_in(value.node) if called == name}
    return found == {True}


def _calls_in(function: Any) -> tuple[tuple[str, bool], ...]:
    """The methods that a function calls, and whether a `with torch.no_grad()` is around the call; found once."""
    known: tuple[tuple[str, bool], ...] | None = getattr(function, "gradsight_calls", None)
    if known is None:
        known = function.gradsight_calls = tuple(_calls_below(function, False))
    return known


def _calls_below(node: ast.AST, off: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield node.func.attr, off
    if isinstance(node, (ast.With, ast.AsyncWith)):
        off = off or any(ast.unparse(item.context_expr).endswith(_TRACKING_OFF) for item in node.items)
    for child in ast.iter_child_nodes(node):
        yield from _calls_below(child, off)


def _configure(machine: Machine, cls: ClassValue, instance: Instance) -> None:
    """`configure_optimizers`: what it makes is what `self.optimizers()` gives."""
    found = cls.find("configure_optimizers")
    if found is None or not isinstance(found[0], FunctionValue):
        return
    start(machine, f"{cls.name}.configure_optimizers")
    with contextlib.suppress(DeadEnd):
        machine.heap.put(instance.data, "optimizers", run_function(machine, found[0], instance))


def _training_step(machine: Machine, function: FunctionValue, owner: Value) -> Value:
    value = run_function(machine, function, owner, _plain)
    automatic = owner.attributes.get("automatic_optimization", True) if isinstance(owner, Instance) else True
    if automatic is True:
        _returned_loss(machine, function, frameworks.loss_in(value))
    return value


def _plain(bound: dict[str, Value]) -> None:
    """A batch is data: it requires no grad."""
    for value in bound.values():
        if isinstance(value, Unknown):
            value.plain = True


def _model_and_inputs(bound: dict[str, Value]) -> None:
    for name, value in bound.items():
        if isinstance(value, Unknown):
            if name == "model":
                module_tree.parameters_of_unknown(value)
            else:
                value.plain = True


def _keeps_a_graph(owner: Instance) -> bool:
    """Whether an attribute of an object holds a result that has a graph, itself or in a list or tuple."""
    found = list(owner.attributes.values())
    for value in found:
        if isinstance(value, Tensor) and value.node is not None and value.node.tracked.yes:
            return True
        found += value if isinstance(value, tuple) else value.items if isinstance(value, ListValue) else ()
    return False


def _returned_loss(machine: Machine, function: FunctionValue, roots: list[Tensor]) -> None:
    """The framework calls `backward` on what a step returns."""
    if roots:
        site = _return_site(machine, function)
        backward.run(machine, roots, site, Call([], {}, site), first=1)


def _return_site(machine: Machine, function: FunctionValue) -> Site:
    """The last `return` with a value, the function itself without one."""
    found: ast.AST = function.node
    todo: list[ast.AST] = list(function.node.body)
    while todo:
        node = todo.pop(0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(node, ast.Return) and node.value is not None:
            later = not isinstance(found, ast.Return) or node.lineno >= found.lineno
            found = node if later else found
        todo.extend(ast.iter_child_nodes(node))
    return Site(machine.span(found), found, None, function.module)


def _weak_sinks(
    machine: Machine,
    cls: ClassValue,
    instance: Value,
    returned: list[tuple[FunctionValue, Site, list[Tensor], Raise | None]],
) -> None:
    """What a module nobody calls returns: whoever trains it backpropagates from there, as far as one can tell."""
    registered = frozenset(id(tensor) for _, tensor in module_tree.named_parameters(instance))
    aside = module_tree.left_aside(instance) if isinstance(instance, Instance) else ()
    for function, site, roots, raised in returned:
        outcome = Outcome(site.span, tuple(roots), raised, (), reach(roots))
        kind = "forward" if function.name == "forward" else "method"
        entry = f"{cls.name}.{function.name}"
        machine.events.weak.append(Sink(site, outcome, kind, ALWAYS, "", entry, registered=registered, aside=aside))
