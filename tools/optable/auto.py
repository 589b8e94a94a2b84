"""Made-up inputs for operations no database covers: plausible values by parameter kind; keep what runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch

from .facts import Row

_SHAPES = [(3, 3), (4,), (2, 3, 4), (1, 2, 4, 4), (2, 2, 3, 4, 4), ()]
_INTS = [0, 1, 2]
KEPT = 6
_INTEGRAL = {"index", "indices", "target", "mask", "offsets", "condition"}


def guesses(row: Row) -> Iterator[dict[str, Any]]:
    """Argument values by name for one overload; at most a few dozen, cheapest first."""
    required = [p for p in row.params if not p.default and p.name != "out"]
    if any(p.code in ("G", "D") for p in required):
        return
    optional = [p for p in row.params if p.code == "T?" and p.default]
    for shape, number in itertools.product(_SHAPES, _INTS):
        values = {}
        for i, p in enumerate(required):
            values[p.name.lstrip("*")] = _value(p.code, p.name, shape, number, i)
        yield values
        if optional and len(shape) > 0:
            yield {**values, **{p.name: _tensor(shape, 9) for p in optional}}
        numbers = [p for p in row.params if p.code == "s" and p.default]
        if numbers:
            yield {**values, **{p.name: 0.5 for p in numbers}}
        if any(p.name in _INTEGRAL for p in required):
            for dtype in (torch.int64, torch.bool):
                yield {n: _recast(v, dtype) if n in _INTEGRAL else v for n, v in values.items()}
    # Last, operations on integers only: they never run on the above.
    for dtype in (torch.int64, torch.bool) if len(required) <= 2 else ():
        yield {p.name.lstrip("*"): _recast(_value(p.code, p.name, (3, 3), 1, 0), dtype) for p in required}


def _recast(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.zeros(value.shape, dtype=dtype)
    return 1 if isinstance(value, float) else value


def _tensor(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, dtype=torch.float64, generator=generator) * 0.8 + 0.1


def _value(code: str, name: str, shape: tuple[int, ...], number: int, seed: int) -> Any:
    if code in ("T", "T?"):
        return _tensor(shape, seed)
    if code == "T*":
        return [_tensor(shape, seed), _tensor(shape, seed + 20)]
    if code in ("I", "i*"):
        if name in ("size", "shape", "sizes"):
            return list(shape) or [3]
        return {0: [0], 1: [1, 1], 2: [0, 1]}[number]
    if name == "rounding_mode":
        return "floor"
    return {"s": 2.0, "i": number, "f": 0.5, "b": False, "S": "mean", "d": torch.float64, "o": None}.get(code)
