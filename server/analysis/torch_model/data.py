"""`torch.utils.data`: datasets and loaders, whose batches are data.

A batch requires no grad, unless the program lets the dataset, or the function that collates, hold something that
learns: a table of latent codes, an embedding.
"""

from __future__ import annotations

import ast
from typing import Any

from ..autograd.tensor import Tensor
from ..values import (
    BoundMethod,
    Call,
    ClassValue,
    DictValue,
    FunctionValue,
    Instance,
    ListValue,
    Runtime,
    Unknown,
    Value,
)
from .module_tree import is_module
from .registry import function

PREFIX = "torch.utils.data."
_DEPTH = 4


@function("torch.utils.data.DataLoader")
def _loader(rt: Runtime, call: Call) -> Value:
    return made("a batch of a DataLoader", call)


def made(reason: str, call: Call) -> Unknown:
    """What a class or function of `torch.utils.data` gives: an unknown that is data if all it was made of is."""
    given = (*call.args, *call.kwargs.values())
    value = Unknown(reason)
    value.plain = not any(learns(each, _DEPTH) for each in given)
    if not value.plain:
        # A loader of a dataset of what learns: whoever asks about the loader asks about that.
        value.deps = given
    return value


def learns(value: Value, depth: int) -> bool:
    """Whether a tensor that may require grad, or a module, is seen within so many steps: inside it, or by its code."""
    if isinstance(value, Tensor):
        return value.requires_grad.possible
    if is_module(value):
        return True
    if depth == 0:
        return False
    inside: list[Any] = []
    if isinstance(value, Instance):
        inside = list(value.attributes.values())
        found = value.cls.find("__getitem__") or value.cls.find("__iter__")
        inside += [found[0]] if found is not None else []
    elif isinstance(value, BoundMethod):
        inside = [value.function, value.self_value]
    elif isinstance(value, FunctionValue):
        inside = _named_in(value)
    elif isinstance(value, (tuple, ListValue)):
        inside = list(value if isinstance(value, tuple) else value.items)
    elif isinstance(value, DictValue):
        inside = list(value.items.values())
    elif isinstance(value, Unknown):
        inside = [] if value.plain else list(value.deps)
        if value.tensor is not None and not value.plain and value.node is not None:
            return True
    return any(learns(each, depth - 1) for each in inside if not isinstance(each, ClassValue))


def _named_in(value: FunctionValue) -> list[Value]:
    """What the names in a function's body stand for where it was defined."""
    names = {node.id for node in ast.walk(value.node) if isinstance(node, ast.Name)}
    found = [value.module.namespace[name] for name in names if name in value.module.namespace]
    scope = value.scope
    while scope is not None and not scope.is_module:
        found += [scope.names[name] for name in names if name in scope.names]
        scope = scope.parent
    return found
