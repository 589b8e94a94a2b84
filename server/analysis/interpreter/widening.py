"""Widening: what grows from pass to pass has no known value in the pass that stands for all later ones.

Of a loop of unknown length two passes are run. The first is the first; the second stands for the hundredth too, which
meets `self.steps == 99` and a memory of ninety-nine elements. Numbers that the first pass has changed and lists that
it has made longer, wherever in the program it happened, are known there only by their lower bound: a branch that waits
for `len(memory) >= 64` or for every tenth step is gone into, and the one that waits for the first step is not.
"""

from __future__ import annotations

from typing import Any

from ..autograd.graph import newest_order
from ..autograd.heap import Table
from ..values import AtLeast, ListValue, Scalar, Value
from .machine import Machine


class Widening:
    """What the passes of one loop of unknown length change; made before the first of them."""

    __slots__ = ("_bounds", "_machine", "_mark", "_start")

    def __init__(self, machine: Machine) -> None:
        self._machine, self._mark, self._start = machine, machine.heap.mark(), newest_order()
        self._bounds: list[tuple[Table, Any, AtLeast]] = []

    def widen(self) -> None:
        """Before a later pass: make the state one that any later pass may meet."""
        heap = self._machine.heap
        for obj, key, before, after in heap.changes(self._mark):
            kind = type(obj)
            if kind is Table and obj.born <= self._start and _counts(before, after):
                value = _bounded(before, after)
                heap.put(obj, key, value)
                if isinstance(value, AtLeast):
                    self._bounds.append((obj, key, value))
            elif kind is ListValue and key == "items" and obj.born <= self._start and len(after) > len(before):
                heap.write(obj, "grows", True)

    def end(self) -> None:
        """Behind the loop: there need not have been a later pass, and what the first one left is the bound."""
        heap = self._machine.heap
        for table, key, bound in self._bounds:
            value = table.get(key)
            if isinstance(value, AtLeast) and value.least > bound.least:
                heap.put(table, key, AtLeast(bound.least))


def _counts(before: Value, after: Value) -> bool:
    """Whether a number became another one. A flag that goes from 1 to 0 stays there; a counter goes on."""
    kind = type(after)
    return kind in (int, float) and type(before) is kind and before != after and (before, after) != (1, 0)


def _bounded(before: Any, after: Any) -> Scalar:
    """What is known in later passes of a number that one pass took from `before` to `after`."""
    return AtLeast(after) if type(after) is int and after > before else Scalar(type(after).__name__)
