"""Calls of code the engine cannot see: the result is connected to all tensors that go in, and to nothing for sure."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..autograd.heap import remember
from ..autograd.operation import Operation
from ..autograd.reach import is_severed, reach
from ..autograd.tensor import Tensor
from ..autograd.truth import NO, YES, maybe
from ..events import Order
from ..values import (
    BoundMethod,
    DictValue,
    External,
    FunctionValue,
    Instance,
    ListValue,
    ModuleObject,
    Runtime,
    Scalar,
    Site,
    Unknown,
    Value,
    unknown_tensor,
)
from . import module_tree
from .arguments import operands_for
from .containers import CONTAINERS

_FILLS = frozenset({"append", "appendleft", "add", "extend", "insert", "update", "setdefault"})
_MOST_USED = 64
_SET_LATER = "what a function sets that unknown code was given"
_LOOKERS = frozenset(
    "torchvision PIL cv2 imageio skimage matplotlib seaborn plotly wandb tensorboard tensorboardX sklearn scipy pandas"
    " torchmetrics".split()
)
"""Libraries that never call `backward` on a tensor of their caller's."""
_WRITES = frozenset(
    "add_scalar add_scalars add_image add_images add_image_with_boxes add_figure add_video add_audio add_text"
    " add_histogram add_embedding".split()
)
"""Methods of TensorBoard's `SummaryWriter`; of a writer made elsewhere only the name of the method is known."""
METHOD = "method"
"""The note on a call of a method of an unknown object: `agent.error(x, target)` may use all that the object has."""


def ordered(rt: Runtime, owner: object, name: str, site: Site) -> None:
    """Note that an optimizer, or an unknown object, was told to clear gradients or to step."""
    sinks = len(rt.events.sinks)
    rt.events.orders.append(Order(id(owner), name, site, rt.autograd.path, rt.entry, sinks))  # type: ignore[attr-defined]


def _only_looks(owner: Value) -> bool:
    """Whether code that is not seen shows, stores or computes with what it is given, and starts no backward itself."""
    if isinstance(owner, External):
        return owner.dotted.partition(".")[0] in _LOOKERS
    return isinstance(owner, Unknown) and owner.name in _WRITES


def _is_method(owner: Unknown) -> bool:
    of = (dep for dep in owner.deps if isinstance(dep, Unknown))
    return any(value is owner for each in of for value in each.attributes.values())


def _called_by_forward(owner: Value) -> Value:
    """The unknown module whose `forward` is called by its name, which is to call the module; else what is called."""
    if isinstance(owner, Unknown) and owner.name == "forward":
        for module in owner.deps:
            if isinstance(module, Unknown) and module.module_like and module.attributes.get("forward") is owner:
                return module
    return owner


def call(rt: Runtime, owner: Value, deps: Sequence[Value], site: Site, reason: str) -> Value:
    """The result of code the engine cannot see: connected to every tensor that goes in, and to nothing for sure."""
    rt.unresolved(reason)  # type: ignore[attr-defined]
    owner = _called_by_forward(owner)
    if isinstance(owner, Unknown) and owner.name == "step":
        # `scaler.step(optimizer)` is the step of what it is given.
        given = next((each for each in deps if isinstance(each, Unknown)), owner.deps[0] if owner.deps else None)
        ordered(rt, given, "step", site)
    operands = []
    for dep in deps:
        if isinstance(dep, Unknown) and dep.plain and dep.tensor is None and dep.node is None and not dep.symbolic:
            continue
        for tensor in rt.tensors_in(dep):
            rt.autograd.refresh(tensor)
            operands += operands_for("input", tensor, True)
        if (isinstance(dep, Unknown) and dep.tensor is None and not dep.plain) or isinstance(dep, Scalar):
            operands += operands_for("input", dep, True)
        if module_tree.is_module(dep):
            for _, tensor in module_tree.named_parameters(dep):
                operands += operands_for("input", tensor, True)
        if isinstance(dep, Instance):
            if isinstance(dep.data.get("unknown"), Unknown):
                operands += operands_for("input", dep.data["unknown"], True)
            _may_replace(rt, dep, reason)
        elif isinstance(dep, (FunctionValue, BoundMethod)):
            for value in _used_by(rt, dep):
                if isinstance(value, Tensor):
                    rt.autograd.refresh(value)
                operands += operands_for("input", value, True)
            _may_run(rt, dep)
        may_fill(rt, dep)
    for operand in operands:
        if operand.tensor is not None and not _only_looks(owner):
            if operand.tensor.node is not None:
                rt.events.escaped.append(operand.tensor)
            if operand.tensor.is_leaf.yes:
                rt.events.exposed.add(id(operand.tensor))
    rt.events.unknown_calls += 1
    trainable = False
    if isinstance(owner, Unknown) and not owner.plain:
        behind = module_tree.behind(owner)
        group = owner.parameters
        if group is None:
            frozen = bool(behind) and all(tensor.requires_grad.no for tensor in behind)
            group = module_tree.group_of(owner, NO if frozen else maybe(reason))
            remember(owner, "parameters", group)
        trainable = owner.module_like and group.requires_grad.yes
        if owner.module_like and module_tree.is_undecided(group):
            remember(group, "requires_grad", YES)
            trainable = True
        operands += operands_for("function", group, True)
        for _, tensor in module_tree.parts_of_unknown(owner):
            operands += operands_for("function", tensor, True)
        for tensor in behind:
            # `net.log_prob(x)` of an unknown `net` may use everything `net` has.
            operands += operands_for("self", tensor, True)
        if owner.node is not None:
            operands += operands_for("function", unknown_tensor(owner), True)
    elif module_tree.is_module(owner):
        for _, tensor in module_tree.named_parameters(owner):
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
    if isinstance(owner, Unknown) and _is_method(owner):
        node.note = METHOD
    if node.tracked.yes and not trainable:
        node.tracked = maybe(reason)
    elif trainable and not rt.autograd.mode.enabled.no:
        node.tracked = YES if rt.autograd.mode.enabled.yes else maybe(reason)
    return Unknown(reason, deps=(), node=node)


def _may_replace(rt: Runtime, given: Instance, reason: str) -> None:
    """Code that is not known may put results in place of the plain data that an object holds (`gate(device)` changes
    `device.states`): such data is not surely without history afterwards. What was cut off stays cut off."""
    for name, value in list(given.attributes.items()):
        if isinstance(value, Tensor) and value.requires_grad.no and not value.is_parameter and value.floating.possible:
            if value.node is not None and is_severed(value):
                continue
            new = Tensor(requires_grad=maybe(reason), origin=value.origin)
            new.form, new.device, new.dtype, new.floating = value.form, value.device, value.dtype, value.floating
            rt.heap.put(given.attributes, name, new)


def _used_by(rt: Runtime, given: FunctionValue | BoundMethod) -> list[Tensor | Unknown]:
    """What a function of the program has from outside of it: code that is given the function may compute with all that
    (`odeint(field, x0, times)`)."""
    found: dict[int, Tensor | Unknown] = {}
    waiting: list[Value] = [given]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_USED:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, BoundMethod):
            waiting += [value.function, value.self_value]
        elif isinstance(value, FunctionValue):
            names = {each.id for each in ast.walk(value.node) if isinstance(each, ast.Name)}
            waiting += [value.scope.lookup(name) for name in sorted(names)]
        elif isinstance(value, Unknown):
            if not value.plain:
                found[id(value)] = value
        elif isinstance(value, (Tensor, Instance, ModuleObject)):
            found |= {id(each): each for each in rt.tensors_in(value)}
            if module_tree.is_module(value):
                found |= {id(each): each for _, each in module_tree.named_parameters(value)}
    return list(found.values())


def _may_run(rt: Runtime, given: FunctionValue | BoundMethod) -> None:
    """Code that is not known may run a function of the program at any time (a hook of a layer that is not seen): what
    it stores in objects and in names outside of it is not known from now on."""
    function, owner = (given.function, given.self_value) if isinstance(given, BoundMethod) else (given, None)
    if not isinstance(function, FunctionValue) or not isinstance(function.node, (ast.FunctionDef, ast.Lambda)):
        return
    arguments = function.node.args.args
    first = arguments[0].arg if arguments and owner is not None else ""
    outer: set[str] = set()

    def found(node: ast.expr) -> Value:
        """What an outer name, or an attribute of one, holds now."""
        if isinstance(node, ast.Name):
            return owner if node.id == first else function.scope.lookup(node.id)
        if isinstance(node, ast.Attribute):
            holder = found(node.value)
            return holder.attributes.get(node.attr) if isinstance(holder, Instance) else None
        return None

    for each in ast.walk(function.node):
        if isinstance(each, (ast.Global, ast.Nonlocal)):
            outer.update(each.names)
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in _FILLS:
            may_fill(rt, found(each.func.value))
        elif not isinstance(getattr(each, "ctx", None), ast.Store):
            continue
        elif isinstance(each, ast.Subscript):
            may_fill(rt, found(each.value))
        elif isinstance(each, ast.Name) and each.id in outer:
            table = function.scope.table_holding(each.id)
            if table is not None:
                rt.heap.put(table, each.id, Unknown(_SET_LATER, name=each.id))
        elif isinstance(each, ast.Attribute):
            holder = found(each.value)
            if isinstance(holder, Instance) and each.attr in holder.attributes:
                rt.heap.put(holder.attributes, each.attr, Unknown(_SET_LATER, name=each.attr))


def may_fill(rt: Runtime, given: Value) -> None:
    """Nobody gives an empty container away but to have it filled: code that is not known may have put anything in."""
    if isinstance(given, ListValue):
        if not given.items:
            rt.heap.write(given, "items", (Unknown("an element that unknown code puts in"),))
            rt.heap.write(given, "open", True)
    elif isinstance(given, DictValue):
        if not given.items and given.rest is None:
            rt.heap.write(given, "rest", Unknown("an entry that unknown code puts in"))
    elif isinstance(given, ModuleObject) and given.dotted in CONTAINERS and not given.items and not given.open:
        rt.heap.write(given, "open", True)


def another(rt: Runtime, value: Value, site: Site) -> Value:
    """One more value that was computed as this one was (a later element of a generator): from the same leaves, by
    nodes of its own that are not known."""
    if type(value) is tuple:
        return tuple(another(rt, each, site) for each in value)
    if not isinstance(value, (Tensor, Unknown)) or value.node is None:
        return value
    leaves = reach([value if isinstance(value, Tensor) else unknown_tensor(value)]).leaves
    if not leaves:
        return value
    operands = tuple(operand for leaf in leaves for operand in operands_for("input", leaf, True))
    result = rt.autograd.apply(Operation("call", site.span, operands, opaque="a later element", holds_numbers=True))[0]
    if isinstance(value, Unknown):
        return Unknown(value.reason, node=result.node)
    result.form, result.floating = value.form, value.floating
    return result
