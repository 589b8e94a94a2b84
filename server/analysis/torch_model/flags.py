"""Flags and aliases of a tensor: `requires_grad`, `detach`, `data`, `grad`, `retain_grad`, hooks."""

from __future__ import annotations

from ..autograd import truth
from ..autograd.graph import Cut, Frozen, Memory, Version, join_versions
from ..autograd.heap import MISSING, remember
from ..autograd.operation import Operand, Operation
from ..autograd.tensor import ANY_FORM, Device, Form, Grad, Tensor
from ..autograd.truth import NO, YES, Truth
from ..events import Flagged, GradRead
from ..values import Call, Runtime, Scalar, Site, Unknown, Value
from . import effects, new_strides, ops, packed, strides, tensor_hooks
from .arguments import operands_for, truth_of
from .backward import forget_graph
from .effects import in_place
from .inference import bypasses
from .registry import attribute, method, setter

_KEEP_NUMBERS = frozenset(["to", "clone", "contiguous", "cuda", "cpu", "detach", "data"])


@method("detach")
def _detach(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    return rt.autograd.cut_off(tensor, Cut("detach", call.site.span, ".detach()"), "detach", share="counter")


@method("detach_")
def _detach_(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    cut = Cut("detach", call.site.span, ".detach_()")
    rt.guard(lambda: rt.autograd.detach_(tensor, cut), call.site, lambda: None)  # type: ignore[attr-defined]
    return tensor


@attribute("data")
def _data(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    if packed.is_packed(tensor):
        return tensor
    return rt.autograd.cut_off(tensor, Cut("data", site.span, ".data"), "data", share="memory")


@method("requires_grad_")
def _requires_grad_(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    value = call.args[1] if len(call.args) > 1 else call.kwargs.get("requires_grad", True)
    _require(rt, tensor, truth_of(rt, value, "the flag is not known"), call.site)
    return tensor


def _require(rt: Runtime, tensor: Tensor, flag: Truth, site: Site, attribute: bool = False) -> None:
    node = tensor.node
    if flag.yes and node is not None and node.tracked.no and not node.is_join and tensor.requires_grad.no:
        rt.events.flagged.append(Flagged(site, tensor, node))
    if (attribute or flag.no) and tensor.is_leaf.maybe:
        message = "you can only change requires_grad flags of leaf variables."
        rt.error("non-leaf-flag", message, site, tensor, False)
    rt.guard(lambda: rt.autograd.require_grad(tensor, flag, attribute=attribute), site, lambda: None)  # type: ignore[attr-defined]
    for each in (tensor, *tensor.either):
        rt.heap.write(each, "frozen", Frozen(site.span, rt.autograd.stack) if flag.no else None)


@setter("requires_grad")
def _set_requires_grad(rt: Runtime, tensor: Tensor, value: Value, site: Site) -> None:
    _require(rt, tensor, truth_of(rt, value, "the flag is not known"), site, attribute=True)


@setter("data")
def _set_data(rt: Runtime, tensor: Tensor, value: Value, site: Site) -> None:
    """`t.data = v`: other memory under the same tensor and counter (torch/csrc/autograd/variable.cpp, set_data)."""
    version = Version("data", site.span, rt.autograd.path, previous=tensor.swapped)
    version.stack = rt.autograd.stack
    if not _same_numbers(value, tensor):
        if tensor.either:
            for each in tensor.either:
                rt.heap.write(each.memory, "version", join_versions(version, each.memory.version))
        elif isinstance(value, Tensor):
            rt.heap.write(tensor, "memory", value.memory)
            effects.note_copy(rt, tensor, value, site.span)
        else:
            fresh = Memory()
            fresh.version = version
            rt.heap.write(tensor, "memory", fresh)
        rt.heap.write(tensor, "swapped", version)
    if value is not None:
        rt.heap.write(tensor, "form", value.form if isinstance(value, Tensor) else ANY_FORM)
    if isinstance(value, Tensor) and value.inference is not tensor.inference:
        # The dispatch keys come along (TensorImpl::copy_tensor_metadata).
        rt.heap.write(tensor, "inference", value.inference)


def _same_numbers(value: Value, tensor: Tensor) -> bool:
    """Whether a value is a tensor's own contents, moved or copied: `t.data = t.data.clone()`."""
    if not isinstance(value, Tensor):
        return False
    node = value.node
    memory = value.memory
    while memory is not tensor.memory:
        if node is None or node.name not in _KEEP_NUMBERS or not node.edges or node.edges[0].tensor is None:
            return False
        memory, node = node.edges[0].tensor.memory, node.edges[0].node
    return True


@setter("grad", "_grad")
def _set_grad(rt: Runtime, tensor: Tensor, value: Value, site: Site) -> None:
    present = NO if value is None else YES
    rt.events.emptied.append([tensor, *tensor.either])
    if value is None:
        rt.events.clear(site.span, frozenset({id(tensor)} if tensor.grad.present.yes else ()))
    inference = isinstance(value, Tensor) and value.inference
    rt.heap.write(tensor, "grad", Grad(present, site.span, inference=inference))
    for each in tensor.either:
        # It is one of several: for each it is so or as before.
        rt.heap.write(each, "grad", Grad(truth.join(each.grad.present, present), site.span))


@attribute("requires_grad")
def _read_requires_grad(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    rt.autograd.refresh(tensor, False)
    if tensor.group or any(each.group for each in tensor.either):
        rt.events.asked.append((site, tensor))
    value = tensor.requires_grad.value
    return Scalar("bool") if value is None else value


def _current(rt: Runtime, tensor: Tensor, site: Site) -> None:
    rt.guard(lambda: rt.autograd.require_current(tensor), site, lambda: None)  # type: ignore[attr-defined]


@attribute("is_leaf")
def _is_leaf(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    _current(rt, tensor, site)
    value = tensor.is_leaf.value
    return Scalar("bool") if value is None else value


@attribute("grad_fn")
def _grad_fn(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    _current(rt, tensor, site)
    if tensor.is_leaf.yes:
        return None
    return Unknown("a grad_fn")


@attribute("is_cuda")
def _is_cuda(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    return {"cuda": True, "cpu": False}.get(tensor.device.kind, Scalar("bool"))


@attribute("device")
def _device(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    return tensor.device


@attribute("dtype")
def _dtype(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    return Unknown("a dtype")


@attribute("grad")
def _grad(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    """Reading `.grad`: recorded, because what is read is wanted."""
    rt.autograd.refresh(tensor, False)
    present = tensor.grad.present
    for each in tensor.either or (tensor,):
        leaf = each.is_leaf
        rt.events.reads.append(
            GradRead(
                site,
                each,
                each.node,
                leaf,
                each.grad.present,
                each.requires_grad,
                each.retains_grad,
                rt.autograd.path,
                len(rt.events.sinks),
                sure=not tensor.either,
            )
        )
        first = each is tensor or each is tensor.either[0]
        present = each.grad.present if first else truth.join(present, each.grad.present)
    if present.no and not tensor.note and tensor.device.kind != "either":
        return None
    gradient = Tensor(device=tensor.device, origin=site.span, floating=tensor.floating)
    gradient.form = Form(tensor.shape)
    gradient.inference = gradient.uncounted = tensor.grad.inference
    if tensor.grad.graph is not None and not tensor.either:
        gradient.node, gradient.requires_grad = tensor.grad.graph, tensor.grad.graph.tracked
    elif present.yes and not tensor.either:
        made = next((s for s in reversed(rt.events.sinks) if tensor in s.outcome.reach.leaves), None)
        if made is not None and made.kind == "backward":
            forget_graph(rt, gradient, made.outcome, made.site.span, ".backward()")
    gradient.note = "gradient"
    if tensor.note:
        gradient.requires_grad = truth.maybe("the backward that made it may have kept its graph")
    if present.yes or tensor.note:
        return gradient
    from ..values import Choice

    key = object()
    return Choice(((frozenset({(key, True)}), gradient), (frozenset({(key, False)}), None)))


@method("resize_", "resize_as_")
def _resize_(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    if rt.autograd.refresh(tensor, False).requires_grad.yes:
        rt.error("other", "cannot resize variables that require grad", call.site, tensor)
    rt.autograd.bump(tensor, "resize_", call.site.span)
    rt.heap.write(tensor, "form", ANY_FORM)
    return tensor


@method("set_")
def _set_(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    """`t.set_(source)`: other memory under the same tensor, which its version counter tells."""
    operation = Operation("set_", call.site.span, (Operand("self", tensor),), implemented=False)
    result = in_place(rt, operation, tensor, call.site)
    source = call.argument(1, "source", None)
    rt.heap.write(tensor, "form", source.form if isinstance(source, Tensor) and len(call.args) < 3 else ANY_FORM)
    if isinstance(source, Tensor):
        rt.heap.write(tensor, "memory", source.memory)
    return result


@method("retain_grad")
def _retain_grad(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    rt.autograd.refresh(tensor, False)
    if tensor.requires_grad.possible and not tensor.is_leaf.yes and not tensor.retains_grad:
        # Who is asked a second time has nothing to do, and does not look at the grad_fn (variable.cpp, retain_grad).
        _current(rt, tensor, call.site)
    if tensor.requires_grad.no:
        rt.error("hook", "can't retain_grad on Tensor that has requires_grad=False", call.site, tensor)
    elif not tensor.is_leaf.yes:
        rt.heap.write(tensor, "retains_grad", True)
        if tensor.node is not None:
            remember(tensor.node, "result", tensor)
    return None


@method("register_hook", "register_post_accumulate_grad_hook")
def _hook(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    """A hook sees the gradient of any tensor that requires grad; the function itself runs later (`tensor_hooks`)."""
    rt.autograd.refresh(tensor, False)
    if tensor.requires_grad.no:
        rt.error("hook", "cannot register a hook on a tensor that doesn't require gradient", call.site, tensor)
    else:
        _current(rt, tensor, call.site)
        return tensor_hooks.register(rt, tensor, call)
    return Unknown("a hook handle")


@method("clone")
def _clone(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    operation = Operation("clone", call.site.span, tuple(operands_for("self", tensor, True)))
    result = effects.apply(rt, operation, call.site)[0]
    result.form = new_strides.copied(tensor)
    if tensor.floating.no:
        result.floating, result.requires_grad = NO, NO
    else:
        result.floating = tensor.floating
    return result


@method(
    "zero_",
    "fill_",
    "normal_",
    "uniform_",
    "random_",
    "bernoulli_",
    "exponential_",
    "cauchy_",
    "log_normal_",
    "geometric_",
)
def _fill(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    """Fills write constants: the old value no longer matters, and nothing is saved."""
    name = call.name
    operands = tuple(operands_for("self", tensor, True)) + tuple(
        o for a in call.args[1:] for o in operands_for("value", a, name == "fill_")
    )
    if not (rt.autograd.mode.enabled.no) and tensor.requires_grad.possible and tensor.is_leaf.no:
        operation = Operation(name, call.site.span, operands, outputs=("zero",))
    else:
        untracked = not rt.autograd.mode.inference and bypasses(name, {}, operands)
        operation = Operation(name, call.site.span, operands, untracked=untracked)
    return in_place(rt, operation, tensor, call.site)


_LEAVE_ORDER = frozenset({"expand", "expand_as", "broadcast_to", "transpose", "permute", "t", "swapaxes", "movedim"})
"""Views whose elements do not lie one after the other in memory, for all but shapes with ones."""
_KEEP_ORDER = frozenset({"unsqueeze", "squeeze", "select", "slice", "__getitem__", "view", "unflatten"})
"""Views of such a view that put nothing in order."""


@method(
    "share_memory_",
    "pin_memory",
    "coalesce",
    "resolve_conj",
    "resolve_neg",
    "to_dense",
    "refine_names",
    "positive",
    "__pos__",
)
def _itself(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    return tensor


@method("contiguous")
def _contiguous(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    """The tensor itself where its memory is in order, else a copy of it (aten/src/ATen/native/TensorProperties.cpp)."""
    in_order = strides.contiguous(tensor.form)
    if in_order:
        return tensor
    node = tensor.node
    while node is not None and node.name in _KEEP_ORDER and len(node.edges) == 1:
        node = node.edges[0].node
    if in_order is None and (node is None or node.name not in _LEAVE_ORDER):
        return tensor
    copy = ops.method(rt, "clone", Call([tensor], {}, call.site))
    if isinstance(copy, Tensor):
        copy.form = Form(tensor.shape, True)
    return copy


@method("apply_", "map_")
def _apply(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    rt.autograd.bump(tensor, "apply_", call.site.span)
    return tensor


def device_attribute(device: Device, name: str) -> Value:
    """`device.type`, `device.index`."""
    if name == "type":
        return device.kind if device.kind in ("cpu", "cuda") else Scalar("str")
    return MISSING if name.startswith("__") else Scalar("int")
