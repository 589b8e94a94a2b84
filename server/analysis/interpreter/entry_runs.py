"""One entry point: run with symbolic arguments from the state the module left, and its effects taken back."""

from __future__ import annotations

from collections.abc import Callable

from ..autograd.graph import ALWAYS
from ..autograd.heap import made_since
from ..autograd.operation import Mode
from ..autograd.tensor import Tensor
from ..events import LeftFlag
from ..values import FunctionValue, Site, Value
from . import functions
from .machine import DeadEnd, Machine

_FLAGS = ("requires_grad", "frozen")


def start(machine: Machine, name: str) -> None:
    """Begin an entry point: nothing was called, tested or refused so far."""
    machine.path, machine.entry, machine.errors = ALWAYS, name, ()
    machine.loop_passes, machine.active, machine.depth, machine.expecting = [], [], 0, []


def run_function(
    machine: Machine, function: FunctionValue, owner: Value, prepare: Callable[[dict[str, Value]], None] | None = None
) -> Value:
    """What a function gives for symbolic arguments. Raises DeadEnd if it only raises."""
    bound = functions.symbolic_arguments(function, owner is not None)
    arguments = function.node.args
    every = [*arguments.posonlyargs, *arguments.args]
    if owner is not None and every:
        bound[every[0].arg] = owner
    if prepare is not None:
        prepare(bound)
    site = Site(machine.span(function.node), function.node, None, machine.module)
    mode = machine.autograd.mode
    for manager, _site in function.contexts:
        machine.torch.enter_decorated(manager, function, site)
    try:
        return functions.run_body(machine, function, bound, site)
    finally:
        machine.autograd.set_mode(mode)


def run_with_inner(machine: Machine, function: FunctionValue) -> None:
    """Run a function, and then those that it made and nobody has called."""
    first = len(machine.inner)
    run_function(machine, function, None)
    run_inner(machine, first)


def run_inner(machine: Machine, first: int) -> None:
    """Run the functions that an entry point leaves to whoever called it: `def make_step(model): def step(batch): ...`.

    Each from the state that the entry point left, whose names it sees.
    """
    outer, entry, frame = machine.statement, machine.entry, machine.frame
    for value in not_entered(machine, first):
        mark, mode = machine.heap.mark(), machine.autograd.mode
        machine.autograd.set_mode(Mode())
        start(machine, f"{entry}.{value.name}")
        try:
            run_function(machine, value, None)
        except (DeadEnd, RecursionError):
            pass
        finally:
            machine.autograd.set_mode(mode)
            take_back(machine, mark)
            machine.frame, machine.statement, machine.entry, machine.path = frame, outer, entry, ALWAYS


def not_entered(machine: Machine, first: int) -> list[Value]:
    """What was made inside other functions since there were so many of them, and never called: one for each `def`."""
    made = {value.node: value for value in machine.inner[first:]}
    return [value for node, value in made.items() if not machine.has_entered(node)]


def take_back(machine: Machine, mark: int) -> None:
    """Take the effects of an entry point back, except what the rules will ask about its tensors: their flags.

    What it made itself nothing else will see, and keeps them; of older tensors they are put down.
    """
    now = {id(obj): obj for obj, name, _ in machine.heap.since(mark) if name in _FLAGS and isinstance(obj, Tensor)}
    flags = [(tensor, tensor.requires_grad, tensor.frozen) for tensor in now.values()]
    machine.heap.undo(mark)
    for tensor, flag, frozen in flags:
        if made_since(tensor, mark.born):  # type: ignore[attr-defined]
            tensor.requires_grad, tensor.frozen = flag, frozen
        elif (flag, frozen) != (tensor.requires_grad, tensor.frozen):
            machine.events.flags.append(LeftFlag(machine.entry, tensor, flag, frozen))
