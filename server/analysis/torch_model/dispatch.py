"""Dispatch: which model runs a function or a method of torch, found by its name.

A hand-written model comes first (`registry`), then what a whole family of names does (optimizers, initialisers,
distributions), then the table of operations. What none of them has is an opaque call.
"""

from __future__ import annotations

from ..autograd.tensor import Tensor
from ..values import Call, Runtime, Scalar, Unknown, Value, unknown_tensor
from . import averaging as _averaging
from . import backward as _backward
from . import creation as _creation
from . import data, distributions, functions, modules, opaque, ops, optimizers
from . import derivatives as _derivatives
from . import einsum as _einsum
from . import parametrize as _parametrize
from . import placement as _placement
from . import products as _products
from . import stateless as _stateless
from . import transforms as _transforms
from .registry import FUNCTIONS, METHODS
from .table import TABLE

_LOADED = (
    _averaging,
    _backward,
    _creation,
    _derivatives,
    _einsum,
    _parametrize,
    _placement,
    _products,
    _stateless,
    _transforms,
)
"""Modules of models that register themselves and are asked by name only."""


def function(rt: Runtime, dotted: str, call: Call) -> Value:
    """Call a function or class of torch by its dotted name."""
    model = FUNCTIONS.get(dotted)
    if model is not None:
        call.name = dotted
        return model(rt, call)
    if dotted.startswith("torch.Tensor."):
        return method(rt, call.args[0] if call.args else None, dotted[13:], Call(call.args[1:], call.kwargs, call.site))
    if dotted.startswith("torch.nn.init."):
        return functions.initialise(rt, dotted, call)
    if dotted.startswith("torch.optim.lr_scheduler.") or dotted.startswith("torch.utils.tensorboard"):
        return Unknown(f"`{dotted}`")
    if dotted.startswith("torch.optim.") and dotted.count(".") <= 3:
        return optimizers.build(rt, dotted, call)
    if dotted.startswith("torch.distributions."):
        return distributions.build(rt, dotted, call)
    if dotted.startswith(data.PREFIX):
        return data.made(f"`{dotted}`", call)
    if TABLE.module(dotted) is not None or f"torch.nn.{dotted.rpartition('.')[2]}" in modules.CONTAINERS:
        return modules.build(rt, dotted, call)
    short = dotted.rpartition(".")[2]
    tensor = call.args[0] if call.args else call.kwargs.get("input")
    if short in METHODS and isinstance(tensor, Tensor):
        if dotted == f"torch.{short}":
            return METHODS[short](rt, tensor, Call(call.args or [tensor], call.kwargs, call.site, name=short))
        if TABLE.function(dotted) is None:
            call.name = short
            return METHODS[short](rt, tensor, call)
    if short in ("numel", "is_complex", "is_floating_point", "is_nonzero", "equal", "allclose"):
        return Scalar("int" if short == "numel" else "bool")
    return ops.function(rt, dotted, call)


def method(rt: Runtime, owner: Value, name: str, call: Call) -> Value:
    """Call a method of a tensor, or of an unknown value that is one by now. `call.args` is without the tensor."""
    tensor = owner if isinstance(owner, Tensor) else unknown_tensor(owner) if isinstance(owner, Unknown) else None
    if tensor is None:
        return Unknown(f"`.{name}()`")
    full = Call([tensor, *call.args], call.kwargs, call.site, call.open_args, name)
    model = METHODS.get(name)
    if model is not None:
        return model(rt, tensor, full)
    if TABLE.method(name) is None:
        return opaque.call(rt, None, [tensor, *call.args], call.site, f"`.{name}()`")
    return ops.method(rt, name, full)
