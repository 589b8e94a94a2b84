"""`nn.Module`: what it registers, its methods, and calling it; for classes of torch and of the program alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..autograd.heap import MISSING, remember
from ..autograd.tensor import CPU, NO_GRAD_YET, Form, Grad, Tensor
from ..autograd.truth import NO, YES, Truth, maybe
from ..events import Replaced
from ..values import (
    BoundMethod,
    Call,
    ClassValue,
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
    TorchName,
    Unknown,
    Value,
)
from . import hooks, shapes
from .arguments import device_of, dtype_of, truth_of
from .containers import CONTAINERS, DICTS, LISTS, container_of, hold, insert, names
from .ops import module_forward, note_copy
from .table import TABLE

BASE = ("torch.nn.Module", "torch.nn.modules.module.Module", "torch.nn.modules.Module")
LOADED = "loaded"
"""The note on the parameters of a module from a file that tells whether they require grad."""
_FRAMEWORK_BASES = ("LightningModule", "Module", "PreTrainedModel", "ModelMixin")


def is_module_class(cls: Value) -> bool:
    """Whether a class of the program is an `nn.Module`."""
    if not isinstance(cls, ClassValue):
        return False
    if cls.is_module is None:
        cls.is_module = _derives_from_module(cls)
    return cls.is_module


def _derives_from_module(cls: ClassValue) -> bool:
    for base in cls.mro():
        if isinstance(base, TorchName) and (base.dotted in BASE or base.dotted.startswith("torch.nn.")):
            return True
        if isinstance(base, External) and base.dotted.rpartition(".")[2] in _FRAMEWORK_BASES:
            return True
    return False


def is_module(value: Value) -> bool:
    """Whether a value is a module the engine can look into."""
    return isinstance(value, ModuleObject) or (isinstance(value, Instance) and is_module_class(value.cls))


def children(value: Value) -> Iterator[tuple[str, Value]]:
    """The direct children by name: attributes that are modules, elements of containers."""
    if isinstance(value, ModuleObject):
        yield from zip(names(value), value.items, strict=False)
    attributes = value.attributes if isinstance(value, (Instance, ModuleObject)) else {}
    for name, child in attributes.items():
        if type(child) is not Tensor and (is_module(child) or (isinstance(child, Unknown) and child.module_like)):
            yield name, child
    inner = value.data.get("torch") if isinstance(value, Instance) else None
    if inner is not None:
        yield from children(inner)


def named_parameters(value: Value, prefix: str = "", seen: set[int] | None = None) -> list[tuple[str, Tensor]]:
    """Every parameter once, with its dotted name. An unknown child counts as one group of parameters."""
    found: list[tuple[str, Tensor]] = []
    _add_parameters(value, prefix, set() if seen is None else seen, found)
    return found


def _add_parameters(value: Value, prefix: str, seen: set[int], found: list[tuple[str, Tensor]]) -> None:
    # Asked in every call of `parameters()` and by several rules, of trees of hundreds of layers.
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Unknown):
        found.append((prefix.rstrip("."), parameters_of_unknown(value)))
        found += parts_of_unknown(value, prefix, seen)
        return
    if not isinstance(value, (Instance, ModuleObject)):
        return
    layers: list[tuple[str, Value]] = []
    unknown: list[tuple[str, Value]] = []
    for name, child in value.attributes.items():
        kind = type(child)
        if kind is Tensor:
            if child.is_parameter and id(child) not in seen:
                seen.add(id(child))
                found.append((prefix + name, child))
        elif kind is ModuleObject or (kind is Instance and is_module_class(child.cls)):
            layers.append((name, child))
        elif kind is Unknown:
            unknown.append((name, child))
            if child.module_like:
                layers.append((name, child))
    if isinstance(value, ModuleObject):
        for index, item in enumerate(value.items):
            name = value.keys[index] if value.keys and index < len(value.keys) else str(index)
            if isinstance(item, Tensor) and id(item) not in seen:
                seen.add(id(item))
                found.append((prefix + name, item))
        for index, item in enumerate(value.items):
            name = value.keys[index] if value.keys and index < len(value.keys) else str(index)
            if isinstance(item, Unknown) or is_module(item):
                _add_parameters(item, f"{prefix}{name}.", seen, found)
    else:
        inner = value.data.get("torch")
        if inner is not None:
            _add_parameters(inner, prefix, seen, found)
    for name, child in layers:
        _add_parameters(child, f"{prefix}{name}.", seen, found)
    for name, child in unknown:
        if child.parameters is not None and id(child) not in seen:
            # Being held does not make it a module: what was called before may be a transform of data.
            seen.add(id(child))
            found.append((prefix + name, child.parameters))
            found += parts_of_unknown(child, f"{prefix}{name}.", seen)


def parts_of_unknown(value: Unknown, prefix: str = "", seen: set[int] | None = None) -> list[tuple[str, Tensor]]:
    """Parameters of an unknown module that are known: of what was put into it (`net.fc = nn.Linear(...)`), asked for by
    name (`net.layer4.parameters()`), or perhaps behind what was called by name (`net.layer4(x)`, `net.sample(x)`)."""
    seen = {id(value)} if seen is None else seen
    found: list[tuple[str, Tensor]] = []
    for name, child in list(value.attributes.items()):
        part = f"{prefix}{name}" if isinstance(name, str) else prefix.rstrip(".")
        if isinstance(child, Tensor) and child.is_parameter and id(child) not in seen:
            seen.add(id(child))
            found.append((part, child))
        elif is_module(child):
            found += named_parameters(child, f"{part}.", seen)
        elif isinstance(child, Unknown) and id(child) not in seen:
            seen.add(id(child))
            if child.parameters is not None:
                found.append((part, child.parameters))
            found += parts_of_unknown(child, f"{part}.", seen)
    return found


def behind(value: Unknown, depth: int = 4) -> list[Tensor]:
    """The parameters of the unknown modules that an unknown attribute was taken from."""
    found: list[Tensor] = []
    for owner in value.deps if depth else ():
        if isinstance(owner, Unknown):
            if owner.module_like and owner.parameters is not None:
                found += [owner.parameters, *(tensor for _, tensor in parts_of_unknown(owner))]
            found += behind(owner, depth - 1)
    return found


def parameters_of_unknown(value: Unknown, *, loaded: bool = False) -> Tensor:
    """The parameters of an unknown module as one leaf; of a `loaded` one, whose flags a file tells, if any."""
    if value.parameters is None:
        group = group_of(value, maybe(value.reason) if loaded else YES)
        if loaded:
            group.note = LOADED
        remember(value, "parameters", group)
    if not value.module_like:
        remember(value, "module_like", True)
    parameters: Tensor = value.parameters  # type: ignore[assignment]
    if parameters.requires_grad.maybe and parameters.note != LOADED:
        remember(parameters, "requires_grad", YES)
    return parameters


def group_of(value: Unknown, flag: Truth) -> Tensor:
    """A leaf that stands for all parameters of an unknown module, with the flag they have."""
    tensor = Tensor(requires_grad=flag, is_parameter=True, name=value.name or "parameters")
    tensor.group, tensor.note = True, "unknown"
    tensor.device = CPU
    tensor.made = tensor.counter.made = tensor.memory.made = 0  # It was there before anybody looked.
    return tensor


def replacing(rt: Runtime, owner: Value, name: str, before: Value, after: Value, site: Site) -> None:
    """Record that a parameter of a module, or a module with parameters anywhere, gives way to another one."""
    if before is after or not (is_module(owner) or (is_module(before) and is_module(after))):
        return
    old, new = _parameters_in(before), _parameters_in(after)
    if old and new and not any(tensor is other for tensor in old for other in new):
        rt.events.replaced.append(
            Replaced(site, name, old, new, rt.autograd.path, len(rt.events.held), len(rt.events.steps))
        )


def adding(rt: Runtime, owner: Value, name: str, value: Value, site: Site) -> None:
    """Record that a module gets a further module after an optimizer was given its parameters."""
    if not rt.events.held or not is_module(value) or not isinstance(owner, (Instance, ModuleObject)):
        return
    first = _first_parameter(owner)
    if first is None or not any(item.tensor is first for item in rt.events.held):
        return
    old, new = _parameters_in(owner), _parameters_in(value)
    if new and not any(tensor is other for tensor in old for other in new):
        so_far = len(rt.events.held), len(rt.events.steps)
        rt.events.replaced.append(Replaced(site, name, old, new, rt.autograd.path, *so_far, added=True))


def _first_parameter(value: Value, depth: int = 8) -> Tensor | None:
    attributes = value.attributes.values() if isinstance(value, (Instance, ModuleObject)) else ()
    for each in attributes:
        if type(each) is Tensor and each.is_parameter:
            return each
    for _, child in children(value) if is_module(value) and depth else ():
        found = child if type(child) is Tensor else _first_parameter(child, depth - 1)
        if found is not None:
            return found
    return None


def _parameters_in(value: Value) -> tuple[Tensor, ...]:
    if isinstance(value, Tensor):
        return (value,) if value.is_parameter else ()
    return tuple(tensor for _, tensor in named_parameters(value)) if is_module(value) else ()


def modules(value: Value, seen: set[int] | None = None) -> list[Value]:
    """The module and everything below it."""
    found: list[Value] = []
    _add_modules(value, set() if seen is None else seen, found)
    return found


def _add_modules(value: Value, seen: set[int], found: list[Value]) -> None:
    if id(value) in seen or isinstance(value, Tensor):
        return
    seen.add(id(value))
    found.append(value)
    _add_below(value, seen, found)


def _add_below(value: Value, seen: set[int], found: list[Value]) -> None:
    # What `children` gives, without the names: every rule that goes through all modules comes here.
    kind = type(value)
    if kind is not Instance and kind is not ModuleObject:
        return
    if kind is ModuleObject:
        for item in value.items[: len(value.keys)] if value.keys else value.items:
            _add_modules(item, seen, found)
    for child in value.attributes.values():
        kind_of_child = type(child)
        if (
            kind_of_child is ModuleObject
            or (kind_of_child is Instance and is_module_class(child.cls))
            or (kind_of_child is Unknown and child.module_like)
        ):
            _add_modules(child, seen, found)
    inner = value.data.get("torch") if kind is Instance else None
    if inner is not None:
        _add_below(inner, seen, found)


def build(rt: Runtime, dotted: str, call: Call) -> Value:
    """`nn.Linear(...)`: a module of torch with its parameters."""
    short = dotted.rpartition(".")[2]
    op = TABLE.module(dotted)
    value = ModuleObject(dotted, op, call.site)
    if f"torch.nn.{short}" in CONTAINERS:
        value.dotted = f"torch.nn.{short}"
        _fill(rt, value, call)
        return value
    if op is None:
        return Unknown(f"`{dotted}`", deps=(*call.args, *call.kwargs.values()))
    value.config = {p.name: a for p, a in zip(op.init, call.args, strict=False)}
    value.config.update(call.kwargs)
    device = device_of(value.config["device"]) if value.config.get("device") is not None else CPU
    for name in op.parameters:
        switch = op.optional.get(name)
        if switch is not None and rt.truth(value.config.get(switch, True)) is False:
            continue
        parameter = Tensor(requires_grad=YES, origin=call.site.span, is_parameter=True, name=name, device=device)
        value.attributes[name] = parameter
    return value


def _fill(rt: Runtime, value: ModuleObject, call: Call) -> None:
    """The elements of a container."""
    if value.dotted in DICTS:
        source = call.args[0] if call.args else DictValue(dict(call.kwargs))
        if isinstance(source, DictValue):
            value.keys = tuple(str(k) for k in source.items)
            value.items = tuple(source.items.values())
            value.open = source.rest is not None
        else:
            value.open = True
    elif value.dotted in LISTS:
        items, open_ = rt.iterate(call.args[0], call.site) if call.args else ([], False)
        value.items, value.open = tuple(_as_parameter(rt, value, i, call.site) for i in items), open_
    elif len(call.args) == 1 and isinstance(call.args[0], DictValue):
        value.keys = tuple(str(k) for k in call.args[0].items)
        value.items = tuple(call.args[0].items.values())
    else:
        value.items, value.open = tuple(call.args), call.open_args


def _as_parameter(rt: Runtime, value: ModuleObject, item: Value, site: Site) -> Value:
    if value.dotted.endswith("ParameterList") and isinstance(item, Tensor) and not item.is_parameter:
        from .creation import parameter

        return parameter(rt, item, site)
    return item


def forward(rt: Runtime, value: ModuleObject, call: Call) -> Value:
    """Call a module of torch, with its hooks."""
    return hooks.around(rt, value, call, lambda inner: _forward(rt, value, inner))


def _forward(rt: Runtime, value: ModuleObject, call: Call) -> Value:
    rt.events.called.add(id(value))
    if value.dotted == "torch.nn.Sequential":
        result: Value = call.args[0] if call.args else Unknown("the input of a Sequential")
        for item in value.items:
            result = rt.call(item, Call([result], {}, call.site))
        if value.open:
            result = rt.torch.opaque(value, [result], call.site, "a Sequential whose elements are not all known")  # type: ignore[attr-defined]
        return result
    short = value.dotted.rpartition(".")[2]
    if short in ("Identity", "Flatten", "Unflatten") and short == "Identity":
        return call.args[0] if call.args else Unknown("Identity()")
    if "Dropout" in short and value.training is False:
        return call.args[0] if call.args else Unknown("Dropout()")
    if value.op is None:
        return rt.torch.opaque(value, [*call.args, *call.kwargs.values()], call.site, f"`{value.dotted}`")  # type: ignore[attr-defined]
    parameters = {n: t for n, t in value.attributes.items() if isinstance(t, Tensor)}
    result = module_forward(rt, value.op, parameters, call, value.config.get("inplace") is True, short)
    if isinstance(result, Tensor) and result.shape is None:
        result.form = Form(shapes.module(short, value.config, call.args), short == "Linear")
    return result


def initialise(rt: Runtime, instance: Instance, call: Call) -> None:
    """`super().__init__(...)` of a class that derives from a module of torch."""
    for dotted in instance.cls.torch_bases():
        if dotted in BASE or not dotted.startswith("torch.nn."):
            continue
        inner = build(rt, dotted, call)
        if isinstance(inner, ModuleObject):
            remember(instance.data, "torch", inner)
            for name, tensor in inner.attributes.items():
                rt.heap.put(instance.attributes, name, tensor)
        return


# ---------------------------------------------------------------------- methods


def attribute(rt: Runtime, owner: Value, name: str, site: Site) -> Value:
    """A method or attribute every module has; MISSING otherwise."""
    if isinstance(owner, ModuleObject):
        if name in owner.attributes:
            return owner.attributes[name]
        if name in owner.keys:
            return owner.items[owner.keys.index(name)]
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
            pairs = list(zip(owner.keys, owner.items, strict=False))
            chosen = {"items": pairs, "values": list(owner.items), "keys": list(owner.keys)}[name]
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
    return IterValue([t for _, t in named_parameters(owner)], _open(owner))


def _named_parameters(rt: Runtime, owner: Value, call: Call) -> Value:
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
                rt.heap.put(module.data, "training", mode)
        return owner

    return switch


def _requires_grad_(rt: Runtime, owner: Value, call: Call) -> Value:
    flag = truth_of(rt, call.argument(0, "requires_grad", True), "the flag is not known")
    if flag.no:
        _freeze_unknown_parts(owner)
    for _, tensor in named_parameters(owner):
        rt.heap.write(tensor, "requires_grad", flag)
        rt.heap.write(tensor, "frozen", call.site.span if flag.no else None)
    return owner


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


def clear_gradients(rt: Runtime, tensors: list[Tensor], to_none: bool | None, site: Site) -> None:
    """`zero_grad`: `.grad` becomes None, or zeros if it was there."""
    if to_none is not False:
        had = frozenset(id(tensor) for tensor in tensors if tensor.grad.present.yes)
        rt.events.cleared[site.span] = (rt.events.unknown_calls, had)
    for tensor in tensors:
        if to_none is not False:
            rt.heap.write(tensor, "grad", Grad(NO, site.span) if tensor.grad.present.possible else NO_GRAD_YET)


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
        if isinstance(name, str) and isinstance(owner, (Instance, ModuleObject)):
            rt.heap.put(owner.attributes, name, module)
    else:
        # A name that is not known (`f"layer{i}"`) is one of its own.
        hold(rt, container, name if isinstance(name, str) else str(len(container.items)), module)
    return None


def _state_dict(rt: Runtime, owner: Value, call: Call) -> Value:
    from ..autograd.graph import Cut

    return DictValue(
        {
            n: rt.autograd.cut_off(t, Cut("detach", call.site.span, "state_dict()"), "state_dict", share="counter")
            for n, t in named_parameters(owner)
        },
        rest=Unknown("an entry of a state_dict"),
    )


def _load_state_dict(rt: Runtime, owner: Value, call: Call) -> Value:
    state = call.argument(0, "state_dict", None)
    for name, tensor in named_parameters(owner):
        rt.autograd.bump(tensor, "load_state_dict", call.site.span)
        source = state.items.get(name) if isinstance(state, DictValue) else None
        if isinstance(source, Tensor):
            note_copy(rt, tensor, source, call.site.span)
    return Unknown("the result of load_state_dict")


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
    "add_module": _add_module,
    "register_module": _add_module,
    "state_dict": _state_dict,
    "load_state_dict": _load_state_dict,
    "register_forward_hook": hooks.on_forward,
    "register_forward_pre_hook": hooks.before_forward,
    "register_full_backward_hook": hooks.on_backward,
    "register_backward_hook": hooks.on_backward,
    "get_submodule": _get_submodule,
}


def call_method(owner: Value) -> Value:
    """`forward` of a module of the program, bound; MISSING if its classes have none."""
    found = owner.cls.find("forward") if isinstance(owner, Instance) else None
    return BoundMethod(found[0], owner) if found is not None else MISSING
