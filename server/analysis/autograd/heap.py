"""State with a write journal: a branch costs what it writes, not what exists.

Every mutable field of the abstract machine is written through `Heap.write` (attributes) or `Heap.put` (dict entries).
A branch marks the journal, runs one arm, takes its writes back (`undo`), runs the other arm, and `merge`s both:

    mark = heap.mark()
    run(first_arm);  first = heap.undo(mark)
    run(second_arm)
    heap.merge(mark, first, join_values)

An arm that left early (`return`, `break`) is kept as a `Pending` and merged where its jump lands; until then its
writes are relative to a mark that stays valid because the journal is only ever cut back to older marks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .order import birth


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()
"""Stands for "this field or key did not exist"."""


class Table(dict[Any, Any]):
    """A dict of the abstract machine that knows when it was made (`newest_order` in `graph`)."""

    __slots__ = ("born",)

    def __init__(self, entries: Any = ()) -> None:
        super().__init__(entries)
        self.born = birth()


Key = tuple[int, Any]
Writes = dict[Key, tuple[Any, Any, Any]]
"""(id of the object, field) -> (object, field, value)."""

Joiner = Callable[[Any, Any], Any]

_here = threading.local()


def listen(listener: list[tuple[Any, Any, Any]] | None) -> None:
    """Tell `listener` (object, field, value before) of everything that this thread remembers from now on."""
    _here.listener = listener


def remember(obj: Any, name: Any, value: Any) -> None:
    """Set a field (or dict entry) that was only waiting to be asked for: the same on every branch, so no branch takes
    it back. A run that is taken up again does: who asks first may be another one then."""
    listener = getattr(_here, "listener", None)
    if listener is not None:
        listener.append((obj, name, field_of(obj, name)))
    set_field(obj, name, value)


@dataclass(slots=True)
class Pending:
    """A state that left a region early: its writes since `mark`, and what it carries (kind, value, path)."""

    mark: int
    writes: Writes
    kind: str
    value: Any
    path: Any
    extra: dict[str, Any] = field(default_factory=dict)


def made_since(obj: Any, start: int) -> bool:
    """Whether `obj` was made after `start` for certain; what stands for an unknown may be older than it looks."""
    return getattr(obj, "made", 0) > start


def field_of(obj: Any, name: Any) -> Any:
    """An attribute or dict entry; MISSING if it is not there."""
    if isinstance(obj, dict):
        return obj.get(name, MISSING)
    return getattr(obj, name, MISSING)


def set_field(obj: Any, name: Any, value: Any) -> None:
    """Set an attribute or (with MISSING delete) a dict entry, and remember nothing."""
    if isinstance(obj, dict):
        if value is MISSING:
            obj.pop(name, None)
        else:
            obj[name] = value
    elif value is MISSING:
        if hasattr(obj, name):
            delattr(obj, name)
    else:
        setattr(obj, name, value)


class Mark(int):
    """A point in the journal, and the birth number when the alternatives that start there parted."""

    born: int

    @classmethod
    def at(cls, length: int, born: int) -> Mark:
        """The mark at a length of the journal."""
        mark = cls(length)
        mark.born = born
        return mark


class Heap:
    """The journal. One per run of a program."""

    __slots__ = ("_log", "_read", "_read_from", "_read_to")

    def __init__(self) -> None:
        self._log: list[tuple[Any, Any, Any]] = []
        self._read: Writes = {}
        self._read_from = self._read_to = -1

    def write(self, obj: Any, name: str, value: Any) -> None:
        """Set an attribute; remembered, so that it can be taken back."""
        self._log.append((obj, name, getattr(obj, name, MISSING)))
        setattr(obj, name, value)

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Set (or with MISSING delete) a dict entry; remembered."""
        self._log.append((table, key, table.get(key, MISSING)))
        set_field(table, key, value)

    def mark(self) -> int:
        """A point to go back to."""
        return Mark.at(len(self._log), birth())

    def _values_at(self, mark: int) -> Writes:
        """What the fields written since `mark` held at `mark`. Not to be changed."""
        log = self._log
        if self._read_from != mark or self._read_to > len(log):
            self._read, self._read_from, self._read_to = {}, int(mark), int(mark)
        # Of many states that are joined one after the other, each asks for the same fields and some more.
        old = self._read
        for obj, name, before in log[self._read_to :]:
            old.setdefault((id(obj), name), (obj, name, before))
        self._read_to = len(log)
        return old

    def _cut(self, mark: int) -> None:
        del self._log[mark:]
        if mark < self._read_to:
            self._read, self._read_from, self._read_to = {}, -1, -1

    def changes(self, mark: int) -> list[tuple[Any, Any, Any, Any]]:
        """(object, field, value at `mark`, value now) of every field written since."""
        return [(obj, name, before, field_of(obj, name)) for obj, name, before in self._values_at(mark).values()]

    def undo(self, mark: int) -> Writes:
        """Take back everything since `mark`; returns the values that were there just before."""
        log, final = self._log, Writes()
        for index in range(len(log) - 1, mark - 1, -1):
            obj, name, before = log[index]
            key = (id(obj), name)
            if key not in final:
                final[key] = (obj, name, field_of(obj, name))
            set_field(obj, name, before)
        self._cut(mark)
        return final

    def since(self, mark: int) -> list[tuple[Any, Any, Any]]:
        """(object, field, value before) of the writes since `mark`, the oldest first."""
        return self._log[mark:]

    def clear(self) -> None:
        """Keep everything for good: no mark is valid any more."""
        self._cut(0)

    def set(self, obj: Any, name: Any, value: Any) -> None:
        """Set an attribute or (with MISSING delete) a dict entry; remembered."""
        self._log.append((obj, name, field_of(obj, name)))
        set_field(obj, name, value)

    def commit(self, mark: int) -> None:
        """Keep everything since `mark` for good: going back to an older mark does not take it back."""
        self._cut(mark)

    def redo(self, writes: Writes) -> None:
        """Apply writes that were taken back."""
        for obj, name, value in writes.values():
            self._log.append((obj, name, field_of(obj, name)))
            set_field(obj, name, value)

    def merge(self, mark: int, other: Writes, join: Joiner) -> None:
        """Join the present state with another one that differs from the state at `mark` by `other`.

        What only one side made is as that side left it: for the other side it does not exist.
        """
        here = self._values_at(mark)
        start = getattr(mark, "born", None)
        changes: list[tuple[Any, Any, Any, bool]] = []
        for key, (obj, name, theirs) in other.items():
            changes.append((obj, name, theirs, key not in here))
        for key, (obj, name, before) in here.items():
            if key not in other and (start is None or not made_since(obj, start)):
                changes.append((obj, name, before, False))
        # Fields before names: the join of two tensors that a name may stand for reads what became of them.
        for named in (False, True):
            for obj, name, theirs, only_there in changes:
                if isinstance(obj, dict) is not named:
                    continue
                ours = field_of(obj, name)
                if ours is not theirs:
                    alone = only_there and start is not None and made_since(obj, start)
                    joined = theirs if alone else join(ours, theirs)
                    if joined is not ours:
                        self._log.append((obj, name, ours))
                        set_field(obj, name, joined)

    def rebase(self, pending: Pending, mark: int) -> None:
        """Make `pending` relative to an older mark, before everything since that mark is undone."""
        if pending.mark <= mark:
            return
        later: dict[Key, Any] = {}
        for obj, name, before in self._log[pending.mark :]:
            later.setdefault((id(obj), name), before)
        writes: Writes = {}
        for obj, name, _ in self._log[mark : pending.mark]:
            key = (id(obj), name)
            if key not in writes:
                writes[key] = (obj, name, later[key] if key in later else field_of(obj, name))
        writes.update(pending.writes)
        # It parted from the rest where it did, also when it is told from further back.
        born = getattr(pending.mark, "born", None)
        pending.writes, pending.mark = writes, mark if born is None else Mark.at(mark, born)
