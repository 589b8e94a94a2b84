"""How what is computed lies in its own memory: copies, results and gradients.

Sources: aten/src/ATen/TensorIterator.cpp (reorder_dimensions) of PyTorch, `torch.preserve_format`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd.graph import Node
from ..autograd.tensor import ANY_FORM, Form, Tensor
from ..values import Value
from . import shapes
from .arguments import as_tensor
from .shapes import plain_name
from .sizes import UNKNOWN, Bound, Shape, known
from .strides import Strides, contiguous, dense, expanded, form_of, of


def copied(tensor: Tensor) -> Form:
    """The form of a copy: as it was where the elements leave no gap (`torch.preserve_format`)."""
    form = tensor.form
    if form.plain:
        return form if not form.offset else Form(form.shape, True)
    if form.shape is None:
        return ANY_FORM
    if form.strides is None or not known(form.shape) or UNKNOWN in form.strides:
        return Form(form.shape)
    strides = form.strides if dense(form.shape, form.strides) else _ordered(form.shape, [(form.shape, form.strides)])
    return form_of(form.shape, strides, 0)


def _ordered(shape: Shape, operands: Sequence[tuple[Shape, Strides]]) -> Strides:
    """Strides without gaps, with the dimensions in the order in which those of the operands lie."""
    wide = [expanded(of_shape, strides, shape) for of_shape, strides in operands]
    perm = list(range(len(shape) - 1, -1, -1))

    def should_swap(one: int, other: int) -> int:
        for strides in wide:
            left, right = strides[one], strides[other]
            if left == 0 or right == 0:
                continue
            if left != right:
                return -1 if left < right else 1
            if shape[one] > shape[other]:
                return 1
        return 0

    for i in range(1, len(perm)):
        place = i
        for before in range(i - 1, -1, -1):
            verdict = should_swap(perm[before], perm[place])
            if verdict > 0:
                perm[before], perm[place] = perm[place], perm[before]
                place = before
            elif verdict < 0:
                break
    result = [0] * len(shape)
    step = 1
    for dim in perm:
        result[dim] = step
        step *= max(shape[dim], 1)
    return tuple(result)


def _together(shape: Shape, tensors: Sequence[Tensor], number: bool) -> Form:
    """The form of what is computed element by element (TensorIterator); a `number` among the operands is broadcast."""
    if all(t.form.plain for t in tensors):
        return Form(shape, True)
    operands = [(t.shape, of(t.form)) for t in tensors]
    found = [(s, strides) for s, strides in operands if s is not None and strides is not None]
    if len(found) < len(operands) or not known(shape) or any(UNKNOWN in (*s, *strides) for s, strides in found):
        return Form(shape)
    if not number and all(s == shape for s, _ in found):
        if all(contiguous(t.form) for t in tensors):
            return Form(shape, True)
        if len({strides for _, strides in found}) == 1 and dense(*found[0]):
            return form_of(shape, found[0][1], 0)
    return form_of(shape, _ordered(shape, found), 0)


_HAND_ON = frozenset("add radd sub clone detach positive dropout where".split())
"""Element-wise operations that may give an operand the gradient that came to them, expanded as it may be."""


def of_gradient(target: Tensor, node: Node | None) -> Form:
    """The form of the gradient of `target` with which backward comes out, begun at a node."""
    if not target.form.plain or node is None:
        return Form(target.shape)
    todo, seen, users = [node], set[Node](), list[Node]()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        for edge in current.edges:
            if edge.tensor is target and edge.flows:
                users.append(current)
            elif edge.node is not None and edge.node.order >= target.born:
                todo.append(edge.node)
    computes = all(shapes.elementwise(plain_name(n.name)) and plain_name(n.name) not in _HAND_ON for n in users)
    return Form(target.shape, bool(users) and (computes or len(users) > 1))


_IN_ORDER = frozenset(
    "softmax log_softmax softmin cumsum cumprod cummax cummin logcumsumexp roll tril triu renorm layer_norm group_norm "
    "matmul mm bmm linear stack cat masked_fill logsigmoid rpow sum mean prod amax amin norm var std median nanmedian "
    "mode logsumexp all any argmax argmin nansum nanmean".split()
)
_AS_A_COPY = frozenset("flip sort argsort normalize".split())
"""They lay their results as `clone` does (measured on torch 2.13, for turned, expanded and cut operands)."""


def computed(name: str, bound: Bound, shape: Shape) -> Form:
    """The form of the results of an operation that is no view."""
    if len(shape) < 2:
        return Form(shape, True)
    name = plain_name(name)
    if name in _IN_ORDER or (name == "pow" and not isinstance(bound.get("self"), Tensor)):
        return Form(shape, True)
    if name == "scaled_dot_product_attention" and len(shape) < 4:
        return Form(shape, True)  # Two products; of stacks of stacks it may be one kernel.
    if name in ("max", "min") and "other" not in bound:
        return Form(shape, True)
    tensors = [t for t in map(as_tensor, bound.values()) if t is not None]
    if name in _AS_A_COPY and tensors:
        return Form(shape) if tensors[0].shape != shape else copied(tensors[0])
    if shapes.elementwise(name):
        return _together(shape, tensors, "other" in bound and not isinstance(bound["other"], Tensor))
    parts = [t for t in tensors if t.shape is None or len(t.shape) > 1]
    return Form(shape, bool(parts) and shapes.keeps_shape(name) and all(t.form.plain for t in parts))


_MODULES_IN_ORDER = frozenset("Linear Softmax LogSoftmax Softmin LayerNorm GroupNorm LogSigmoid".split())
_MODULES_ONE_BY_ONE = frozenset(
    "ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardsigmoid Hardswish "
    "Tanhshrink Threshold Dropout".split()
)


def of_module(name: str, given: Sequence[Value], shape: Shape | None) -> Form:
    """The form of what a module of torch returns, that has this shape."""
    if shape is not None and (len(shape) < 2 or name in _MODULES_IN_ORDER):
        return Form(shape, True)
    tensor = as_tensor(given[0]) if given else None
    if shape is not None and name in _MODULES_ONE_BY_ONE and tensor is not None and tensor.shape == shape:
        return _together(shape, [tensor], False)
    return Form(shape, name == "Linear")
