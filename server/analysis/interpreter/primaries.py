"""Primaries: attribute references, calls, subscripts and slices."""

from __future__ import annotations

import ast

from ..autograd.tensor import Tensor
from ..torch_model import frameworks
from ..values import Builtin, Call, Choice, DictValue, SliceValue, Unknown, Value
from . import objects
from .calls import call_value
from .expressions import evaluate, expression, record
from .machine import Machine
from .subscripts import subscript


@expression(ast.Attribute)
def _attribute(machine: Machine, node: ast.Attribute) -> Value:
    owner = evaluate(machine, node.value)
    site = machine.site(node)
    if type(owner) is Choice:
        value = machine.each(owner, lambda each: machine.attribute(each, node.attr, site))
    else:
        value = objects.attribute(machine, owner, node.attr, site)
    if type(value) is Choice:
        value = machine.narrow(value)
    if type(value) is Tensor:
        record(machine, node, value)
    return value


@expression(ast.Call)
def _call(machine: Machine, node: ast.Call) -> Value:
    function = evaluate(machine, node.func)
    if isinstance(function, Builtin) and function.name == "locals":
        return DictValue(machine.frame.scope.names)
    args: list[Value] = []
    open_args = False
    for arg in node.args:
        if isinstance(arg, ast.Starred):
            items, open_ = machine.iterate(evaluate(machine, arg.value), machine.site(arg))
            args.extend(items[:1] if open_ and len(items) > 1 and items[0] is items[-1] else items)
            open_args = open_args or open_
        else:
            args.append(evaluate(machine, arg))
    kwargs: dict[str, Value] = {}
    for keyword in node.keywords:
        value = evaluate(machine, keyword.value)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif isinstance(value, DictValue):
            kwargs.update({str(k): v for k, v in value.items.items()})
            open_args = open_args or value.rest is not None
        else:
            open_args = True
    call = Call(args, kwargs, machine.site(node), open_args)
    if machine.sinks and frameworks.named_sink(machine.sinks, function, lambda: frameworks.written_name(node.func)):
        frameworks.run_backward(machine, frameworks.loss_argument(call), call)
        return Unknown("a sink of the settings")
    if type(function) is Choice:
        result = machine.each(function, lambda each: call_value(machine, each, call))
    else:
        result = call_value(machine, function, call)
    if type(result) is Tensor:
        record(machine, node, result)
    return result


@expression(ast.Slice)
def _slice(machine: Machine, node: ast.Slice) -> Value:
    parts = [None if part is None else evaluate(machine, part) for part in (node.lower, node.upper, node.step)]
    return SliceValue(*parts)


@expression(ast.Subscript)
def _subscript_node(machine: Machine, node: ast.Subscript) -> Value:
    owner = evaluate(machine, node.value)
    index = evaluate(machine, node.slice)
    site = machine.site(node)
    result = machine.narrow(machine.each(owner, lambda each: subscript(machine, each, index, site)))
    if type(result) is Tensor:
        record(machine, node, result)
    return result
