"""`torch.autograd.Function`: what its forward keeps and marks, and which inputs its backward gives a gradient.

The forward is run; the backward is only read. What comes back for which input stands in its `return` statements: a
`None` there is a gradient that never comes. Sources: torch/csrc/autograd/{python_function.cpp, custom_function.cpp}.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..autograd.engine import Mode, Operand, Operation, Save
from ..autograd.heap import MISSING
from ..autograd.tensor import Tensor
from ..autograd.truth import NO
from ..values import Call, ClassValue, FunctionValue, NativeMethod, Runtime, Site, Unknown, Value
from .arguments import as_tensor, operands_for
from .ops import in_place

_BASES = ("torch.autograd.Function", "torch.autograd.function.Function")
LEGACY = (
    "Legacy autograd function with non-static forward method is deprecated. "
    "Please use new-style autograd function with static forward method."
)


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
    result = _forward(rt, cls, ctx, call)
    changed = next((t for t in map(as_tensor, ctx.dirty) if t is not None and t is as_tensor(result)), None)
    inputs = [*call.args, *call.kwargs.values()]
    gradients, sound = gradients_of(cls, 0 if call.open_args else len(inputs))
    operands: list[Operand] = []
    for index, value in enumerate(inputs):
        none = gradients is not None and index < len(gradients) and not gradients[index]
        for operand in operands_for(str(index), value, True):
            operands.append(Operand(operand.name, operand.tensor, operand.node, True, defined=not none))
    outputs = [*result] if isinstance(result, tuple) else [result]
    tensors = [as_tensor(each) for each in outputs]
    kept, saves = _saves(ctx, tensors, operands)
    operation = Operation(
        cls.name,
        call.site.span,
        (*operands, *kept),
        outputs=tuple(_output(ctx, each) for each in tensors),
        saves=saves,
        implemented=sound,
    )
    if changed is not None:
        return in_place(rt, operation, changed, call.site)
    made = rt.guard(  # type: ignore[attr-defined]
        lambda: rt.autograd.apply(operation), call.site, lambda: tuple(Tensor(origin=call.site.span) for _ in outputs)
    )
    for new, inner in zip(made, tensors, strict=True):
        if inner is not None:
            # The result is the tensor that forward made, with a history now.
            new.counter, new.memory, new.seen = inner.counter, inner.memory, inner.counter.version
            new.floating = inner.floating if inner.floating.no else new.floating
            new.form, new.device, new.dtype = inner.form, inner.device, inner.dtype
    node = next((each.node for each in made if each.node is not None and each.node.saved), None)
    if node is not None:
        node.saved = tuple(
            replace(s, version=s.tensor.counter.version, contents=s.tensor.memory.version) for s in node.saved
        )
    return tuple(made) if isinstance(result, tuple) else made[0]


def _forward(rt: Runtime, cls: ClassValue, ctx: Context, call: Call) -> Value:
    forward, setup = cls.find("forward"), cls.find("setup_context")
    if forward is None:
        return Unknown(f"`{cls.name}.apply`")
    mode = rt.autograd.mode
    rt.autograd.set_mode(Mode(NO, None, mode.inference))
    try:
        if setup is None:
            return rt.call(forward[0], Call([ctx, *call.args], call.kwargs, call.site))
        result = rt.call(forward[0], call)
        inputs = (*call.args, *call.kwargs.values())
        rt.call(setup[0], Call([ctx, inputs, result], {}, call.site))
        return result
    finally:
        rt.autograd.set_mode(mode)


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


def gradients_of(cls: ClassValue, inputs: int) -> tuple[tuple[bool, ...] | None, bool]:
    """Which inputs the backward gives a gradient (None: not known), and whether it can run at all.

    It cannot when there is none, or when it returns fewer gradients than forward takes inputs.
    """
    found = cls.find("backward") or cls.find("vjp")
    if found is None:
        return None, cls.unknown_base() is not None
    function = found[0]
    if not isinstance(function, FunctionValue) or not isinstance(function.node, ast.FunctionDef):
        return None, True
    rows = [_row(function.node, each) for each in _returns(function.node)] or [(False,)]
    if any(row is None for row in rows):
        return None, True
    known = [row for row in rows if row is not None]
    if all(len(row) < inputs for row in known):
        return None, False
    width = min(len(row) for row in known)
    return tuple(any(row[i] for row in known) for i in range(width)), True


def _returns(node: ast.AST) -> Iterator[ast.Return]:
    """The `return` statements of a function, not those of functions inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return):
            yield child
        elif not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _returns(child)


def _row(function: ast.FunctionDef, node: ast.Return) -> tuple[bool, ...] | None:
    """For each gradient a `return` gives whether it is one (and not None); None if their number is not known."""
    value = node.value
    if value is None or isinstance(value, ast.Constant):
        return (not (value is None or value.value is None),)
    if isinstance(value, ast.Tuple):
        if any(isinstance(each, ast.Starred) for each in value.elts):
            return None
        return tuple(not (isinstance(each, ast.Constant) and each.value is None) for each in value.elts)
    parameters = {each.arg for each in function.args.args}
    if isinstance(value, (ast.BinOp, ast.UnaryOp)) or (isinstance(value, ast.Name) and value.id in parameters):
        return (True,)
    return None
