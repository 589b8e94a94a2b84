"""Inputs to run operations on: torch's own test database, found by function object and by method name."""

from __future__ import annotations

import itertools
import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.testing._internal.common_methods_invocations import op_db

# By count, not by time: two runs see the same samples.
CAP = 20

Sample = tuple[tuple[Any, ...], dict[str, Any]]


class _Capture(TorchFunctionMode):
    """Remembers the first call that torch dispatches, for database entries that wrap their operation in a lambda."""

    def __init__(self) -> None:
        super().__init__()
        self.first: tuple[Callable[..., Any], Sample] | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.first is None and not str(getattr(func, "__name__", "")).startswith("__"):
            self.first = func, (args, kwargs or {})
        return func(*args, **(kwargs or {}))


class Samples:
    """``of(function)`` and ``of_method(name)`` give lists of (args, kwargs)."""

    def __init__(self, known: set[int]) -> None:
        """``known``: ids of the functions the table names; other entries of the database are traced."""
        self._by_id: dict[int, list[Sample]] = defaultdict(list)
        self._by_method: dict[str, list[Sample]] = defaultdict(list)
        self._by_name: dict[str, list[Sample]] = defaultdict(list)
        self._alive: list[Any] = []
        for op in op_db:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._add(op, known)

    def of(self, function: Callable[..., Any], dotted: str = "") -> list[Sample]:
        return self._by_id.get(id(function)) or self._by_name.get(dotted, [])

    def of_method(self, name: str) -> list[Sample]:
        base = name[:-1] if name.endswith("_") and not name.startswith("__") else name
        for key in (name, base):
            if self._by_method.get(key):
                return self._by_method[key]
        for space in ("torch.", "torch.linalg.", "torch.special.", "torch.nn.functional."):
            if self._by_name.get(space + base):
                return self._by_name[space + base]
        return []

    def _add(self, op: Any, known: set[int]) -> None:
        dtype = next((d for d in (torch.float64, torch.float32, torch.int64, torch.bool) if d in op.dtypes), None)
        if dtype is None:
            return
        torch.manual_seed(0)
        try:
            drawn = [((s.input, *s.args), s.kwargs) for s in itertools.islice(op.sample_inputs("cpu", dtype), 3 * CAP)]
        except Exception:  # a generator that needs what this machine lacks (a GPU, scipy)
            return
        # An even spread over the drawn ones: databases list variants of one argument next to each other.
        samples = drawn if len(drawn) <= CAP else [drawn[i * len(drawn) // CAP] for i in range(CAP)]
        self._alive.append(samples)
        for method in (op.method_variant, op.inplace_variant):
            if method is not None and hasattr(method, "__name__"):
                self._by_method[method.__name__] += samples
        for alias in op.aliases:
            for method in (alias.method_variant, alias.inplace_variant):
                if method is not None and hasattr(method, "__name__"):
                    self._by_method[method.__name__] += samples
            self._by_id[id(alias.op)] += samples
        if id(op.op) in known:
            self._by_id[id(op.op)] += samples
            self._by_name["torch." + op.name] += samples
            return
        for args, kwargs in samples:
            with _Capture() as capture:
                try:
                    op.op(*args, **kwargs)
                except Exception:
                    continue
            if capture.first is not None:
                function, sample = capture.first
                self._by_id[id(function)].append(sample)
                name = getattr(function, "__name__", "")
                if isinstance(function, type(torch.Tensor.add)):
                    self._by_method[name].append(sample)
        for name in (op.name, *(a.name for a in op.aliases)):
            self._by_name["torch." + name] += [] if self._by_name.get("torch." + name) else samples
