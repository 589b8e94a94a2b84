"""`backward()`, `torch.autograd.grad` and what else asks for gradients."""

from __future__ import annotations

from ..autograd import truth
from ..autograd.backward import backward
from ..autograd.gradient_graph import gradient_graph
from ..autograd.graph import Cut, Node
from ..autograd.heap import remember
from ..autograd.outcome import Outcome
from ..autograd.tensor import Form, Tensor
from ..autograd.truth import NO, YES, Truth
from ..report import Span
from ..values import Call, Choice, IterValue, ListValue, Runtime, Site, Unknown, Value, unknown_tensor
from . import tensor_hooks
from .arguments import truth_of
from .registry import function, method


def _tensors(value: Value) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Unknown):
        return [unknown_tensor(value)]
    if isinstance(value, (ListValue, IterValue)):
        return [t for item in value.items for t in _tensors(item)]
    if isinstance(value, tuple):
        return [t for item in value for t in _tensors(item)]
    if isinstance(value, Choice):
        return [t for _, item in value.alternatives for t in _tensors(item)]
    return []


def _retain(rt: Runtime, call: Call, retain_at: int, create_at: int) -> tuple[Truth, Truth]:
    create = truth_of(rt, call.argument(create_at, "create_graph", False), "create_graph is not known")
    given = call.argument(retain_at, "retain_graph", call.kwargs.get("retain_variables"))  # Its name before 0.2.
    retain = create if given is None else truth_of(rt, given, "retain_graph is not known")
    return retain, create


def _report(rt: Runtime, site: Site, outcome: Outcome, kind: str) -> None:
    rt.sink(site, outcome, kind)  # type: ignore[attr-defined]


@method("backward")
def _backward(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    run(rt, [tensor], call.site, call, first=1)
    return None


@function("torch.autograd.backward")
def _autograd_backward(rt: Runtime, call: Call) -> Value:
    run(rt, _tensors(call.argument(0, "tensors")), call.site, call, first=1)
    return None


def run(rt: Runtime, roots: list[Tensor], site: Site, call: Call, first: int) -> None:
    """`backward` with its options; `first` is the position of `gradient`."""
    if not roots:
        return
    retain, create = _retain(rt, call, first + 1, first + 2)
    chosen = call.kwargs.get("inputs", call.args[first + 3] if len(call.args) > first + 3 else None)
    inputs = _tensors(chosen) if chosen is not None else None
    _check_roots(rt, roots, site, call.argument(first, "gradient", call.kwargs.get("grad_tensors")))
    if all(root.live.possible for root in roots):
        for tensor in inputs or ():
            _current(rt, tensor, site)
            if tensor.requires_grad.no and not tensor.note:
                rt.error("untracked-input", "can't retain_grad on Tensor that has requires_grad=False", site, tensor)
            elif tensor.is_leaf.no and tensor.node is not None:
                # torch/csrc/autograd/python_engine.cpp asks for it, and it stays so.
                rt.heap.write(tensor, "retains_grad", True)
                remember(tensor.node, "result", tensor)
    outcome = backward(rt.autograd, roots, site.span, retain=retain, create=create, inputs=inputs)
    _report(rt, site, outcome, "backward")
    tensor_hooks.accumulated(rt, outcome, create)


def _check_roots(rt: Runtime, roots: list[Tensor], site: Site, given: Value) -> None:
    """A gradient can be made up only for scalars (torch/autograd/__init__.py, _make_grads)."""
    for root in roots:
        rt.autograd.refresh(root)
        if given is None and root.requires_grad.yes and any(size > 1 for size in root.shape or ()):
            rt.error("other", "grad can be implicitly created only for scalar outputs", site, root)
    for root in roots:
        _current(rt, root, site)


def _current(rt: Runtime, tensor: Tensor, site: Site) -> None:
    rt.guard(lambda: rt.autograd.require_current(tensor), site, lambda: None)  # type: ignore[attr-defined]


@function("torch.autograd.grad", "torch.autograd.functional.grad")
def _grad(rt: Runtime, call: Call) -> Value:
    outputs = _tensors(call.argument(0, "outputs"))
    wanted = call.argument(1, "inputs")
    inputs = _tensors(wanted)
    retain, create = _retain(rt, call, 3, 4)
    allow = truth_of(
        rt, call.argument(6, "allow_unused", None) or call.kwargs.get("materialize_grads", False), "a flag"
    )
    if not outputs or not inputs:
        return Unknown("torch.autograd.grad()", deps=tuple(outputs))
    given = call.argument(2, "grad_outputs")
    _check_roots(rt, outputs, call.site, given)
    for tensor in inputs:
        _current(rt, tensor, call.site)
        if tensor.requires_grad.no and not tensor.note and all(o.live.possible for o in outputs):
            rt.error("untracked-input", "One of the differentiated Tensors does not require grad", call.site, tensor)
    outcome = backward(rt.autograd, outputs, call.site.span, retain=retain, accumulate=False, inputs=inputs)
    _report(rt, call.site, outcome, "grad")
    results: list[Value] = []
    for tensor in inputs:
        used = _used(outcome, tensor)
        if used.no and allow.no and outcome.raises is None and tensor.requires_grad.yes:
            rt.unused_input(call.site, tensor, outcome)  # type: ignore[attr-defined]
        gradient = Tensor(device=tensor.device, origin=call.site.span)
        gradient.form = Form(tensor.shape)
        if create.no and not used.no:
            forget_graph(rt, gradient, outcome, call.site.span, "torch.autograd.grad")
        if create.possible:
            _give_graph(rt, gradient, outcome, tensor, call.site, given, used)
            if not create.yes and gradient.requires_grad.possible:
                gradient.requires_grad = truth.maybe("create_graph is not known")
        gradient.note = "gradient"
        zeros = used.no and call.kwargs.get("materialize_grads") is True
        if zeros and create.yes:
            # Zeros that are a leaf of their own (torch/autograd/__init__.py, grad).
            gradient.node, gradient.requires_grad = None, YES
        results.append(None if used.no and allow.yes and not zeros else gradient)
    return tuple(results)


def forget_graph(rt: Runtime, gradient: Tensor, outcome: Outcome, span: Span, written: str) -> None:
    """A gradient that was made without `create_graph`: it depends on the parameters, and autograd does not know."""
    edges = tuple(root.edge() for root in outcome.roots)
    gradient.node = Node(
        "grad", span, edges, tracked=NO, path=rt.autograd.path, cut=Cut("no-create-graph", span, written)
    )
    gradient.node.stack = rt.autograd.stack
    gradient.node.result = gradient


def _give_graph(
    rt: Runtime, gradient: Tensor, outcome: Outcome, tensor: Tensor, site: Site, given: Value, used: Truth
) -> None:
    """The graph of a gradient made with `create_graph`; gradients that were handed in are part of it."""
    node = gradient_graph(rt.autograd, outcome.reach.nodes, tensor, site.span)
    handed = [t.edge() for t in _tensors(given) if t.live.possible]
    if node is None and (used.maybe or any(n.opaque for n in outcome.reach.nodes)):
        # The way to the tensor leads through unknown code, and so may what the gradient depends on.
        unknown = "the gradient goes through code that is not known"
        edges = (*(root.edge() for root in outcome.roots), *handed)
        node = Node("grad", site.span, edges, tracked=truth.maybe(unknown), path=rt.autograd.path, opaque=unknown)
    if node is None and handed:
        tracked = truth.either(e.live for e in handed)
        node = Node("grad", site.span, tuple(handed), tracked=tracked, path=rt.autograd.path)
    if node is not None and tensor.either:
        node.tracked = truth.both(node.tracked, truth.maybe("it depends on a branch"))
    if node is not None:
        gradient.node, gradient.requires_grad = node, truth.both(node.tracked, rt.autograd.mode.enabled)
        node.tracked = gradient.requires_grad
        node.result = gradient


def _used(outcome: Outcome, tensor: Tensor) -> Truth:
    if tensor in outcome.reach.leaves:
        return outcome.reach.leaves[tensor]
    if outcome.reach.uses(tensor, outcome.roots):
        return YES
    if any(n.opaque or n.is_join for n in outcome.reach.nodes) or tensor.note:
        return truth.maybe("unknown code")
    return NO
