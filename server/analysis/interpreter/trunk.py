"""The trunk of a run, cut into steps that a later run of an edited text can take over.

The trunk is what a program does in order, without a branch: the statements of the module, those under
`if __name__ == "__main__":`, and those of a function that one of them only calls (`main()`). For each of these
*steps*, and for each entry point that runs afterwards, a `Step` holds what it wrote to older objects, what it recorded,
and which functions it ran through. Whatever runs between steps (binding the arguments of `main`) is a step without a
statement: it is made anew each time.

After an edit the machine goes back to its beginning and runs the new text with the objects it has. A step whose
statement stands there as before is taken over (its writes are made once more) if nothing that it can see has changed.
What has changed is known exactly, as *differences*: fields whose value is not what it was at that point of the run
before. A step sees the names that its statement and the functions it ran through mention, and what can be reached from
their values. All else runs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..autograd import order
from ..autograd.graph import Node
from ..autograd.heap import Table, field_of, listen, set_field
from ..autograd.tensor import Tensor
from ..check_types import StartOver
from ..events import Events
from ..values import Builtin, External, FunctionValue, Instance, ModuleObject, Site, TorchName, Unknown, Value
from . import blocks
from .blocks import Leave
from .names_seen import holds_functions, names_inside, names_of, reaches
from .scope import Scope
from .third_party import MAX_QUESTIONS

STRIDE = 1 << 32
"""How far apart steps are numbered, so that what a step makes anew has its place in the order of things."""
_ROOM = 1 << 23
MAX_DEPTH = 3
_NOTHING = Events()
_LISTS = [each.name for each in fields(Events) if type(getattr(_NOTHING, each.name)) is list]
_TABLES = [each.name for each in fields(Events) if type(getattr(_NOTHING, each.name)) is dict]
_SETS = [each.name for each in fields(Events) if type(getattr(_NOTHING, each.name)) is set]
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


class Trunk:
    """Cuts one run into steps; with the steps of an older run of the same machine, takes over what it can."""

    def __init__(self, machine: Any, older: Trunk | None = None, statements: Iterable[ast.stmt] = ()) -> None:
        self.machine = machine
        self.steps: list[Step] = []
        self.entered: set[Any] = set()
        self.ran = 0
        self.frames: dict[tuple[int, ...], tuple[Scope, dict[str, Value]]] = {}
        self._blocks: set[int] = set()
        self._frame: Any = None
        self._calls: list[ast.AST] = []
        self._awaited: ast.AST | None = None
        self._memos: list[tuple[Any, Any, Any]] = []
        self._step: Step | None = None
        self._start = 0
        self._lengths: tuple[int, ...] = ()
        self._before_foreign = 0
        self._before_named = 0
        self._before_loaded: set[str] = set()
        self._avoided: set[int] = set()
        self._elsewhere: dict[int, Any] = {}
        """Objects that lead to none of those, as long as nobody writes to them."""
        self._asked_later: list[tuple[Any, Any, Any]] = []
        # What an older run did.
        self._run_before = older
        self._older = older.steps if older is not None else []
        self._older_frames = older.frames if older is not None else {}
        self._next = 0
        self._differences: dict[Cell, tuple[Any, Any, Any]] = {}
        self._places: dict[tuple[int, int], list[int]] = {}
        here = {id(statement) for statement in statements}
        self._stays: list[bool] = []
        for index, step in enumerate(self._older):
            if step.what is not None:
                self._places.setdefault((id(step.scope), id(step.what)), []).append(index)
            self._stays.append(step.what is not None and id(step.what) in here)
        self._base = self._older[0].first if self._older else (order.birth() // STRIDE + 1) * STRIDE
        self._loading = max((i for i, step in enumerate(self._older) if step.loaded), default=-1)

    # ------------------------------------------------------------------ the run as a whole

    def begin(self, body: list[ast.stmt]) -> None:
        """Go back to where the older run began, and start with the statements of the module."""
        if self._run_before is not None:
            self._run_before.forget_questions()
            self._run_before = None
        for step in reversed(self._older):
            for obj, name, before, _ in reversed(step.writes):
                set_field(obj, name, before)
        self._frame = self.machine.frame
        self.frames[()] = (self.machine.frame.scope, {})
        self._blocks = {id(body)}
        order.go_on_after(self._base)
        self._open(None)

    @contextmanager
    def questions(self) -> Iterator[None]:
        """Inside, the finished run is asked for things; what that makes of it is no part of the run."""
        listen(self._asked_later)
        try:
            yield
        finally:
            listen(None)

    def forget_questions(self) -> None:
        """Be as the run left things, before anybody asked."""
        for obj, name, before in reversed(self._asked_later):
            set_field(obj, name, before)
        self._asked_later.clear()

    @property
    def module_scope(self) -> Scope:
        """The scope of the module body."""
        return self.frames[()][0]

    def end(self) -> None:
        """The run is over: put together what its steps recorded."""
        self._close()
        machine, events = self.machine, self.machine.events
        machine.heap.clear()
        machine.recorded, machine.entered = {}, self.entered
        self._empty(events)
        questions: dict[str, None] = {}
        unresolved: dict[str, int] = {}
        for step in self.steps:
            for name in (*_TABLES, *_SETS):
                getattr(events, name).update(step.events[name])
            for reason, count in step.events["unresolved"]:
                unresolved[reason] = unresolved.get(reason, 0) + count
            for node, kept in step.recorded.items():
                machine.recorded[node] = (machine.recorded.get(node, []) + kept)[:4]
            questions.update(step.questions)
        events.unresolved = unresolved
        machine.third_party.unknown = dict.fromkeys(list(questions)[:MAX_QUESTIONS])
        self._older, self._differences, self._places, self._older_frames = [], {}, {}, {}

    @property
    def goes_on(self) -> bool:
        """Whether steps of an older run are taken over."""
        return bool(self._older)

    # ------------------------------------------------------------------ hooks of the interpreter

    def holds(self, body: list[ast.stmt]) -> bool:
        """Whether the statements of a block that is about to run are steps."""
        return self.machine.frame is self._frame and id(body) in self._blocks

    def run_block(self, body: list[ast.stmt]) -> Leave | None:
        """Run or take over the statements of such a block."""
        self._blocks.discard(id(body))
        for statement in body:
            leave = self._run(statement)
            if leave is not None:
                break
        else:
            leave = None
        self._between()
        return leave

    def scope_for(self, function: FunctionValue, scope: Scope, site: Site) -> Scope:
        """The scope of a call: that of the older run, if this is the same call of the trunk."""
        if self._awaited is None or site.node is not self._awaited or not scope_is_plain(function):
            return scope
        self._awaited = None
        bound = dict(scope.names)
        key = tuple(id(call) for call in self._calls)
        known = self._older_frames.get(key)
        if known is not None and list(known[1]) == list(bound):
            older, values = known
            if all(alike(values[name], bound[name]) for name in bound):
                older.function, older.module, scope = function, scope.module, older
                scope.names.clear()
                scope.names.update(bound)
                scope.declared_global.clear()
                scope.declared_nonlocal.clear()
        self.frames[key] = (scope, bound)
        return scope

    def entered_call(self, function: FunctionValue, scope: Scope) -> bool:
        """Whether the frame that has just been made is part of the trunk; then its body is."""
        known = self.frames.get(tuple(id(call) for call in self._calls))
        if known is None or known[0] is not scope:
            return False
        self._frame = self.machine.frame
        self._blocks.add(id(function.node.body))
        return True

    def entry(self, value: Value, run: Callable[[], None], allowed: int) -> None:
        """Run an entry point, or take it over if so many steps are allowed."""
        self._close()
        index = self._older_place(value, None)
        if index is not None:
            self._pass(index)
            older = self._older[index]
            if older.steps <= allowed and self._unchanged(older, value):
                self._take(older)
                return
        self._begin_step(value, None, index)
        run()
        self._close(index)

    # ------------------------------------------------------------------ one step

    def _run(self, statement: ast.stmt) -> Leave | None:
        if isinstance(statement, (ast.Global, ast.Nonlocal)):
            self._between()
            return blocks.run_statement(self.machine, statement)
        if _is_main_guard(statement) and self.machine.frame.scope.lookup("__name__") == "__main__":
            self._between()
            self._blocks.add(id(statement.body))  # type: ignore[attr-defined]
            leave = blocks.run_statement(self.machine, statement)
            self._blocks.discard(id(statement.body))  # type: ignore[attr-defined]
            return leave
        call = _plain_call(statement)
        if call is not None and len(self._calls) < MAX_DEPTH and self._runs_through(call):
            self._between()
            frame = self._frame
            self._calls.append(call)
            self._awaited = call
            try:
                return blocks.run_statement(self.machine, statement)
            finally:
                self._awaited = None
                self._calls.pop()
                self._frame = frame
        self._close()
        scope = self.machine.frame.scope
        index = self._older_place(statement, scope)
        if index is not None:
            self._pass(index)
            older = self._older[index]
            if self._unchanged(older, None):
                self._take(older)
                return older.leave
        exits = len(self.machine.frame.exits)
        step = self._begin_step(statement, scope, index)
        leave = blocks.run_statement(self.machine, statement)
        step.leave = leave
        step.whole = (leave is None or leave.kind == "return") and len(self.machine.frame.exits) == exits
        self._close(index)
        return leave

    def _between(self) -> None:
        """What runs now belongs to no statement of the trunk."""
        self._close()
        self._open(None)

    def _runs_through(self, call: ast.Call) -> bool:
        assert isinstance(call.func, ast.Name)
        function = self.machine.frame.scope.lookup(call.func.id)
        return isinstance(function, FunctionValue) and scope_is_plain(function)

    def _begin_step(self, what: Any, scope: Scope | None, index: int | None) -> Step:
        now = order.birth()
        if index is not None:
            base = max(now, self._older[index].first)
        else:
            later = (
                s.first for s, stays in zip(self._older[self._next :], self._stays[self._next :], strict=True) if stays
            )
            limit = min((first for first in later if first > now), default=None)
            base = now + STRIDE if limit is None else (now // _ROOM + 1) * _ROOM
            if limit is not None and base + _ROOM > limit:
                raise StartOver
        order.go_on_after(base)
        self.ran += 1
        return self._open(what, scope)

    def _open(self, what: Any, scope: Scope | None = None) -> Step:
        machine, events = self.machine, self.machine.events
        step = self._step = Step(what, scope, order.birth())
        self._start = machine.heap.mark()
        self._memos = []
        listen(self._memos)
        self._empty(events)
        machine.recorded, machine.entered, machine.third_party.unknown = {}, set(), {}
        self._lengths = tuple(len(getattr(events, name)) for name in _LISTS)
        self._before_named, self._before_foreign = len(machine.named), len(machine.foreign.log)
        self._before_loaded = set(machine.importer.loaded)
        step.counts = self._counts()
        step.before = self._registers()
        step.steps = machine.steps
        return step

    def _close(self, index: int | None = None) -> None:
        """End the present step; `index` is where the older run has the same one."""
        step, machine = self._step, self.machine
        if step is None:
            return
        self._step = None
        events = machine.events
        writes: dict[Cell, tuple[Any, Any, Any]] = {}
        first = step.first
        for obj, name, before in (*self._memos, *machine.heap.since(self._start)):
            cell = (id(obj), name)
            if cell not in writes and _age(obj) <= first:
                writes[cell] = (obj, name, before)
        step.writes = [(obj, name, before, field_of(obj, name)) for obj, name, before in writes.values()]
        step.events = {name: getattr(events, name)[length:] for name, length in zip(_LISTS, self._lengths, strict=True)}
        step.events.update({name: list(getattr(events, name).items()) for name in _TABLES})
        step.events.update({name: list(getattr(events, name)) for name in _SETS})
        step.calls = events.unknown_calls - step.counts[-1]
        step.recorded, step.entered, step.questions = machine.recorded, machine.entered, machine.third_party.unknown
        step.named, step.foreign = machine.named[self._before_named :], machine.foreign.log[self._before_foreign :]
        step.loaded = tuple(path for path in machine.importer.loaded if path not in self._before_loaded)
        step.after = self._registers()
        step.steps = machine.steps - step.steps
        step.last = order.birth()
        if step.what is not None and step.last - step.first > _ROOM:
            raise StartOver
        self.entered |= step.entered
        self.steps.append(step)
        if self._older:
            if step.loaded or (step.what is not None and self._loading >= self._next):
                # Files are run by whoever asks first: what asks anew may be another one than before.
                raise StartOver
            self._elsewhere = {}
            for obj, name, before, _ in step.writes:
                self._differences.setdefault((id(obj), name), (obj, name, before))
        if index is not None:
            self._pass(index + 1)

    def _take(self, older: Step) -> None:
        """Let the older run's step stand for this one."""
        machine, events = self.machine, self.machine.events
        if not machine.foreign.covers(older.foreign):
            raise StartOver
        self._adjust(older)
        for name in _LISTS:
            getattr(events, name).extend(older.events[name])
        events.unknown_calls += older.calls
        machine.named += older.named
        for obj, name, _, after in older.writes:
            machine.heap.set(obj, name, after)
            if id(obj) in self._elsewhere and reaches([after], self._avoided, self._elsewhere):
                self._elsewhere = {}
            self._differences.pop((id(obj), name), None)
        machine.steps += older.steps
        machine.path, machine.after_error = older.after[0], older.after[1]
        order.go_on_after(max(order.birth(), older.last))
        self.entered |= older.entered
        self.steps.append(older)
        self._next += 1

    def _adjust(self, step: Step) -> None:
        """The numbers that recorded facts hold of what was recorded before them, as they are now."""
        now = self._counts()
        if now == step.counts:
            return
        more = [new - old for new, old in zip(now, step.counts, strict=True)]
        for name in _LISTS:
            step.events[name] = [_counted_anew(each, more) for each in step.events[name]]
        step.events["cleared"] = [(span, (count + more[2], had)) for span, (count, had) in step.events["cleared"]]
        step.counts = now

    @staticmethod
    def _empty(events: Events) -> None:
        for name in _TABLES:
            setattr(events, name, {})
        for name in _SETS:
            setattr(events, name, set())

    def _counts(self) -> tuple[int, int, int]:
        events = self.machine.events
        return len(events.sinks), len(events.held), events.unknown_calls

    def _registers(self) -> tuple[Any, ...]:
        """What decides how a statement runs and is in no field that is written through the heap."""
        machine = self.machine
        return (
            machine.path,
            machine.after_error,
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

    # ------------------------------------------------------------------ the older run

    def _older_place(self, what: Any, scope: Scope | None) -> int | None:
        """Where the older run has this step, not before the point it has come to."""
        places = self._places.get((id(scope), id(what)), ())
        return next((index for index in places if index >= self._next), None)

    def _pass(self, index: int) -> None:
        """The older run goes on to a step: what the ones before it wrote is different now, unless it was made anew."""
        for step in self._older[self._next : index]:
            for obj, name, _, after in step.writes:
                self._differences[(id(obj), name)] = (obj, name, after)
        self._next = max(self._next, index)
        same = [cell for cell, (obj, name, value) in self._differences.items() if alike(field_of(obj, name), value)]
        for cell in same:
            del self._differences[cell]

    def _unchanged(self, step: Step, value: Value) -> bool:
        """Whether the step can see no difference, so that it would do what it did."""
        if not step.whole or step.before != self._registers():
            return False
        if self.machine.steps + step.steps > self.machine.max_steps and step.scope is not None:
            return False
        if not self._differences:
            return True
        if step.names is None:
            step.names = frozenset().union(*(names_inside(node) for node in step.entered))
        own = names_of(step.what) if isinstance(step.what, ast.stmt) else frozenset()
        module = self.machine.main.namespace
        frame = step.scope.names if step.scope is not None else None
        seen = own | step.names
        seen_in_frame = seen if has_functions(step.scope) else own
        others: set[int] = set()
        for obj, name, _ in self._differences.values():
            if obj is module or obj is frame:
                if name in (seen if obj is module else seen_in_frame):
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


def scope_is_plain(function: FunctionValue) -> bool:
    """Whether a call of the function is nothing but its body run in a scope of its own."""
    from .calls import is_generator

    return (
        isinstance(function.node, ast.FunctionDef)
        and not function.contexts
        and function.cache is None
        and (function.scope is None or function.scope.is_module)
        and not is_generator(function)
    )


def _counted_anew(event: Any, more: list[int]) -> Any:
    """A recorded fact with its counts of what was recorded before raised."""
    held = [name for name in _COUNTERS if hasattr(event, name)]
    return replace(event, **{name: getattr(event, name) + more[_COUNTERS[name]] for name in held}) if held else event


def has_functions(scope: Scope | None) -> bool:
    """Whether functions are made in a scope: they see its names."""
    function = scope.function if scope is not None else None
    return function is None or holds_functions(function.node)


def alike(left: Value, right: Value) -> bool:
    """Whether two values are the same object, or the same constant."""
    return left is right or (type(left) is type(right) and type(left) in _CONSTANTS and left == right)


_CONSTANTS = frozenset({int, float, str, bool, bytes, complex, type(None), TorchName, External, Builtin})


def _age(obj: Any) -> int:
    """The number an object got when it was made; 0 where it has none."""
    kind = type(obj)
    if kind is Table or kind is Tensor:
        return int(obj.born)
    if kind is Node:
        return int(obj.order)
    if kind is Instance or kind is ModuleObject or kind is Unknown:
        obj = obj.attributes
    return int(getattr(obj, "born", 0) or getattr(obj, "made", 0))


def _is_main_guard(statement: ast.stmt) -> bool:
    test = statement.test if isinstance(statement, ast.If) else None
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def _plain_call(statement: ast.stmt) -> ast.Call | None:
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    # An argument that is made for the call would be made anew, and nothing inside could be taken over.
    return call if all(isinstance(each, (ast.Name, ast.Constant)) for each in given) else None


__all__ = ["Step", "Trunk"]
