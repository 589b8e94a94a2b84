"""Functions that run functions: checkpointing, and `torch.func`.

Checkpointing keeps the inputs and runs the function again in backward, so changing what it made on the way harms
nothing, and changing an input is seen where the function saved anything at all (torch/utils/checkpoint.py).
`vmap` runs the function once, on tensors with a hidden dimension; `torch.func.grad` is `autograd.grad` with
`create_graph=True` over the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..autograd.backward import backward
from ..autograd.gradient_graph import gradient_graph
from ..autograd.graph import Cut, Node, Saved, newest_order
from ..autograd.operation import Operand, Operation, Save
from ..autograd.tensor import Form, Tensor
from ..autograd.truth import NO, YES, both, either, maybe
from ..values import (
    Call,
    FunctionValue,
    Instance,
    ListValue,
    ModuleObject,
    NativeMethod,
    Runtime,
    Unknown,
    Value,
    unknown_tensor,
)
from . import effects, new_strides
from .arguments import truth_of
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
            batched = _alias(rt, value, inner)
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


def _alias(rt: Runtime, value: Tensor, call: Call) -> Tensor:
    operation = Operation("_add_batch_dim", call.site.span, (Operand("self", value),), view="view", view_of="self")
    return effects.apply(rt, operation, call.site)[0]


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


@function("torch.func.grad")
def _func_grad(rt: Runtime, call: Call) -> Value:
    return _gradient_of(rt, call, both_asked=False)


@function("torch.func.grad_and_value")
def _grad_and_value(rt: Runtime, call: Call) -> Value:
    return _gradient_of(rt, call, both_asked=True)


def _gradient_of(rt: Runtime, call: Call, both_asked: bool) -> Value:
    target = call.argument(0, "func")
    number = call.argument(1, "argnums", 0)
    if not isinstance(target, FunctionValue) or not isinstance(number, int) or call.kwargs.get("has_aux"):
        return Unknown("torch.func.grad()", deps=(target,))

    def run(inner: Call) -> Value:
        tensor = inner.args[number] if number < len(inner.args) else None
        if not isinstance(tensor, Tensor):
            return Unknown("torch.func.grad()", deps=tuple(inner.args))
        alias = _alias(rt, tensor, inner)
        alias.form = tensor.form
        args = [alias if index == number else value for index, value in enumerate(inner.args)]
        value = rt.call(target, Call(args, inner.kwargs, inner.site))
        gradient = Tensor(device=tensor.device, origin=inner.site.span)
        gradient.form = new_strides.of_gradient(alias, value.node if isinstance(value, Tensor) else None)
        if isinstance(value, Tensor) and value.requires_grad.possible:
            _give_graph(rt, gradient, value, alias, inner)
        return (gradient, value) if both_asked else gradient

    return NativeMethod(target, "grad", run)


def _functional(rt: Runtime, call: Call, name: str) -> Value:
    """Runs the function on the inputs and differentiates; what comes back has a graph with `create_graph` only."""
    given = call.argument(1, "inputs")
    inputs = list(given) if isinstance(given, tuple) else [given]
    result = rt.call(call.argument(0, "func"), Call(inputs, {}, call.site))
    tensors = [each for each in rt.tensors_in((result, *inputs)) if isinstance(each, Tensor)]
    at = {"jacobian": 2, "hessian": 2}.get(name, 3)
    create = truth_of(rt, call.argument(at, "create_graph", False), "create_graph is not known")
    if len(inputs) > 1 or name not in ("jacobian", "hessian") or create.maybe or not tensors:
        return Unknown(f"torch.autograd.functional.{name}()", deps=tuple(tensors) if create.possible else ())
    made = Tensor(origin=call.site.span)
    edges = tuple(each.edge() for each in tensors)
    learns = both(either(edge.live for edge in edges), rt.autograd.mode.enabled)
    cut = None
    if create.no:
        cut = Cut("no-create-graph", call.site.span, f"torch.autograd.functional.{name}") if learns.possible else None
        learns = NO
    made.node = Node(name, call.site.span, edges, tracked=learns, path=rt.autograd.path, cut=cut)
    made.node.stack = rt.autograd.stack
    made.requires_grad, made.node.result = learns, made
    return made


for _name in ("jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"):
    function(f"torch.autograd.functional.{_name}")(partial(_functional, name=_name))


def _give_graph(rt: Runtime, gradient: Tensor, value: Tensor, alias: Tensor, call: Call) -> None:
    """The graph of the gradient, where the function's result has one."""
    if not alias.requires_grad.yes:
        # The function uses other tensors that require grad; whether its gradient depends on them is not followed.
        gradient.requires_grad = maybe("the gradient may depend on what the function uses")
        gradient.node = Node("grad", call.site.span, (value.edge(),), tracked=gradient.requires_grad)
        return
    outcome = backward(rt.autograd, [value], call.site.span, retain=YES, accumulate=False, inputs=[alias])
    node = gradient_graph(rt.autograd, outcome.reach.nodes, alias, call.site.span)
    if node is not None:
        node.tracked = both(node.tracked, rt.autograd.mode.enabled)
        gradient.node, gradient.requires_grad = node, node.tracked
        node.result = gradient
