"""Derivatives of functions: `torch.func` and `torch.autograd.functional`.

The function is run once, on what stands for its arguments, and its gradient gets a graph as with `create_graph=True`:
always in `torch.func` (torch/_functorch/eager_transforms.py), only if asked for in `torch.autograd.functional`. Forward
mode computes the same derivatives, so what they depend on is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ..autograd.backward import backward
from ..autograd.gradient_graph import gradient_graph, on_the_way
from ..autograd.graph import Cut, Edge, Node
from ..autograd.reach import reach
from ..autograd.tensor import ANY_FORM, Tensor
from ..autograd.truth import NO, YES, both, either, maybe
from ..values import Call, DictValue, FunctionValue, ListValue, NativeMethod, Runtime, Site, Unknown, Value
from . import new_strides
from .arguments import truth_of
from .registry import function
from .transforms import alias_of

_PRODUCTS = ("linear", "quotient")
"""Operations whose derivative in one operand is another one, among others."""

_OF_FACTORS = frozenset(
    "mul rmul multiply div truediv true_divide divide matmul rmatmul mm mv bmm dot vdot linear addmm addmv baddbmm "
    "einsum outer ger inner tensordot kron bilinear conv1d conv2d conv3d addcmul".split()
)
"""Those of which forward mode adds up a term for each factor."""


def _map(value: Value, change: Callable[[Tensor], Value]) -> Value:
    """The same structure with every tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_map(each, change) for each in value)
    if isinstance(value, ListValue):
        return ListValue([_map(each, change) for each in value.items], value.kind, value.open)
    if isinstance(value, DictValue):
        return DictValue({key: _map(each, change) for key, each in value.items.items()}, value.rest)
    return value


class _Run:
    """A function that is run on what stands for its arguments; `result` is what it gives, as seen inside.

    `levels`: that an argument requires grad is seen inside alone (`torch.func`), and not by who gets the results.
    """

    def __init__(self, rt: Runtime, site: Site, name: str = "grad", levels: bool = True) -> None:
        self.rt, self.site, self.name, self._levels = rt, site, name, levels
        self._nodes: list[Node] = []
        self.aliases: dict[Tensor, Tensor] = {}
        self._fresh: set[Tensor] = set()
        self.result: Value = None

    def call(self, target: Value, args: Sequence[Value], kwargs: dict[str, Value], chosen: Sequence[int]) -> None:
        """Run the function; the arguments at the places `chosen` are those to be differentiated by."""
        given = [_map(each, self._alias) if index in chosen else each for index, each in enumerate(args)]
        self.result = self.rt.call(target, Call(given, kwargs, self.site))

    def _alias(self, tensor: Tensor) -> Value:
        if tensor in self.aliases:
            return self.aliases[tensor]
        if tensor.requires_grad.possible or tensor.floating.no:
            alias = alias_of(self.rt, tensor, self.site)
        else:
            # It requires grad for the function alone.
            alias = Tensor(requires_grad=YES, origin=tensor.origin, device=tensor.device, name=tensor.name)
            alias.counter, alias.memory, alias.dtype = tensor.counter, tensor.memory, tensor.dtype
            if self._levels:
                self._fresh.add(alias)
        alias.form = tensor.form
        self.aliases[tensor] = alias
        return alias

    def outside(self, value: Value) -> Value:
        """What the function gives, as seen by who called it."""
        return _map(value, self._outside)

    def _outside(self, tensor: Tensor) -> Value:
        for given, alias in self.aliases.items():
            if tensor is alias:
                return given
        if not self._fresh or not tensor.requires_grad.possible or not self._only_fresh(tensor):
            return tensor
        node = Node(self.name, self.site.span, (tensor.edge(),), tracked=NO, path=self.rt.autograd.path)
        result = Tensor(node=node, floating=tensor.floating, device=tensor.device, origin=tensor.origin)
        result.form, result.dtype, node.result = tensor.form, tensor.dtype, result
        return result

    def _only_fresh(self, tensor: Tensor) -> bool:
        return all(leaf in self._fresh for leaf in reach([tensor]).leaves)

    def gradient(self, values: Sequence[Tensor], tensor: Tensor, handed: Sequence[Edge] = ()) -> Tensor:
        """The gradient of `values` on one of the arguments; it depends on those `handed` to it besides."""
        self._nodes = []
        rt, span = self.rt, self.site.span
        alias = self.aliases[tensor]
        gradient = Tensor(device=tensor.device, origin=span)
        gradient.form = new_strides.of_gradient(alias, values[0].node if len(values) == 1 else None)
        roots = [each for each in values if each.requires_grad.possible]
        if roots and not alias.requires_grad.yes:
            # The function uses other tensors that require grad; whether its gradient depends on them is not followed.
            gradient.requires_grad = maybe("the gradient may depend on what the function uses")
            edges = tuple(each.edge() for each in roots)
            gradient.node = Node("grad", span, (*edges, *handed), tracked=gradient.requires_grad)
            return gradient
        node = None
        if roots:
            outcome = backward(rt.autograd, roots, span, retain=YES, accumulate=False, inputs=[alias])
            node = gradient_graph(rt.autograd, outcome.reach.nodes, alias, span)
            self._nodes = on_the_way(rt.autograd, outcome.reach.nodes, alias)
        if handed:
            before = node.edges if node is not None else ()
            tracked = either((*(each.live for each in handed), NO if node is None else node.tracked))
            merged = Node("grad", span, (*before, *handed), tracked=tracked, path=rt.autograd.path)
            if node is not None:
                merged.saved, merged.has_saved = node.saved, True
            node = merged
        if node is not None:
            gradient.node, gradient.requires_grad = node, node.tracked
            if self._fresh and self._only_fresh(gradient):
                gradient.node, gradient.requires_grad = None, NO
                return gradient
            node.tracked = gradient.requires_grad = both(node.tracked, rt.autograd.mode.enabled)
            node.result = gradient
        return gradient

    def forward(self, value: Tensor, tensor: Tensor) -> Tensor:
        """The same derivative in forward mode: that of a product depends on all its factors, and adds what is zero."""
        self.gradient([value], tensor)
        products = [edge for node in self._nodes if node.base_name in _OF_FACTORS for edge in node.edges]
        return self.gradient([value], tensor, [edge for edge in products if edge.live.possible and edge.flows])

    def second(self, value: Tensor, tensor: Tensor, forward: bool) -> Tensor:
        """The derivative of a gradient; `forward`: in forward mode."""
        first = self.gradient([value], tensor)
        found, alias = reach([first]), self.aliases[tensor]
        if first.node is None or first.node.tracked.maybe:
            return first
        products = sum(node.derivative in _PRODUCTS and bool(node.saved) for node in self._nodes)
        curved = any(node.derivative not in (*_PRODUCTS, "constant") and node.has_saved for node in self._nodes)
        stays = alias in found.leaves or (alias.node is not None and alias.node in found.nodes)
        if stays and (forward or curved or products > 1):
            return first
        return Tensor(device=tensor.device, origin=self.site.span)

    def tangent(self, value: Tensor, handed: Sequence[Edge]) -> Tensor:
        """What comes out at `value` when every argument moves a little: it depends on what the derivatives do."""
        parts = [self.forward(value, each) for each in self.aliases]
        edges = [each.edge() for each in parts if each.live.possible] + list(handed)
        result = Tensor(device=value.device, origin=self.site.span)
        result.form = new_strides.copied(value)
        if edges:
            tracked = both(either(each.live for each in edges), self.rt.autograd.mode.enabled)
            result.node = Node("jvp", self.site.span, tuple(edges), tracked=tracked, path=self.rt.autograd.path)
            result.node.result, result.requires_grad = result, tracked
        return result


def _handed(rt: Runtime, *values: Value) -> list[Edge]:
    return [each.edge() for each in rt.tensors_in(values) if isinstance(each, Tensor) and each.live.possible]


def _tensors(value: Value) -> list[Tensor] | None:
    """The tensors of a result; None if there is anything else in it."""
    found: list[Tensor] = []
    _map(value, lambda tensor: found.append(tensor))
    plain = isinstance(value, Tensor) or (isinstance(value, tuple) and all(isinstance(v, Tensor) for v in value))
    return found if found and plain else None


def _places(number: Value, count: int) -> tuple[int, ...] | None:
    numbers = number if isinstance(number, tuple) else (number,)
    places = [each + count if isinstance(each, int) and each < 0 else each for each in numbers]
    return tuple(places) if places and all(isinstance(each, int) and 0 <= each < count for each in places) else None


def _of_arguments(rt: Runtime, call: Call, name: str) -> Value:
    """`grad(f)`, `jacrev(f)` and their kin: a function of the same arguments that gives a derivative."""
    target = call.argument(0, "func")
    number = call.argument(1, "argnums", 0)
    aux = call.argument(2, "has_aux", False) if name != "hessian" else False
    unknown = Unknown(f"torch.func.{name}()", deps=(target,))
    if not isinstance(target, FunctionValue) or not isinstance(aux, bool):
        return unknown

    def run(inner: Call) -> Value:
        missing = Unknown(f"torch.func.{name}()", deps=tuple(inner.args))
        places = _places(number, len(inner.args))
        if places is None or inner.open_args:
            return missing
        ran = _Run(rt, inner.site)
        ran.call(target, inner.args, inner.kwargs, places)
        value, beside = ran.result, None
        if aux:
            if not isinstance(value, tuple) or len(value) != 2:
                return missing
            value, beside = value[0], ran.outside(value[1])
        outputs = _tensors(value)
        if outputs is None:
            return missing

        def of_one(each: Tensor, tensor: Tensor) -> Tensor:
            return ran.gradient([each], tensor)

        def of(tensor: Tensor) -> Value:
            if tensor not in ran.aliases:
                return tensor
            if name in ("grad", "grad_and_value"):
                return ran.gradient(outputs, tensor)
            if name == "hessian":
                return _map(value, lambda each: _shapeless(ran.second(each, tensor, True)))
            return _map(value, lambda each: _shapeless((ran.forward if name == "jacfwd" else of_one)(each, tensor)))

        answers = tuple(_map(inner.args[each], of) for each in places)
        answer: Value = answers if isinstance(number, tuple) else answers[0]
        if name == "grad_and_value":
            outer = ran.outside(value)
            return (answer, (outer, beside) if aux else outer)
        return (answer, beside) if aux else answer

    return NativeMethod(target, name, run)


def _shapeless(tensor: Tensor) -> Tensor:
    tensor.form = ANY_FORM
    return tensor


for _name in ("grad", "grad_and_value", "jacrev", "jacfwd", "hessian"):
    function(f"torch.func.{_name}")(partial(_of_arguments, name=_name))


@function("torch.func.vjp")
def _vjp(rt: Runtime, call: Call) -> Value:
    """`vjp(f, *primals)`: what the function gives, and a function from gradients of that to those of the primals."""
    target, primals, aux = call.argument(0, "func"), call.args[1:], call.kwargs.get("has_aux", False)
    missing = Unknown("torch.func.vjp()", deps=tuple(call.args))
    if not isinstance(target, FunctionValue) or not isinstance(aux, bool) or call.open_args:
        return missing
    ran = _Run(rt, call.site)
    ran.call(target, primals, {}, range(len(primals)))
    value, beside = ran.result, None
    if aux:
        if not isinstance(value, tuple) or len(value) != 2:
            return missing
        value, beside = value
    outputs = _tensors(value)
    if outputs is None:
        return missing

    def back(inner: Call) -> Value:
        handed = _handed(rt, *inner.args)
        return tuple(_map(each, lambda tensor: ran.gradient(outputs, tensor, handed)) for each in primals)

    made = (ran.outside(value), NativeMethod(target, "vjp", back))
    return (*made, ran.outside(beside)) if aux else made


@function("torch.func.jvp")
def _jvp(rt: Runtime, call: Call) -> Value:
    """`jvp(f, primals, tangents)`: what the function gives, and how that moves with the primals."""
    target, primals, tangents = call.argument(0, "func"), call.argument(1, "primals"), call.argument(2, "tangents")
    aux = call.kwargs.get("has_aux", False)
    missing = Unknown("torch.func.jvp()", deps=tuple(call.args))
    if not isinstance(target, FunctionValue) or not isinstance(aux, bool) or not isinstance(primals, tuple):
        return missing
    ran = _Run(rt, call.site)
    ran.call(target, primals, {}, range(len(primals)))
    value, beside = ran.result, None
    if aux:
        if not isinstance(value, tuple) or len(value) != 2:
            return missing
        value, beside = value
    if _tensors(value) is None:
        return missing
    handed = _handed(rt, tangents)
    made = (ran.outside(value), _map(value, lambda each: ran.tangent(each, handed)))
    return (*made, ran.outside(beside)) if aux else made


@function("torch.func.linearize")
def _linearize(rt: Runtime, call: Call) -> Value:
    """`linearize(f, *primals)`: what the function gives, and a function from tangents to how that moves."""
    target, primals = call.argument(0, "func"), call.args[1:]
    missing = Unknown("torch.func.linearize()", deps=tuple(call.args))
    if not isinstance(target, FunctionValue) or call.open_args:
        return missing
    ran = _Run(rt, call.site)
    ran.call(target, primals, {}, range(len(primals)))
    if _tensors(ran.result) is None:
        return missing

    def moved(inner: Call) -> Value:
        return _map(ran.result, lambda each: _of_constants(ran.tangent(each, ()), _handed(rt, *inner.args)))

    return (ran.outside(ran.result), NativeMethod(target, "linearize", moved))


def _of_constants(tangent: Tensor, handed: Sequence[Edge]) -> Tensor:
    """What the traced function computes: what it took from outside are constants of its own, which require grad."""
    if tangent.node is not None and tangent.node.tracked.possible:
        constant = Tensor(requires_grad=tangent.requires_grad, origin=tangent.origin)
        tangent.node.edges = (constant.edge(), *handed)
    return tangent


@function("torch.func.functionalize")
def _functionalize(rt: Runtime, call: Call) -> Value:
    return call.argument(0, "func")


def _functional(rt: Runtime, call: Call, name: str) -> Value:
    """Runs the function on the inputs and differentiates; what comes back has a graph with `create_graph` only."""
    given = call.argument(1, "inputs")
    inputs = given if isinstance(given, tuple) else (given,)
    at = {"jacobian": 2, "hessian": 2}.get(name, 3)
    create = truth_of(rt, call.argument(at, "create_graph", False), "create_graph is not known")
    handed = _handed(rt, call.argument(2, "v")) if at == 3 else []
    ran = _Run(rt, call.site, name, levels=False)
    ran.call(call.argument(0, "func"), inputs, {}, range(len(inputs)))
    value = ran.result
    outputs = _tensors(value)
    whole = all(isinstance(each, Tensor) for each in inputs)
    if outputs is None or not whole or create.maybe:
        deps = [each for each in rt.tensors_in((value, *inputs)) if isinstance(each, Tensor)]
        return Unknown(f"torch.autograd.functional.{name}()", deps=tuple(deps) if create.possible else ())

    def closed(tensor: Tensor, of: Sequence[Tensor]) -> Tensor:
        """A result without a graph, cut here if what it was made of learns."""
        edges = tuple(each.edge() for each in of)
        learns = both(either(edge.live for edge in edges), rt.autograd.mode.enabled)
        written = f"torch.autograd.functional.{name}"
        cut = Cut("no-create-graph", call.site.span, written) if learns.possible else None
        result = Tensor(device=tensor.device, origin=call.site.span)
        result.node = Node(name, call.site.span, edges, tracked=NO, path=rt.autograd.path, cut=cut)
        result.node.stack, result.node.result, result.form = rt.autograd.stack, result, tensor.form
        return result

    def of(tensor: Tensor, each: Tensor) -> Tensor:
        if create.no:
            return _shapeless(closed(each, (*outputs, *ran.aliases)))
        twice = name in ("hessian", "vhp", "hvp")
        gradient = ran.second(each, tensor, False) if twice else ran.gradient([each], tensor)
        if handed and gradient.node is not None:
            gradient.node.edges = (*gradient.node.edges, *handed)
        return gradient if at == 3 else _shapeless(gradient)

    def row(each: Tensor) -> Value:
        answers = tuple(of(tensor, each) for tensor in inputs)
        return answers if isinstance(given, tuple) else answers[0]

    if name in ("jacobian", "hessian"):
        return _map(value, row)
    outer = ran.outside(value) if create.yes else _map(value, lambda each: closed(each, (each,)))
    if name != "jvp":
        return (outer, row(outputs[0]))
    if create.no:
        return (outer, _map(value, lambda each: closed(each, (each,))))
    return (outer, _map(value, lambda each: row(each) if not isinstance(given, tuple) else ran.tangent(each, handed)))


for _name in ("jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"):
    function(f"torch.autograd.functional.{_name}")(partial(_functional, name=_name))
