"""Names of floating-point dtypes: aliases, and what operands of several dtypes promote to.

Source: torch.promote_types, torch.result_type; aten/src/ATen/autocast_mode.h for what autocast lowers.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..autograd.tensor import Tensor

ALIASES = {"float": "float32", "double": "float64", "half": "float16", "cfloat": "complex64", "cdouble": "complex128"}
LOWER = "lower precision"
"""What autocast computes in: which dtype that is depends on the device and on the settings."""
_WIDTH = {LOWER: 1, "float16": 1, "bfloat16": 1, "float32": 2, "float64": 3, "complex64": 4, "complex128": 5}


def of(tensor: Tensor) -> str:
    """The dtype's own name; "" where it is not known. A floating tensor of which nothing was said is `float32`."""
    return ALIASES.get(tensor.dtype, tensor.dtype) or ("float32" if tensor.floating.yes else "")


def promoted(tensors: Iterable[Tensor]) -> str:
    """What an operation on floating tensors computes in; "" for the default or where it is not known.

    A tensor without dimensions counts only among its own kind; two of the narrow dtypes give `float32`.
    """
    floating = [t for t in tensors if not t.floating.no]
    wide = [t for t in floating if not t.scalar and t.shape != ()] or floating
    names = {of(t) for t in wide}
    if not names <= _WIDTH.keys():
        return ""
    width = max((_WIDTH[name] for name in names), default=2)
    widest = sorted(name for name in names if _WIDTH[name] == width)
    if not widest or widest == ["float32"] or (width == 1 and len(widest) > 1):
        return ""
    return widest[0]
