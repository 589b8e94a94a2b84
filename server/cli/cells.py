"""Places in the cells of a notebook, as ruff writes them: `train.ipynb:cell 3:2:5`.

The analysis sees one program; a person sees cells. A span in a notebook carries the name of its cell as its path, so
that every place that prints a path prints the cell with it; formats with a field for the file take it apart again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..analysis.report import FileReport, Finding, Fix, Position, Problem, Span
from ..analysis.source.notebook import Cell, Lines

_IN_CELL = re.compile(r"(.+\.ipynb):cell (\d+)", re.DOTALL)
_LINE = re.compile(r"^line (\d+)")


def name_of(path: str, number: int) -> str:
    """The path that a span in this cell carries; cells are counted from 1, those with text included."""
    return f"{path}:cell {number}"


def file_and_cell(path: str) -> tuple[str, int | None]:
    """A span's path as the file and, in a notebook, the number of the cell."""
    match = _IN_CELL.fullmatch(path)
    return (match[1], int(match[2])) if match else (path, None)


class InCells:
    """Puts places of a notebook's program at `path` into its cells."""

    def __init__(self, path: str, cells: Sequence[Cell]) -> None:
        self.path, self.cells = path, cells

    def cell(self, span: Span) -> Cell | None:
        """The cell that a span begins in; None where it is in another file."""
        if span.path != self.path:
            return None
        return next((cell for cell in self.cells if cell.first_line <= span.start.line <= cell.last_line), None)

    def span(self, span: Span) -> Span:
        """A span in its cell; one that goes on behind the cell ends with it."""
        cell = self.cell(span)
        if cell is None:
            return span
        last = cell.source.line_count
        end = min(_shifted(span.end, cell), Position(last, len(cell.source.line_text(last)) + 1))
        return Span(cell.uri, _shifted(span.start, cell), end)

    def finding(self, finding: Finding) -> Finding:
        """A finding with its trace and its fixes; a fix that would join two cells is left out."""
        fixes = tuple(
            replace(fix, edits=tuple(replace(edit, span=self.span(edit.span)) for edit in fix.edits))
            for fix in finding.fixes
            if self._stays_inside(fix)
        )
        trace = tuple(replace(step, span=self.span(step.span)) for step in finding.trace)
        return replace(finding, span=self.span(finding.span), trace=trace, fixes=fixes)

    def problem(self, problem: Problem) -> Problem:
        """A problem, the line at the start of its message too."""
        if problem.span is None or (cell := self.cell(problem.span)) is None:
            return problem
        message = _LINE.sub(lambda line: f"line {int(line[1]) - cell.first_line + 1}", problem.message)
        return replace(problem, path=cell.uri, span=self.span(problem.span), message=message)

    def _stays_inside(self, fix: Fix) -> bool:
        homes = [(edit.span, self.cell(edit.span)) for edit in fix.edits]
        return all(cell is None or span.end.line <= cell.last_line for span, cell in homes)


def in_cells(report: FileReport, cells: Sequence[Cell]) -> FileReport:
    """The report on a notebook's program with the places in its cells."""
    placed = InCells(report.path, cells)
    return replace(
        report,
        findings=tuple(map(placed.finding, report.findings)),
        problems=tuple(map(placed.problem, report.problems)),
    )


def _shifted(position: Position, cell: Cell) -> Position:
    return Position(position.line - cell.first_line + 1, position.column)


def json_in_cells(document: Any, cells: Sequence[Cell]) -> Any:
    """A document of `verify` with every `line` of the program as one of a cell, and a `cell` beside it."""
    if isinstance(document, list):
        return [json_in_cells(each, cells) for each in document]
    if not isinstance(document, dict) or not cells:
        return document
    placed = {key: json_in_cells(value, cells) for key, value in document.items()}
    line = placed.get("line")
    cell = Lines(tuple(cells)).cell(line) if isinstance(line, int) else None
    if cell is not None and isinstance(line, int):
        placed |= {"cell": file_and_cell(cell.uri)[1], "line": line - cell.first_line + 1}
    return placed
