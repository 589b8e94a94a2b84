"""Calls into other files, and what they may cost together.

A package may write docstrings, compare versions or sort a table of dispatch when it is imported or called: one
decorator of such a kind takes more steps than ten files of those who use it, and nothing in it touches a tensor. So the
functions of other files have a budget of their own (`foreign_left` of the machine), and each of them a share of it. A
call that finds it spent is a call of unknown code: connected to what goes in, and silent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..torch_model import modules
from ..values import Call, FunctionValue, Instance, Unknown, Value
from .machine import BudgetExhausted, Machine

FUNCTION_STEPS = 10_000
"""Steps that one of them may take, over all its calls, before calls without a tensor are not followed any more."""


def run(
    machine: Machine, function: FunctionValue, bound: dict[str, Value], call: Call, body: Callable[[], Value]
) -> Value:
    """What `body`, the body of a function of another file, gives; an unknown if its steps are spent."""
    node, spent = function.node, machine.foreign_spent
    before = spent.get(node, 0)
    if machine.foreign_left <= 0 or (before > FUNCTION_STEPS and not _matters(machine, bound)):
        return _given_up(machine, function, bound, call)
    start = machine.steps
    if machine.foreign_inside:
        try:
            return body()
        finally:
            spent[node] = spent.get(node, 0) + max(0, machine.steps - start)
    state = _State(machine)
    most, machine.max_steps = machine.max_steps, min(machine.max_steps, start + machine.foreign_left)
    machine.foreign_inside = True
    try:
        return body()
    except BudgetExhausted:
        if machine.steps > most:
            raise
        state.restore()
        return _given_up(machine, function, bound, call)
    finally:
        taken = max(0, machine.steps - start)
        machine.foreign_inside, machine.max_steps = False, most
        machine.foreign_left -= taken
        spent[node] = spent.get(node, 0) + taken


def _given_up(machine: Machine, function: FunctionValue, bound: dict[str, Value], call: Call) -> Value:
    reason = f"`{function.name}` takes more steps than the budget allows"
    made = next(iter(bound.values()), None)
    if function.name == "__init__" and isinstance(made, Instance):
        # Whatever it would have been given may be there: attributes, and layers with parameters.
        rest = Unknown(reason, name=made.name, deps=tuple(call.args))
        machine.heap.put(made.data, "unknown", rest)
        if modules.is_module(made):
            machine.heap.put(made.attributes, "...", rest)
            modules.parameters_of_unknown(rest)
    return machine.call_unknown(function, call, reason)


def _matters(machine: Machine, bound: dict[str, Value]) -> bool:
    """Whether a tensor goes in, or a module is made."""
    for value in bound.values():
        if (isinstance(value, Instance) and machine.torch.is_module(value)) or machine.tensors_in(value, 2):
            return True
    return False


class _State:
    """Where the program stood before a call."""

    __slots__ = ("lists", "machine", "mark", "place")

    def __init__(self, machine: Machine) -> None:
        self.machine, self.mark = machine, machine.heap.mark()
        self.place = (machine.path, machine.depth)
        self.lists: Any = ([*machine.loop_passes], [*machine.active], [*machine.expecting])

    def restore(self) -> None:
        """Go back there: effects are undone, what was recorded stays."""
        machine = self.machine
        machine.undo(self.mark)
        machine.path, machine.depth = self.place
        machine.loop_passes, machine.active, machine.expecting = self.lists
