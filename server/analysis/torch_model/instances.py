"""Objects of the program's classes that derive from torch's: their call, their `forward`, `isinstance`."""

from __future__ import annotations

from ..autograd.heap import MISSING, remember
from ..autograd.tensor import Tensor
from ..values import Call, Distribution, Instance, ModuleObject, Runtime, TorchName, Unknown, Value
from . import custom, hooks, module_tree, modules, opaque


def call(rt: Runtime, instance: Instance, call: Call) -> Value:
    """Call an object of the program: the `forward` of a module; MISSING otherwise."""
    if custom.is_function(instance.cls) and instance.cls.find("__call__") is None:
        rt.error("other", custom.LEGACY, call.site)
        return Unknown("a call of a custom function's object")
    if not module_tree.is_module(instance) or instance.cls.find("__call__") is not None:
        return MISSING
    return hooks.around(rt, instance, call, lambda inner: forward(rt, instance, inner))


def forward(rt: Runtime, instance: Instance, call: Call) -> Value:
    """Call a module of the program without its hooks: its own `forward`, or that of the torch module below it."""
    bound = modules.call_method(instance)
    if bound is not MISSING:
        return rt.call(bound, call)
    inner = instance.data.get("torch")
    if isinstance(inner, ModuleObject):
        return modules.forward(rt, synced(instance, inner), call)
    return opaque.call(rt, instance, [*call.args, *call.kwargs.values()], call.site, f"a call of `{instance.cls.name}`")


def synced(owner: Instance, inner: ModuleObject) -> ModuleObject:
    """The torch module inside an instance, with the parameters the instance has now."""
    for name in inner.attributes:
        if name in owner.attributes:
            remember(inner.attributes, name, owner.attributes[name])
    return inner


def is_a(rt: Runtime, value: Value, kind: Value) -> bool | None:
    """`isinstance(value, kind)` for a class of torch; None if `kind` is not one or the answer is not known."""
    if not isinstance(kind, TorchName):
        return None
    if kind.dotted in ("torch.Tensor", "torch.FloatTensor", "torch.autograd.Variable"):
        return isinstance(value, Tensor)
    if kind.dotted in ("torch.nn.Parameter", "torch.nn.parameter.Parameter"):
        return isinstance(value, Tensor) and value.is_parameter
    if isinstance(value, ModuleObject):
        if kind.dotted in module_tree.BASE:
            return True
        return value.dotted.rpartition(".")[2] == kind.dotted.rpartition(".")[2]
    if isinstance(value, Instance):
        if kind.dotted in module_tree.BASE:
            return module_tree.is_module(value)
        return kind.dotted in value.cls.torch_bases() or (None if value.cls.unknown_base() else False)
    if isinstance(value, Distribution):
        return kind.dotted.rpartition(".")[2] in (value.name, "Distribution")
    return False if isinstance(value, Tensor) else None
