"""Generators of the program: run where they are consumed.

A generator's body runs step by step with its consumer: `for x in g():` and `with manager():` (a `contextmanager`) hand
their block to the generator, which runs it at each `yield`, in the consumer's frame. So effects come in the order
Python gives them, and what is switched off inside the generator is off in the block. Other consumers (`list(g())`,
`zip`, `next`) let it run to its end at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..autograd.heap import Pending, Table
from ..values import Call, FunctionValue, IterValue, NativeMethod, Site, Source, Value
from . import blocks
from .blocks import DEAD, Leave
from .machine import Abandon, DeadEnd, Frame, Machine
from .scope import Scope


@dataclass(slots=True)
class Ended:
    """How a generator ended: `exhausted` (its state is the present one), `abandoned` by its consumer, or neither."""

    exhausted: bool
    left: Leave | None


def suspended(function: FunctionValue, bound: dict[str, Value], site: Site) -> IterValue:
    """The generator a call makes."""
    value = IterValue(())
    value.source = Source(function, bound, site)
    return value


def drive(machine: Machine, source: Source, consume: Callable[[Value, bool], None]) -> Ended:
    """Run a generator; at each `yield`, `consume(value, open)` runs in the consumer's frame.

    `open` says that the yield stands in a loop of unknown length or on one of several paths. `consume` may raise
    Abandon (it wants no more) or DeadEnd (an exception comes out of the `yield`). Raises DeadEnd if no state is left.
    """
    function, outer = source.function, machine.frame
    consumer = (outer, machine.module, machine.statement, machine.autograd.stack)
    scope = Scope(
        function.module, function.scope if function.scope is not None and not function.scope.is_module else None
    )
    scope.names, scope.function = Table(source.bound), function
    frame = Frame(scope, function)
    frame.consumer = outer
    start = machine.path
    decorated = bool(function.contexts)

    def hand_over(value: Value) -> None:
        inside = (machine.frame, machine.module, machine.statement, machine.autograd.stack)
        mode = machine.autograd.mode
        machine.frame, machine.module, machine.statement, machine.autograd.stack = consumer
        if decorated:
            # The decorator of torch switches back while the generator is suspended (torch/utils/_contextlib.py).
            machine.autograd.set_mode(outer_mode)
        try:
            consume(value, frame.loose > 0 or machine.path != start)
        finally:
            machine.frame, machine.module, machine.statement, machine.autograd.stack = inside
        if decorated:
            machine.autograd.set_mode(mode)

    outer_mode = machine.autograd.mode
    frame.on_yield = hand_over
    for manager, _site in function.contexts:
        machine.torch.enter_decorated(manager, function, source.site)
    machine.autograd.stack = (*machine.autograd.stack, source.site)
    machine.frame, machine.module = frame, function.module
    machine.depth += 1
    machine.active.append(function.node)
    machine.entered.add(function.node)
    try:
        leave = blocks.run_block(machine, function.node.body)
        return _ending(machine, frame, outer, leave)
    finally:
        machine.active.pop()
        machine.depth -= 1
        machine.frame, machine.module, machine.statement, machine.autograd.stack = consumer
        if decorated:
            machine.autograd.set_mode(outer_mode)


def _ending(machine: Machine, frame: Frame, outer: Frame, leave: Leave | None) -> Ended:
    """Settle the states the generator ended in; those its consumer left wait in the consumer's frame."""
    left: Leave | None = None
    for pending in [p for p in frame.exits if p.kind == "abandon"]:
        if pending.value.kind != "dead":
            pending.kind, pending.value = pending.value.kind, pending.value.value
            pending.extra = {"loop": outer.loops}
            outer.exits.append(pending)
        frame.exits.remove(pending)
    returns = [p for p in frame.exits if p.kind == "return"]
    live = leave is None or leave.kind == "return"
    if leave is not None and leave.kind == "abandon":
        left = leave.value
        if not returns:
            return Ended(False, left)
        oldest = min(p.mark for p in returns)
        path = machine.path
        writes = machine.undo(oldest)
        if left is not None and left.kind != "dead":
            outer.exits.append(Pending(oldest, writes, left.kind, left.value, path, {"loop": outer.loops}))
        live = False
    live, _ = blocks.settle(machine, returns, live)
    return Ended(live, DEAD if not live else None)


def collect(machine: Machine, value: IterValue) -> None:
    """Run a generator to its end for its elements."""
    source = value.source
    if source is None:
        return
    machine.heap.write(value, "source", None)
    machine.heap.write(value, "used", False)
    items: list[Value] = []
    modes: list[Any] = []
    open_ = False

    def take(item: Value, loose: bool) -> None:
        nonlocal open_
        items.append(item)
        modes.append(machine.autograd.mode)
        open_ = open_ or loose

    ended = drive(machine, source, take)
    if not ended.exhausted and not items:
        raise DeadEnd
    machine.heap.write(value, "items", tuple(items))
    machine.heap.write(value, "modes", tuple(modes))
    machine.heap.write(value, "open", open_)


def start(machine: Machine, value: IterValue, site: Site) -> Value:
    """The first element of a generator, in the grad mode in which it stopped there."""
    del site
    collect(machine, value)
    if value.modes and value.modes[0] is not machine.autograd.mode:
        machine.autograd.set_mode(value.modes[0])
    return value.items[0] if value.items else None


def around(machine: Machine, value: IterValue, inside: Callable[[Value], Leave | None]) -> Leave | None:
    """`with manager():` for a generator under `contextlib.contextmanager`: the block runs at its `yield`."""
    source = value.source
    assert source is not None
    machine.heap.write(value, "source", None)
    leaves: list[Leave | None] = []

    def block(item: Value, loose: bool) -> None:
        del loose
        leave = inside(item)
        if leave is not None and leave.kind == "dead":
            raise DeadEnd
        leaves.append(leave)

    ended = drive(machine, source, block)
    if not ended.exhausted:
        return DEAD
    if None in leaves or not leaves:
        return None
    return leaves[0]


def as_decorator(machine: Machine, value: IterValue, function: Value) -> NativeMethod:
    """`@manager()`: each call of the function runs inside a manager of its own (contextlib.ContextDecorator)."""
    source = value.source
    assert source is not None

    def run(call: Call) -> Value:
        results: list[Value] = []

        def inside(_: Value) -> None:
            results.append(machine.call(function, call))

        if around(machine, suspended(source.function, dict(source.bound), source.site), inside) is DEAD or not results:
            raise DeadEnd
        return machine.join_all(results)

    return NativeMethod(function, "__call__", run)


__all__ = ["Abandon", "Ended", "Source", "around", "as_decorator", "collect", "drive", "start", "suspended"]
