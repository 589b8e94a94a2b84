"""Places in the cells of a notebook, as ruff writes them: `train.ipynb:cell 3:2:5`.

The analysis sees one program; a person sees cells. A span in a notebook carries the name of its cell as its path, so
that every place that prints a path prints the cell with it; formats with a field for the file take it apart again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..analysis.report import FileReport, Finding, Fix, Position, Problem, Span
from ..analysis.source.notebook import Cell

_IN_CELL = re.compile(r"(.+\.ipynb):cell (\d+)", re.DOTALL)
_LINE = re.compile(r"^line (\d+)")


def name_of(path: str, number: int) -> str:
    """The path that a span in this cell carries; cells are counted from 1, those with text included."""
    return f"{path}:cell {number}"


def file_and_cell(path: str) -> tuple[str, int | None]:
    """A span's path as the file and, in a notebook, the number of the cell."""
    match = _IN_CELL.fullmatch(path)
    return (match[1], int(match[2])) if match else (path, None)


def in_cells(report: FileReport, cells: Sequence[Cell]) -> FileReport:
    """The report on a notebook's program with the places in its cells. A fix that would join two cells is left out."""

    def cell_of(span: Span) -> Cell | None:
        if span.path != report.path:
            return None
        return next((cell for cell in cells if cell.first_line <= span.start.line <= cell.last_line), None)

    def placed(span: Span) -> Span:
        cell = cell_of(span)
        if cell is None:
            return span
        last = cell.source.line_count
        end = min(_shifted(span.end, cell), Position(last, len(cell.source.line_text(last)) + 1))
        return Span(cell.uri, _shifted(span.start, cell), end)

    def stays_inside(fix: Fix) -> bool:
        homes = [(edit.span, cell_of(edit.span)) for edit in fix.edits]
        return all(cell is None or span.end.line <= cell.last_line for span, cell in homes)

    def finding_placed(finding: Finding) -> Finding:
        fixes = tuple(
            replace(fix, edits=tuple(replace(edit, span=placed(edit.span)) for edit in fix.edits))
            for fix in finding.fixes
            if stays_inside(fix)
        )
        trace = tuple(replace(step, span=placed(step.span)) for step in finding.trace)
        return replace(finding, span=placed(finding.span), trace=trace, fixes=fixes)

    def problem_placed(problem: Problem) -> Problem:
        if problem.span is None or (cell := cell_of(problem.span)) is None:
            return problem
        span = placed(problem.span)
        message = _LINE.sub(lambda line: f"line {int(line[1]) - cell.first_line + 1}", problem.message)
        return replace(problem, path=cell.uri, span=span, message=message)

    return replace(
        report,
        findings=tuple(map(finding_placed, report.findings)),
        problems=tuple(map(problem_placed, report.problems)),
    )


def _shifted(position: Position, cell: Cell) -> Position:
    return Position(position.line - cell.first_line + 1, position.column)
