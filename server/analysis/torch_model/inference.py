"""Inference tensors outside inference mode: whether an operation over them reaches autograd at all.

An inference tensor lacks the dispatch keys of autograd (c10/core/TensorImpl.cpp), so an operation over nothing else is
not tracked, even where one of them requires grad. What brings in an ordinary tensor is: a number in the place of a
tensor (`x * 2`), and kernels that make one on the way. Measured on torch 2.13.0 (tests/unit/test_inference_leaves.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..autograd.operation import Operand, Save
from ..autograd.stale import matmul_takes
from ..values import Scalar, Value
from .shapes import plain_name
from .sizes import broadcast

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
    factors = (value for name, value in bound.items() if name != "alpha")
    return not (plain in WRAPS_NUMBERS and any(isinstance(value, (int, float, Scalar)) for value in factors))


def refuses(name: str, bound: dict[str, Value], operands: Sequence[Operand]) -> bool:
    """Whether such an operation raises because of a detour over its own `out=` form."""
    if not any(o.tensor is not None and o.tensor.inference and o.tensor.requires_grad.yes for o in operands):
        return False
    plain = plain_name(name)
    whole = plain not in ("std", "var") or bound.get("dim") is None
    return plain in REFUSES and whole and bypasses(name, bound, operands)


def saved(name: str, saves: tuple[Save, ...], operands: Sequence[Operand]) -> tuple[Save, ...]:
    """What an operation of several parts keeps where the parts over nothing but an inference tensor go past autograd.

    `normalize` divides by a norm that is an ordinary tensor and the one thing it keeps; the entropy of the target in
    `kl_div` has no history, its product with the input does.
    """
    plain = plain_name(name)
    lost = {o.name for o in operands if o.tensor is not None and o.tensor.inference}
    if plain == "normalize" and lost:
        return ()
    if plain == "kl_div" and "target" in lost:
        return tuple(replace(save, when=save.when - lost) if save.what == "target" else save for save in saves)
    return saves


_LAID_OUT = frozenset("inner kron tensordot einsum".split())
_BROADCAST_FIRST = frozenset("mse_loss l1_loss smooth_l1_loss huber_loss".split())


def taken(name: str, operands: Sequence[Operand]) -> tuple[Operand, ...]:
    """The operands of an operation outside inference mode; an inference tensor of which it takes a view learns nothing.

    A view of an inference tensor goes past autograd, also where ordinary tensors are among the operands. Measured on
    torch 2.13: `linear` turns its weight, products of stacks lay them flat, losses broadcast what is smaller.
    """
    plain = plain_name(name)
    if plain in _LAID_OUT:
        as_it_is = [False] * len(operands)
    elif plain == "matmul" and len(operands) == 2:
        as_it_is = list(_of_matmul(operands))
    elif plain == "linear" and len(operands) >= 2:
        as_it_is = [_of_matmul(operands)[0], False] + [True] * (len(operands) - 2)
    elif plain in _BROADCAST_FIRST:
        shapes = [o.tensor.shape if o.tensor is not None else () for o in operands]
        whole = broadcast(shapes[:2])
        as_it_is = [whole is None or shape is None or shape == whole for shape in shapes]
    else:
        return tuple(operands)
    return tuple(
        replace(operand, differentiable=False)
        if not kept and operand.tensor is not None and operand.tensor.inference
        else operand
        for operand, kept in zip(operands, as_it_is, strict=True)
    )


def _of_matmul(operands: Sequence[Operand]) -> tuple[bool, bool]:
    left, right = (o.tensor.shape if o.tensor is not None else None for o in operands[:2])
    if left is None or right is None:
        return True, True
    return matmul_takes(len(left), len(right))
