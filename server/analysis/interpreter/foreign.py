"""Calls into other files, and what they may cost together.

A package may write docstrings, compare versions or sort a table of dispatch when it is imported or called: one
decorator of such a kind takes more steps than ten files of those who use it, and nothing in it touches a tensor. So the
functions of other files have an account of their own (`budget`), and each of them a share of it. A
call that finds it spent is a call of unknown code: connected to what goes in, and silent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..check_types import StartOver
from ..torch_model import module_tree
from ..values import Call, FunctionValue, Instance, Unknown, Value
from .budget import FUNCTION_STEPS
from .machine import BudgetExhausted, Machine


def run(
    machine: Machine, function: FunctionValue, bound: dict[str, Value], call: Call, body: Callable[[], Value]
) -> Value:
    """What `body`, the body of a function of another file, gives; an unknown if its steps are spent."""
    node, account = function.node, machine.foreign
    if account.left <= 0 or (account.spent.get(node, 0) > FUNCTION_STEPS and not _matters(machine, bound)):
        return _given_up(machine, function, bound, call)
    start = machine.steps
    if account.inside:
        try:
            return body()
        finally:
            account.charge(node, max(0, machine.steps - start), False)
    state = _State(machine)
    most, machine.max_steps = machine.max_steps, start + machine.left_of_all(account.left)
    account.inside = True
    try:
        return body()
    except BudgetExhausted:
        state.restore()
        return _given_up(machine, function, bound, call)
    finally:
        account.inside, machine.max_steps = False, most
        account.charge(node, max(0, machine.steps - start), True)
        machine.steps = start


def _given_up(machine: Machine, function: FunctionValue, bound: dict[str, Value], call: Call) -> Value:
    if machine.trunk is not None and machine.trunk.goes_on:
        # What an older run spent is known by the step only: a run from the start is exact.
        raise StartOver
    machine.foreign.given_up = True
    reason = f"`{function.name}` takes more steps than the budget allows"
    if any(isinstance(value, Instance) for value in bound.values()) or _matters(machine, bound):
        machine.foreign.hides = True
    made = next(iter(bound.values()), None)
    if function.name == "__init__" and isinstance(made, Instance):
        # Whatever it would have been given may be there: attributes, and layers with parameters.
        rest = Unknown(reason, name=made.name, deps=tuple(call.args))
        machine.heap.put(made.data, "unknown", rest)
        if module_tree.is_module(made):
            machine.heap.put(made.attributes, "...", rest)
            module_tree.parameters_of_unknown(rest)
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
