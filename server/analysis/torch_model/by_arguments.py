"""What the table leaves open because the arguments of the call decide it: what is saved for certain, how many results,
whether anything is computed at all, and whether integers stay integers."""

from __future__ import annotations

from dataclasses import replace

from ..autograd.operation import Operation, Save
from ..autograd.tensor import Tensor
from ..autograd.truth import NO
from ..values import ListValue, Value
from . import dtypes, shapes, strides
from .arguments import as_tensor
from .keeps import KEEPS_NOTHING, KEEPS_OPERANDS, PRODUCTS
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


def certain(name: str, bound: dict[str, Value], saves: tuple[Save, ...]) -> tuple[Save, ...]:
    """What the table leaves open because it depends on the arguments, where these decide it.

    Matrices and vectors are saved as they are, batches of them may be copied first; `kl_div` multiplies with the target
    unless that is a logarithm; `smooth_l1_loss` is another function where `beta` is 0. `batch_norm` on a CPU or with
    cuDNN needs its input, and a norm of everything is one of a vector. `float_power` keeps copies in double precision
    of what is not.
    """
    if name == "batch_norm":
        return tuple(replace(s, sure=True) if s.what == "input" else s for s in saves)
    if name == "float_power":
        return tuple(s for s in saves if _is_double(bound.get(s.what)))
    if name in ("matmul", "__matmul__", "__rmatmul__"):
        tensors = [t for t in map(as_tensor, bound.values()) if t is not None]
        decided = all(t.shape is not None and len(t.shape) <= 2 for t in tensors)
        if not decided and len(tensors) == 2 and tensors[1].shape is not None and len(tensors[1].shape) <= 2:
            # A stack times a matrix or a vector: that one is taken as it is, once for all.
            stack = tensors[0].shape is not None and len(tensors[0].shape) > 2
            return tuple(replace(s, sure=True) if stack and s.what == "other" else s for s in saves)
    elif name == "smooth_l1_loss":
        beta = bound.get("beta", 1.0)
        decided = isinstance(beta, (int, float)) and beta > 0
    elif name == "norm":
        decided = all(bound.get(each) is None for each in ("ord", "p", "dim"))
    else:
        decided = name == "kl_div" and bound.get("log_target", False) is False
    return tuple(Save(s.what, s.when) for s in saves) if decided else saves


def _is_double(value: Value) -> bool:
    tensor = as_tensor(value)
    return tensor is None or dtypes.of(tensor) == "float64"


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
    if plain == "interpolate" and bound.get("mode", "nearest") == "area":
        return True
    if plain in KEEPS_OPERANDS or (plain == "pad" and bound.get("mode", "constant") == "constant"):
        return False
    return name not in KEEPS_NOTHING and not overload.view_of and bool(overload.diff)


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
