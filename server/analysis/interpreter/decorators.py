"""Decorators of functions and classes."""

from __future__ import annotations

import ast

from ..autograd.heap import MISSING
from ..values import Builtin, Call, ClassValue, External, FunctionValue, Instance, Unknown, Value
from . import records
from .expressions import evaluate
from .functions import PropertyValue
from .machine import Machine


def decorate(machine: Machine, decorator: ast.expr, value: Value) -> Value:
    """The value of a decorated function or class."""
    site = machine.site(decorator)
    function = evaluate(machine, decorator)
    if isinstance(function, Builtin) and function.name in ("staticmethod", "classmethod", "property"):
        return _method_kind(function.name, value)
    if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter"):
        owner = evaluate(machine, decorator.value)
        if isinstance(owner, PropertyValue):
            if decorator.attr == "setter":
                return PropertyValue(owner.getter, value)
            return owner if decorator.attr == "deleter" else PropertyValue(value, owner.setter)
    if isinstance(value, ClassValue) and records.is_dataclass_decorator(function):
        value.dataclass = True
        return value
    if isinstance(function, External) and isinstance(value, FunctionValue):
        if function.dotted.rpartition(".")[2] == "cached_property":
            return PropertyValue(value, cached=True)
        if function.dotted in ("functools.lru_cache", "functools.cache"):
            value.cache = {}
            return value
    handled = machine.torch.decorate(function, value, site)
    if handled is not MISSING:
        return handled
    if isinstance(function, (External, Unknown)) and isinstance(value, (FunctionValue, ClassValue)):
        # functools.wraps, lru_cache, pytest and framework decorators: the function underneath is what runs.
        return value
    if isinstance(function, Instance) and not function.cls.find("__call__"):
        return value
    result = machine.each(function, lambda each: machine.call(each, Call([value], {}, site)))
    return value if isinstance(result, Unknown) and isinstance(value, (FunctionValue, ClassValue)) else result


def _method_kind(kind: str, value: Value) -> Value:
    """`staticmethod`, `classmethod`, `property`."""
    if kind == "property":
        return PropertyValue(value)
    if isinstance(value, FunctionValue):
        value.kind = "static" if kind == "staticmethod" else "class"
    return value
