"""What `gradsight verify` is pointed at: a file, a line of it, a cell of a notebook, a line of that."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..analysis.source.notebook import Cell
from .sources import Unreadable


@dataclass(frozen=True, slots=True)
class Target:
    """What was named: a file, and a line of it or of a cell of the notebook it is, or a whole cell."""

    path: str
    line: int | None = None
    cell: int | None = None

    def lines_in(self, text: str, cells: Sequence[Cell]) -> range:
        """The lines of the program that are meant. Raises Unreadable when there are none."""
        first, last, of = 1, len(text.removesuffix("\n").split("\n")), self.path
        if self.cell is not None:
            found = next((cell for cell in cells if cell.label == f"cell {self.cell}"), None)
            if found is None:
                raise Unreadable(f"{self.path} has no code cell {self.cell}")
            first, last, of = found.first_line, found.last_line, found.uri
        if self.line is None:
            return range(first, last + 1)
        if not 1 <= self.line <= last - first + 1:
            raise Unreadable(f"{of} has no line {self.line}; its last one is {last - first + 1}")
        return range(first + self.line - 1, first + self.line)

    def __str__(self) -> str:
        cell = "" if self.cell is None else f":cell {self.cell}"
        return f"{self.path}{cell}" + ("" if self.line is None else f":{self.line}")


def split_target(target: str) -> Target:
    """`FILE`, `FILE:LINE`, `NOTEBOOK:cell 3` or `NOTEBOOK:cell 3:LINE`; a column may follow, as `check` prints."""
    if os.path.exists(target):
        return Target(target)
    match = re.fullmatch(r"(.+?)(?::cell (\d+))?(?::(\d+))?(?::\d+)?", target)
    if match is None or match[2] is match[3] is None:
        return Target(target)
    return Target(match[1], int(match[3]) if match[3] else None, int(match[2]) if match[2] else None)
