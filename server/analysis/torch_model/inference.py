"""Inference tensors outside inference mode: whether an operation over them reaches autograd at all.

An inference tensor lacks the dispatch keys of autograd (c10/core/TensorImpl.cpp), so an operation over nothing else is
not tracked, even where one of them requires grad. What brings in an ordinary tensor is: a number in the place of a
tensor (`x * 2`), and kernels that make one on the way. Measured on torch 2.13.0 (tests/unit/test_inference_leaves.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd.operation import Operand
from ..values import Scalar, Value
from .shapes import plain_name

TRACKS = frozenset(
    """
    addmm bernoulli bfloat16 clone diag_embed double dropout float_power half index lu msort normalize sort tanhshrink
    to to_sparse
    """.split()
)
"""Their kernels write into an ordinary tensor, which is tracked."""

REFUSES = frozenset(
    """
    abs absolute cummax cummin deg2rad hardtanh inverse kthvalue logsumexp mean nan_to_num rad2deg rpow std var
    """.split()
)
"""Their kernels write into an ordinary tensor through an `out=` form, which refuses operands that require grad."""

WRAPS_NUMBERS = frozenset(
    """
    add radd sub rsub subtract mul rmul multiply div truediv divide true_divide mod remainder fmod floordiv floor_divide
    """.split()
)
"""They take a number as an ordinary tensor."""


def bypasses(name: str, bound: dict[str, Value], operands: Sequence[Operand]) -> bool:
    """Whether an operation outside inference mode goes past autograd, because all it reads are inference tensors."""
    tensors = [o.tensor for o in operands if o.tensor is not None]
    plain = plain_name(name)
    if not tensors or not all(tensor.inference for tensor in tensors) or plain in TRACKS:
        return False
    return not (plain in WRAPS_NUMBERS and any(isinstance(v, (int, float, Scalar)) for v in bound.values()))


def refuses(name: str, bound: dict[str, Value], operands: Sequence[Operand]) -> bool:
    """Whether such an operation raises because of a detour over its own `out=` form."""
    if not any(o.tensor is not None and o.tensor.inference and o.tensor.requires_grad.yes for o in operands):
        return False
    plain = plain_name(name)
    whole = plain not in ("std", "var") or bound.get("dim") is None
    return plain in REFUSES and whole and bypasses(name, bound, operands)
