"""Functions that run functions: checkpointing, and `torch.func`.

Checkpointing keeps the inputs and runs the function again in backward, so changing what it made on the way harms
nothing, and changing an input is seen where the function saved anything at all (torch/utils/checkpoint.py).
`vmap` runs the function once, on tensors with a hidden dimension. Derivatives are in `derivatives.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd.graph import Cut, Node, Saved, newest_order
from ..autograd.operation import Operand, Operation, Save
from ..autograd.tensor import Form, Tensor
from ..values import (
    Call,
    FunctionValue,
    Instance,
    ListValue,
    ModuleObject,
    NativeMethod,
    Runtime,
    Site,
    Unknown,
    Value,
    unknown_tensor,
)
from . import effects
from .registry import function

_OPTIONS = ("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug", "early_stop")


@function("torch.utils.checkpoint.checkpoint")
def _checkpoint(rt: Runtime, call: Call) -> Value:
    """Runs the function; the reentrant kind gives a result without grad_fn if no argument requires grad."""
    if not call.args:
        return Unknown("checkpoint()")
    kwargs = {k: v for k, v in call.kwargs.items() if k not in _OPTIONS}
    start = newest_order()
    given = [a for a in (*call.args[1:], *kwargs.values()) if isinstance(a, Tensor)]
    inputs = [Saved(t, t.counter.version, t.memory.version, "input") for t in given]
    reentrant = call.kwargs.get("use_reentrant", True)
    for tensor in given if reentrant is True else ():
        # They are detached first (torch/utils/checkpoint.py, detach_variable).
        rt.guard(lambda t=tensor: rt.autograd.require_current(t), call.site, lambda: None)  # type: ignore[attr-defined, misc]
    if reentrant is False:
        _refuse_inference(rt, call)
    result = rt.call(call.args[0], Call(call.args[1:], kwargs, call.site))
    asked = [
        a if isinstance(a, Tensor) else unknown_tensor(a) for a in call.args[1:] if isinstance(a, (Tensor, Unknown))
    ]
    results = result if isinstance(result, tuple) else (result,)
    made = [each for each in results if isinstance(each, Tensor)]
    if reentrant is True and asked and all(t.requires_grad.no for t in asked):
        cut = Cut("grad-mode", call.site.span, "checkpoint(use_reentrant=True) without an input that requires grad")
        ends = [rt.autograd.cut_off(e, cut, "checkpoint", share="") if isinstance(e, Tensor) else e for e in results]
        return tuple(ends) if isinstance(result, tuple) else ends[0]
    for tensor in made:
        if tensor.node is not None:
            _forget(tensor.node, start, tuple(inputs))
    if reentrant is True and any(each.requires_grad.possible for each in made):
        outputs = [_reentrant(rt, e, made, given, call) if isinstance(e, Tensor) else e for e in results]
        return tuple(outputs) if isinstance(result, tuple) else outputs[0]
    return result


def _refuse_inference(rt: Runtime, call: Call) -> None:
    """The kind that is not reentrant saves tensors that are given by position, whatever becomes of them."""
    mode = rt.autograd.mode
    for tensor in call.args[1:]:
        if isinstance(tensor, Tensor) and (tensor.inference or tensor.uncounted) and not mode.inference:
            if not mode.enabled.no:
                message = "Inference tensors cannot be saved for backward."
                rt.error("inference", message, call.site, tensor, mode.enabled.yes)
            return


@function("torch.utils.checkpoint.checkpoint_sequential")
def _checkpoint_sequential(rt: Runtime, call: Call) -> Value:
    """Parts of a sequence of modules, all but the last one checkpointed (torch/utils/checkpoint.py)."""
    functions, segments, value = call.argument(0, "functions"), call.argument(1, "segments"), call.argument(2, "input")
    if isinstance(functions, Instance):
        functions = functions.data.get("torch", functions)
    items = functions.items if isinstance(functions, (ModuleObject, ListValue)) else ()
    number = len(items) // segments if isinstance(segments, int) and segments > 0 else 0
    if not number or getattr(functions, "open", False):
        deps = [*call.args, *call.kwargs.values()]
        return rt.torch.opaque(functions, deps, call.site, "`checkpoint_sequential`")
    reentrant = call.kwargs.get("use_reentrant", True)
    last = number * (segments - 1)
    for start in range(0, last, number):
        run = _run_all(rt, functions, items[start : start + number])
        value = _checkpoint(rt, Call([run, value], {"use_reentrant": reentrant}, call.site))
    for each in items[last:]:
        value = rt.call(each, Call([value], {}, call.site))
    return value


def _run_all(rt: Runtime, owner: Value, items: Sequence[Value]) -> Value:
    def run(call: Call) -> Value:
        value = call.args[0]
        for each in items:
            value = rt.call(each, Call([value], {}, call.site))
        return value

    return NativeMethod(owner, "run_function", run)


def _forget(node: Node, start: int, inputs: tuple[Saved, ...]) -> None:
    """What nodes made since `start` saved is made again, from the inputs."""
    todo, seen = [node], set()
    while todo:
        current = todo.pop()
        if current in seen or current.order <= start:
            continue
        seen.add(current)
        if current.saved:
            current.saved = inputs
        todo += [edge.node for edge in current.edges if edge.node is not None]


def _reentrant(rt: Runtime, result: Tensor, results: list[Tensor], given: list[Tensor], call: Call) -> Tensor:
    """A result of the custom function, which saves its inputs and goes through all that happened inside.

    The backward of one function runs for all `results`, with zeros for those that no gradient comes to.
    """
    others = tuple(Operand(f"input{i}", tensor, None, False) for i, tensor in enumerate(given))
    beside = tuple(Operand(f"result{i}", each) for i, each in enumerate(results) if each is not result)
    saves = tuple(Save(other.name, frozenset({"self"})) for other in others)
    operands = (Operand("self", result), *beside, *others)
    operation = Operation("CheckpointFunction", call.site.span, operands, saves=saves, holds_numbers=True)
    made = effects.apply(rt, operation, call.site)[0]
    if made.node is not None:
        made.node.materializes = True
    made.form = result.form
    return made


@function("torch.vmap", "torch.func.vmap")
def _vmap(rt: Runtime, call: Call) -> Value:
    target = call.argument(0, "func")
    if not isinstance(target, FunctionValue) or call.kwargs.get("out_dims", 0) != 0:
        return Unknown("torch.vmap()", deps=(target,))
    dims = call.argument(1, "in_dims", 0)

    def run(inner: Call) -> Value:
        inside: list[Value] = []
        sizes: list[int] = []
        for index, value in enumerate(inner.args):
            dim = dims[index] if isinstance(dims, tuple) and index < len(dims) else dims
            if not isinstance(value, Tensor) or dim is None:
                inside.append(value)
                continue
            batched = alias_of(rt, value, inner.site)
            if value.shape and dim == 0:
                # The elements of one sample lie in order where those of all do.
                form = Form(value.shape[1:], plain=value.form.plain, offset=None)
                batched.form, sizes = form, [*sizes, value.shape[0]]
            inside.append(batched)
        result = rt.call(target, Call(inside, inner.kwargs, inner.site))
        size = sizes[0] if sizes else -1
        return (
            tuple(_outside(r, inside, inner, size) for r in result)
            if isinstance(result, tuple)
            else _outside(result, inside, inner, size)
        )

    return NativeMethod(target, "vmap", run)


def alias_of(rt: Runtime, value: Tensor, site: Site) -> Tensor:
    """What a transform gives the function in the place of a tensor: a view of it."""
    operation = Operation("_add_batch_dim", site.span, (Operand("self", value),), view="view", view_of="self")
    return effects.apply(rt, operation, site)[0]


def _outside(result: Value, inside: list[Value], call: Call, size: int) -> Value:
    """A result with its hidden dimension back; an input that is given back is the input itself."""
    if not isinstance(result, Tensor):
        return result
    for batched, value in zip(inside, call.args, strict=True):
        if result is batched:
            return value
    given = [each for each in inside if isinstance(each, Tensor)]
    plain = result.form.plain and all(each.form.plain for each in given) and not _turns(result, given)
    result.form = Form((size, *result.shape), plain=plain) if result.shape is not None else Form()
    return result


_PRODUCTS = frozenset("matmul __matmul__ __rmatmul__ mm mv bmm addmm addmv linear Linear einsum baddbmm".split())


def _turns(result: Tensor, given: list[Tensor]) -> bool:
    """Whether a product of matrices is on the way: the hidden dimension may come last in memory then."""
    start = min((each.node.order for each in given if each.node is not None), default=0)
    todo, seen = [result.node], set[int]()
    while todo:
        node = todo.pop()
        if node is None or node.order < start or id(node) in seen:
            continue
        seen.add(id(node))
        if node.name in _PRODUCTS:
            return True
        todo += [edge.node for edge in node.edges]
    return False
