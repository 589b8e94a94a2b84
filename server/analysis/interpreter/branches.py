"""Branches of a run: alternatives from the same state, their join, and what a value decides."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from ..autograd.graph import Path, contradicts
from ..autograd.heap import Pending
from ..autograd.tensor import Tensor
from ..values import (
    EMPTIED,
    AtLeast,
    Choice,
    DictValue,
    First,
    Instance,
    IterValue,
    ListValue,
    ModuleObject,
    Scalar,
    Unknown,
    Value,
)
from .state import DeadEnd, Frame, ProgramRaises, State


class Negation:
    """`not` of an unknown value: the same condition with the other outcome."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


class Branches(State):
    """Runs arms from one state and joins what they leave."""

    def join(self, left: Value, right: Value) -> Value:
        """Join two values that carry no paths of their own."""
        return self.joiner.values(left, right, self.path, self.path)

    def no_elements(self) -> tuple[Value, ...]:
        """What an empty list holds; a branch that has just gone backward empties it for the next pass."""
        sinks = self.events.sinks
        return EMPTIED if self.path and sinks and sinks[-1].path >= self.path else ()

    def join_all(self, values: Sequence[Value]) -> Value:
        """Join the values (at least one) that an unknown index or key may mean."""
        distinct = list({id(value): value for value in values}.values())
        self.tick(len(distinct))
        if len(distinct) > 1 and all(isinstance(value, Tensor) for value in distinct):
            return self.autograd.joined(*distinct)
        joined = distinct[0]
        for value in distinct[1:]:
            joined = self.join(joined, value)
        return joined

    def undo(self, mark: int, keep: Sequence[Pending] = ()) -> Any:
        """Take writes back to `mark`; states that left early since then are made relative to it first."""
        frame: Frame | None = self.frame
        while frame is not None:
            for pending in frame.exits:
                self.heap.rebase(pending, mark)
            frame = frame.consumer
        for pending in keep:
            self.heap.rebase(pending, mark)
        return self.heap.undo(mark)

    def fork(self, arms: Sequence[tuple[Path, Callable[[], Value]]]) -> Value:
        """Run expressions as alternatives from the same state; the join of their values and of their effects.

        Arms whose path contradicts the present one are skipped; arms that raise are dropped. Raises DeadEnd if none
        is left.
        """
        before = self.path
        live = [(extra, run) for extra, run in arms if not contradicts(extra, before)]
        results: list[tuple[Path, Any, Value]] = []
        mark = self.heap.mark()
        for extra, run in live:
            self.path = before | extra
            try:
                value = run()
            except ProgramRaises:
                if len(live) == 1:
                    raise
                self.undo(mark)
                continue
            except DeadEnd:
                self.undo(mark)
                continue
            finally:
                self.path = before
            results.append((extra, self.undo(mark), value))
        if not results:
            raise DeadEnd
        path, writes, value = results[0]
        self.heap.redo(writes)
        for other_path, other_writes, other in results[1:]:
            self.merge(mark, other_writes, before | path, before | other_path)
            value = self.joiner.values(value, other, before | path, before | other_path)
        return value

    def merge(self, mark: int, writes: Any, ours: Path, theirs: Path) -> None:
        """Join the present state with one that left early or ran in another arm."""
        self.heap.merge(mark, writes, lambda a, b: self.joiner.values(a, b, ours, theirs))

    def narrow(self, value: Value) -> Value:
        """The alternatives of a value that are possible on the present path."""
        if not isinstance(value, Choice):
            return value
        possible = [(p, v) for p, v in value.alternatives if not contradicts(p, self.path)]
        if len(possible) == 1:
            return possible[0][1]
        if not possible or len(possible) == len(value.alternatives):
            return value
        return Choice(tuple(possible))

    def each(self, value: Value, use: Callable[[Value], Value], *, skip_none: bool = True) -> Value:
        """Apply `use` to a value, or to each alternative of a choice as a branch (None cannot be used, and drops)."""
        value = self.narrow(value)
        if not isinstance(value, Choice):
            return use(value)
        alternatives = [(p, v) for p, v in value.alternatives if not (skip_none and v is None)] or list(
            value.alternatives
        )

        def arm(each: Value) -> Callable[[], Value]:
            return lambda: use(each)

        return self.fork([(p - self.path, arm(v)) for p, v in alternatives])

    def test(self, value: Value) -> tuple[bool | None, Hashable, bool]:
        """(truth, condition, polarity): the truth of a value if it is known, else the condition it depends on."""
        value = self.narrow(value)
        if isinstance(value, Negation):
            known, key, polarity = self.test(value.value)
            return (None if known is None else not known), key, not polarity
        known = self.truth(value)
        if known is not None:
            return known, None, True
        if isinstance(value, Choice) and len(value.alternatives) == 2:
            (first, a), (second, b) = value.alternatives
            one, other = self.truth(a), self.truth(b)
            if one is not None and other is not None:
                for key, outcome in first:
                    if (key, not outcome) in second:
                        return self._decided(key, outcome if one else not outcome)
        return self._decided(value if isinstance(value, (Unknown, Scalar)) else object(), True)

    def _decided(self, key: Hashable, polarity: bool) -> tuple[bool | None, Hashable, bool]:
        if (key, polarity) in self.path:
            return True, key, polarity
        if (key, not polarity) in self.path:
            return False, key, polarity
        return None, key, polarity

    def truth(self, value: Value) -> bool | None:
        """Whether a value is true; None if that is not known."""
        if value is None or isinstance(value, (bool, int, float, str, bytes)):
            return bool(value)
        if isinstance(value, tuple):
            return bool(value)
        if isinstance(value, (ListValue, IterValue)):
            if value.items:
                return True
            return None if value.open else False
        if isinstance(value, DictValue):
            if value.items:
                return True
            return None if value.rest is not None else False
        if isinstance(value, Choice):
            outcomes = {self.truth(v) for _, v in value.alternatives}
            return outcomes.pop() if len(outcomes) == 1 else None
        if isinstance(value, ModuleObject):
            return True if not value.keys and not value.dotted.endswith("List") else bool(value.items) or None
        if isinstance(value, AtLeast):
            if isinstance(value, First) and value.least == 0:
                value.asked = True
                return False
            return True if value.least > 0 else None
        if isinstance(value, (Tensor, Unknown, Scalar, Negation)):
            return None
        if isinstance(value, Instance):
            found = value.cls.find("__bool__") or value.cls.find("__len__")
            return None if found or value.cls.unknown_base() else True
        return True
