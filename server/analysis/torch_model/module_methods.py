"""Methods that every module has: `parameters`, `to`, `train`, `state_dict`; and those of containers of modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..autograd.graph import Frozen
from ..autograd.heap import MISSING, remember
from ..autograd.tensor import CPU, NO_GRAD_YET, Grad, Tensor
from ..autograd.truth import NO, Truth
from ..values import (
    Call,
    DictValue,
    External,
    Instance,
    IterValue,
    ListValue,
    ModuleObject,
    NativeMethod,
    Runtime,
    Scalar,
    Site,
    Unknown,
    Value,
)
from . import averaging, hooks, parametrized
from .arguments import device_of, dtype_of, truth_of
from .containers import CONTAINERS, DICTS, container_of, hold, insert, names
from .creation import parameter
from .effects import note_copy
from .module_tree import children, group_of, is_module, module_at, modules, named_parameters
from .modules import adding, forward, listed, replacing


def attribute(rt: Runtime, owner: Value, name: str, site: Site) -> Value:
    """A method or attribute every module has; MISSING otherwise."""
    if isinstance(owner, ModuleObject):
        if name in owner.attributes:
            return owner.attributes[name]
        if name in owner.keys:
            return owner.items[owner.keys.index(name)]
        if (
            parametrized.PARTS in owner.attributes
            and (value := parametrized.value(rt, owner, name, site)) is not MISSING
        ):
            return value
        if name == "training":
            return Scalar("bool") if owner.training is None else owner.training
        if name in ("forward", "__call__"):
            return NativeMethod(owner, name, lambda call: forward(rt, owner, call))
        if name in owner.config and not name.startswith("_"):
            return owner.config[name]
        if name == "bias":
            return None
        container = _container_method(rt, owner, name)
        if container is not MISSING:
            return container
    if isinstance(owner, Instance) and name == "training":
        value = owner.data.get("training", True)
        return Scalar("bool") if value is None else value
    model = _METHODS.get(name)
    if model is None and isinstance(owner, Instance) and parametrized.PARTS in owner.attributes:
        value = parametrized.value(rt, owner, name, site)
        if value is not MISSING:
            return value
    if model is None:
        inner = owner.data.get("torch") if isinstance(owner, Instance) else None
        return attribute(rt, inner, name, site) if inner is not None else MISSING
    return NativeMethod(owner, name, lambda call: model(rt, owner, call))


def _container_method(rt: Runtime, owner: ModuleObject, name: str) -> Value:
    if name in ("append", "extend", "insert") and owner.dotted in CONTAINERS:

        def grow(call: Call) -> Value:
            if name == "extend":
                items, open_ = rt.iterate(call.args[0], call.site) if call.args else ([], True)
                rt.heap.write(owner, "items", (*owner.items, *items))
                if open_:
                    rt.heap.write(owner, "open", True)
            elif name == "insert":
                adding(rt, owner, "", call.argument(1, "module"), call.site)
                insert(rt, owner, call.argument(0, "index"), call.argument(1, "module"))
            else:
                item = call.args[-1] if call.args else next(iter(call.kwargs.values()), None)
                adding(rt, owner, "", item, call.site)
                hold(rt, owner, str(len(owner.items)), item)
            return owner

        return NativeMethod(owner, name, grow)
    if name in ("items", "values", "keys") and owner.dotted in DICTS:

        def view(call: Call) -> Value:
            # An element that was put in under a name nobody knows stands under its number.
            keys = [Scalar("str") if owner.open and key == str(i) else key for i, key in enumerate(names(owner))]
            pairs = list(zip(keys, owner.items, strict=False))
            chosen = {"items": pairs, "values": list(owner.items), "keys": keys}[name]
            return ListValue(chosen, open_=owner.open)

        return NativeMethod(owner, name, view)
    if name == "update" and owner.dotted in DICTS:

        def update(call: Call) -> Value:
            source = call.args[0] if call.args else None
            if isinstance(source, DictValue):
                rt.heap.write(owner, "keys", (*owner.keys, *(str(k) for k in source.items)))
                rt.heap.write(owner, "items", (*owner.items, *source.items.values()))
            return None

        return NativeMethod(owner, name, update)
    return MISSING


def _parameters(rt: Runtime, owner: Value, call: Call) -> Value:
    listed(rt, owner)
    return IterValue([t for _, t in named_parameters(owner)], _open(owner))


def _named_parameters(rt: Runtime, owner: Value, call: Call) -> Value:
    listed(rt, owner)
    return IterValue([(n, t) for n, t in named_parameters(owner)], _open(owner))


def _open(owner: Value) -> bool:
    if not isinstance(owner, Instance):
        return False
    return owner.cls.unknown_base() is not None or any(isinstance(base, External) for base in owner.cls.mro())


def _modules(rt: Runtime, owner: Value, call: Call) -> Value:
    return ListValue(modules(owner))


def _named_modules(rt: Runtime, owner: Value, call: Call) -> Value:
    found: dict[int, tuple[str, Value]] = {}
    queue: list[tuple[str, Value]] = [("", owner)]
    while queue:
        name, module = queue.pop()
        if id(module) not in found and not isinstance(module, Tensor):
            found[id(module)] = (name, module)
            below = [(f"{name}.{key}" if name else key, child) for key, child in children(module)]
            queue += reversed(below)
    return ListValue(list(found.values()))


def _children(rt: Runtime, owner: Value, call: Call) -> Value:
    return ListValue([c for _, c in children(owner)])


def _named_children(rt: Runtime, owner: Value, call: Call) -> Value:
    return ListValue(list(children(owner)))


def _train(flag: bool | None) -> Callable[[Runtime, Value, Call], Value]:
    def switch(rt: Runtime, owner: Value, call: Call) -> Value:
        mode = flag if flag is not None else rt.truth(call.argument(0, "mode", True))
        for module in modules(owner):
            # Most calls say what holds anyway; a loop whose body begins with one leaves nothing for its next pass.
            if isinstance(module, ModuleObject):
                if module.training is not mode:
                    rt.heap.write(module, "training", mode)
            elif isinstance(module, Instance) and module.data.get("training", True) is not mode:
                if "training" not in module.data:
                    # What the other branch has, should this be one of two.
                    remember(module.data, "training", True)
                rt.heap.put(module.data, "training", mode)
        return owner

    return switch


def _requires_grad_(rt: Runtime, owner: Value, call: Call) -> Value:
    set_requires_grad(rt, owner, truth_of(rt, call.argument(0, "requires_grad", True), "the flag is not known"), call)
    return owner


def set_requires_grad(rt: Runtime, owner: Value, flag: Truth, call: Call) -> None:
    """What `requires_grad_`, and `freeze` and `unfreeze` of Lightning, do to the parameters of a module."""
    if flag.no:
        _freeze_unknown_parts(owner)
    frozen = Frozen(call.site.span, rt.autograd.stack) if flag.no else None
    for _, tensor in named_parameters(owner):
        rt.heap.write(tensor, "requires_grad", flag)
        rt.heap.write(tensor, "frozen", frozen)


def _freeze_unknown_parts(owner: Value) -> None:
    """Freeze attributes that only later turn out to be modules (`self.net = net` of an argument)."""
    for module in modules(owner):
        for child in list(module.attributes.values()) if isinstance(module, Instance) else ():
            if isinstance(child, Unknown) and child.parameters is None and not child.plain and child.node is None:
                remember(child, "parameters", group_of(child, NO))


def _zero_grad(rt: Runtime, owner: Value, call: Call) -> Value:
    to_none = rt.truth(call.argument(0, "set_to_none", True))
    clear_gradients(rt, [t for _, t in named_parameters(owner)], to_none, call.site)
    return None


def clear_gradients(
    rt: Runtime, tensors: list[Tensor], to_none: bool | None, site: Site, optimizer: object = None
) -> None:
    """`zero_grad` of a module or an `optimizer`: `.grad` becomes None, or zeros if it was there."""
    rt.events.emptied.append(tensors)
    if to_none is not False:
        had = frozenset(id(each) for each in (*filter(_has_gradient, tensors), optimizer) if each is not None)
        rt.events.clear(site.span, had)
    for tensor in tensors:
        if to_none is not False:
            rt.heap.write(tensor, "grad", Grad(NO, site.span) if tensor.grad.present.possible else NO_GRAD_YET)
        elif tensor.grad.present.possible:
            # What is set to zero is detached first (torch/optim/optimizer.py, zero_grad).
            rt.heap.write(tensor, "grad", replace(tensor.grad, graph=None, over=None))


def _has_gradient(tensor: Tensor) -> bool:
    """Whether a backward has left a gradient; what an unknown model leaves its parameters is never known for sure."""
    return tensor.grad.present.yes or (tensor.group and tensor.grad.present.possible)


def _to(rt: Runtime, owner: Value, call: Call) -> Value:
    """Parameters stay the leaves they are: `Module.to` swaps their data (torch/nn/modules/module.py `_apply`)."""
    for value in [*call.args, *call.kwargs.values()]:
        if dtype_of(value) is None:
            _place(rt, owner, device_of(value))
    return owner


def _cuda(rt: Runtime, owner: Value, call: Call) -> Value:
    _place(rt, owner, device_of("cuda"))
    return owner


def _cpu(rt: Runtime, owner: Value, call: Call) -> Value:
    _place(rt, owner, CPU)
    return owner


def _place(rt: Runtime, owner: Value, device: object) -> None:
    for _, tensor in named_parameters(owner):
        rt.heap.write(tensor, "device", device)


def _same(rt: Runtime, owner: Value, call: Call) -> Value:
    return owner


def _apply(rt: Runtime, owner: Value, call: Call) -> Value:
    for module in reversed(modules(owner)):
        if call.args:
            rt.call(call.args[0], Call([module], {}, call.site))
    return owner


def _register_buffer(rt: Runtime, owner: Value, call: Call) -> Value:
    name, tensor = call.argument(0, "name"), call.argument(1, "tensor")
    if isinstance(name, str) and isinstance(owner, (Instance, ModuleObject)):
        if isinstance(tensor, Tensor) and not tensor.name:
            remember(tensor, "name", name)
        rt.heap.put(owner.attributes, name, tensor)
    return None


def _add_module(rt: Runtime, owner: Value, call: Call) -> Value:
    name, module = call.argument(0, "name"), call.argument(1, "module")
    adding(rt, owner, name if isinstance(name, str) else "", module, call.site)
    container = container_of(owner)
    if container is None:
        if isinstance(owner, (Instance, ModuleObject)):
            rt.heap.put(owner.attributes, name if isinstance(name, str) else f"[{len(owner.attributes)}]", module)
    else:
        # A name that is not known (`f"layer{i}"`) is one of its own.
        hold(rt, container, name if isinstance(name, str) else str(len(container.items)), module)
    return None


def _set_by_name(rt: Runtime, owner: Value, call: Call) -> Value:
    """`self.__setattr__(name, layer)` registers what `setattr` does."""
    name, value = call.argument(0, "name"), call.argument(1, "value")
    if is_module(value) or (isinstance(value, Tensor) and value.is_parameter):
        return _add_module(rt, owner, Call([name, value], {}, call.site))
    if isinstance(name, str) and isinstance(owner, (Instance, ModuleObject)):
        rt.heap.put(owner.attributes, name, value)
    return None


def _add(rt: Runtime, owner: Value, call: Call) -> Value:
    """`net.add(layer)`, as in Lua's Torch: no module has it until a program gives it to `torch.nn.Module`."""
    container = container_of(owner)
    if container is not None and call.args:
        hold(rt, container, str(len(container.items) + 1), call.args[-1])
    return None


def _state_dict(rt: Runtime, owner: Value, call: Call) -> Value:
    from ..autograd.graph import Cut

    if call.argument(2, "keep_vars", False) is True:
        return DictValue(dict(named_parameters(owner)), rest=Unknown("an entry of a state_dict"))
    return DictValue(
        {
            n: rt.autograd.cut_off(t, Cut("detach", call.site.span, "state_dict()"), "state_dict", share="counter")
            for n, t in named_parameters(owner)
        },
        rest=Unknown("an entry of a state_dict"),
    )


def _load_state_dict(rt: Runtime, owner: Value, call: Call) -> Value:
    state = call.argument(0, "state_dict", None)
    if call.argument(2, "assign", False) is True and isinstance(state, DictValue):
        _take_over(rt, owner, state, call.site)
        return Unknown("the result of load_state_dict")
    for name, tensor in named_parameters(owner):
        rt.autograd.bump(tensor, "load_state_dict", call.site.span)
        source = state.items.get(name) if isinstance(state, DictValue) else None
        if isinstance(source, Tensor):
            note_copy(rt, tensor, source, call.site.span)
    return Unknown("the result of load_state_dict")


def _take_over(rt: Runtime, owner: Value, state: DictValue, site: Site) -> None:
    """`assign=True`: new parameters over the tensors of the state, with the flags of those they stand for
    (torch/nn/modules/module.py, `_load_from_state_dict`)."""
    for dotted, before in named_parameters(owner):
        source = state.items.get(dotted, state.rest)
        path, _, name = dotted.rpartition(".")
        module = module_at(owner, path)
        if module is None or source is None or module.attributes.get(name) is not before:
            rt.autograd.bump(before, "load_state_dict", site.span)
            continue
        made = parameter(rt, source if isinstance(source, Tensor) else None, site, before.requires_grad, before.name)
        made.device = before.device if not isinstance(source, Tensor) else made.device
        replacing(rt, module, name, before, made, site)
        rt.heap.put(module.attributes, name, made)


def _reset_parameters(rt: Runtime, owner: Value, call: Call) -> Value:
    """A layer of torch starts anew: writes its own parameters under no_grad."""
    if not isinstance(owner, ModuleObject) or owner.op is None:
        return rt.torch.opaque(owner, [*call.args, *call.kwargs.values()], call.site, "`.reset_parameters()`")
    for tensor in owner.attributes.values():
        if isinstance(tensor, Tensor) and tensor.is_parameter:
            rt.autograd.bump(tensor, "reset_parameters", call.site.span)
    return None


def _buffers(rt: Runtime, owner: Value, call: Call) -> Value:
    return ListValue([], open_=True)


def _get_submodule(rt: Runtime, owner: Value, call: Call) -> Value:
    return Unknown("a submodule by name", deps=(owner,))


_METHODS: dict[str, Callable[[Runtime, Value, Call], Value]] = {
    "parameters": _parameters,
    "named_parameters": _named_parameters,
    "modules": _modules,
    "named_modules": _named_modules,
    "children": _children,
    "named_children": _named_children,
    "buffers": _buffers,
    "train": _train(None),
    "eval": _train(False),
    "requires_grad_": _requires_grad_,
    "zero_grad": _zero_grad,
    "to": _to,
    "cuda": _cuda,
    "cpu": _cpu,
    "float": _same,
    "double": _same,
    "half": _same,
    "bfloat16": _same,
    "type": _same,
    "share_memory": _same,
    "compile": _same,
    "apply": _apply,
    "register_buffer": _register_buffer,
    "register_parameter": _register_buffer,
    "add": _add,
    "add_module": _add_module,
    "register_module": _add_module,
    "__setattr__": _set_by_name,
    "state_dict": _state_dict,
    "load_state_dict": _load_state_dict,
    "register_forward_hook": hooks.on_forward,
    "register_forward_pre_hook": hooks.before_forward,
    "register_full_backward_hook": hooks.on_backward,
    "register_full_backward_pre_hook": hooks.on_backward,
    "register_backward_hook": hooks.on_backward,
    "get_submodule": _get_submodule,
    "update_parameters": averaging.update,
    "reset_parameters": _reset_parameters,
}
