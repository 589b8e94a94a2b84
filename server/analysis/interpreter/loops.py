"""`for` and `while`: a known small count is run exactly; else the body runs twice, and what is left is joined.

The second pass is there for what one iteration leaves for the next (freed graphs, hidden states, changed parameters);
where one pass leaves nothing different behind (`carried`), there is no other.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial
from typing import Any

from ..autograd.graph import newest_order
from ..autograd.heap import Pending
from ..values import RANGE, AtLeast, Instance, IterValue, Scalar, Value
from . import body_names, carried, comparisons, generators, operators
from .blocks import DEAD, Leave, run_block, settle
from .elements import asked_for_start, open_elements
from .expressions import evaluate
from .machine import Abandon, DeadEnd, Machine, ProgramRaises
from .targets import assign
from .widening import Widening

MAX_EXACT_PASSES = 24


class Loop:
    """One loop on its way: passes over its body one at a time, then its end."""

    def __init__(self, machine: Machine, node: Any) -> None:
        self.machine, self.node, self.frame = machine, node, machine.frame
        self.frame.loops += 1
        self.start = machine.path

    def run_pass(self, prepare: Callable[[], None], since: int | None = None) -> Leave | None:
        """Run the body once; None if the loop goes on, else how it ends ("break", "return", "abandon", "dead").

        `since` is the newest node from before the pass, where its element has been computed already.
        """
        machine = self.machine
        machine.loop_passes.append(newest_order() if since is None else since)
        try:
            prepare()
            leave = run_block(machine, self.node.body)
        except ProgramRaises:
            raise
        except DeadEnd:
            leave = DEAD
        finally:
            machine.loop_passes.pop()
        if leave is not None and leave.kind in ("break", "return", "abandon"):
            return leave
        live = leave is None or leave.kind == "continue"
        return None if self._settle("continue", live) else DEAD

    def finish(self, ended: Leave | None) -> Leave | None:
        """The end of the loop: states that broke out earlier are joined, or `else` runs."""
        machine, frame = self.machine, self.frame
        if ended is not None and ended.kind in ("return", "abandon"):
            # `break` states of earlier passes go on after the loop; this one leaves.
            mine = [p for p in frame.exits if p.kind == "break" and p.extra["loop"] == frame.loops]
            if mine:
                oldest = min(p.mark for p in mine)
                path = machine.path
                writes = machine.undo(oldest)
                frame.exits.append(Pending(oldest, writes, ended.kind, ended.value, path, {"loop": frame.loops - 1}))
                live = self._settle("break", False)
                frame.loops -= 1
                return None if live else DEAD
            frame.loops -= 1
            return ended
        broke = ended is not None and ended.kind == "break"
        live = self._settle("break", ended is None or broke)
        frame.loops -= 1
        if not live:
            machine.path = self.start
            return DEAD
        if not broke and self.node.orelse:
            return run_block(machine, self.node.orelse)
        return None

    def _settle(self, kind: str, live: bool) -> bool:
        """Join the states that left with `kind` in this loop into the present one; whether any state is left."""
        frame = self.frame
        mine = [p for p in frame.exits if p.kind == kind and p.extra["loop"] == frame.loops]
        if not mine:
            return live
        frame.exits = [p for p in frame.exits if p not in mine]
        return settle(self.machine, mine, live)[0]


def _counted(body: list[ast.stmt]) -> list[ast.expr]:
    """The targets of augmented assignments in a loop body, found once."""
    first = body[0]
    cached = getattr(first, "gradsight_counted", None)
    if cached is None:
        nodes = ast.walk(ast.Module(body=body, type_ignores=[]))
        cached = [node.target for node in nodes if isinstance(node, ast.AugAssign)]
        first.gradsight_counted = cached  # type: ignore[attr-defined]
    return cached


def _widen_counters(machine: Machine, body: list[ast.stmt]) -> None:
    """A number that the body counts up is unknown in a loop whose length is unknown."""
    for target in _counted(body):
        if isinstance(target, ast.Name):
            value = machine.frame.scope.lookup(target.id)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                machine.frame.scope.store(machine.heap, target.id, Scalar(type(value).__name__))
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = machine.frame.scope.lookup(target.value.id)
            if isinstance(owner, Instance):
                value = owner.attributes.get(target.attr)
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    machine.heap.put(owner.attributes, target.attr, Scalar(type(value).__name__))


def _passes(
    machine: Machine,
    node: Any,
    steps: list[Callable[[], None]],
    exact: bool,
    same_from: int | None = 0,
    began: Value = None,
) -> Leave | None:
    """Run the body once per step. A loop that is not `exact` stands for one of any length.

    From step `same_from` on, all steps hand the body values that are alike (None: they never are): once a pass leaves
    nothing different behind, the others are left out. `began` is what the first pass has where it is told from those
    behind it by its index: if the program asks, two passes meet each other behind it.
    """
    loop = Loop(machine, node)
    frame = machine.frame
    frame.loose += not exact
    widening = None if exact else Widening(machine)
    ended: Leave | None = None
    last = len(steps) - 1
    try:
        for index, prepare in enumerate(steps):
            if index == 1 and last == 2 and not exact and not asked_for_start(began):
                del steps[last]
                last -= 1
            watch = None
            if index < last and same_from is not None and index >= same_from and not machine.stop_at_error:
                watch = carried.Watch(machine, node)
            if widening is not None and index:
                widening.widen()
            ended = loop.run_pass(prepare)
            if ended is not None:
                break
            if watch is not None and watch.nothing_left():
                watch.widen()
                steps[last]()
                break
    finally:
        frame.loose -= not exact
    left = loop.finish(ended)
    if widening is not None:
        widening.end()
    return left


def _same_from(node: ast.For | ast.AsyncFor, items: list[Value]) -> int | None:
    """The index from which on the elements are alike, or are not looked at; None if the last two differ."""
    first = len(items) - 1
    while first > 0 and carried.alike(items[first - 1], items[-1]):
        first -= 1
    if first and not body_names.uses(node):
        return 0
    return first if first < len(items) - 1 else None


def run_for(machine: Machine, node: ast.For | ast.AsyncFor) -> Leave | None:
    """A `for` loop."""
    iterable = machine.narrow(evaluate(machine, node.iter))
    if isinstance(iterable, IterValue) and iterable.source is not None:
        return _over_generator(machine, node, iterable)
    site = machine.site(node.iter)
    items, open_ = machine.iterate(iterable, site)
    if not items and not open_:
        return run_block(machine, node.orelse) if node.orelse else None
    exact = not open_ and len(items) <= MAX_EXACT_PASSES
    if not exact:
        _widen_counters(machine, node.body)
        counts = iterable.counts if isinstance(iterable, IterValue) else getattr(iterable, "kind", "") == RANGE
        items = open_elements(machine, items, counts)
    steps: list[Callable[[], None]] = [partial(assign, machine, node.target, item) for item in items]
    ended = _passes(machine, node, steps, exact, _same_from(node, items), items[0] if items else None)
    if not exact:
        _forget_bounds(machine, node.target)
    return ended


def _forget_bounds(machine: Machine, target: ast.expr) -> None:
    """Behind a loop its index may be that of the first pass: there need not have been another one."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(machine.frame.scope.lookup(node.id), AtLeast):
            machine.frame.scope.store(machine.heap, node.id, Scalar("int"))


def _over_generator(machine: Machine, node: ast.For | ast.AsyncFor, iterable: IterValue) -> Leave | None:
    """`for x in generator():` the generator runs, and the body of the loop at each of its yields."""
    source = iterable.source
    assert source is not None
    machine.heap.write(iterable, "source", None)
    loop = Loop(machine, node)
    frame = machine.frame
    since = newest_order()

    def consume(value: Value, loose: bool) -> None:
        # What a generator computes for an element belongs to the pass that gets it.
        nonlocal since
        if loose:
            _widen_counters(machine, node.body)
        frame.loose += loose
        try:
            ended = loop.run_pass(lambda: assign(machine, node.target, value), since)
        finally:
            frame.loose -= loose
            since = newest_order()
        if ended is not None:
            raise Abandon(ended)

    try:
        ended = generators.drive(machine, source, consume)
    except DeadEnd:
        return loop.finish(DEAD)
    return loop.finish(None if ended.exhausted else ended.left or DEAD)


def run_while(machine: Machine, node: ast.While) -> Leave | None:
    """A `while` loop; one whose condition only counts is run exactly."""
    known, _key, _ = machine.test(evaluate(machine, node.test))
    if known is False:
        return run_block(machine, node.orelse) if node.orelse else None
    count = _count_passes(machine, node) if known is True and not isinstance(node.test, ast.Constant) else None
    if count is None:
        _widen_counters(machine, node.body)
        return _passes(machine, node, [lambda: None, lambda: None], False)
    return _passes(machine, node, [lambda: None] * count, True)


def _count_passes(machine: Machine, node: ast.While) -> int | None:
    """How often `while i < 3: ...; i += 1` runs, by counting alone; None if that is not all there is to it."""
    test = node.test
    if not (isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and len(test.ops) == 1):
        return None
    name = test.left.id
    steps = [
        s for s in node.body if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name) and s.target.id == name
    ]
    stores = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)]
    if len(steps) != 1 or len(stores) != 1:
        return None
    value = machine.frame.scope.lookup(name)
    amount = evaluate(machine, steps[0].value)
    limit = evaluate(machine, test.comparators[0])
    if not all(isinstance(v, (int, float)) for v in (value, amount, limit)):
        return None
    compare = comparisons.COMPARE.get(type(test.ops[0]))
    combine = operators.ARITHMETIC.get(type(steps[0].op))
    if compare is None or combine is None:
        return None
    count = 0
    while compare(value, limit):
        count += 1
        value = combine(value, amount)
        if count > MAX_EXACT_PASSES:
            return None
    return count
