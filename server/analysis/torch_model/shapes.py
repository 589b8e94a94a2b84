"""Shapes, as far as they are certain: what decides whether `flatten` is the tensor itself, `reshape` a view or a copy,
`x.dim() == 2` true, and `backward()` of something that is no scalar an error.

A shape is a tuple of sizes, -1 for one that is not known, or None where not even the number of dimensions is known.
`after` gives that of an operation's results; an operation that no rule names gives None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from ..autograd.tensor import Tensor
from ..values import IterValue, ListValue, Scalar, SliceValue, Value
from .arguments import as_tensor

Shape = tuple[int, ...]
UNKNOWN = -1
_NUMBERS = ("int", "float", "bool")

_ELEMENTWISE = frozenset(
    """
    abs absolute acos acosh add addcdiv addcmul arccos arcsin arctan asin asinh atan atan2 atanh ceil celu clamp clip
    clone cos cosh deg2rad detach digamma div divide dropout elu eq erf erfc erfinv exp exp2 expm1 fix float_power floor
    floor_divide fmax fmin fmod frac ge gelu gt hardshrink hardsigmoid hardswish hardtanh hypot isfinite isinf isnan
    ldexp le leaky_relu lerp lgamma log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
    logical_xor logit logsigmoid lt masked_fill maximum minimum mish mul multiply nan_to_num ne neg negative pow
    positive rad2deg reciprocal relu relu6 remainder round rsqrt rsub selu sgn sigmoid sign silu sin sinc sinh softplus
    softshrink softsign sqrt square sub subtract tan tanh tanhshrink threshold true_divide trunc where xlogy
    """.split()
)
_OPERATORS = frozenset(
    """
    add radd sub rsub mul rmul truediv rtruediv pow rpow mod floordiv neg abs lt le gt ge eq ne and or xor invert
    """.split()
)
_SAME = frozenset(
    """
    softmax log_softmax softmin cumsum cumprod cummax cummin logcumsumexp flip roll sort argsort normalize layer_norm
    batch_norm group_norm instance_norm rms_norm alpha_dropout contiguous tril triu view_as_self to float double half
    bfloat16 type dropout1d dropout2d dropout3d feature_dropout renorm
    """.split()
)
_REDUCTIONS = frozenset(
    """
    sum mean prod max min amax amin norm var std median nanmedian mode logsumexp all any argmax argmin nansum nanmean
    """.split()
)
_LOSSES = frozenset(
    """
    mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
    poisson_nll_loss soft_margin_loss cross_entropy nll_loss
    """.split()
)

_SAME_MODULES = frozenset(
    """
    ReLU ReLU6 LeakyReLU PReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Softmax LogSoftmax Softmin
    Hardtanh Hardsigmoid Hardswish LogSigmoid Tanhshrink Threshold AlphaDropout LayerNorm GroupNorm RMSNorm
    """.split()
)

Bound = Mapping[str, Value]


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """`add_`, `__iadd__`, `__radd__` and `add` compute the same shape."""
    if name.startswith("__") and name.endswith("__"):
        inner = name[2:-2]
        return inner[1:] if inner[:1] == "i" and inner[1:] in _OPERATORS else inner
    return name.rstrip("_")


def known(shape: Shape | None) -> bool:
    """Whether every size is known."""
    return shape is not None and UNKNOWN not in shape


def numel(shape: Shape | None) -> int | None:
    """The number of elements; None if it is not known."""
    if shape is None or not known(shape):
        return None
    total = 1
    for size in shape:
        total *= size
    return total


def literal(value: Value) -> tuple[int | None, ...] | None:
    """Sizes or dimensions as an argument: a number, or a list or tuple of numbers; None for what is not known."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return (value,)
    if isinstance(value, (ListValue, IterValue)):
        if value.open:
            return None
        value = value.items
    if not isinstance(value, tuple):
        return None
    if len(value) == 1 and not isinstance(value[0], int):
        return literal(value[0]) if isinstance(value[0], (tuple, ListValue)) else None
    return tuple(each if isinstance(each, int) and not isinstance(each, bool) else None for each in value)


def sizes(values: Sequence[Value]) -> Shape | None:
    """The shape that a factory is asked for: `rand(2, 3)`, `rand((2, 3))`, `rand([n, 3])`, `rand(*size)`."""
    found = literal(tuple(values))
    return None if found is None else tuple(UNKNOWN if each is None else each for each in found)


def of_data(data: Value, depth: int = 4) -> Shape | None:
    """The shape of what `torch.tensor(data)` makes."""
    if isinstance(data, Tensor):
        return data.shape
    if isinstance(data, (int, float, complex)) or (isinstance(data, Scalar) and data.kind in _NUMBERS):
        return ()
    if isinstance(data, ListValue):
        if data.open:
            return None
        data = data.items
    if not isinstance(data, tuple) or not depth:
        return None
    inner = [of_data(each, depth - 1) for each in data]
    if not inner:
        return (0,)
    return None if inner[0] is None or any(each != inner[0] for each in inner) else (len(inner), *inner[0])


def broadcast(shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape of an element-wise operation."""
    if any(shape is None for shape in shapes) or not shapes:
        return None
    present = [shape for shape in shapes if shape is not None]
    result = []
    for back in range(1, max(map(len, present), default=0) + 1):
        column = [shape[-back] for shape in present if len(shape) >= back]
        large = [size for size in column if size not in (1, UNKNOWN)]
        result.append(large[0] if large else UNKNOWN if UNKNOWN in column else 1)
    return tuple(reversed(result))


def _tensors(bound: Bound) -> list[Tensor]:
    return [t for t in map(as_tensor, bound.values()) if t is not None]


def _first(bound: Bound) -> Tensor | None:
    return as_tensor(bound.get("self", bound.get("input", bound.get("tensor"))))


def _dim(value: Value, rank: int) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not -max(rank, 1) <= value < max(rank, 1):
        return None
    return value % max(rank, 1)


def _reduced(shape: Shape, dims: Value, keep: Value) -> Shape | None:
    if dims is None:
        return () if keep is not True else (1,) * len(shape)
    wanted = literal(dims)
    if wanted is None or keep not in (True, False, None):
        return None
    places = {_dim(each, len(shape)) for each in wanted}
    if None in places:
        return None
    if not shape:
        return ()
    if not places:
        return ()
    if keep is True:
        return tuple(1 if i in places else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in places)


def _matmul(left: Shape | None, right: Shape | None) -> Shape | None:
    if left is None or right is None or not left or not right:
        return None
    if len(left) == 1 and len(right) == 1:
        return ()
    if len(left) == 1:
        return (*right[:-2], right[-1])
    if len(right) == 1:
        return left[:-1]
    batch = broadcast([left[:-2], right[:-2]])
    return None if batch is None else (*batch, left[-2], right[-1])


def _view(shape: Shape | None, bound: Bound) -> Shape | None:
    if "dtype" in bound:
        return shape
    wanted = literal(bound.get("size", bound.get("shape")))
    if wanted is None:
        return None
    open_ = tuple(UNKNOWN if each is None else each for each in wanted)
    if None in wanted or open_.count(UNKNOWN) != 1:
        return open_
    total, rest = numel(shape), numel(tuple(size for size in open_ if size != UNKNOWN))
    if total is None or not rest:
        return open_
    return tuple(total // rest if size == UNKNOWN else size for size in open_)


def _flatten(shape: Shape, bound: Bound) -> Shape | None:
    if not shape:
        return (1,)
    start = _dim(bound.get("start_dim", 0), len(shape))
    end = _dim(bound.get("end_dim", -1), len(shape))
    if start is None or end is None or start > end:
        return None
    middle = numel(shape[start : end + 1])
    return (*shape[:start], UNKNOWN if middle is None else middle, *shape[end + 1 :])


def _swapped(shape: Shape, one: Value, other: Value) -> Shape | None:
    first, second = _dim(one, len(shape)), _dim(other, len(shape))
    if first is None or second is None or not shape:
        return None
    result = list(shape)
    result[first], result[second] = result[second], result[first]
    return tuple(result)


def _permuted(shape: Shape, bound: Bound) -> Shape | None:
    dims = literal(bound.get("dims"))
    if dims is None or len(dims) != len(shape):
        return None
    places = [_dim(each, len(shape)) for each in dims]
    return None if None in places else tuple(shape[place] for place in places if place is not None)


def _unsqueezed(shape: Shape, bound: Bound) -> Shape | None:
    dim = _dim(bound.get("dim"), len(shape) + 1)
    return None if dim is None else (*shape[:dim], 1, *shape[dim:])


def _squeezed(shape: Shape, bound: Bound) -> Shape | None:
    if "dim" not in bound:
        return tuple(size for size in shape if size != 1) if known(shape) else None
    dims = literal(bound["dim"])
    places = {_dim(each, len(shape)) for each in dims or ()}
    if (
        dims is None
        or None in places
        or any(shape[place] == UNKNOWN for place in places if place is not None and shape)
    ):
        return None
    return tuple(size for i, size in enumerate(shape) if not (i in places and size == 1))


def _selected(shape: Shape, bound: Bound) -> Shape | None:
    dim = _dim(bound.get("dim"), len(shape))
    return None if dim is None or not shape else (*shape[:dim], *shape[dim + 1 :])


def _narrowed(shape: Shape, bound: Bound) -> Shape | None:
    dim, length = _dim(bound.get("dim"), len(shape)), bound.get("length")
    if dim is None or not shape:
        return None
    return (*shape[:dim], length if isinstance(length, int) else UNKNOWN, *shape[dim + 1 :])


def _expanded(shape: Shape, bound: Bound) -> Shape | None:
    wanted = literal(bound.get("size", bound.get("sizes")))
    if wanted is None or len(wanted) < len(shape):
        return None
    padded = (1,) * (len(wanted) - len(shape)) + shape
    sizes_ = zip(padded, wanted, strict=True)
    return tuple(UNKNOWN if new is None else old if new == -1 else new for old, new in sizes_)


def _unfolded(shape: Shape, bound: Bound) -> Shape | None:
    dim, size, step = _dim(bound.get("dimension"), len(shape)), bound.get("size"), bound.get("step")
    if dim is None or not shape or not isinstance(size, int) or not isinstance(step, int) or step < 1:
        return None
    count = UNKNOWN if shape[dim] == UNKNOWN else (shape[dim] - size) // step + 1
    return (*shape[:dim], count, *shape[dim + 1 :], size)


def _unflattened(shape: Shape, bound: Bound) -> Shape | None:
    dim, wanted = _dim(bound.get("dim"), len(shape)), literal(bound.get("sizes"))
    if dim is None or wanted is None or not shape:
        return None
    inner = _view((shape[dim],), {"size": bound["sizes"]})
    return None if inner is None else (*shape[:dim], *inner, *shape[dim + 1 :])


def _diagonal(shape: Shape, bound: Bound) -> Shape | None:
    if len(shape) != 2 or len(bound) != 1:
        return None
    return (min(shape),) if known(shape) else (UNKNOWN,)


VIEWS: dict[str, Callable[[Shape, Bound], Shape | None]] = {
    "flatten": _flatten,
    "t": lambda shape, bound: shape[::-1] if len(shape) <= 2 else None,
    "T": lambda shape, bound: shape[::-1],
    "mT": lambda shape, bound: _swapped(shape, -1, -2),
    "transpose": lambda shape, bound: _swapped(shape, bound.get("dim0"), bound.get("dim1")),
    "permute": _permuted,
    "unsqueeze": _unsqueezed,
    "squeeze": _squeezed,
    "select": _selected,
    "narrow": _narrowed,
    "swapaxes": lambda shape, bound: _swapped(shape, bound.get("axis0"), bound.get("axis1")),
    "swapdims": lambda shape, bound: _swapped(shape, bound.get("dim0"), bound.get("dim1")),
    "unfold": _unfolded,
    "unflatten": _unflattened,
    "as_strided": lambda shape, bound: sizes([bound.get("size")]),
    "expand": _expanded,
    "broadcast_to": _expanded,
    "diagonal": _diagonal,
    "view": _view,
    "reshape": _view,
    "ravel": lambda shape, bound: _flatten(shape, {}),
    "unbind": lambda shape, bound: _selected(shape, {"dim": bound.get("dim", 0)}),
}
_PIECES = {"chunk": 0, "split": 0, "tensor_split": 0, "split_with_sizes": 0, "unsafe_chunk": 0, "unsafe_split": 0}
"""Views of some rows each, of the same number of dimensions; with the dimension that is divided by default."""


def after(name: str, bound: Bound) -> Shape | None:
    """The shape of an operation's tensor results (all the same, where it is known); None if it is not certain."""
    name = plain_name(name)
    first = _first(bound)
    shape = first.shape if first is not None else None
    if name in _ELEMENTWISE or name in _OPERATORS:
        return broadcast([t.shape for t in _tensors(bound)])
    if name in _SAME:
        return shape
    if name in _REDUCTIONS:
        if "other" in bound:
            return broadcast([t.shape for t in _tensors(bound)])
        if "dim" not in bound:
            return () if shape is not None or not bound.get("keepdim") else None
        return None if shape is None else _reduced(shape, bound["dim"], bound.get("keepdim"))
    if name in _LOSSES:
        return () if bound.get("reduction", "mean") in ("mean", "sum", "batchmean") else None
    if name in ("matmul", "mm", "mv", "dot", "bmm", "inner", "rmatmul"):
        left, right = bound.get("self", bound.get("input")), None
        right = next((bound[key] for key in ("other", "mat2", "vec", "vec2", "tensor") if key in bound), None)
        one, other = as_tensor(left), as_tensor(right)
        if one is None or other is None:
            return None
        return _matmul(other.shape, one.shape) if name == "rmatmul" else _matmul(one.shape, other.shape)
    if name == "linear":
        weight = as_tensor(bound.get("weight"))
        if shape is None or weight is None or weight.shape is None or len(weight.shape) != 2:
            return None
        return (*shape[:-1], weight.shape[0])
    if name == "einsum":
        return _einsum(bound.get("equation"))
    if name in ("stack", "cat", "concat", "concatenate"):
        return _together(name, bound)
    if shape is None and name not in ("view", "reshape"):
        return None
    if name in ("view_as", "reshape_as", "expand_as", "type_as"):
        other = as_tensor(bound.get("other"))
        return None if other is None else other.shape
    if name in ("view", "reshape"):
        return _view(shape, bound)
    if name in _PIECES:
        dim = _dim(bound.get("dim", _PIECES[name]), len(shape or ()))
        return None if not shape or dim is None else (*shape[:dim], UNKNOWN, *shape[dim + 1 :])
    rule = VIEWS.get(name)
    return None if rule is None or shape is None else rule(shape, bound)


def _einsum(equation: Value) -> Shape | None:
    if not isinstance(equation, str) or "->" not in equation or "." in equation:
        return None
    return (UNKNOWN,) * len(equation.partition("->")[2].strip())


def _together(name: str, bound: Bound) -> Shape | None:
    listed = bound.get("tensors")
    if isinstance(listed, (ListValue, IterValue)):
        if listed.open:
            return None
        listed = listed.items
    if not isinstance(listed, tuple) or not listed:
        return None
    parts = [as_tensor(each) for each in listed]
    shapes = [None if part is None else part.shape for part in parts]
    shape = shapes[0]
    if shape is None or any(each is None or len(each) != len(shape) for each in shapes):
        return None
    if name == "stack":
        dim = _dim(bound.get("dim", 0), len(shape) + 1)
        return None if dim is None else (*shape[:dim], len(parts), *shape[dim:])
    dim = _dim(bound.get("dim", 0), len(shape))
    if dim is None or not shape:
        return None
    along = [each[dim] for each in shapes if each is not None]
    return (*shape[:dim], UNKNOWN if UNKNOWN in along else sum(along), *shape[dim + 1 :])


def indexed(shape: Shape | None, index: Value) -> Shape | None:
    """The shape of `x[index]` for numbers, slices, None and `...`; None for anything else."""
    if shape is None:
        return None
    parts = index if isinstance(index, tuple) else (index,)
    taken = sum(1 for part in parts if part is not None and part is not Ellipsis)
    if taken > len(shape) or parts.count(Ellipsis) > 1:
        return None
    result: list[int] = []
    place = 0
    for part in parts:
        if part is Ellipsis:
            rest = len(shape) - taken
            result += shape[place : place + rest]
            place += rest
        elif part is None:
            result.append(1)
        elif isinstance(part, SliceValue):
            result.append(_sliced(shape[place], part))
            place += 1
        elif isinstance(part, int) and not isinstance(part, bool):
            place += 1
        else:
            return None
    return (*result, *shape[place:])


def _sliced(size: int, part: SliceValue) -> int:
    bounds = (part.lower, part.upper, part.step)
    if size == UNKNOWN:
        return UNKNOWN
    if any(not (each is None or (isinstance(each, int) and not isinstance(each, bool))) for each in bounds):
        return UNKNOWN
    return len(range(*slice(*bounds).indices(size)))


def same_elements(index: Value) -> bool:
    """Whether `x[index]` is all of `x`: `x[...]`, `x[:]`, `x[:, :]`."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is Ellipsis
        or (isinstance(part, SliceValue) and part.lower is None and part.upper is None and part.step is None)
        for part in parts
    )


def writes_all(index: Value, shape: Shape | None) -> bool:
    """Whether `x[index] = v` writes to `x` itself: `...` and slices that leave nothing out make no view.

    Measured on torch 2.13; the slice is dropped by `applySlice` in ATen/TensorIndexing.h.
    """
    parts = index if isinstance(index, tuple) else (index,)
    after = [i for i, part in enumerate(parts) if part is Ellipsis]
    for place, part in enumerate(parts):
        if part is Ellipsis:
            continue
        if not isinstance(part, SliceValue) or part.lower not in (None, 0) or part.step not in (None, 1):
            return False
        dim = place if not after or place < after[0] else place - len(parts)
        size = shape[dim] if shape is not None and -len(shape) <= dim < len(shape) else UNKNOWN
        if part.upper is not None and not (isinstance(part.upper, int) and 0 <= size <= part.upper):
            return False
    return bool(parts)


def elementwise(name: str) -> bool:
    """Whether an operation (by its plain name) computes each element of its result from those at the same place."""
    return name in _ELEMENTWISE or name in _OPERATORS


def keeps_shape(name: str) -> bool:
    """Whether the result of an operation (by its plain name) has the shape of its first operand."""
    return name in _SAME


def module(name: str, config: Mapping[str, Value], given: Sequence[Value]) -> Shape | None:
    """The shape of what a module of torch returns."""
    tensors = [t for t in map(as_tensor, given) if t is not None]
    if not tensors:
        return None
    shape = tensors[0].shape
    if name in _SAME_MODULES or name.startswith(("BatchNorm", "InstanceNorm", "Dropout")):
        return shape
    if name == "Linear" and shape:
        size = config.get("out_features")
        return (*shape[:-1], size if isinstance(size, int) else UNKNOWN)
    if name.endswith("Loss") and name not in ("CTCLoss", "AdaptiveLogSoftmaxWithLoss"):
        return () if config.get("reduction", "mean") in ("mean", "sum", "batchmean") else None
    return None
