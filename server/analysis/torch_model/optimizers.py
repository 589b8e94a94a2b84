"""Optimizers and gradient scalers: objects of torch that are not modules."""

from __future__ import annotations

from ..autograd.graph import Version, join_versions
from ..autograd.heap import MISSING, remember
from ..autograd.operation import Mode, Operand, Operation
from ..autograd.order import birth
from ..autograd.tensor import Tensor
from ..autograd.truth import YES
from ..events import Held
from ..values import (
    Call,
    Choice,
    DictValue,
    Instance,
    IterValue,
    ListValue,
    NativeMethod,
    Runtime,
    Scalar,
    Site,
    Unknown,
    Value,
)
from . import effects
from .module_methods import clear_gradients
from .opaque import ordered
from .registry import function

_MOVES = frozenset(["to", "cuda", "cpu"])


class Optimizer:
    """An optimizer: the tensors it holds. `tracked` ones (`differentiable=True`) step with tracking on. `fused` ones
    change parameters without raising their version; one that evaluates its closure several times in a step does so
    `once` if it is told to."""

    __slots__ = ("born", "fused", "groups", "name", "once", "open", "site", "tensors", "tracked")

    def __init__(self, name: str, site: Site) -> None:
        self.name, self.site = name, site
        self.born = birth()
        self.tensors: tuple[Tensor, ...] = ()
        self.groups: tuple[Value, ...] = ()
        self.fused = False
        self.tracked: bool | None = False
        self.once = False
        self.open = False


class Scaler:
    """A `GradScaler`."""

    __slots__ = ()


def collect(rt: Runtime, value: Value, site: Site, depth: int = 3) -> tuple[list[Tensor], bool]:
    """(tensors, open) of what is handed to an optimizer: iterables, named pairs, and dicts with "params"."""
    if isinstance(value, Tensor):
        return [value], False
    if isinstance(value, DictValue):
        inner = value.items.get("params", value.rest)
        return collect(rt, inner, site, depth - 1) if inner is not None and depth else ([], True)
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], (str, Scalar)):
        return collect(rt, value[1], site, depth - 1) if depth else ([], True)
    if isinstance(value, Choice):
        found: list[Tensor] = []
        open_ = False
        for _, each in value.alternatives:
            more, more_open = collect(rt, each, site, depth)
            found, open_ = found + more, open_ or more_open
        return found, open_
    if depth and isinstance(value, (ListValue, IterValue, tuple)):
        items, open_ = rt.iterate(value, site)
        tensors: list[Tensor] = []
        for item in items:
            more, more_open = collect(rt, item, site, depth - 1)
            tensors += more
            open_ = open_ or more_open
        return tensors, open_
    return [], True


def build(rt: Runtime, dotted: str, call: Call) -> Value:
    """`torch.optim.SGD(params, ...)`: records what it holds; a non-leaf is refused."""
    optimizer = Optimizer(dotted.rpartition(".")[2], call.site)
    optimizer.tracked = rt.truth(call.kwargs.get("differentiable", False))
    optimizer.fused = call.kwargs.get("fused") is True
    optimizer.once = call.argument(2, "max_iter", 20) == 1
    _add(rt, optimizer, call.argument(0, "params"), call.site)
    return optimizer


def initialise(rt: Runtime, instance: Instance, call: Call) -> None:
    """`super().__init__(params, defaults)` of a class that derives from an optimizer of torch.

    What it is made of has to be known: an optimizer of unknown parameters is left to its own code.
    """
    base = next((b for b in instance.cls.torch_bases() if _is_optimizer(b)), None)
    if base is None:
        return
    optimizer = Optimizer(base.rpartition(".")[2], call.site)
    _add(rt, optimizer, call.argument(0, "params"), call.site)
    if optimizer.tensors:
        remember(instance.data, "optimizer", optimizer)


def _is_optimizer(dotted: str) -> bool:
    return dotted.startswith("torch.optim.") and not dotted.startswith(("torch.optim.lr_scheduler.", "torch.optim.swa"))


def behind(value: Value) -> Optimizer | None:
    """An optimizer, or that of an object whose class derives from one; None of anything else."""
    if isinstance(value, Instance):
        value = value.data.get("optimizer")
    return value if isinstance(value, Optimizer) else None


def own_step(rt: Runtime, owner: Instance, bound: Value) -> Value:
    """The `step` that a class of the program has: its own code runs, and it is the step of what the optimizer holds."""
    optimizer = behind(owner)
    if optimizer is None:
        return bound

    def run(call: Call) -> Value:
        rt.stepped(call.site, optimizer)  # type: ignore[attr-defined]
        return rt.call(bound, call)

    return NativeMethod(owner, "step", run)


def _empty(params: Value, used: bool) -> bool:
    """Whether what an optimizer is handed is certainly empty: an empty list, or an iterator that was used up before."""
    if isinstance(params, IterValue):
        return used and not params.open
    items = params.items if isinstance(params, ListValue) else params
    return isinstance(items, tuple) and not items and not (isinstance(params, ListValue) and params.open)


def _add(rt: Runtime, optimizer: Optimizer, params: Value, site: Site) -> None:
    used = isinstance(params, IterValue) and params.used
    found, open_ = collect(rt, params, site)
    # Of a model that is one of two, the parameters of either are held: what reaches them is told of the leaves.
    tensors = list(dict.fromkeys(leaf for each in found for leaf in (each.is_parameter and each.either) or (each,)))
    now = birth()
    for tensor in tensors:
        # It asks for `is_leaf` (torch/optim/optimizer.py, add_param_group).
        rt.guard(lambda each=tensor: rt.autograd.require_current(each), site, lambda: None)  # type: ignore[attr-defined, misc]
        if tensor.is_leaf.no and optimizer.tracked is True:
            continue
        rt.events.held.append(Held(site, tensor, tensor.node, now))
        if tensor.is_leaf.no and not tensor.retains_grad:
            # Without a GPU, a move there is none, and the tensor is the leaf it was made as.
            stays = tensor.device.kind == "either" and tensor.node is not None and tensor.node.name in _MOVES
            rt.error(
                "optim-non-leaf",
                "can't optimize a non-leaf Tensor",
                site,
                tensor,
                not stays and optimizer.tracked is False,
            )
    if _empty(params, used) and not tensors:
        rt.error("other", "optimizer got an empty parameter list", site)
    rt.heap.write(optimizer, "tensors", (*optimizer.tensors, *tensors))
    rt.heap.write(optimizer, "open", optimizer.open or open_)
    rt.heap.write(
        optimizer,
        "groups",
        (*optimizer.groups, DictValue({"params": ListValue(tensors, open_=open_)}, rest=Scalar("float"))),
    )


def step(rt: Runtime, optimizer: Optimizer, call: Call) -> Value:
    """`optimizer.step()`: writes every parameter that has a gradient."""
    closure = call.argument(0, "closure")
    result = _evaluated(rt, closure, call.site) if closure is not None else None
    rt.stepped(call.site, optimizer)  # type: ignore[attr-defined]
    ordered(rt, optimizer, "step", call.site)
    for tensor in optimizer.tensors:
        present = tensor.grad.present
        if present.no:
            continue
        if optimizer.tracked is True and present.yes:
            # `param.add_(…)` (torch/optim/optimizer.py, _use_grad_for_differentiable).
            effects.in_place(rt, Operation("add_", call.site.span, (Operand("self", tensor),)), tensor, call.site)
            continue
        before = tensor.counter.version
        version = Version(
            "optimizer.step", call.site.span, rt.autograd.path, previous=before, over=tensor.memory.version
        )
        if not optimizer.fused:
            new = version if present.yes else join_versions(version, tensor.counter.version)
            rt.heap.write(tensor.counter, "version", new)
        rt.heap.write(
            tensor.memory, "version", version if present.yes else join_versions(version, tensor.memory.version)
        )
    if closure is not None and optimizer.name == "LBFGS" and not optimizer.once:
        # It evaluates again after it has moved the parameters (torch/optim/lbfgs.py, `max_iter` is 20 unless given).
        _evaluated(rt, closure, call.site)
    return result


def _evaluated(rt: Runtime, closure: Value, site: Site) -> Value:
    """What a closure returns: every optimizer of torch calls it under `enable_grad` (torch/optim/sgd.py, `step`)."""
    mode = rt.autograd.mode
    if not mode.inference:
        rt.autograd.set_mode(Mode(YES, None, False, mode.casts))
    try:
        return rt.call(closure, Call([], {}, site))
    finally:
        rt.autograd.set_mode(mode)


def attribute(rt: Runtime, owner: Value, name: str, site: Site) -> Value:
    """Attributes of optimizers and scalers; MISSING for others."""
    if isinstance(owner, Instance):
        inner = behind(owner)
        return MISSING if inner is None else attribute(rt, inner, name, site)
    if isinstance(owner, Optimizer):
        if name == "step":
            return NativeMethod(owner, name, lambda call: step(rt, owner, call))
        if name == "zero_grad":
            return NativeMethod(owner, name, lambda call: _zero(rt, owner, call))
        if name == "param_groups":
            return ListValue(owner.groups, open_=owner.open)
        if name == "add_param_group":
            return NativeMethod(owner, name, lambda call: _add(rt, owner, call.argument(0, "param_group"), call.site))
        return Unknown(f"`.{name}` of an optimizer", name=name)
    if isinstance(owner, Scaler):
        if name == "scale":
            return NativeMethod(owner, name, lambda call: _scale(rt, call))
        if name in ("step", "unscale_"):
            return NativeMethod(owner, name, lambda call: _scaler_step(rt, name, call))
        return NativeMethod(owner, name, lambda call: Scalar("float"))
    return MISSING


def _zero(rt: Runtime, optimizer: Optimizer, call: Call) -> None:
    if rt.truth(call.argument(0, "set_to_none", True)) is not False:
        ordered(rt, optimizer, "zero_grad", call.site)
    clear_gradients(rt, list(optimizer.tensors), rt.truth(call.argument(0, "set_to_none", True)), call.site, optimizer)


def _scale(rt: Runtime, call: Call) -> Value:
    from .ops import method

    value = call.args[0] if call.args else None
    return method(rt, "mul", Call([value, 2.0], {}, call.site))


def _scaler_step(rt: Runtime, name: str, call: Call) -> Value:
    optimizer = call.args[0] if call.args else None
    if name == "step" and behind(optimizer) is not None:
        return rt.call(rt.attribute(optimizer, "step", call.site), Call([], {}, call.site))
    if name == "step":
        ordered(rt, optimizer, name, call.site)
    return None


@function("torch.cuda.amp.GradScaler", "torch.amp.GradScaler")
def _scaler(rt: Runtime, call: Call) -> Value:
    return Scaler()
