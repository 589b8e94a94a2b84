"""The front of `torch_model`: what the interpreter asks about torch's objects."""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd import truth
from ..autograd.engine import Operation
from ..autograd.heap import MISSING, remember
from ..autograd.tensor import Device, Form, Tensor
from ..autograd.truth import NO, YES, maybe
from ..events import Assigned
from ..values import (
    Call,
    Choice,
    ClassValue,
    DictValue,
    Distribution,
    FunctionValue,
    GradModeValue,
    Instance,
    IterValue,
    ListValue,
    ModuleObject,
    NativeMethod,
    Runtime,
    Scalar,
    Site,
    SliceValue,
    TorchName,
    Unknown,
    Value,
    unknown_tensor,
)
from . import (
    arrays,
    custom,
    data,
    distributions,
    flags,
    frameworks,
    functions,
    grad_modes,
    hooks,
    indexing,
    leaving,
    modules,
    ops,
    optimizers,
)
from . import backward as _backward
from . import creation as _creation
from . import einsum as _einsum
from . import placement as _placement
from . import stateless as _stateless
from . import transforms as _transforms
from .arguments import dtype_of, history, operands_for
from .registry import FUNCTIONS, METHODS, PROPERTIES, SETTERS
from .table import TABLE

__all__ = ["TorchModel"]
_LOADED = (_backward, _creation, _einsum, _placement, _stateless, _transforms)

# Methods that only a tensor has, so that an unknown with them is treated as one.
_TENSOR_ONLY = frozenset(
    [
        "detach",
        "detach_",
        "item",
        "tolist",
        "numpy",
        "backward",
        "requires_grad_",
        "retain_grad",
        "data",
        "grad",
        "requires_grad",
        "is_leaf",
        "grad_fn",
        "unsqueeze",
        "squeeze",
        "view",
        "reshape",
        "permute",
        "transpose",
        "contiguous",
        "expand",
        "matmul",
        "mm",
        "bmm",
        "softmax",
        "log_softmax",
        "sigmoid",
        "tanh",
        "relu",
        "exp",
        "log",
        "sqrt",
        "pow",
        "abs",
        "mean",
        "sum",
        "prod",
        "norm",
        "std",
        "var",
        "argmax",
        "argmin",
        "clamp",
        "masked_fill",
        "gather",
        "scatter",
        "scatter_",
        "index_select",
        "flatten",
        "chunk",
        "unbind",
        "long",
        "float",
        "half",
        "double",
        "bool",
        "int",
        "clone",
        "zero_",
        "fill_",
        "add_",
        "sub_",
        "mul_",
        "div_",
        "copy_",
        "cumsum",
        "topk",
        "flip",
        "repeat",
        "type_as",
        "new_zeros",
        "new_ones",
        "new_tensor",
        "register_hook",
        "max",
        "min",
        "eq",
        "ne",
        "gt",
        "lt",
        "ge",
        "le",
        "logsumexp",
    ]
)
_MODULE_ONLY = frozenset(
    [
        "parameters",
        "named_parameters",
        "state_dict",
        "load_state_dict",
        "train",
        "eval",
        "zero_grad",
        "modules",
        "named_modules",
        "children",
        "register_buffer",
    ]
)


class TorchModel:
    """Everything the interpreter asks about torch. Holds no state of its own but the runtime."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt

    # ------------------------------------------------------------------ names and calls

    def call(self, function: Value, call: Call) -> Value:
        """Call a value that is not Python's or the program's."""
        rt = self.rt
        if isinstance(function, TorchName):
            return self._call_name(function.dotted, call)
        if isinstance(function, ModuleObject):
            return modules.forward(rt, function, call)
        if isinstance(function, Unknown):
            return self.opaque(function, [*call.args, *call.kwargs.values()], call.site, function.reason)
        if isinstance(function, GradModeValue):
            target = call.args[0] if call.args else None
            decorated = grad_modes.decorate(rt, function, target, call.site)
            return target if decorated is MISSING else decorated
        arguments = [*call.args, *call.kwargs.values()]
        if isinstance(function, (str, int, float)):
            # What cannot be called is a placeholder (`net: nn.Module = "mlp"`) that something else puts a module for.
            return self.opaque(Unknown("a placeholder"), arguments, call.site, "a call of a placeholder")
        return self.opaque(None, [function, *arguments], call.site, "a call of an unknown value")

    def _call_name(self, dotted: str, call: Call) -> Value:
        rt = self.rt
        model = FUNCTIONS.get(dotted)
        if model is not None:
            return model(rt, call)
        if dotted.startswith("torch.Tensor."):
            return self._method(
                call.args[0] if call.args else None, dotted[13:], Call(call.args[1:], call.kwargs, call.site)
            )
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
        if short in ("numel", "is_complex", "is_floating_point", "is_nonzero", "equal", "allclose"):
            return Scalar("int" if short == "numel" else "bool")
        if TABLE.function(dotted) is None and isinstance(tensor, Tensor) and short in METHODS:
            return METHODS[short](rt, tensor, call)
        if short in METHODS and dotted == f"torch.{short}" and isinstance(tensor, Tensor):
            return METHODS[short](rt, tensor, Call(call.args or [tensor], call.kwargs, call.site))
        return ops.function(rt, dotted, call)

    def opaque(self, owner: Value, deps: Sequence[Value], site: Site, reason: str) -> Value:
        """The result of code the engine cannot see: connected to every tensor that goes in, and to nothing for sure."""
        rt = self.rt
        rt.unresolved(reason)  # type: ignore[attr-defined]
        operands = []
        for dep in deps:
            if isinstance(dep, Unknown) and dep.plain and dep.tensor is None and dep.node is None and not dep.symbolic:
                continue
            for tensor in rt.tensors_in(dep):
                rt.autograd.refresh(tensor)
                operands += operands_for("input", tensor, True)
            if (isinstance(dep, Unknown) and dep.tensor is None and not dep.plain) or isinstance(dep, Scalar):
                operands += operands_for("input", dep, True)
            if modules.is_module(dep):
                for _, tensor in modules.named_parameters(dep):
                    operands += operands_for("input", tensor, True)
            if isinstance(dep, Instance) and isinstance(dep.data.get("unknown"), Unknown):
                operands += operands_for("input", dep.data["unknown"], True)
        for operand in operands:
            if operand.tensor is not None and operand.tensor.node is not None:
                rt.events.escaped.append(operand.tensor)
            elif operand.tensor is not None:
                rt.events.exposed.add(id(operand.tensor))
        rt.events.unknown_calls += 1
        trainable = False
        if isinstance(owner, Unknown) and not owner.plain:
            behind = modules.behind(owner)
            group = owner.parameters
            if group is None:
                frozen = bool(behind) and all(tensor.requires_grad.no for tensor in behind)
                group = Tensor(requires_grad=NO if frozen else maybe(reason), is_parameter=True, name=owner.name)
                group.group, group.note = True, "unknown"
                group.made = group.counter.made = group.memory.made = 0  # It was there before anybody looked.
                remember(owner, "parameters", group)
            trainable = owner.module_like and group.requires_grad.yes
            if owner.module_like and group.requires_grad.maybe:
                remember(group, "requires_grad", YES)
                trainable = True
            operands += operands_for("function", group, True)
            for _, tensor in modules.parts_of_unknown(owner):
                operands += operands_for("function", tensor, True)
            for tensor in behind:
                # `net.log_prob(x)` of an unknown `net` may use everything `net` has.
                operands += operands_for("self", tensor, True)
            if owner.node is not None:
                operands += operands_for("function", unknown_tensor(owner), True)
        elif modules.is_module(owner):
            for _, tensor in modules.named_parameters(owner):
                operands += operands_for("input", tensor, True)
        elif isinstance(owner, Instance):
            for tensor in rt.tensors_in(owner):
                operands += operands_for("self", tensor, True)
        if not operands:
            result = Unknown(reason, deps=tuple(deps))
            # A method of data (`batch.pop("labels")`) gives data.
            result.plain = isinstance(owner, Unknown) and owner.plain
            return result
        operation = Operation("call", site.span, tuple(operands), opaque=reason, holds_numbers=True)
        tensor = rt.autograd.apply(operation)[0]
        node = tensor.node
        assert node is not None
        if node.tracked.yes and not trainable:
            node.tracked = maybe(reason)
        elif trainable and not rt.autograd.mode.enabled.no:
            node.tracked = YES if rt.autograd.mode.enabled.yes else maybe(reason)
        return Unknown(reason, deps=(), node=node)

    # ------------------------------------------------------------------ attributes

    def attribute(self, owner: Value, name: str, site: Site) -> Value:
        """An attribute of an object of torch, or one that torch gives an object of the program; MISSING otherwise."""
        rt = self.rt
        if isinstance(owner, Tensor):
            return self._tensor_attribute(owner, name, site)
        if isinstance(owner, TorchName):
            return self._name_attribute(owner, name)
        if isinstance(owner, Instance) and frameworks.is_lightning(owner.cls):
            value = frameworks.lightning_attribute(rt, owner, name)
            if value is not MISSING:
                return value
        if isinstance(owner, (ModuleObject, Instance)):
            return modules.attribute(rt, owner, name, site) if modules.is_module(owner) else MISSING
        if isinstance(owner, Unknown):
            return self._unknown_attribute(owner, name, site)
        if isinstance(owner, Device):
            return flags.device_attribute(owner, name)
        if isinstance(owner, Scalar):
            return self._scalar_attribute(owner, name, site)
        if isinstance(owner, ClassValue):
            if name == "apply" and any(b.startswith("torch.autograd.") for b in owner.torch_bases()):
                return NativeMethod(owner, name, lambda call: custom.apply(rt, owner, call))
            return MISSING
        if isinstance(owner, custom.Context):
            return custom.attribute(rt, owner, name, site)
        if isinstance(owner, Distribution):
            return distributions.attribute(rt, owner, name, site)
        return optimizers.attribute(rt, owner, name, site)

    def _name_attribute(self, owner: TorchName, name: str) -> Value:
        dotted = f"{owner.dotted}.{name}"
        dtype = dtype_of(TorchName(dotted)) if owner.dotted == "torch" else None
        if dtype is not None and dtype.name not in ("float", "double", "half", "int", "long", "short", "bool"):
            return dtype
        if dtype is not None:
            return dtype
        if dotted in ("torch.pi", "torch.inf", "torch.nan", "torch.e"):
            return 3.14
        if dotted == "torch.__version__":
            return Scalar("str")
        return TorchName(dotted)

    def _tensor_attribute(self, tensor: Tensor, name: str, site: Site) -> Value:
        prop = PROPERTIES.get(name)
        if prop is not None:
            return prop(self.rt, tensor, site)
        op = TABLE.method(name)
        if op is not None and op.property and name not in METHODS:
            return ops.run(self.rt, op, Call([tensor], {}, site), name=name)
        if name.startswith("_") and not name.startswith("__") and op is None:
            return MISSING
        return NativeMethod(tensor, name, lambda call: self._method(tensor, name, call))

    def _method(self, owner: Value, name: str, call: Call) -> Value:
        tensor = owner if isinstance(owner, Tensor) else unknown_tensor(owner) if isinstance(owner, Unknown) else None
        if tensor is None:
            return Unknown(f"`.{name}()`")
        full = Call([tensor, *call.args], call.kwargs, call.site, call.open_args)
        model = METHODS.get(name)
        if model is not None:
            return model(self.rt, tensor, full)
        if TABLE.method(name) is None:
            return self.opaque(None, [tensor, *call.args], call.site, f"`.{name}()`")
        return ops.method(self.rt, name, full)

    def _unknown_attribute(self, owner: Unknown, name: str, site: Site) -> Value:
        rt = self.rt
        framework = frameworks.attribute_of_unknown(rt, owner, name)
        if framework is not MISSING:
            return framework
        if name in _MODULE_ONLY or (
            owner.module_like and name in ("to", "cuda", "cpu", "apply", "requires_grad_", "half", "float")
        ):
            return NativeMethod(owner, name, lambda call: self._unknown_module(owner, name, call))
        if name in ("to", "cuda", "cpu", "size", "dim", "numel", "type"):
            if name in ("size", "dim", "numel"):
                return NativeMethod(owner, name, lambda call: Scalar("int" if call.args or name != "size" else "shape"))
            return NativeMethod(owner, name, lambda call: owner)
        if name == "shape" and (owner.node is not None or owner.symbolic or owner.plain):
            return Scalar("shape")
        if name in PROPERTIES and name in _TENSOR_ONLY:
            if name == "data" and owner.node is None and owner.tensor is None and not owner.symbolic:
                return MISSING
            return PROPERTIES[name](rt, unknown_tensor(owner), site)
        if name in _TENSOR_ONLY:
            return NativeMethod(owner, name, lambda call: self._method(owner, name, call))
        if owner.node is not None or owner.plain:
            value = Unknown(owner.reason, name=name, deps=(owner,), symbolic=owner.symbolic, node=owner.node)
            value.plain = owner.plain
            remember(owner.attributes, name, value)
            return value
        return MISSING

    def _unknown_module(self, owner: Unknown, name: str, call: Call) -> Value:
        group = modules.parameters_of_unknown(owner)
        parameters = [group, *(tensor for _, tensor in modules.parts_of_unknown(owner))]
        if name == "parameters":
            return IterValue(parameters, True)
        if name == "named_parameters":
            return IterValue([(Scalar("str"), tensor) for tensor in parameters], True)
        if name == "requires_grad_":
            flag = truth.of(self.rt.truth(call.argument(0, "requires_grad", True)), "the flag is not known")
            for tensor in parameters:
                self.rt.heap.write(tensor, "requires_grad", flag)
            return owner
        if name == "load_state_dict":
            self.rt.autograd.bump(group, "load_state_dict", call.site.span)
            return Unknown("load_state_dict()")
        if name in ("modules", "children"):
            return ListValue([Unknown("a submodule", deps=(owner,))], open_=True)
        if name == "named_modules":
            return ListValue([(Scalar("str"), Unknown("a submodule", deps=(owner,)))], open_=True)
        if name == "state_dict":
            return DictValue(rest=Unknown("an entry of a state_dict"))
        return owner

    def _scalar_attribute(self, owner: Scalar, name: str, site: Site) -> Value:
        if name == "backward" and owner.node is not None:
            # A number where a loss was meant: Python raises, and autograd has nothing to follow.
            root = Tensor(node=owner.node, origin=owner.node.span)
            return NativeMethod(owner, name, lambda call: self._method(root, name, call))
        if owner.kind in ("array", "number", "any") or name in ("mean", "sum", "item", "astype", "copy"):
            if name in ("shape",):
                return Scalar("shape")
            return NativeMethod(owner, name, lambda call: self._array_method(owner, name, call))
        if owner.kind == "shape":
            return NativeMethod(owner, name, lambda call: Scalar("int"))
        return NativeMethod(owner, name, lambda call: Scalar(owner.kind, owner.node))

    def _array_method(self, owner: Scalar, name: str, call: Call) -> Value:
        if name in arrays.WRITERS:
            arrays.changed(self.rt, owner, name, call.site)
            return None
        memory = owner.memory if name in arrays.VIEWS else None
        return arrays.array(history([owner, *call.args], name, call.site, self.rt), memory)

    def set_attribute(self, owner: Value, name: str, value: Value, site: Site) -> Value:
        """An assignment to an attribute of a tensor or module; MISSING if it is an ordinary one."""
        tensor = owner if isinstance(owner, Tensor) else None
        if tensor is None and isinstance(owner, Unknown) and name in ("requires_grad", "grad"):
            tensor = owner.parameters if owner.module_like else unknown_tensor(owner)
        if tensor is not None:
            model = SETTERS.get(name)
            if model is not None:
                model(self.rt, tensor, value, site)
            return None
        if modules.is_module(owner) and isinstance(value, Tensor) and not value.is_parameter and not value.note:
            held = owner.attributes.get(name)
            if isinstance(held, Tensor) and held.is_parameter and not held.note:
                self.rt.error("other", f"cannot assign tensor as parameter '{name}'", site, value)
            elif value.node is not None and isinstance(owner, Instance):
                self.rt.events.assigned.append(Assigned(site, owner, name, value))
        if self.rt.events.held and isinstance(owner, (ModuleObject, Instance)):
            modules.replacing(self.rt, owner, name, owner.attributes.get(name), value, site)
        if isinstance(owner, ModuleObject):
            if name == "training":
                self.rt.heap.write(owner, "training", self.rt.truth(value))
            elif name == "inplace":
                self.rt.heap.put(owner.config, "inplace", value)
            else:
                self.rt.heap.put(owner.attributes, name, value)
            return None
        if isinstance(owner, custom.Context):
            self.rt.heap.put(owner.attributes, name, value)
            return None
        if isinstance(owner, optimizers.Optimizer):
            return None
        return MISSING

    def super_attribute(self, owner: Value, cls: Value, name: str, site: Site) -> Value:
        """`super().name` where the base is torch's."""
        rt = self.rt
        if isinstance(owner, Instance):
            if name == "__init__":
                return NativeMethod(owner, name, lambda call: self.initialise(owner, call))
            if name == "__setattr__":
                return NativeMethod(
                    owner,
                    name,
                    lambda call: (
                        rt.heap.put(owner.attributes, call.args[0], call.args[1]) if len(call.args) == 2 else None
                    ),
                )
            if modules.is_module(owner):
                inner = owner.data.get("torch")
                if name in ("forward", "__call__") and isinstance(inner, ModuleObject):
                    return NativeMethod(owner, name, lambda call: modules.forward(rt, self._synced(owner, inner), call))
                return modules.attribute(rt, owner, name, site)
        return MISSING

    def _synced(self, owner: Instance, inner: ModuleObject) -> ModuleObject:
        """The torch module inside an instance, with the parameters the instance has now."""
        for name in inner.attributes:
            if name in owner.attributes:
                remember(inner.attributes, name, owner.attributes[name])
        return inner

    # ------------------------------------------------------------------ operators

    def binary(self, name: str, left: Value, right: Value, site: Site, in_place: bool) -> Value:
        """`left op right` where one side may be a tensor."""
        one = self._operand(left)
        other = self._operand(right)
        if one is None and other is None:
            if in_place and isinstance(left, Scalar) and left.kind == "array" and left.memory is not None:
                arrays.changed(self.rt, left, f"i{name}", site)
                return Scalar("array", history([left, right], name, site, self.rt), left.memory)
            return self._plain_binary(name, left, right, site)
        if one is not None:
            dunder = f"__i{name}__" if in_place and TABLE.method(f"__i{name}__") is not None else f"__{name}__"
            if in_place and isinstance(left, Unknown) and left.node is None:
                dunder = f"__{name}__"
            return ops.method(self.rt, dunder, Call([one, other if other is not None else right], {}, site))
        reflected = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}.get(name, f"r{name}")
        return ops.method(self.rt, f"__{reflected}__", Call([other, left], {}, site))

    def _operand(self, value: Value) -> Tensor | None:
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Unknown) and (value.node is not None or value.tensor is not None):
            return unknown_tensor(value)
        return None

    def _plain_binary(self, name: str, left: Value, right: Value, site: Site) -> Value:
        if name in ("eq", "ne", "lt", "le", "gt", "ge"):
            return Scalar("bool")
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            unknown = left if isinstance(left, Unknown) else right
            symbolic = all(v.symbolic for v in (left, right) if isinstance(v, Unknown))
            result = Unknown(unknown.reason, deps=(left, right), symbolic=symbolic)
            result.plain = all(not isinstance(v, Unknown) or v.plain for v in (left, right))
            return result
        kinds = {v.kind if isinstance(v, Scalar) else type(v).__name__ for v in (left, right)}
        kind = (
            "array"
            if "array" in kinds
            else "float"
            if "float" in kinds or name == "truediv"
            else "int"
            if kinds == {"int"}
            else "number"
        )
        return Scalar(kind, history([left, right], name, site, self.rt))

    def unary(self, name: str, value: Value, site: Site) -> Value:
        """`-x`, `+x`, `~x`, `abs(x)`."""
        tensor = self._operand(value)
        if tensor is None:
            if isinstance(value, Unknown):
                result = Unknown(value.reason, deps=(value,), symbolic=value.symbolic)
                result.plain = value.plain
                return result
            return Scalar(
                value.kind if isinstance(value, Scalar) else "number", value.node if isinstance(value, Scalar) else None
            )
        if name == "pos":
            return tensor
        return ops.method(self.rt, f"__{name}__", Call([tensor], {}, site))

    def subscript(self, owner: Value, index: Value, site: Site) -> Value:
        """`owner[index]`."""
        if isinstance(owner, Tensor):
            return indexing.get(self.rt, owner, index, site)
        if isinstance(owner, Scalar):
            if owner.kind == "shape":
                return Scalar("shape" if type(index).__name__ == "SliceValue" else "int")
            # A slice looks at the same memory, an element is a number of its own.
            memory = owner.memory if any(isinstance(i, SliceValue) for i in _parts(index)) else None
            return Scalar("str" if owner.kind == "str" else owner.kind, owner.node, memory)
        if isinstance(owner, ModuleObject):
            return self._element(owner, index)
        if isinstance(owner, Instance):
            inner = owner.data.get("torch")
            return (
                self._element(inner, index)
                if isinstance(inner, ModuleObject)
                else Unknown("an index into an object", deps=(owner,))
            )
        if isinstance(owner, Unknown):
            if owner.tensor is not None and owner.node is None:
                return indexing.get(self.rt, owner.tensor, index, site)
            key = ("[]", index) if isinstance(index, (int, str, type(None))) else None
            if key is not None and key in owner.attributes:
                return owner.attributes[key]
            value = Unknown(owner.reason, deps=(owner,), symbolic=owner.symbolic, node=owner.node)
            value.plain = owner.plain
            if key is not None:
                remember(owner.attributes, key, value)
            return value
        return owner

    def _element(self, owner: ModuleObject, index: Value) -> Value:
        if isinstance(index, int) and not owner.open and -len(owner.items) <= index < len(owner.items):
            return owner.items[index]
        if isinstance(index, str) and index in owner.keys:
            return owner.items[owner.keys.index(index)]
        if type(index).__name__ == "SliceValue":
            part = ModuleObject(owner.dotted, None, owner.site)
            part.items, part.open = owner.items, True
            bounds = (index.lower, index.upper, index.step)
            if not owner.open and all(b is None or isinstance(b, int) for b in bounds):
                part.items, part.open = owner.items[slice(*bounds)], False
            return part
        if owner.items:
            return self.rt.join_all(owner.items)
        return Unknown("an element of a container of modules")

    def set_item(self, owner: Value, index: Value, value: Value, site: Site) -> None:
        """`owner[index] = value`."""
        if isinstance(owner, Tensor):
            indexing.put(self.rt, owner, index, value, site)
        elif isinstance(owner, Unknown):
            if owner.node is not None or owner.tensor is not None or isinstance(value, Tensor):
                if isinstance(index, str):
                    owner.attributes[("[]", index)] = value
                else:
                    indexing.put(self.rt, unknown_tensor(owner), index, value, site)
            elif isinstance(index, (int, str)):
                owner.attributes[("[]", index)] = value
        elif isinstance(owner, ModuleObject):
            if isinstance(index, str):
                if index in owner.keys:
                    modules.replacing(self.rt, owner, index, owner.items[owner.keys.index(index)], value, site)
                    items = list(owner.items)
                    items[owner.keys.index(index)] = value
                    self.rt.heap.write(owner, "items", tuple(items))
                else:
                    self.rt.heap.write(owner, "keys", (*owner.keys, index))
                    self.rt.heap.write(owner, "items", (*owner.items, value))
            elif isinstance(index, int) and -len(owner.items) <= index < len(owner.items):
                modules.replacing(self.rt, owner, str(index), owner.items[index], value, site)
                items = list(owner.items)
                items[index] = value
                self.rt.heap.write(owner, "items", tuple(items))
        elif isinstance(owner, Scalar) and owner.kind == "array":
            remember(owner, "node", history([owner, value], "setitem", site, self.rt))
            arrays.changed(self.rt, owner, "setitem", site)

    # ------------------------------------------------------------------ leaving torch, copies

    def to_number(self, value: Value, kind: str, site: Site, written: str = "") -> Value:
        """`float(t)`, `math.exp(t)`."""
        return leaving.to_number(self.rt, value, kind, site, written)

    def numpy_call(self, dotted: str, call: Call) -> Value:
        """A call of numpy."""
        return leaving.numpy_call(self.rt, dotted, call)

    def copy_value(self, value: Value, site: Site, *, deep: bool) -> Value:
        """`copy.copy` and `copy.deepcopy` of tensors, modules and containers."""
        return self._copied(value, site, deep, {})

    def _copied(self, value: Value, site: Site, deep: bool, memo: dict[int, Value]) -> Value:
        if id(value) in memo:
            return memo[id(value)]
        if isinstance(value, Tensor):
            if deep and value.is_leaf.no:
                self.rt.error(
                    "other",
                    "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol"
                    " at the moment.",
                    site,
                    value,
                )
            result = Tensor(
                requires_grad=value.requires_grad,
                floating=value.floating,
                device=value.device,
                origin=site.span,
                name=value.name,
                is_parameter=value.is_parameter,
            )
            memo[id(value)] = result
            return result
        if isinstance(value, Instance):
            copied = Instance(value.cls)
            memo[id(value)] = copied
            copied.data = dict(value.data)
            copied.attributes.update(
                {k: self._copied(v, site, deep, memo) if deep else v for k, v in value.attributes.items()}
            )
            if "torch" in value.data:
                copied.data["torch"] = self._copied(value.data["torch"], site, deep, memo)
            return copied
        if isinstance(value, ModuleObject):
            module = ModuleObject(value.dotted, value.op, value.site)
            memo[id(value)] = module
            module.config, module.keys, module.open, module.training = (
                dict(value.config),
                value.keys,
                value.open,
                value.training,
            )
            module.attributes.update({k: self._copied(v, site, deep, memo) for k, v in value.attributes.items()})
            module.items = tuple(self._copied(v, site, deep, memo) for v in value.items)
            return module
        if isinstance(value, ListValue):
            return ListValue(
                tuple(self._copied(v, site, deep, memo) if deep else v for v in value.items), value.kind, value.open
            )
        if isinstance(value, DictValue):
            return DictValue(
                {k: self._copied(v, site, deep, memo) if deep else v for k, v in value.items.items()}, value.rest
            )
        if isinstance(value, Unknown):
            copy = Unknown(value.reason, name=value.name, symbolic=value.symbolic)
            copy.module_like = value.module_like
            return copy
        return value

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

    def instantiate(self, cls: ClassValue, call: Call) -> Value:
        """A class of the program that torch makes special; MISSING for ordinary ones."""
        if any(
            b.startswith(("torch.utils.data.Dataset", "torch.utils.data.IterableDataset")) for b in cls.torch_bases()
        ):
            return MISSING
        return MISSING

    def initialise(self, instance: Instance, call: Call) -> None:
        """`__init__` of torch's base class."""
        modules.initialise(self.rt, instance, call)

    def call_instance(self, instance: Instance, call: Call) -> Value:
        """Call an object of the program: the `forward` of a module; MISSING otherwise."""
        if custom.is_function(instance.cls) and instance.cls.find("__call__") is None:
            self.rt.error("other", custom.LEGACY, call.site)
            return Unknown("a call of a custom function's object")
        if not modules.is_module(instance) or instance.cls.find("__call__") is not None:
            return MISSING
        return hooks.around(self.rt, instance, call, lambda inner: self._forward(instance, inner))

    def _forward(self, instance: Instance, call: Call) -> Value:
        bound = modules.call_method(instance)
        if bound is not MISSING:
            return self.rt.call(bound, call)
        inner = instance.data.get("torch")
        if isinstance(inner, ModuleObject):
            return modules.forward(self.rt, self._synced(instance, inner), call)
        return self.opaque(instance, [*call.args, *call.kwargs.values()], call.site, f"a call of `{instance.cls.name}`")

    def is_module(self, value: Value) -> bool:
        """Whether a value is a module."""
        return modules.is_module(value)

    def is_instance(self, value: Value, kind: Value) -> bool | None:
        """`isinstance(value, kind)` for a class of torch; None if `kind` is not one or the answer is not known."""
        if not isinstance(kind, TorchName):
            return None
        if kind.dotted in ("torch.Tensor", "torch.FloatTensor", "torch.autograd.Variable"):
            return isinstance(value, Tensor)
        if kind.dotted in ("torch.nn.Parameter", "torch.nn.parameter.Parameter"):
            return isinstance(value, Tensor) and value.is_parameter
        if isinstance(value, ModuleObject):
            if kind.dotted in modules.BASE:
                return True
            return value.dotted.rpartition(".")[2] == kind.dotted.rpartition(".")[2]
        if isinstance(value, Instance):
            if kind.dotted in modules.BASE:
                return modules.is_module(value)
            return kind.dotted in value.cls.torch_bases() or (None if value.cls.unknown_base() else False)
        if isinstance(value, Distribution):
            return kind.dotted.rpartition(".")[2] in (value.name, "Distribution")
        return False if isinstance(value, Tensor) else None

    def iterate(self, value: Value, site: Site) -> tuple[list[Value], bool] | None:
        """Elements of an object of torch; None if it is not one."""
        rt = self.rt
        if isinstance(value, Tensor):
            size = value.shape[0] if value.shape else 0
            count = size if 0 < size <= 8 else 0
            operation = Operation(
                "unbind",
                site.span,
                tuple(operands_for("self", value, True)),
                outputs=("grad",) * (count or 2),
                view="multi",
                view_of="self",
            )
            results = ops.apply(rt, operation, site)
            for result in results:
                result.form = Form(value.shape[1:] if value.shape else None)
                result.floating = value.floating
                if value.floating.no:
                    result.requires_grad = truth.NO
            return list(results), not count
        if isinstance(value, ModuleObject):
            items: list[Value] = list(value.keys) if value.dotted.endswith("Dict") else list(value.items)
            return items, value.open
        if isinstance(value, Instance):
            inner = value.data.get("torch")
            return (list(inner.items), inner.open) if isinstance(inner, ModuleObject) else None
        if isinstance(value, Scalar):
            kind = "int" if value.kind == "shape" else value.kind
            return [Scalar(kind, value.node)], True
        if isinstance(value, Unknown):
            element = Unknown(value.reason, deps=(value,), symbolic=value.symbolic, node=value.node)
            element.plain = value.plain
            return [element], True
        if isinstance(value, Choice):
            items, open_ = [], False
            for _, each in value.alternatives:
                if each is None:
                    continue
                more, more_open = rt.iterate(each, site)
                items, open_ = items + more, open_ or more_open
            return items, True
        return None


def _parts(index: Value) -> tuple[Value, ...]:
    return index if isinstance(index, tuple) else (index,)
