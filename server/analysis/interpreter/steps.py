"""One step of a run, put down: what it wrote to older objects, what it recorded, and which functions it ran through."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..autograd import order
from ..autograd.graph import Node
from ..autograd.heap import Table, field_of, listen
from ..autograd.tensor import Tensor
from ..events import Events
from ..values import Instance, ModuleObject, Unknown
from .blocks import Leave
from .scope import Scope

_NOTHING = Events()
LISTS = [each.name for each in fields(Events) if type(getattr(_NOTHING, each.name)) is list]
"""What is recorded in order."""
TABLES = [each.name for each in fields(Events) if type(getattr(_NOTHING, each.name)) is dict]
SETS = [each.name for each in fields(Events) if type(getattr(_NOTHING, each.name)) is set]
_COUNTERS = {"sinks_before": 0, "held_before": 1, "unknown_before": 2}
"""What a recorded fact may hold of what was recorded before it, by the number (`_counts`) that it holds."""

Cell = tuple[Any, Any]
"""(id of an object, field)."""


@dataclass(slots=True)
class Step:
    """One statement of the trunk or one entry point (`what`), in one activation (`scope`); `what` is None between."""

    what: Any
    scope: Scope | None
    first: int
    last: int = 0
    writes: list[tuple[Any, Any, Any, Any]] = field(default_factory=list)
    """(object, field, before, after) of objects that are older than the step."""
    events: dict[str, list[Any]] = field(default_factory=dict)
    """What was recorded in lists, dicts (as items: their keys may be spans, which move) and sets."""
    counts: tuple[int, ...] = ()
    calls: int = 0
    recorded: dict[ast.AST, list[Any]] = field(default_factory=dict)
    named: list[Any] = field(default_factory=list)
    inner: list[Any] = field(default_factory=list)
    entered: set[Any] = field(default_factory=set)
    questions: dict[str, None] = field(default_factory=dict)
    loaded: tuple[str, ...] = ()
    before: tuple[Any, ...] = ()
    after: tuple[Any, ...] = ()
    steps: int = 0
    foreign: list[tuple[ast.AST, int, bool]] = field(default_factory=list)
    """What functions of other files took."""
    leave: Leave | None = None
    whole: bool = True
    """Whether control fell through or returned, and nothing but what is held here is left of it."""
    names: frozenset[str] | None = None
    budget: int | None = None
    """How many steps it was allowed when it ran out of them; None if it did not."""
    waiting: tuple[ast.AST, ...] = ()
    """Of an entry point the methods that nothing had entered before."""


class Recorded(Mapping[ast.AST, list[Any]]):
    """The tensors seen at each place by all steps of a run; put together when somebody asks, as only hover does."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps
        self._found: dict[ast.AST, list[Any]] | None = None

    def _all(self) -> dict[ast.AST, list[Any]]:
        if self._found is None:
            self._found = {}
            for step in self._steps:
                for node, kept in step.recorded.items():
                    self._found[node] = (self._found.get(node, []) + kept)[:4]
        return self._found

    def __getitem__(self, node: ast.AST) -> list[Any]:
        return self._all()[node]

    def __iter__(self) -> Iterator[ast.AST]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Recorder:
    """Puts down what a machine does between `open` and `close` as a step."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.step: Step | None = None
        self._memos: list[tuple[Any, Any, Any]] = []
        self._start = 0
        self._lengths: tuple[int, ...] = ()
        self._before_foreign = 0
        self._before_named = self._before_inner = 0
        self._before_loaded: set[str] = set()

    def open(self, what: Any, scope: Scope | None = None) -> Step:
        """Begin a step."""
        machine, events = self.machine, self.machine.events
        step = self.step = Step(what, scope, order.birth())
        self._start = machine.heap.mark()
        self._memos = []
        listen(self._memos)
        empty(events)
        machine.recorded, machine.entered, machine.third_party.unknown = {}, set(), {}
        self._lengths = tuple(len(getattr(events, name)) for name in LISTS)
        self._before_named, self._before_foreign = len(machine.named), len(machine.foreign.log)
        self._before_inner = len(machine.inner)
        self._before_loaded = set(machine.importer.loaded)
        step.counts = self._counts()
        step.before = self.registers()
        step.steps = machine.steps
        return step

    def close(self) -> Step | None:
        """End the step, if there is one, and give it."""
        step, machine = self.step, self.machine
        if step is None:
            return None
        self.step = None
        events = machine.events
        writes: dict[Cell, tuple[Any, Any, Any]] = {}
        first = step.first
        for obj, name, before in (*self._memos, *machine.heap.since(self._start)):
            cell = (id(obj), name)
            if cell not in writes and age(obj) <= first:
                writes[cell] = (obj, name, before)
        step.writes = [(obj, name, before, field_of(obj, name)) for obj, name, before in writes.values()]
        step.events = {name: getattr(events, name)[length:] for name, length in zip(LISTS, self._lengths, strict=True)}
        step.events.update({name: list(getattr(events, name).items()) for name in TABLES})
        step.events.update({name: list(getattr(events, name)) for name in SETS})
        step.calls = events.unknown_calls - step.counts[-1]
        step.recorded, step.entered, step.questions = machine.recorded, machine.entered, machine.third_party.unknown
        step.named, step.foreign = machine.named[self._before_named :], machine.foreign.log[self._before_foreign :]
        step.inner = machine.inner[self._before_inner :]
        step.loaded = tuple(path for path in machine.importer.loaded if path not in self._before_loaded)
        step.after = self.registers()
        step.steps = machine.steps - step.steps
        step.last = order.birth()
        return step

    def adjust(self, step: Step) -> None:
        """The numbers that recorded facts hold of what was recorded before them, as they are now."""
        now = self._counts()
        if now == step.counts:
            return
        more = [new - old for new, old in zip(now, step.counts, strict=True)]
        for name in LISTS:
            step.events[name] = [_counted_anew(each, more) for each in step.events[name]]
        step.events["cleared"] = [((span, count + more[2]), had) for (span, count), had in step.events["cleared"]]
        step.counts = now

    def _counts(self) -> tuple[int, int, int]:
        events = self.machine.events
        return len(events.sinks), len(events.held), events.unknown_calls

    def registers(self) -> tuple[Any, ...]:
        """What decides how a statement runs and is in no field that is written through the heap."""
        machine = self.machine
        return (
            machine.path,
            machine.errors,
            bool(machine.events.held),
            machine.entry,
            machine.autograd.stack,
            machine.depth,
            len(machine.active),
            tuple(machine.expecting),
            tuple(machine.loop_passes),
            machine.frame.loops,
            machine.frame.loose,
        )


def empty(events: Events) -> None:
    """Let the tables and sets of what is recorded be new ones."""
    for name in TABLES:
        setattr(events, name, {})
    for name in SETS:
        setattr(events, name, set())


def _counted_anew(event: Any, more: list[int]) -> Any:
    """A recorded fact with its counts of what was recorded before raised."""
    held = [name for name in _COUNTERS if hasattr(event, name)]
    return replace(event, **{name: getattr(event, name) + more[_COUNTERS[name]] for name in held}) if held else event


def age(obj: Any) -> int:
    """The number an object got when it was made; 0 where it has none."""
    kind = type(obj)
    if kind is Table or kind is Tensor:
        return int(obj.born)
    if kind is Node:
        return int(obj.order)
    if kind is Instance or kind is ModuleObject or kind is Unknown:
        obj = obj.attributes
    return int(getattr(obj, "born", 0) or getattr(obj, "made", 0))
