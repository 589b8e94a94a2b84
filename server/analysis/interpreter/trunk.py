"""The trunk of a run, cut into steps that a later run of an edited text can take over.

The trunk is what a program does in order, without a branch: the statements of the module, those under
`if __name__ == "__main__":`, and those of a function that one of them only calls (`main()`). For each of these
*steps*, and for each entry point that runs afterwards, a `Step` holds what it wrote to older objects, what it recorded,
and which functions it ran through. Whatever runs between steps (binding the arguments of `main`) is a step without a
statement: it is made anew each time.

After an edit the machine goes back to its beginning and runs the new text with the objects it has. A step whose
statement stands there as before is taken over (its writes are made once more) if nothing that it can see has changed
(`older_run`). All else runs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..autograd import order
from ..autograd.heap import listen, set_field
from ..check_types import StartOver
from ..values import FunctionValue, Site, Value
from . import blocks
from .blocks import Leave
from .functions import is_generator
from .machine import BudgetExhausted
from .older_run import ROOM, OlderRun, alike
from .scope import Scope
from .steps import LISTS, SETS, TABLES, Recorded, Recorder, Step, empty
from .third_party import MAX_QUESTIONS

MAX_DEPTH = 3
"""How deep calls may be nested whose bodies are steps."""


class Trunk:
    """Cuts one run into steps; with the steps of an older run of the same machine, takes over what it can."""

    def __init__(self, machine: Any, older: Trunk | None = None, statements: Iterable[ast.stmt] = ()) -> None:
        self.machine = machine
        self.steps: list[Step] = []
        self.entered: set[Any] = set()
        self.ran = 0
        self.frames: dict[tuple[int, ...], tuple[Scope, dict[str, Value]]] = {}
        self._recorder = Recorder(machine)
        self._blocks: set[int] = set()
        self._frame: Any = None
        self._calls: list[ast.AST] = []
        self._awaited: ast.AST | None = None
        self._asked_later: list[tuple[Any, Any, Any]] = []
        self._run_before = older
        self.loads_between: bool = older is not None and older.loads_between
        """Whether what runs between steps has run files, whose objects stay."""
        stay = [scope.names for scope, _ in older.frames.values()] if older is not None else []
        self._older = OlderRun(
            machine, older.steps if older is not None else [], statements, None if self.loads_between else stay
        )
        self._older_frames = older.frames if older is not None else {}

    # ------------------------------------------------------------------ the run as a whole

    def begin(self, body: list[ast.stmt]) -> None:
        """Go back to where the older run began, and start with the statements of the module."""
        if self._run_before is not None:
            self._run_before.forget_questions()
            self._run_before = None
        self._older.take_back()
        self._frame = self.machine.frame
        self.frames[()] = (self.machine.frame.scope, {})
        self._blocks = {id(body)}
        order.go_on_after(self._older.base)
        self._recorder.open(None)

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
        machine.recorded, machine.entered = Recorded(self.steps), self.entered
        empty(events)
        questions: dict[str, None] = {}
        unresolved: dict[str, int] = {}
        for step in self.steps:
            for name in (*TABLES, *SETS):
                getattr(events, name).update(step.events[name])
            for reason, count in step.events["unresolved"]:
                unresolved[reason] = unresolved.get(reason, 0) + count
            questions.update(step.questions)
        events.unresolved = unresolved
        machine.third_party.unknown = dict.fromkeys(list(questions)[:MAX_QUESTIONS])
        self._older, self._older_frames = OlderRun(machine, [], ()), {}

    @property
    def goes_on(self) -> bool:
        """Whether steps of an older run are taken over."""
        return bool(self._older.steps)

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
                older.function, older.module = function, scope.module
                # Older than the steps that write to it, or their writes would count as matters of their own.
                older.names.born = scope.names.born  # type: ignore[attr-defined]
                scope = older
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

    def entry(self, value: Value, run: Callable[[], None], allowed: int, waiting: tuple[ast.AST, ...]) -> None:
        """Run an entry point, or take it over if so many steps are allowed and the same methods `waiting` to be run."""
        machine = self.machine
        self._close()
        index = self._older.place(value, None)
        if index is not None:
            self._older.go_on_to(index)
            older = self._older.steps[index]
            if older.waiting == waiting and self._older.unchanged(older, value, self._recorder, allowed):
                self._take(older)
                machine.stopped += [value.name] if older.budget is not None else []  # type: ignore[attr-defined]
                return
        step = self._begin_step(value, None, index)
        step.waiting = waiting
        before = len(machine.stopped)
        run()
        step.budget = allowed if len(machine.stopped) > before else None
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
        scope, left = self.machine.frame.scope, self.machine.max_steps - self.machine.steps
        index = self._older.place(statement, scope)
        if index is not None:
            self._older.go_on_to(index)
            older = self._older.steps[index]
            if self._older.unchanged(older, None, self._recorder, left):
                self._take(older)
                if older.budget is not None:
                    raise BudgetExhausted
                return older.leave
        exits = len(self.machine.frame.exits)
        step = self._begin_step(statement, scope, index)
        try:
            leave = blocks.run_statement(self.machine, statement)
        except BudgetExhausted:
            step.budget = left
            self._close(index)
            raise
        step.leave = leave
        step.whole = (leave is None or leave.kind == "return") and len(self.machine.frame.exits) == exits
        self._close(index)
        return leave

    def _between(self) -> None:
        """What runs now belongs to no statement of the trunk."""
        self._close()
        self._recorder.open(None)

    def _runs_through(self, call: ast.Call) -> bool:
        assert isinstance(call.func, ast.Name)
        function = self.machine.frame.scope.lookup(call.func.id)
        return isinstance(function, FunctionValue) and scope_is_plain(function)

    def _begin_step(self, what: Any, scope: Scope | None, index: int | None) -> Step:
        order.go_on_after(self._older.number_after(order.birth(), index))
        self.ran += 1
        return self._recorder.open(what, scope)

    def _close(self, index: int | None = None) -> None:
        """End the present step; `index` is where the older run has the same one."""
        step = self._recorder.close()
        if step is None:
            return
        if step.what is not None and step.last - step.first > ROOM:
            raise StartOver
        self.entered |= step.entered
        self.steps.append(step)
        self.loads_between = self.loads_between or (step.what is None and bool(step.loaded))
        if self._older.steps:
            self._older.made_anew(step)
        if index is not None:
            self._older.go_on_to(index + 1)

    def _take(self, older: Step) -> None:
        """Let the older run's step stand for this one."""
        machine, events = self.machine, self.machine.events
        if not machine.foreign.covers(older.foreign):
            raise StartOver
        self._recorder.adjust(older)
        for name in LISTS:
            if older.events[name]:
                getattr(events, name).extend(older.events[name])
        events.unknown_calls += older.calls
        machine.named += older.named
        machine.inner += older.inner
        for obj, name, _, after in older.writes:
            machine.heap.set(obj, name, after)
        machine.steps += older.steps
        machine.path, machine.errors = older.after[0], older.after[1]
        order.go_on_after(max(order.birth(), older.last))
        self.entered |= older.entered
        self.steps.append(older)
        self._older.taken(older)


def scope_is_plain(function: FunctionValue) -> bool:
    """Whether a call of the function is nothing but its body run in a scope of its own."""
    return (
        isinstance(function.node, ast.FunctionDef)
        and not function.contexts
        and function.cache is None
        and (function.scope is None or function.scope.is_module)
        and not is_generator(function)
    )


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
