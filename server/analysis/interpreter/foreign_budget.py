"""What the functions of other files may cost: all together, and each of them (see `foreign`)."""

from __future__ import annotations

import ast

FOREIGN_STEPS = 60_000
"""Steps that all calls of functions of other files may take together."""
FUNCTION_STEPS = 10_000
"""Steps that one of them may take, over all its calls, before calls without a tensor are not followed any more."""


class ForeignBudget:
    """The account of one run. `log` is what was spent, in order; `given_up`: a call was not followed to its end;
    `hides`: one that tensors may go through."""

    __slots__ = ("given_up", "hides", "inside", "left", "log", "spent")

    def __init__(self) -> None:
        self.left, self.inside, self.given_up, self.hides = FOREIGN_STEPS, False, False, False
        self.spent: dict[ast.AST, int] = {}
        self.log: list[tuple[ast.AST, int, bool]] = []

    def charge(self, function: ast.AST, steps: int, outermost: bool) -> None:
        """A call of a function took so many steps; those of inner calls are in those of the outermost one."""
        self.log.append((function, steps, outermost))
        self.spent[function] = self.spent.get(function, 0) + steps
        if outermost:
            self.left -= steps

    def covers(self, log: list[tuple[ast.AST, int, bool]]) -> bool:
        """Charge what was spent in a step that is not run again; whether it would surely have run to its end."""
        for function, steps, outermost in log:
            self.charge(function, steps, outermost)
            if self.left <= 0 or self.spent[function] > FUNCTION_STEPS:
                return False
        return True
