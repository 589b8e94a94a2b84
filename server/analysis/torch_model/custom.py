"""`torch.autograd.Function`: what its forward keeps and marks, and which inputs its backward gives a gradient.

The forward is run; the backward is only read (`custom_backward`), unless it differentiates (`custom_inner`).
Sources: torch/csrc/autograd/{python_function.cpp, custom_function.cpp}.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from ..autograd.graph import Cut, Node, first_write_after
from ..autograd.heap import MISSING
from ..autograd.operation import Mode, Operand, Operation, Save
from ..autograd.tensor import Tensor
from ..autograd.truth import NO, maybe
from ..events import Applied
from ..values import Call, ClassValue, FunctionValue, ListValue, NativeMethod, Runtime, Scalar, Site, Unknown, Value
from . import custom_inner
from .arguments import as_tensor, operands_for
from .custom_backward import gradients_of, materializes, reads_saved
from .effects import in_place

_BASES = ("torch.autograd.Function", "torch.autograd.function.Function")
LEGACY = (
    "Legacy autograd function with non-static forward method is deprecated. "
    "Please use new-style autograd function with static forward method."
)


SAVES_ONLY = "save_for_backward can only save"


class Context:
    """The `ctx` of a forward: what it saved and marked, and the attributes the program put there."""

    __slots__ = ("attributes", "dirty", "plain", "saved")

    def __init__(self) -> None:
        self.attributes: dict[str, Value] = {}
        self.saved: tuple[Value, ...] = ()
        self.plain: tuple[Value, ...] = ()
        self.dirty: tuple[Value, ...] = ()


def is_function(cls: ClassValue) -> bool:
    """Whether a class of the program is a custom function."""
    return any(base in _BASES for base in cls.torch_bases())


def attribute(rt: Runtime, ctx: Context, name: str, site: Site) -> Value:
    """`ctx.name`."""
    lists = {"save_for_backward": "saved", "mark_non_differentiable": "plain", "mark_dirty": "dirty"}
    if name in lists:

        def keep(call: Call) -> Value:
            rt.heap.write(ctx, lists[name], tuple(call.args))

        return NativeMethod(ctx, name, keep)
    if name == "set_materialize_grads":
        return NativeMethod(ctx, name, lambda call: None)
    if name in ("saved_tensors", "saved_variables"):
        return ctx.saved
    if name == "needs_input_grad":
        return Unknown("which inputs need a gradient")
    return ctx.attributes.get(name, MISSING)


def apply(rt: Runtime, cls: ClassValue, call: Call) -> Value:
    """`Function.apply(...)`: the forward runs with tracking off, and its result gets the class's own backward."""
    ctx = Context()
    given = [t for t in map(as_tensor, call.args) if t is not None]
    before = [t.counter.version for t in given]
    result = _forward(rt, cls, ctx, call)
    _refuse_saved(rt, ctx, given, call.site)
    marked = [as_tensor(each) for each in ctx.dirty]
    written = tuple(
        (tensor, first_write_after(version, tensor.counter.version))
        for tensor, version in zip(given, before, strict=True)
        if tensor.counter.version is not version and not any(each is tensor for each in marked)
    )
    changed = next((t for t in map(as_tensor, ctx.dirty) if t is not None and t is as_tensor(result)), None)
    inputs = [*call.args, *call.kwargs.values()]
    gradients, fault = gradients_of(cls, None if call.open_args else inputs)
    operands: list[Operand] = []
    for index, value in enumerate(inputs):
        none = gradients is not None and index < len(gradients) and not gradients[index]
        for operand in operands_for(str(index), value, True):
            operands.append(Operand(operand.name, operand.tensor, operand.node, True, defined=not none))
    outputs = [*result] if isinstance(result, tuple) else [result]
    tensors = [as_tensor(each) for each in outputs]
    kept, saves = _saves(ctx, tensors, operands) if reads_saved(cls) else ([], ())
    operation = Operation(
        cls.name,
        call.site.span,
        (*operands, *kept),
        outputs=tuple(_output(ctx, each) for each in tensors),
        saves=saves,
        implemented=fault is None or not fault.certain,
        derivative="constant" if _once(cls) else "",
    )

    def applied(node: Node | None) -> None:
        if node is not None:
            node.materializes = materializes(cls)
        kept = tuple(
            (n, value, value.memory.version) for n, value in ctx.attributes.items() if isinstance(value, Tensor)
        )
        rt.events.applied.append(
            Applied(call.site, cls, node, tuple(inputs), result, fault, written, kept, rt.autograd.path)
        )

    if changed is not None:
        value = in_place(rt, operation, changed, call.site)
        applied(changed.node)
        return value
    made = rt.guard(  # type: ignore[attr-defined]
        lambda: rt.autograd.apply(operation), call.site, lambda: tuple(Tensor(origin=call.site.span) for _ in outputs)
    )
    for new, inner in zip(made, tensors, strict=True):
        if inner is not None:
            # The result is the tensor that forward made, with a history now.
            new.counter, new.memory, new.seen = inner.counter, inner.memory, inner.counter.version
            new.floating = inner.floating if inner.floating.no else new.floating
            new.form, new.device, new.dtype = inner.form, inner.device, inner.dtype
            if inner.view_of is not None or any(each is inner for each in given):
                # An input that comes back is a view of itself, and a view may not be written
                # (torch/csrc/autograd/custom_function.cpp, _process_backward_mode_ad).
                new.view_of, new.view_kind = inner.base, "custom"
    applied(next((each.node for each in made if each.node is not None), None))
    node = next((each.node for each in made if each.node is not None and each.node.saved), None)
    if node is not None:
        node.saved = tuple(
            replace(s, version=s.tensor.counter.version, contents=s.tensor.memory.version) for s in node.saved
        )
    custom_inner.run(rt, cls, _handed(ctx), made, call.site)
    return tuple(made) if isinstance(result, tuple) else made[0]


def _refuse_saved(rt: Runtime, ctx: Context, given: Sequence[Tensor], site: Site) -> None:
    """`save_for_backward` takes tensors and None; PyTorch finds out when forward is over, and only if it saves."""
    if not rt.autograd.mode.enabled.yes:
        return
    for index, value in enumerate(ctx.saved):
        kind = _plain_type(value)
        if kind and any(tensor.requires_grad.possible for tensor in given):
            sure = any(tensor.requires_grad.yes for tensor in given)
            rt.error("other", f"{SAVES_ONLY} variables, but argument {index} is of type {kind}", site, None, sure)
            return


def _plain_type(value: Value) -> str:
    """The type of a value that is surely no tensor; "" otherwise."""
    if isinstance(value, (bool, int, float, str, tuple)):
        return type(value).__name__
    if isinstance(value, ListValue):
        return "list"
    return value.kind if isinstance(value, Scalar) and value.kind in ("int", "float", "bool", "str") else ""


def _once(cls: ClassValue) -> bool:
    """Whether the backward runs without tracking, so that what it gives has no graph."""
    found = cls.find("backward")
    node = found[0].node if found is not None and isinstance(found[0], FunctionValue) else None
    listed = [] if node is None or isinstance(node, ast.Lambda) else node.decorator_list
    return any(getattr(each, "id", getattr(each, "attr", "")) == "once_differentiable" for each in listed)


def _forward(rt: Runtime, cls: ClassValue, ctx: Context, call: Call) -> Value:
    forward, setup = cls.find("forward"), cls.find("setup_context")
    if forward is None:
        return Unknown(f"`{cls.name}.apply`")
    mode = rt.autograd.mode
    rt.autograd.set_mode(Mode(NO, _untracked(cls, forward[0]), mode.inference))
    try:
        if setup is None:
            return rt.call(forward[0], Call([ctx, *call.args], call.kwargs, call.site))
        result = rt.call(forward[0], call)
        inputs = (*call.args, *call.kwargs.values())
        rt.call(setup[0], Call([ctx, inputs, result], {}, call.site))
        return result
    finally:
        rt.autograd.set_mode(mode)


def _handed(ctx: Context) -> Context:
    """The `ctx` a backward sees: what it was given to keep, whose own history is no business of a backward's."""
    later = Context()
    later.saved = tuple(_without_history(each) for each in ctx.saved)
    later.attributes = {name: _without_history(each) for name, each in ctx.attributes.items()}
    return later


def _without_history(value: Value) -> Value:
    if not isinstance(value, Tensor):
        return value
    return Tensor(requires_grad=maybe("it depends on what was saved"), floating=value.floating, origin=value.origin)


def _untracked(cls: ClassValue, forward: Value) -> Cut | None:
    """Why a loss that forward makes for itself has no graph: `apply` runs it with tracking off."""
    if not isinstance(forward, FunctionValue) or isinstance(forward.node, ast.Lambda):
        return None
    span = getattr(forward.node, "gradsight_span", None)
    if span is None:
        span = forward.node.gradsight_span = forward.module.source.span(forward.node)
    return Cut("grad-mode", span, f"{cls.name}.apply")


def _output(ctx: Context, tensor: Tensor | None) -> str:
    marked = tensor is not None and any(as_tensor(each) is tensor for each in ctx.plain)
    return "nograd" if marked or (tensor is not None and tensor.floating.no) else "grad"


def _saves(
    ctx: Context, outputs: Sequence[Tensor | None], operands: Sequence[Operand]
) -> tuple[list[Operand], tuple[Save, ...]]:
    """What `save_for_backward` keeps: results by position, inputs by name, anything else as an operand of its own."""
    names = frozenset(o.name for o in operands if o.tensor is not None)
    extra: list[Operand] = []
    saves: list[Save] = []
    for value in ctx.saved:
        tensor = as_tensor(value)
        if tensor is None:
            continue
        place = next((i for i, each in enumerate(outputs) if each is tensor), None)
        same = next((o.name for o in operands if o.tensor is tensor), None)
        if place is not None:
            saves.append(Save(f"result{place}", names))
        elif same is not None:
            saves.append(Save(same, names))
        else:
            extra.append(Operand(f"saved{len(extra)}", tensor, None, False))
            saves.append(Save(extra[-1].name, names))
    return extra, tuple(saves)
