"""Where hand-written models register: functions by dotted name, tensor methods and tensor attributes by name.

A model takes the runtime and the `Call` (for methods, `args[0]` is the tensor) and returns a value.
"""

from __future__ import annotations

from collections.abc import Callable

from ..autograd.tensor import Tensor
from ..values import Call, Runtime, Site, Value

FunctionModel = Callable[[Runtime, Call], Value]
MethodModel = Callable[[Runtime, Tensor, Call], Value]
PropertyModel = Callable[[Runtime, Tensor, Site], Value]

FUNCTIONS: dict[str, FunctionModel] = {}
METHODS: dict[str, MethodModel] = {}
PROPERTIES: dict[str, PropertyModel] = {}
SETTERS: dict[str, Callable[[Runtime, Tensor, Value, Site], None]] = {}


def function(*dotted: str) -> Callable[[FunctionModel], FunctionModel]:
    """Register a model for functions or classes of torch."""

    def add(model: FunctionModel) -> FunctionModel:
        for name in dotted:
            FUNCTIONS[name] = model
        return model

    return add


def method(*names: str) -> Callable[[MethodModel], MethodModel]:
    """Register a model for tensor methods."""

    def add(model: MethodModel) -> MethodModel:
        for name in names:
            METHODS[name] = model
        return model

    return add


def attribute(*names: str) -> Callable[[PropertyModel], PropertyModel]:
    """Register a model for tensor attributes."""

    def add(model: PropertyModel) -> PropertyModel:
        for name in names:
            PROPERTIES[name] = model
        return model

    return add


def setter(*names: str) -> Callable[[Callable[[Runtime, Tensor, Value, Site], None]], object]:
    """Register what an assignment to a tensor attribute does."""

    def add(model: Callable[[Runtime, Tensor, Value, Site], None]) -> object:
        for name in names:
            SETTERS[name] = model
        return model

    return add
