"""What a check may cost, in steps: an expression, a call, some microseconds each. Every account of it is here.

Of the checked file its body and its entry points have accounts, of other files their bodies (`imports`) and their
functions (`foreign`); what one of them spends is not charged to another one. All of them together end at `RUN_STEPS`.
"""

from __future__ import annotations

import ast

RUN_STEPS = 300_000
"""Everything that one check does. Only the entry points of a file with hundreds of long functions come to it: the other
accounts hold less together."""

BODY_STEPS = 120_000
"""The module body. A training script of 1,000 lines takes 22,000; a second holds about 140,000."""

ENTRY_STEPS = 40_000
"""One entry point."""
FILE_STEPS = 50_000
"""The functions nobody calls together, and once more everything after them: a file of model builders makes the same
large model many times, and its classes are still to be looked at."""
LATE_STEPS = 2_500
"""What an entry point may still take once those are spent, so that a short function is looked at wherever it stands."""
LAST_STEPS = 300
"""And once all those together took as much again: a file of a thousand functions has an end."""

IMPORTS_STEPS = 100_000
"""The bodies of all imported files together."""
IMPORT_STEPS = 60_000
"""One of them."""

FOREIGN_STEPS = 60_000
"""All calls of functions of other files together."""
FUNCTION_STEPS = 10_000
"""One of those functions, over all its calls, before calls without a tensor are not followed any more."""


class ForeignAccount:
    """What functions of other files may cost in one run (see `foreign`). `log` is what was spent, in order;
    `given_up`: a call was not followed to its end; `hides`: one that tensors may go through."""

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
