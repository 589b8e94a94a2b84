"""`torch.einsum` of two operands: a product of matrices, with what that keeps.

The operands are turned and reshaped to batches of matrices, multiplied by `bmm` (by `mul` where nothing is summed),
and the product is turned back (aten/src/ATen/native/Linear.cpp, `einsum` and `sumproduct_pair`). So each operand is
saved if the other one requires grad: itself, as a view, where no reshape can need a copy.
"""

from __future__ import annotations

from ..autograd.operation import Operand, Operation, Save
from ..autograd.tensor import Form, Tensor
from ..values import Call, ListValue, Runtime, Value
from . import autocast, effects, inference, ops
from .arguments import as_tensor
from .registry import function
from .sizes import UNKNOWN
from .table import TABLE


def _labels(equation: Value) -> tuple[str, str, str] | None:
    """The labels of two operands and of the result, in an equation that spells them all out."""
    if not isinstance(equation, str) or "->" not in equation or "." in equation:
        return None
    inputs, _, output = equation.replace(" ", "").partition("->")
    parts = inputs.split(",")
    if len(parts) != 2 or any(len(set(part)) != len(part) for part in (*parts, output)):
        return None
    return parts[0], parts[1], output


def _as_they_are(left: str, right: str, output: str) -> bool:
    """Whether both operands are certainly multiplied in place: no summing first, no group of labels laid together."""
    a, b, out = set(left), set(right), set(output)
    groups = (a & b & out, (a & b) - out, a - b, b - a)
    return (a ^ b) <= out and all(len(group) <= 1 for group in groups)


def _operands(call: Call) -> tuple[Value, ...]:
    """The operands, which may come as one list (torch/functional.py, einsum)."""
    if len(call.args) == 2 and isinstance(call.args[1], (ListValue, tuple)):
        given = call.args[1]
        if isinstance(given, tuple):
            return given
        return tuple(given.items) if not given.open else ()
    return tuple(call.args[1:])


@function("torch.einsum", "torch.functional.einsum")
def _einsum(rt: Runtime, call: Call) -> Value:
    op = TABLE.function("torch.einsum")
    assert op is not None
    given = _operands(call)
    labels = _labels(call.args[0]) if len(given) == 2 and not call.kwargs else None
    left, right = (as_tensor(value) for value in given) if labels is not None else (None, None)
    if labels is None or left is None or right is None:
        return ops.run(rt, op, call)
    sure = _as_they_are(*labels)
    saves: tuple[Save, ...] = (
        Save("left", frozenset({"right"}), sure),
        Save("right", frozenset({"left"}), sure),
    )
    operands: tuple[Operand, ...] = (Operand("left", left), Operand("right", right))
    if not rt.autograd.mode.inference:
        operands = inference.taken("einsum", operands)
    if rt.autograd.mode.casts:
        saves = autocast.kept("einsum", saves, operands)
    operation = Operation("einsum", call.site.span, operands, saves=saves, holds_numbers=True, derivative="linear")
    product = effects.apply(rt, operation, call.site)[0]
    # What comes back is a view of a product that no one else holds.
    turned = Operation("view", call.site.span, (Operand("self", product),), view="view", view_of="self")
    result = effects.apply(rt, turned, call.site)[0]
    result.form = _form(labels, left, right)
    return result


def _form(labels: tuple[str, str, str], left: Tensor, right: Tensor) -> Form:
    """The sizes by their labels; in order in memory if the result is the product of matrices as it comes."""
    first, second, output = labels
    sizes: dict[str, int] = {}
    for part, tensor in ((first, left), (second, right)):
        if tensor.shape is not None and len(tensor.shape) == len(part):
            for label, size in zip(part, tensor.shape, strict=True):
                # A size of 1 is stretched to that of the other operand.
                sizes[label] = size if sizes.get(label, 1) in (1, UNKNOWN) else sizes[label]
    shape = tuple(sizes.get(label, UNKNOWN) for label in output)
    summed = (set(first) & set(second)) - set(output)
    # It comes as labels of both, of the left, of the right one.
    ranks = [(label not in first) * 2 + (label not in second) for label in output]
    return Form(shape, plain=bool(summed) and ranks == sorted(ranks))
