"""What an operation saves where the table leaves it open and the arguments of the call decide it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..autograd.operation import Save
from ..autograd.tensor import Tensor
from ..values import Value
from . import dtypes
from .arguments import as_tensor
from .sizes import UNKNOWN, Bound

Saves = tuple[Save, ...]

INDICES = Save("result1", frozenset({"input"}))
"""What pooling that also gives the places of the maxima reads again."""


def certain(name: str, bound: Bound, saves: Saves) -> Saves:
    """What is saved in this call, from what the table says of the operation."""
    decide = _DECIDED.get(name)
    return saves if decide is None else decide(bound, saves)


def _sure(saves: Saves, *names: str) -> Saves:
    """The saves with those of these names (of all if none is given) certain."""
    return tuple(replace(s, sure=True) if not names or s.what in names else s for s in saves)


def _only(saves: Saves, *names: str) -> Saves:
    """The saves of these names, certain, and none of the others."""
    return tuple(Save(s.what, s.when) for s in saves if s.what in names)


def _batch_norm(bound: Bound, saves: Saves) -> Saves:
    """On a CPU or with cuDNN it needs its input; the statistics are read again where they were used."""
    if bound.get("training") is False or "training" not in bound:
        return _sure(saves, "input", "running_mean", "running_var")
    return _sure(saves, "input")


def _float_power(bound: Bound, saves: Saves) -> Saves:
    """It keeps copies in double precision of what is not."""
    return tuple(s for s in saves if _is_double(bound.get(s.what)))


def _is_double(value: Value) -> bool:
    tensor = as_tensor(value)
    return tensor is None or dtypes.of(tensor) == "float64"


def _matmul(bound: Bound, saves: Saves) -> Saves:
    """Matrices and vectors are saved as they are, batches of them may be copied first."""
    tensors = [t for t in map(as_tensor, bound.values()) if t is not None]
    if all(t.shape is not None and len(t.shape) <= 2 for t in tensors):
        return _sure(saves)
    if len(tensors) == 2 and tensors[1].shape is not None and len(tensors[1].shape) <= 2:
        # A stack times a matrix or a vector: that one is taken as it is, once for all.
        stack = tensors[0].shape is not None and len(tensors[0].shape) > 2
        return _sure(saves, "other") if stack else saves
    return saves


def _smooth_l1(bound: Bound, saves: Saves) -> Saves:
    """Another function where `beta` is 0."""
    beta = bound.get("beta", 1.0)
    return _sure(saves) if isinstance(beta, (int, float)) and beta > 0 else saves


def _kl_div(bound: Bound, saves: Saves) -> Saves:
    """It multiplies with the target unless that is a logarithm."""
    return _sure(saves) if bound.get("log_target", False) is False else saves


def _dimensions(bound: Bound) -> int | None:
    tensor = as_tensor(bound.get("input", bound.get("self")))
    return None if tensor is None or tensor.shape is None else len(tensor.shape)


def _by_order(order: Value, saves: Saves) -> Saves:
    """Norms of a matrix: for some orders of its singular values, which the operation keeps for itself."""
    if order == "nuc":
        return ()
    if order in (2, -2) and not isinstance(order, bool):
        return _only(saves, "result")
    return _sure(saves) if order == "fro" or isinstance(order, (int, float)) else saves


def _norm(bound: Bound, saves: Saves) -> Saves:
    """`torch.norm` and `torch.linalg.norm`: of a vector, unless both dimensions of a matrix or its order are named."""
    if bound.get("dtype") is not None:
        return saves
    order, dim = bound.get("p", bound.get("ord")), bound.get("dim")
    if "p" in bound:
        return () if order == "nuc" else saves
    if order is None and dim is None:
        return _sure(saves)
    dimensions = len(dim) if isinstance(dim, tuple) else 1 if isinstance(dim, int) else _dimensions(bound)
    if dimensions == 2 and (order is not None or dim is not None):
        return _by_order("fro" if order is None else order, saves)
    return _sure(saves) if dimensions == 1 else saves


def _matrix_norm(bound: Bound, saves: Saves) -> Saves:
    if bound.get("dtype") is not None or "dim" in bound:
        return saves
    return _by_order(bound.get("ord", "fro"), saves)


def _matrix_power(bound: Bound, saves: Saves) -> Saves:
    """Products of what came in; the inverse is kept by the operation that makes it (LinearAlgebra.cpp)."""
    power = bound.get("n")
    if not isinstance(power, int) or isinstance(power, bool):
        return saves
    kept = ("input", "self") if power > 1 else ("result",) if power == -1 else ()
    return _only(saves, *kept)


def _pad(bound: Bound, saves: Saves) -> Saves:
    """Reflected and replicated borders need the input again (tools/autograd/derivatives.yaml), copied ones nothing."""
    if bound.get("mode", "constant") in ("reflect", "replicate"):
        return (Save("input", frozenset({"input"})),)
    return saves


def _poisson(bound: Bound, saves: Saves) -> Saves:
    """`exp(input) - target * input`, or with the logarithm of the input instead (aten/src/ATen/native/Loss.cpp)."""
    if not isinstance(bound.get("log_input", True), bool) or not isinstance(bound.get("full", False), bool):
        return saves
    of_target = frozenset({"input", "target"}) if bound.get("full", False) else frozenset({"input"})
    kept = [Save("target", of_target)]
    if bound.get("log_input", True):
        kept.append(Save("input", frozenset({"target"})))
    return tuple(kept)


def fused_attention(bound: Bound) -> bool | None:
    """Whether attention on a CPU is one kernel, which keeps all that went in and the result; None if it is not known.

    Source: aten/src/ATen/native/transformers/sdp_utils_cpp.cpp, use_flash_attention_cpp.
    """
    given = [as_tensor(bound.get(name)) for name in ("query", "key", "value")]
    mask, drops = bound.get("attn_mask"), bound.get("dropout_p", 0.0)
    shapes = [t.shape for t in given if t is not None and t.shape is not None and t.device.kind == "cpu"]
    if len(shapes) < 3 or not isinstance(drops, (int, float)) or not (mask is None or isinstance(mask, Tensor)):
        return None
    if any(len(shape) != 4 for shape in shapes) or drops > 0:
        return False
    if bound.get("enable_gqa", False) is not False or any(UNKNOWN in shape for shape in shapes):
        return None
    if mask is not None and not (mask.requires_grad.no and mask.floating.yes):
        return False if mask.requires_grad.yes else None
    return len({shape[-1] for shape in shapes}) == 1 and len({shape[:2] for shape in shapes}) == 1


def _attention(bound: Bound, saves: Saves) -> Saves:
    fused = fused_attention(bound)
    if fused is None:
        return saves
    learning = frozenset({"query", "key", "value"})
    if fused:
        return tuple(Save(what, learning) for what in ("query", "key", "value", "attn_mask", "result"))
    return (Save("value", frozenset({"query", "key"})),)


def _fft(bound: Bound, saves: Saves) -> Saves:
    """A real input is kept for its size, a complex one is not; cut or filled up to another length it is a copy."""
    tensor = as_tensor(bound.get("input"))
    if tensor is None or bound.get("n") is not None or bound.get("s") is not None or not tensor.floating.yes:
        return saves
    if dtypes.of(tensor).startswith("complex"):
        return tuple(s for s in saves if s.what != "input")
    return _sure(saves, "input") if dtypes.of(tensor) in ("float32", "float64") else saves


_DECIDED: dict[str, Callable[[Bound, Saves], Saves]] = {
    "batch_norm": _batch_norm,
    "float_power": _float_power,
    "matmul": _matmul,
    "__matmul__": _matmul,
    "__rmatmul__": _matmul,
    "smooth_l1_loss": _smooth_l1,
    "kl_div": _kl_div,
    "norm": _norm,
    "matrix_norm": _matrix_norm,
    "matrix_power": _matrix_power,
    "pad": _pad,
    "poisson_nll_loss": _poisson,
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(("fft", "ifft", "rfft", "rfft2", "rfftn", "ihfft", "ihfft2", "ihfftn"), _fft),
}


def _poisson_module(config: Bound, saves: Saves) -> Saves:
    if config.get("log_input", True) is not True or config.get("full", False) is not False:
        return saves
    return Save("target", frozenset({"log_input"})), Save("log_input", frozenset({"target"}))


OF_MODULES: dict[str, Callable[[Bound, Saves], Saves]] = {
    "CrossEntropyLoss": lambda config, saves: _sure(saves),
    "KLDivLoss": _kl_div,
    "PoissonNLLLoss": _poisson_module,
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), lambda config, saves: _sure(saves, "input")),
}
"""The same for the call of a module of `torch.nn`, by its name and what it was made with."""
