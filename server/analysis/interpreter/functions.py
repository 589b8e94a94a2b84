"""Functions of the program: how they are made, how arguments meet parameters, and how a body is run."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..autograd.heap import MISSING, Pending, Table, remember
from ..values import Call, DictValue, FunctionValue, Instance, IterValue, ModuleObject, Scalar, Site, Unknown, Value
from . import blocks, foreign, generators
from .expressions import evaluate, expression
from .keys import key_of
from .machine import DeadEnd, Frame, Machine, ProgramRaises
from .scope import Scope

MAX_DEPTH = 40
MAX_RECURSION = 3


@dataclass(frozen=True, slots=True)
class PropertyValue:
    """A `property` in a class namespace."""

    getter: Value
    setter: Value = None
    cached: bool = False


def make_function(machine: Machine, node: Any, name: str) -> FunctionValue:
    """The function a `def` or `lambda` makes: its defaults are evaluated now."""
    scope = machine.frame.scope
    value = FunctionValue(node, name, scope, machine.module)
    arguments: ast.arguments = node.args
    value.defaults = tuple(evaluate(machine, d) for d in arguments.defaults)
    value.kw_defaults = {
        a.arg: evaluate(machine, d)
        for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if d is not None
    }
    return value


@expression(ast.Lambda)
def _lambda(machine: Machine, node: ast.Lambda) -> Value:
    return make_function(machine, node, "<lambda>")


def bind_arguments(machine: Machine, function: FunctionValue, call: Call) -> dict[str, Value] | None:
    """Names of the parameters to values; None if the call does not fit."""
    arguments: ast.arguments = function.node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    bound: dict[str, Value] = dict(zip(names, call.args, strict=False))
    for name, value in bound.items():
        # `train(Net(), loader)`: the function's word for it is the only one there is.
        if isinstance(value, (Instance, ModuleObject)) and not value.name and name != "self":
            remember(value, "name", name)
    if len(call.args) > len(names):
        if arguments.vararg is None:
            return None
        bound[arguments.vararg.arg] = tuple(call.args[len(names) :])
    elif arguments.vararg is not None:
        bound[arguments.vararg.arg] = ()
    extra: dict[str, Value] = {}
    accepted = {*names, *(a.arg for a in arguments.kwonlyargs)}
    for name, value in call.kwargs.items():
        if name in accepted:
            if name in bound:
                return None
            bound[name] = value
        else:
            extra[name] = value
    if arguments.kwarg is not None:
        bound[arguments.kwarg.arg] = DictValue(extra)
    elif extra:
        return None
    first_default = len(names) - len(function.defaults)
    for index, name in enumerate(names):
        if name not in bound:
            if index >= first_default:
                bound[name] = function.defaults[index - first_default]
            elif call.open_args:
                bound[name] = Unknown(f"parameter `{name}`", name=name)
            else:
                return None
    for argument in arguments.kwonlyargs:
        if argument.arg not in bound:
            if argument.arg in function.kw_defaults:
                bound[argument.arg] = function.kw_defaults[argument.arg]
            elif call.open_args:
                bound[argument.arg] = Unknown(f"parameter `{argument.arg}`", name=argument.arg)
            else:
                return None
    return bound


def run(machine: Machine, function: FunctionValue, call: Call) -> Value:
    """Call a function of the program."""
    if machine.depth >= MAX_DEPTH or machine.active.count(function.node) >= MAX_RECURSION:
        return machine.call_unknown(function, call, "recursion")
    bound = bind_arguments(machine, function, call)
    if bound is None:
        return machine.call_unknown(function, call, f"a call of `{function.name}` whose arguments do not fit")
    if function.cache is not None:
        return _remembered(machine, function, bound, call.site)
    if is_abstract(function):
        return machine.call_unknown(function, call, f"`{function.name}` of a class that is to be derived from")
    if is_generator(function):
        return generators.suspended(function, bound, call.site)
    if function.module is machine.main:
        return _run_decorated(machine, function, bound, call.site)
    return foreign.run(machine, function, bound, call, partial(_run_decorated, machine, function, bound, call.site))


def _run_decorated(machine: Machine, function: FunctionValue, bound: dict[str, Value], site: Site) -> Value:
    if not function.contexts:
        return run_body(machine, function, bound, site)
    mode = machine.autograd.mode
    for manager, _site in function.contexts:
        machine.torch.enter_decorated(manager, function, site)
    try:
        return run_body(machine, function, bound, site)
    finally:
        machine.autograd.set_mode(mode)


def _remembered(machine: Machine, function: FunctionValue, bound: dict[str, Value], site: Site) -> Value:
    """A call under `functools.lru_cache`: the same arguments give the same object."""
    assert function.cache is not None
    parts = {name: key_of(value) for name, value in bound.items()}
    key = tuple((name, id(bound[name]) if part is MISSING else part) for name, part in parts.items())
    if key not in function.cache:
        # The arguments stay alive with the entry, so that no other object gets their identity.
        result = run_body(machine, function, bound, site)
        machine.heap.put(function.cache, key, (tuple(bound.values()), result))
    return function.cache[key][1]


def run_body(machine: Machine, function: FunctionValue, bound: dict[str, Value], site: Site) -> Value:
    """Run a function's body with its parameters bound; the join of what its paths return."""
    node = function.node
    scope = Scope(function.module, function.scope if not _is_module(function.scope) else None)
    scope.names = Table(bound)
    scope.function = function
    trunk = machine.trunk
    if trunk is not None:
        scope = trunk.scope_for(function, scope, site)
    frame = Frame(scope, function)
    outer_frame, outer_module, outer_statement = machine.frame, machine.module, machine.statement
    outer_path = machine.path
    outer_stack = machine.autograd.stack
    machine.autograd.stack = (*outer_stack, site)
    machine.frame, machine.module = frame, function.module
    machine.depth += 1
    machine.active.append(node)
    machine.entered.add(node)
    dead = False
    try:
        if isinstance(node, ast.Lambda):
            return evaluate(machine, node.body)
        if is_generator(function):
            frame.yields = []
        if trunk is not None:
            trunk.entered_call(function, scope)
        leave = blocks.run_block(machine, node.body)
        live = leave is None or leave.kind == "return"
        value = leave.value if leave is not None and leave.kind == "return" else None
        returns: list[Pending] = [p for p in frame.exits if p.kind == "return"]
        live, value = blocks.settle(machine, returns, live, value)
        dead = not live
        if dead:
            raise DeadEnd
        if frame.yields is not None:
            return IterValue(frame.yields, open_=False)
        return value
    except ProgramRaises:
        raise
    finally:
        machine.active.pop()
        machine.depth -= 1
        machine.frame, machine.module, machine.statement = outer_frame, outer_module, outer_statement
        machine.autograd.stack = outer_stack
        if not dead:
            machine.path = outer_path


def _is_module(scope: Any) -> bool:
    return scope is None or scope.is_module


def is_abstract(function: FunctionValue) -> bool:
    """Whether a method is there to be overridden: what runs is that of a class derived from this one."""
    decorators = () if isinstance(function.node, ast.Lambda) else function.node.decorator_list
    names = (each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in decorators)
    return "abstractmethod" in names


def is_generator(function: FunctionValue) -> bool:
    """Whether a function's body yields (nested functions aside)."""
    node = function.node
    cached = getattr(node, "gradsight_generator", None)
    if cached is None:
        # Most files hold no generator at all: their text says so at once.
        possible = not isinstance(node, ast.Lambda) and "yield" in function.module.source.text
        cached = node.gradsight_generator = possible and any(_yields(child) for child in node.body)
    return cached


def _yields(node: ast.AST) -> bool:
    if isinstance(node, (ast.Yield, ast.YieldFrom)):
        return True
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
        return False
    return any(_yields(child) for child in ast.iter_child_nodes(node))


def symbolic_arguments(function: FunctionValue, skip_first: bool) -> dict[str, Value]:
    """Arguments for a function nobody calls: unknowns that say which parameter they are."""
    arguments: ast.arguments = function.node.args
    every = [*arguments.posonlyargs, *arguments.args]
    bound: dict[str, Value] = {}
    defaults = _defaults(arguments)
    for argument in [*(every[1:] if skip_first else every), *arguments.kwonlyargs]:
        annotation = None if _contradicted(argument, defaults) else argument.annotation
        bound[argument.arg] = symbolic(argument.arg, annotation)
    if arguments.vararg is not None:
        bound[arguments.vararg.arg] = Unknown(f"parameter `*{arguments.vararg.arg}`", name=arguments.vararg.arg)
    if arguments.kwarg is not None:
        bound[arguments.kwarg.arg] = DictValue(rest=Unknown(f"parameter `**{arguments.kwarg.arg}`"))
    return bound


def _defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    every = [*arguments.posonlyargs, *arguments.args]
    found = {a.arg: d for a, d in zip(reversed(every), reversed(arguments.defaults), strict=False)}
    found.update((a.arg, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None)
    return found


_ACCEPTS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool, int),
    "str": (str,),
}
"""What may be written as the default of an annotation; a bool is an int, and an int may stand for a float (PEP 484)."""


def _contradicted(argument: ast.arg, defaults: dict[str, ast.expr]) -> bool:
    """Whether the default is of another type than the annotation says: then it says nothing.

    `rate: int = 0.5` holds no integer, and `weight: float = None` what the function puts there when nothing is given.
    """
    default, annotation = defaults.get(argument.arg), argument.annotation
    if isinstance(default, ast.UnaryOp):
        default = default.operand
    if not isinstance(default, ast.Constant) or not isinstance(annotation, ast.Name):
        return False
    return annotation.id in _ACCEPTS and not isinstance(default.value, _ACCEPTS[annotation.id])


def symbolic(name: str, annotation: ast.expr | None) -> Value:
    """The value of a parameter of which only name and annotation are known."""
    text = ast.unparse(annotation) if annotation is not None else ""
    if text in ("int", "float", "bool", "str"):
        return Scalar(text)
    value = Unknown(f"parameter `{name}`", name=name, symbolic=True)
    if text.rpartition(".")[2] in ("Module", "LightningModule", "Sequential"):
        value.module_like = True
    return value
