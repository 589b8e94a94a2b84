"""The run before an edit: which of its steps can be taken over, as nothing that they can see has changed.

What has changed is known exactly, as *differences*: fields whose value is not what it was at that point of the run
before. A step sees the names that its statement and the functions it ran through mention, and what can be reached from
their values.

What only one of the two runs has, as the step that made it was not taken over or is new, has no differences: a step
sees it through a name or a field of something that both have, and that one is different.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from ..autograd import order
from ..autograd.heap import field_of, set_field
from ..check_types import StartOver
from ..values import Builtin, External, TorchName, Value
from .imports import STAR
from .names_seen import holds_functions, names_inside, names_of, reaches
from .scope import Scope
from .steps import Cell, Recorder, Step, age

STRIDE = 1 << 44
"""How far apart steps are numbered, so that what a step makes anew has its place in the order of things."""
_PART = 256
"""What part of the numbers between two steps that stay a new one takes, so that there is room for others after it."""
ROOM = 1 << 23
"""The numbers a step may use."""
_CONSTANTS = frozenset({int, float, str, bool, bytes, complex, type(None), TorchName, External, Builtin})


class OlderRun:
    """The steps of a run, gone through once more from the first to the last; empty where there was no run before."""

    def __init__(
        self, machine: Any, steps: list[Step], statements: Iterable[ast.stmt], stay: Iterable[Any] | None = ()
    ) -> None:
        """`statements` are those the new text may have in common; `stay` are objects that runs share, whoever made them
        (None: any may be)."""
        self.machine, self.steps = machine, steps
        self._gone: list[tuple[int, int]] = []
        """The numbers of what was made by steps that are not taken over, in order."""
        self._new: list[tuple[int, int]] = []
        """The numbers of what was made by the steps that ran in their place."""
        self._stay = None if stay is None else {id(each) for each in stay}
        self._next = 0
        self._differences: dict[Cell, tuple[Any, Any, Any]] = {}
        self._avoided: set[int] = set()
        self._elsewhere: dict[int, Any] = {}
        """Objects that lead to none of those, as long as nobody writes to them."""
        self._places: dict[tuple[int, int], list[int]] = {}
        here = {id(statement) for statement in statements}
        self._stays: list[bool] = []
        for index, step in enumerate(steps):
            if step.what is not None:
                self._places.setdefault((id(step.scope), id(step.what)), []).append(index)
            self._stays.append(step.what is not None and id(step.what) in here)
        self.base = steps[0].first if steps else (order.birth() // STRIDE + 1) * STRIDE
        """What the steps are numbered after."""
        self._loading = max((i for i, step in enumerate(steps) if step.loaded), default=-1)

    def take_back(self) -> None:
        """Undo what the run wrote."""
        for step in reversed(self.steps):
            for obj, name, before, _ in reversed(step.writes):
                set_field(obj, name, before)

    def place(self, what: Any, scope: Scope | None) -> int | None:
        """Where the older run has this step, not before the point it has come to."""
        places = self._places.get((id(scope), id(what)), ())
        return next((index for index in places if index >= self._next), None)

    def go_on_to(self, index: int) -> None:
        """This run goes on to a step: what the ones before it wrote is different now, unless it was made anew."""
        for step in self.steps[self._next : index]:
            for obj, name, _, after in step.writes:
                if not self._made_by(self._gone, obj):
                    self._differences[(id(obj), name)] = (obj, name, after)
            self._gone.append((step.first, step.last))
        self._next = max(self._next, index)
        same = [cell for cell, (obj, name, value) in self._differences.items() if alike(field_of(obj, name), value)]
        for cell in same:
            del self._differences[cell]

    def _made_by(self, steps: list[tuple[int, int]], obj: Any) -> bool:
        """Whether an object was made by one of these steps, for certain."""
        number = age(obj)
        if not number or self._stay is None or id(obj) in self._stay:
            return False
        place = bisect_left(steps, (number, 0)) - 1
        return place >= 0 and steps[place][0] < number <= steps[place][1]

    def number_after(self, now: int, index: int | None) -> int:
        """Where the numbers of a step begin that is made at `now`, as the one at `index` or as a new one.

        Raises StartOver if there are none left before those of a step that may still be taken over.
        """
        if index is not None:
            return max(now, self.steps[index].first)
        rest = zip(self.steps[self._next :], self._stays[self._next :], strict=True)
        limit = min((step.first for step, stays in rest if stays and step.first > now), default=None)
        if limit is None:
            return now + STRIDE
        base = now + max((limit - now) // _PART, ROOM)
        if base + ROOM > limit:
            raise StartOver
        return base

    def made_anew(self, step: Step) -> None:
        """A step has run: what it wrote is different from now on. Raises StartOver if it ran files, or may have to."""
        if step.loaded or (step.what is not None and self._loading >= self._next):
            # Files are run by whoever asks first: what asks anew may be another one than before.
            raise StartOver
        self._elsewhere = {}
        for obj, name, before, _ in step.writes:
            if not self._made_by(self._new, obj):
                self._differences.setdefault((id(obj), name), (obj, name, before))
        self._new.append((step.first, step.last))

    def taken(self, step: Step) -> None:
        """The next step has been taken over: what it wrote is as it was."""
        known = self._elsewhere
        if known:
            put = [after for obj, _, _, after in step.writes if id(obj) in known]
            if put and reaches(put, self._avoided, known):
                self._elsewhere = {}
        for obj, name, _, _ in step.writes:
            self._differences.pop((id(obj), name), None)
        self._next += 1

    def unchanged(self, step: Step, value: Value, recorder: Recorder, left: int) -> bool:
        """Whether the step can see no difference, so that it would do in so many steps of the budget what it did."""
        if not step.whole or step.before != recorder.registers():
            return False
        if step.steps > left if step.budget is None else step.budget != left:
            return False
        if not self._differences:
            return True
        if step.names is None:
            step.names = frozenset().union(*(names_inside(node) for node in step.entered))
        own = names_of(step.what) if isinstance(step.what, ast.stmt) else frozenset()
        module = self.machine.main.namespace
        frame = step.scope.names if step.scope is not None else None
        seen = own | step.names | {STAR}
        seen_in_frame = seen if has_functions(step.scope) else own
        others: set[int] = set()
        for obj, name, _ in self._differences.values():
            if obj is module or obj is frame:
                if name in (seen if obj is module else seen_in_frame):
                    return False
                if obj is module and self.machine.importer.looks_back:
                    return False
            else:
                others.add(id(obj))
        if not others:
            return True
        if self.machine.importer.loaded or id(self.machine.autograd) in others:
            return False
        roots = [value, *self.machine.events.applied, *(module.get(name) for name in seen)]
        if frame is not None:
            roots += [frame.get(name) for name in seen_in_frame]
        if others != self._avoided:
            self._avoided, self._elsewhere = others, {}
        return not reaches(roots, others, self._elsewhere)


def has_functions(scope: Scope | None) -> bool:
    """Whether functions are made in a scope: they see its names."""
    function = scope.function if scope is not None else None
    return function is None or holds_functions(function.node)


def alike(left: Value, right: Value) -> bool:
    """Whether two values are the same object, or the same constant."""
    return left is right or (type(left) is type(right) and type(left) in _CONSTANTS and left == right)
