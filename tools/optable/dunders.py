"""Operators: ``__add__`` and its kin, measured with a tensor and with a number on the other side; and properties."""

from __future__ import annotations

import torch

from .facts import Parameter, Row
from .samples import Sample

_BINARY = [
    "add",
    "radd",
    "iadd",
    "sub",
    "rsub",
    "isub",
    "mul",
    "rmul",
    "imul",
    "truediv",
    "rtruediv",
    "itruediv",
    "div",
    "rdiv",
    "idiv",
    "floordiv",
    "rfloordiv",
    "ifloordiv",
    "mod",
    "rmod",
    "imod",
    "pow",
    "rpow",
    "ipow",
    "matmul",
    "rmatmul",
    "imatmul",
    "lt",
    "le",
    "gt",
    "ge",
    "eq",
    "ne",
]
_BITWISE = [
    "and",
    "rand",
    "iand",
    "or",
    "ror",
    "ior",
    "xor",
    "rxor",
    "ixor",
    "lshift",
    "rlshift",
    "ilshift",
    "rshift",
    "rrshift",
    "irshift",
]
_UNARY = ["neg", "pos", "abs", "invert"]
PROPERTIES = ["T", "mT", "H", "mH", "real"]


def dunder_rows() -> dict[str, tuple[list[Row], list[Sample]]]:
    """name -> (rows to be measured, samples for them)."""
    found: dict[str, tuple[list[Row], list[Sample]]] = {}
    one, other = Parameter("self", "T"), Parameter("other", "T")
    floats, integers = _tensors(torch.float64), _tensors(torch.int64)
    for names, operands, number in ((_BINARY, floats, 2.0), (_BITWISE, integers, 2)):
        for name in names:
            dunder = f"__{name}__"
            if not hasattr(torch.Tensor, dunder):
                continue
            samples: list[Sample] = [((x, y), {}) for x, y in operands]
            samples += [((x, number), {}) for x, _ in operands]
            found[dunder] = [Row([one, other], None), Row([one, Parameter("other", "s")], None)], samples
    for name in _UNARY:
        operands = integers if name == "invert" else floats
        found[f"__{name}__"] = [Row([one], None)], [((x,), {}) for x, _ in operands]
    return found


def property_rows() -> dict[str, tuple[list[Row], list[Sample]]]:
    x = torch.rand(3, 3, dtype=torch.float64)
    return {name: ([Row([Parameter("self", "T")], None)], [((x,), {})]) for name in PROPERTIES}


def _tensors(dtype: torch.dtype) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    pairs = []
    for shape in ((3, 3), (4,), (2, 3, 3)):
        x, y = (torch.rand(shape, dtype=torch.float64, generator=generator) * 3 + 1 for _ in range(2))
        pairs.append((x.to(dtype), y.to(dtype)))
    return pairs
