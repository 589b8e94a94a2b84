"""The front of `torch_model`: what the interpreter asks about torch's objects."""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd.heap import MISSING
from ..values import (
    Call,
    ClassValue,
    FunctionValue,
    GradModeValue,
    Instance,
    ModuleObject,
    Runtime,
    Site,
    TorchName,
    Unknown,
    Value,
)
from . import (
    attributes,
    copies,
    dispatch,
    distributions,
    elements,
    grad_modes,
    instances,
    leaving,
    module_tree,
    modules,
    opaque,
    operators,
    optimizers,
)

__all__ = ["TorchModel"]


class TorchModel:
    """Everything the interpreter asks about torch. Holds no state of its own but the runtime."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt

    def call(self, function: Value, call: Call) -> Value:
        """Call a value that is not Python's or the program's."""
        rt = self.rt
        if isinstance(function, TorchName):
            return dispatch.function(rt, function.dotted, call)
        if isinstance(function, ModuleObject):
            return modules.forward(rt, function, call)
        if isinstance(function, Unknown):
            return opaque.call(rt, function, [*call.args, *call.kwargs.values()], call.site, function.reason)
        if isinstance(function, GradModeValue):
            target = call.args[0] if call.args else None
            decorated = grad_modes.decorate(rt, function, target, call.site)
            return target if decorated is MISSING else decorated
        arguments = [*call.args, *call.kwargs.values()]
        if isinstance(function, (str, int, float)):
            # What cannot be called is a placeholder (`net: nn.Module = "mlp"`) that something else puts a module for.
            return opaque.call(rt, Unknown("a placeholder"), arguments, call.site, "a call of a placeholder")
        return opaque.call(rt, None, [function, *arguments], call.site, "a call of an unknown value")

    def opaque(self, owner: Value, deps: Sequence[Value], site: Site, reason: str) -> Value:
        """The result of code the engine cannot see: connected to every tensor that goes in, and to nothing for sure."""
        return opaque.call(self.rt, owner, deps, site, reason)

    # ------------------------------------------------------------------ attributes and elements

    def attribute(self, owner: Value, name: str, site: Site) -> Value:
        """An attribute of an object of torch, or one that torch gives an object of the program; MISSING otherwise."""
        return attributes.get(self.rt, owner, name, site)

    def tensor_has(self, name: str) -> bool:
        """Whether every tensor has this attribute."""
        return attributes.of_every_tensor(name)

    def set_attribute(self, owner: Value, name: str, value: Value, site: Site) -> Value:
        """An assignment to an attribute of a tensor or module; MISSING if it is an ordinary one."""
        return attributes.put(self.rt, owner, name, value, site)

    def super_attribute(self, owner: Value, cls: Value, name: str, site: Site) -> Value:
        """`super().name` where the base is torch's."""
        return attributes.of_base(self.rt, owner, cls, name, site)

    def subscript(self, owner: Value, index: Value, site: Site) -> Value:
        """`owner[index]`."""
        return elements.get(self.rt, owner, index, site)

    def set_item(self, owner: Value, index: Value, value: Value, site: Site) -> None:
        """`owner[index] = value`."""
        return elements.put(self.rt, owner, index, value, site)

    def iterate(self, value: Value, site: Site) -> tuple[list[Value], bool] | None:
        """Elements of an object of torch; None if it is not one."""
        return elements.each(self.rt, value, site)

    # ------------------------------------------------------------------ operators

    def binary(self, name: str, left: Value, right: Value, site: Site, in_place: bool) -> Value:
        """`left op right` where one side may be a tensor."""
        return operators.binary(self.rt, name, left, right, site, in_place)

    def unary(self, name: str, value: Value, site: Site) -> Value:
        """`-x`, `+x`, `~x`, `abs(x)`."""
        return operators.unary(self.rt, name, value, site)

    # ------------------------------------------------------------------ leaving torch, copies

    def to_number(self, value: Value, kind: str, site: Site, written: str = "") -> Value:
        """`float(t)`, `math.exp(t)`."""
        return leaving.to_number(self.rt, value, kind, site, written)

    def numpy_call(self, dotted: str, call: Call) -> Value:
        """A call of numpy."""
        return leaving.numpy_call(self.rt, dotted, call)

    def another(self, value: Value, site: Site) -> Value:
        """One more value that was computed as this one was, from the same leaves in a graph of its own."""
        return opaque.another(self.rt, value, site)

    def copy_value(self, value: Value, site: Site, *, deep: bool, pickled: bool = False) -> Value:
        """`copy.copy` and `copy.deepcopy` of tensors, modules and containers; what was `pickled` needs no leaves."""
        return copies.copied(self.rt, value, site, deep, {}, None if pickled else "")

    # ------------------------------------------------------------------ contexts, decorators, classes

    def enter(self, manager: Value, site: Site) -> Value:
        """`with manager:`; MISSING if it is not torch's."""
        if isinstance(manager, GradModeValue):
            grad_modes.enter(self.rt, manager)
            return None
        if isinstance(manager, TorchName):
            return None
        return MISSING

    def enter_decorated(self, manager: Value, function: FunctionValue, site: Site) -> None:
        """A call of a function under a grad-mode decorator."""
        grad_modes.enter(self.rt, manager, function)

    def decorate(self, decorator: Value, target: Value, site: Site) -> Value:
        """A decorator of torch; MISSING if it is not one."""
        if isinstance(decorator, (TorchName, GradModeValue)):
            decorated = grad_modes.decorate(self.rt, decorator, target, site)
            if decorated is not MISSING:
                return decorated
            return target if isinstance(target, (FunctionValue, ClassValue)) else MISSING
        return MISSING

    def initialise(self, instance: Instance, call: Call) -> None:
        """`__init__` of torch's base class."""
        modules.initialise(self.rt, instance, call)
        distributions.initialise(self.rt, instance, call)
        optimizers.initialise(self.rt, instance, call)

    def own_step(self, owner: Instance, bound: Value) -> Value:
        """The `step` of an object whose class derives from an optimizer."""
        return optimizers.own_step(self.rt, owner, bound)

    def call_instance(self, instance: Instance, call: Call) -> Value:
        """Call an object of the program: the `forward` of a module; MISSING otherwise."""
        return instances.call(self.rt, instance, call)

    def rebinding(self, name: str, before: Value, after: Value, site: Site) -> None:
        """A name that is bound to something else while an optimizer holds tensors."""
        modules.replacing(self.rt, None, name, before, after, site)

    def is_module(self, value: Value) -> bool:
        """Whether a value is a module."""
        return module_tree.is_module(value)

    def is_instance(self, value: Value, kind: Value) -> bool | None:
        """`isinstance(value, kind)` for a class of torch; None if `kind` is not one or the answer is not known."""
        return instances.is_a(self.rt, value, kind)
