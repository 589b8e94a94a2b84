"""`x[i]` and `x[i] = v`: views for numbers and slices, copies for masks and index tensors."""

from __future__ import annotations

from ..autograd.operation import Operation, Save
from ..autograd.tensor import Tensor
from ..autograd.truth import NO
from ..values import Choice, ListValue, Runtime, Scalar, Site, SliceValue, Unknown, Value
from . import indexed
from .arguments import operands_for
from .effects import apply, in_place


def is_advanced(index: Value) -> bool | None:
    """Whether an index copies (a mask, an index tensor, a list) rather than views; None if that is not known."""
    if isinstance(index, tuple):
        kinds = [is_advanced(part) for part in index]
        return True if True in kinds else None if None in kinds else False
    if isinstance(index, Tensor):
        return not index.scalar
    if isinstance(index, (ListValue, bool)):
        return True
    if isinstance(index, Scalar):
        return index.kind == "array"
    if isinstance(index, SliceValue) or index is None or isinstance(index, int) or index is Ellipsis:
        return False
    if isinstance(index, (Unknown, Choice)):
        return None
    return False


def get(rt: Runtime, tensor: Tensor, index: Value, site: Site) -> Value:
    """`tensor[index]`."""
    advanced = is_advanced(index)
    operands = [*operands_for("self", tensor, True), *operands_for("indices", index, False)]
    if advanced:
        operation = Operation(
            "index",
            site.span,
            tuple(operands),
            saves=(Save("indices", frozenset({"self"})),),
            holds_numbers=True,
            derivative="linear",
        )
    else:
        operation = Operation("__getitem__", site.span, tuple(operands), view="view", view_of="self")
    result = apply(rt, operation, site)[0]
    if tensor.floating.no:
        result.floating, result.requires_grad = NO, NO
    result.note = tensor.note if tensor.note == "gradient" else ""
    if not advanced:
        result.form = indexed.form_of_index(tensor.form, index)
    return result


def put(rt: Runtime, tensor: Tensor, index: Value, value: Value, site: Site) -> None:
    """`tensor[index] = value`: a write into a view, or `index_put_` for masks and index tensors."""
    advanced = is_advanced(index)
    written = operands_for("value", value, True)
    if advanced:
        operands = (*operands_for("self", tensor, True), *operands_for("indices", index, False), *written)
        saves = (Save("indices", frozenset({"self", "value"})),)
        operation = Operation("index_put_", site.span, operands, saves=saves, holds_numbers=True, derivative="linear")
        in_place(rt, operation, tensor, site)
        return
    if indexed.writes_all(index, tensor.shape):
        whole = Operation("copy_", site.span, (*operands_for("self", tensor, True), *written))
        in_place(rt, whole, tensor, site)
        return
    view = Operation("__getitem__", site.span, tuple(operands_for("self", tensor, True)), view="view", view_of="self")
    target = apply(rt, view, site)[0]
    if tensor.floating.no:
        target.floating, target.requires_grad = NO, NO
    target.form = indexed.form_of_index(tensor.form, index)
    operation = Operation("copy_slices", site.span, (*operands_for("self", target, True), *written))
    target.name = tensor.name
    in_place(rt, operation, target, site)
