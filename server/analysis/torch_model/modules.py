"""Modules of torch and of the program: made, called, their parameters replaced."""

from __future__ import annotations

from ..autograd.heap import MISSING, remember
from ..autograd.tensor import CPU, Tensor
from ..autograd.truth import YES
from ..events import Replaced
from ..values import (
    BoundMethod,
    Call,
    DictValue,
    Instance,
    ModuleObject,
    Runtime,
    Site,
    Unknown,
    Value,
)
from . import hooks, new_strides, parametrized, recurrent, shapes
from .arguments import device_of
from .containers import CONTAINERS, DICTS, LISTS
from .module_forward import module_forward
from .module_tree import BASE, children, is_module, named_parameters
from .module_tree import modules as modules_of
from .table import TABLE

AVERAGED = "torch.optim.swa_utils.AveragedModel"
LISTED = "<listed>"
"""Where a module keeps a parameter that was given out together with its own. Only a module that is added later asks."""


def replacing(rt: Runtime, owner: Value, name: str, before: Value, after: Value, site: Site) -> None:
    """Record that a parameter of a module, or a module with parameters anywhere, gives way to another one."""
    if before is after or not (is_module(owner) or (is_module(before) and is_module(after))):
        return
    old = _parameters_in(before)
    known = {id(tensor) for tensor in old}
    # What takes in the one it stands for (`net.embed = Prompted(net.embed)`) brings what it has besides.
    new = tuple(tensor for tensor in _parameters_in(after) if id(tensor) not in known) if old else ()
    if new:
        rt.events.replaced.append(
            Replaced(site, name, old, new, rt.autograd.path, len(rt.events.held), len(rt.events.steps))
        )


def listed(rt: Runtime, owner: Value) -> None:
    """`owner.parameters()` is asked for: each module below remembers a parameter that is given out with it."""
    first = _first_parameter(owner)
    if first is None:
        return
    for module in modules_of(owner):
        if isinstance(module, Instance) or (isinstance(module, ModuleObject) and module.dotted in CONTAINERS):
            kept = _kept(module)
            if kept.get(LISTED) is not first:
                rt.heap.put(kept, LISTED, first)


def _kept(module: Instance | ModuleObject) -> dict[str, Value]:
    """What the engine keeps at a module, which is no attribute of it."""
    return module.data if isinstance(module, Instance) else module.config


def adding(rt: Runtime, owner: Value, name: str, value: Value, site: Site) -> None:
    """Record that a module gets a further module or parameter after an optimizer was given its parameters."""
    new = _parameters_in(value) if rt.events.held and isinstance(owner, (Instance, ModuleObject)) else ()
    if not new or not is_module(owner):
        return
    listed_with = _kept(owner).get(LISTED)
    given = [t for t in (listed_with, _first_parameter(owner)) if isinstance(t, Tensor)]
    if all(first.born > rt.events.held[-1].before for first in given):
        return
    if not any(item.tensor is first for first in given for item in rt.events.held):
        return
    old = (*given, *_parameters_in(owner))
    if {id(tensor) for tensor in old}.isdisjoint(map(id, new)):
        so_far = len(rt.events.held), len(rt.events.steps)
        further = Replaced(site, name, old, new, rt.autograd.path, *so_far, added=True, listed=listed_with is not None)
        rt.events.replaced.append(further)


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
    for name in recurrent.parameters(short, op.parameters, value.config):
        switch = op.optional.get(name if name in op.parameters else recurrent.switch(name))
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
            # What is not known of it may be trainable, whatever goes in.
            others = Unknown("a Sequential whose elements are not all known", name=value.name)
            result = rt.torch.opaque(others, [value, result], call.site, others.reason)  # type: ignore[attr-defined]
        return result
    short = value.dotted.rpartition(".")[2]
    if short in ("Identity", "Flatten", "Unflatten") and short == "Identity":
        return call.args[0] if call.args else Unknown("Identity()")
    if "Dropout" in short and value.training is False:
        return call.args[0] if call.args else Unknown("Dropout()")
    if value.op is None and value.dotted == AVERAGED:
        return rt.call(value.attributes["module"], call)
    if value.op is None:
        return rt.torch.opaque(value, [*call.args, *call.kwargs.values()], call.site, f"`{value.dotted}`")  # type: ignore[attr-defined]
    parameters = {n: t for n, t in value.attributes.items() if isinstance(t, Tensor)}
    if parametrized.PARTS in value.attributes or parametrized.RECOMPUTED in value.config:
        parameters = parametrized.forwarded(rt, value, parameters, call.site)
    weight = parameters.get("weight")
    if weight is not None and short.startswith("Embedding") and isinstance(value.config.get("max_norm"), (int, float)):
        # It is changed under no_grad, whatever its rows are (torch/nn/functional.py, _no_grad_embedding_renorm_).
        rt.autograd.bump(weight, "embedding_renorm_", call.site.span)
    result = module_forward(rt, value.op, parameters, call, value.config, short)
    if isinstance(result, Tensor) and result.shape is None:
        result.form = new_strides.of_module(short, call.args, shapes.module(short, value.config, call.args))
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


def call_method(owner: Value) -> Value:
    """`forward` of a module of the program, bound; MISSING if its classes have none."""
    found = owner.cls.find("forward") if isinstance(owner, Instance) else None
    return BoundMethod(found[0], owner) if found is not None else MISSING
