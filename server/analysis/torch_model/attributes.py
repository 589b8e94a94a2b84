"""Attributes of torch's objects: read, assigned, and reached through `super()`."""

from __future__ import annotations

import math

from ..autograd.graph import ALWAYS
from ..autograd.heap import MISSING
from ..autograd.tensor import Device, Tensor
from ..events import Assigned
from ..values import (
    Call,
    ClassValue,
    Distribution,
    Instance,
    ModuleObject,
    NativeMethod,
    Runtime,
    Scalar,
    Site,
    TorchName,
    Unknown,
    Value,
    unknown_tensor,
)
from . import (
    arrays,
    containers,
    custom,
    dispatch,
    distributions,
    flags,
    frameworks,
    instances,
    module_methods,
    module_tree,
    modules,
    ops,
    optimizers,
    parametrized,
    unknowns,
)
from .arguments import dtype_of, history
from .registry import METHODS, PROPERTIES, SETTERS
from .table import TABLE

_CONSTANTS = {"torch.pi": math.pi, "torch.inf": math.inf, "torch.nan": math.nan, "torch.e": math.e}


def get(rt: Runtime, owner: Value, name: str, site: Site) -> Value:
    """An attribute of an object of torch, or one that torch gives an object of the program; MISSING otherwise."""
    if isinstance(owner, Tensor):
        return _of_tensor(rt, owner, name, site)
    if isinstance(owner, TorchName):
        return _of_name(rt, owner, name)
    if isinstance(owner, Instance) and frameworks.is_lightning(owner.cls):
        value = frameworks.lightning_attribute(rt, owner, name)
        if value is not MISSING:
            return value
    if isinstance(owner, (ModuleObject, Instance)):
        if module_tree.is_module(owner):
            return module_methods.attribute(rt, owner, name, site)
        distribution = distributions.behind(owner)
        if distribution is not None:
            return distributions.attribute(rt, distribution, name, site)
        return optimizers.attribute(rt, owner, name, site)
    if isinstance(owner, Unknown):
        return unknowns.attribute(rt, owner, name, site)
    if isinstance(owner, Device):
        return flags.device_attribute(owner, name)
    if isinstance(owner, Scalar):
        return _of_number(rt, owner, name, site)
    if isinstance(owner, ClassValue):
        if name == "apply" and any(b.startswith("torch.autograd.") for b in owner.torch_bases()):
            return NativeMethod(owner, name, lambda call: custom.apply(rt, owner, call))
        return MISSING
    if isinstance(owner, custom.Context):
        return custom.attribute(rt, owner, name, site)
    if isinstance(owner, Distribution):
        return distributions.attribute(rt, owner, name, site)
    return optimizers.attribute(rt, owner, name, site)


def _of_name(rt: Runtime, owner: TorchName, name: str) -> Value:
    dotted = f"{owner.dotted}.{name}"
    dtype = dtype_of(TorchName(dotted)) if owner.dotted == "torch" else None
    if dtype is not None:
        return dtype
    if dotted in _CONSTANTS:
        return _CONSTANTS[dotted]
    if name == "__name__":
        return owner.dotted.rpartition(".")[2]
    if dotted == "torch.__version__":
        return Scalar("str")
    return TorchName(dotted)


def of_every_tensor(name: str) -> bool:
    """Whether every tensor has this attribute, as far as is known here."""
    return name in METHODS or name in PROPERTIES or TABLE.method(name) is not None


def _of_tensor(rt: Runtime, tensor: Tensor, name: str, site: Site) -> Value:
    prop = PROPERTIES.get(name)
    if prop is not None:
        return prop(rt, tensor, site)
    op = TABLE.method(name)
    if op is not None and op.property and name not in METHODS:
        return ops.run(rt, op, Call([tensor], {}, site), name=name)
    if name.startswith("_") and not name.startswith("__") and op is None:
        return MISSING
    return NativeMethod(tensor, name, lambda call: dispatch.method(rt, tensor, name, call))


def _of_number(rt: Runtime, owner: Scalar, name: str, site: Site) -> Value:
    if name == "backward" and owner.node is not None:
        # A number where a loss was meant: Python raises, and autograd has nothing to follow.
        root = Tensor(node=owner.node, origin=owner.node.span)
        return NativeMethod(owner, name, lambda call: dispatch.method(rt, root, name, call))
    if owner.kind in ("array", "number", "any") or name in ("mean", "sum", "item", "astype", "copy"):
        if name in ("shape",):
            return Scalar("shape")
        return NativeMethod(owner, name, lambda call: _array_method(rt, owner, name, call))
    if owner.kind == "shape":
        return NativeMethod(owner, name, lambda call: Scalar("int"))
    if owner.kind == "bool" and not hasattr(bool, name):
        # `(x > 0).float()` of an unknown `x`: what a tensor or an array is compared to is no bool of Python's.
        return NativeMethod(owner, name, lambda call: Scalar("any", owner.node))
    return NativeMethod(owner, name, lambda call: Scalar(owner.kind, owner.node))


def _array_method(rt: Runtime, owner: Scalar, name: str, call: Call) -> Value:
    if name in arrays.WRITERS:
        arrays.changed(rt, owner, name, call.site)
        return None
    memory = owner.memory if name in arrays.VIEWS else None
    return arrays.array(history([owner, *call.args], name, call.site, rt), memory)


def put(rt: Runtime, owner: Value, name: str, value: Value, site: Site) -> Value:
    """An assignment to an attribute of a tensor or module; MISSING if it is an ordinary one."""
    tensor = owner if isinstance(owner, Tensor) else None
    if tensor is None and isinstance(owner, Unknown) and name in ("requires_grad", "grad"):
        tensor = owner.parameters if owner.module_like else unknown_tensor(owner)
    if tensor is not None:
        model = SETTERS.get(name)
        if model is not None:
            model(rt, tensor, value, site)
        return None
    if isinstance(value, Tensor) and parametrized.assigned(rt, owner, name, site):
        return None
    if module_tree.is_module(owner) and isinstance(value, Tensor) and not value.is_parameter and not value.note:
        held = owner.attributes.get(name)
        # `register_buffer("weight", w)` after `register_parameter("weight_orig", w)`: it is a parameter no more.
        again = isinstance(held, Tensor) and sum(each is held for each in owner.attributes.values()) > 1
        if isinstance(held, Tensor) and held.is_parameter and not held.note and not again:
            # Behind a condition it may be for another of the modules that a loop goes through.
            # And one of several tensors may be the parameter that is there.
            certain = rt.autograd.path == ALWAYS and not any(each.is_parameter or each.note for each in value.places)
            rt.error("other", f"cannot assign tensor as parameter '{name}'", site, value, certain)
        elif value.node is not None and isinstance(owner, Instance):
            rt.events.assigned.append(Assigned(site, owner, name, value))
    if rt.events.held and isinstance(owner, (ModuleObject, Instance)):
        before = _held(owner, name)
        if before is None:
            modules.adding(rt, owner, name, value, site)
        else:
            modules.replacing(rt, owner, name, before, value, site)
    container = containers.container_of(owner)
    if container is not None and containers.taken_in(rt, container, name, value, module_tree.is_module(value)):
        return None
    if isinstance(owner, ModuleObject):
        if name == "training":
            rt.heap.write(owner, "training", rt.truth(value))
        elif name == "inplace":
            rt.heap.put(owner.config, "inplace", value)
        else:
            rt.heap.put(owner.attributes, name, value)
        return None
    if isinstance(owner, custom.Context):
        rt.heap.put(owner.attributes, name, value)
        return None
    if isinstance(owner, optimizers.Optimizer):
        return None
    return MISSING


def _held(owner: Instance | ModuleObject, name: str) -> Value:
    container = containers.container_of(owner)
    if container is not None and name in container.keys:
        return container.items[container.keys.index(name)]
    return owner.attributes.get(name)


def of_base(rt: Runtime, owner: Value, cls: Value, name: str, site: Site) -> Value:
    """`super().name` where the base is torch's."""
    if isinstance(owner, Instance):
        if name == "__init__":
            return NativeMethod(owner, name, lambda call: rt.torch.initialise(owner, call))
        distribution = distributions.behind(owner)
        if distribution is not None:
            return distributions.attribute(rt, distribution, name, site)
        if optimizers.behind(owner) is not None:
            return optimizers.attribute(rt, owner, name, site)
        if name == "__setattr__":
            return NativeMethod(
                owner,
                name,
                lambda call: rt.heap.put(owner.attributes, call.args[0], call.args[1]) if len(call.args) == 2 else None,
            )
        if module_tree.is_module(owner):
            inner = owner.data.get("torch")
            if name in ("forward", "__call__") and isinstance(inner, ModuleObject):
                return NativeMethod(owner, name, lambda call: modules.forward(rt, instances.synced(owner, inner), call))
            return module_methods.attribute(rt, owner, name, site)
    return MISSING
