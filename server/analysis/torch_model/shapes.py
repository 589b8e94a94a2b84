"""Shapes, as far as they are certain: what decides whether `flatten` is the tensor itself, `reshape` a view or a copy,
`x.dim() == 2` true, and `backward()` of something that is no scalar an error.

`after` gives that of an operation's results; an operation that no rule names gives None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from ..autograd.tensor import Tensor
from ..values import IterValue, ListValue, Value
from .arguments import as_tensor
from .sizes import UNKNOWN, Bound, Shape, broadcast, dimension, literal, operand
from .view_shapes import VIEWS, seen

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


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """`add_`, `__iadd__`, `__radd__` and `add` compute the same shape."""
    if name.startswith("__") and name.endswith("__"):
        inner = name[2:-2]
        return inner[1:] if inner[:1] == "i" and inner[1:] in _OPERATORS else inner
    return name.rstrip("_")


def _tensors(bound: Bound) -> list[Tensor]:
    return [t for t in map(as_tensor, bound.values()) if t is not None]


def _reduced(shape: Shape, dims: Value, keep: Value) -> Shape | None:
    if dims is None:
        return () if keep is not True else (1,) * len(shape)
    wanted = literal(dims)
    if wanted is None or keep not in (True, False, None):
        return None
    places = {dimension(each, len(shape)) for each in wanted}
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


_PIECES = {"chunk": 0, "split": 0, "tensor_split": 0, "split_with_sizes": 0, "unsafe_chunk": 0, "unsafe_split": 0}
"""Views of some rows each, of the same number of dimensions; with the dimension that is divided by default."""


def after(name: str, bound: Bound) -> Shape | None:
    """The shape of an operation's tensor results (all the same, where it is known); None if it is not certain."""
    name = plain_name(name)
    first = operand(bound)
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
    if name == "scaled_dot_product_attention":
        query, key, value = (as_tensor(bound.get(each)) for each in ("query", "key", "value"))
        if query is None or key is None or value is None or bound.get("enable_gqa", False) is not False:
            return None
        turned = None if not key.shape or len(key.shape) < 2 else (*key.shape[:-2], key.shape[-1], key.shape[-2])
        weights = _matmul(query.shape, turned)
        return None if weights is None else _matmul(weights, value.shape)
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
        return seen(shape, bound)
    if name in _PIECES:
        dim = dimension(bound.get("dim", _PIECES[name]), len(shape or ()))
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
        dim = dimension(bound.get("dim", 0), len(shape) + 1)
        return None if dim is None else (*shape[:dim], len(parts), *shape[dim:])
    dim = dimension(bound.get("dim", 0), len(shape))
    if dim is None or not shape:
        return None
    along = [each[dim] for each in shapes if each is not None]
    return (*shape[:dim], UNKNOWN if UNKNOWN in along else sum(along), *shape[dim + 1 :])


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
