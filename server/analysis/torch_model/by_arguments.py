"""What the table leaves open because the arguments of the call decide it: how many results there are, whether anything
is computed at all, and whether integers stay integers. What is saved is told in `saved`."""

from __future__ import annotations

from ..autograd.operation import Operation
from ..autograd.tensor import Tensor
from ..autograd.truth import NO
from ..values import ListValue, Value
from . import dtypes, saved, shapes, strides
from .arguments import as_tensor
from .keeps import KEEPS_NOTHING, KEEPS_OPERANDS, PRODUCTS, derivative
from .sizes import UNKNOWN, Shape
from .table import Overload

_INTEGER_STAYS = frozenset(
    [
        "add",
        "sub",
        "mul",
        "neg",
        "sum",
        "prod",
        "cat",
        "stack",
        "clone",
        "expand",
        "repeat",
        "view",
        "reshape",
        "flatten",
        "T",
        "transpose",
        "permute",
        "squeeze",
        "unsqueeze",
        "__add__",
        "__radd__",
        "__sub__",
        "__rsub__",
        "__mul__",
        "__rmul__",
        "__neg__",
        "__getitem__",
        "__floordiv__",
        "__mod__",
        "select",
        "narrow",
        "split",
        "chunk",
        "unbind",
        "cumsum",
        "gather",
        "index_select",
        "masked_select",
        "max",
        "min",
        "abs",
        "clamp",
        "flip",
        "roll",
        "where",
        "sort",
        "topk",
        "contiguous",
        "__and__",
        "__or__",
        "__xor__",
        "__invert__",
        "__lshift__",
        "__rshift__",
        "randperm_like",
        "t",
        "mT",
        "maximum",
        "minimum",
    ]
)
_LIST_OUTPUTS = 3
_AT_LEAST = {"atleast_1d": 1, "atleast_2d": 2, "atleast_3d": 3}
GIVE_BACK = frozenset(["flatten", "real", "conj", "resolve_conj", "resolve_neg", "positive", *_AT_LEAST])
"""Operations that may give back the tensor itself (`is_itself`)."""


def holds_numbers(name: str, overload: Overload, bound: dict[str, Value], casts: bool) -> bool:
    """Whether it keeps something beside the tensors it saves; `lerp` by a number keeps only that number.

    Under autocast (`casts`) that may be operands in lower precision.
    """
    plain = shapes.plain_name(name)
    if plain == "lerp" and isinstance(bound.get("weight"), (int, float)):
        return False
    if plain in PRODUCTS and overload.diff and not casts:
        other = as_tensor(bound.get("other"))
        if overload.mutates and other is not None and other.live.possible:
            # A copy of what is overwritten (gen_variable_type.py, original_self): no one changes it, but it is freed.
            return True
        # Of a number only for the gradient of the other factor, which a view without a grad_fn does not ask for.
        factors = [as_tensor(value) for value in bound.values()]
        return None in factors and any(each is not None and each.live.possible for each in factors)
    if plain == "matrix_power" and bound.get("n") in (0, 1):
        return False
    if plain == "interpolate" and bound.get("mode", "nearest") == "area":
        return True
    if plain in KEEPS_OPERANDS or (plain == "pad" and bound.get("mode", "constant") == "constant"):
        return False
    return name not in KEEPS_NOTHING and not overload.view_of and bool(overload.diff)


FIRST_IS_NOT = frozenset(["igamma", "igammac", "gammainc", "gammaincc", "zeta"])
"""Functions that have a derivative in their second operand only (tools/autograd/derivatives.yaml)."""
PAST_AUTOGRAD = frozenset(["logical_and_", "logical_not_", "logical_or_", "logical_xor_"])
"""Writes that autograd knows nothing of: no check, and the history stays (measured on torch 2.13.0)."""


def implemented(bound: dict[str, Value]) -> bool:
    """Whether one of those that have no derivative in their first operand is asked for none there."""
    first = as_tensor(bound.get("self", bound.get("input")))
    return first is None or not first.live.yes


DEPENDING = frozenset(["div", "scaled_dot_product_attention"])
"""Operations of which the arguments tell on what the gradient depends."""


def depends(plain: str, bound: dict[str, Value]) -> str:
    """On what its gradient depends: `keeps.derivative`, where the arguments do not say more."""
    if plain == "div" and bound.get("rounding_mode") is not None:
        return "constant"
    if plain == "scaled_dot_product_attention" and saved.fused_attention(bound):
        return "refused"
    return derivative(plain)


def is_itself(name: str, bound: dict[str, Value]) -> bool:
    """Whether it gives back the tensor itself: `flatten` of one dimension, `atleast_1d` of a vector, `real` of it."""
    if name == "flatten":
        return is_flat(bound)
    given = bound.get("tensors")
    tensor = as_tensor(bound.get("self", bound.get("input", given[0] if isinstance(given, tuple) else given)))
    if tensor is None or (isinstance(given, tuple) and len(given) > 1):
        return False
    if name in _AT_LEAST:
        return tensor.shape is not None and len(tensor.shape) >= _AT_LEAST[name]
    real = dtypes.of(tensor)
    return bool(real) and not real.startswith("complex")


def is_flat(bound: dict[str, Value]) -> bool:
    """`flatten` of one dimension (or of one of several) is the tensor itself."""
    tensor = as_tensor(bound.get("self", bound.get("input")))
    if tensor is None or not tensor.shape:
        return False
    ends = (bound.get("start_dim", 0), bound.get("end_dim", -1))
    return all(isinstance(end, int) for end in ends) and ends[0] % len(tensor.shape) == ends[1] % len(tensor.shape)


def must_copy(name: str, bound: dict[str, Value], shape: Shape | None) -> bool:
    """Whether `reshape` certainly copies: a transposed matrix laid flat (aten/src/ATen/native/TensorShape.cpp)."""
    if name not in ("reshape", "flatten", "ravel", "reshape_as"):
        return False
    tensor = as_tensor(bound.get("self", bound.get("input")))
    if tensor is None or tensor.form.plain:
        return False
    if name == "ravel":
        return strides.contiguous(tensor.form) is False
    return strides.must_copy(tensor.form, shape)


def exact_count(name: str, bound: dict[str, Value]) -> int | None:
    if name in ("chunk", "tensor_split"):
        count = bound.get("chunks", bound.get("sections", bound.get("indices_or_sections")))
        return count if isinstance(count, int) and 0 < count <= 32 else None
    tensor = as_tensor(bound.get("self", bound.get("input", bound.get("tensor"))))
    shape = tensor.shape if tensor is not None else None
    if name == "unbind" or (name == "split" and "split_size_or_sections" not in bound and "split_size" in bound):
        dim = bound.get("dim", 0)
        size = shape[dim] if shape and isinstance(dim, int) and -len(shape) <= dim < len(shape) else UNKNOWN
        step = 1 if name == "unbind" else bound["split_size"]
        if isinstance(step, int) and step > 0 and 0 < size <= 16 * step:
            return -(-size // step)
    if name in ("split", "split_with_sizes"):
        sizes = bound.get("split_size_or_sections", bound.get("split_size", bound.get("split_sizes")))
        if isinstance(sizes, (tuple, ListValue)):
            items = sizes if isinstance(sizes, tuple) else sizes.items
            return len(items) or None
    return None


FURTHER = frozenset(["return_indices", "return_inverse", "return_counts"])


def further_outputs(bound: dict[str, Value]) -> int:
    """How many tensors of integers a flag asks for beside the result (`return_indices=True`)."""
    return sum(bound.get(flag) is True for flag in FURTHER)


def count_outputs(name: str, bound: dict[str, Value]) -> int:
    return exact_count(name, bound) or _LIST_OUTPUTS


def keep_integers(operation: Operation, results: tuple[Tensor, ...]) -> None:
    """Integer inputs give integer results where the operation does not compute in floating point."""
    if operation.name.rstrip("_") not in _INTEGER_STAYS:
        return
    tensors = [o.tensor for o in operation.operands if o.tensor is not None]
    if tensors and all(t.floating.no for t in tensors):
        for result in results:
            result.floating, result.requires_grad = NO, NO
