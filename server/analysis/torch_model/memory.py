"""Writes that PyTorch refuses because elements share memory: those of the tensor itself, or with an operand.

Source: ATen/MemoryOverlap.cpp (assert_no_internal_overlap, assert_no_overlap) of PyTorch; which operations ask was
measured on torch 2.13.
"""

from __future__ import annotations

from ..autograd.operation import Operation
from ..autograd.tensor import Tensor
from . import strides
from .shapes import plain_name

_ONE_BY_ONE = frozenset(
    """
    zero fill masked_fill index_fill index_put fill_diagonal tril triu set threshold
    t transpose swapaxes swapdims squeeze unsqueeze as_strided
    """.split()
)
"""Operations that may be done to an expanded tensor: those that fill it, and those that write nothing."""
_READ_FIRST = frozenset("zero fill masked_fill addmm addmv addbmm baddbmm addr threshold".split())
"""Operations that may read from the memory they write to, in whatever order."""
CONSTANTS = frozenset(["zeros_", "ones_", "constant_", "eye_", "dirac_"])
"""Initialisers that may fill an expanded tensor."""

OVERLAPS = "unsupported operation: more than one element of the written-to tensor refers to a single memory location."
_MIXES = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
    "location."
)


def refuses(operation: Operation, target: Tensor) -> str:
    """What PyTorch says against writing the results of an operation to a tensor; "" where it is not certain to."""
    form = target.form
    if form.shape is None:
        return ""
    name = plain_name(operation.name)
    operands = operation.operands
    if name == "copy" and len(operands) > 1 and all(each.tensor is target for each in operands):
        # Nothing is copied, and nobody asks (aten/src/ATen/native/Copy.cpp).
        return ""
    if not form.plain and name not in _ONE_BY_ONE and strides.overlaps(form):
        return OVERLAPS
    for operand in operands:
        other = operand.tensor
        if other is None or other is target or other.memory is not target.memory or name in _READ_FIRST:
            continue
        # What is assigned to a part is expanded first, and then nobody asks (ATen/TensorIndexing.h, copy_to).
        expanded = operation.name == "copy_slices" and other.shape != form.shape
        if not expanded and strides.mixes(form, other.form):
            return _MIXES
    return ""
