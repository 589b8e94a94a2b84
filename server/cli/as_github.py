"""Findings as GitHub workflow commands: they appear as annotations on the lines of a pull request.

The syntax and its escapes: https://docs.github.com/actions/reference/workflow-commands-for-github-actions and the
toolkit's `command.ts` (`%`, CR and LF in the message; also `:` and `,` in a property).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..analysis.report import Finding, Problem, Severity
from .cells import file_and_cell

LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "information": "notice", "hint": "notice"}


def workflow_commands(findings: Sequence[Finding], problems: Sequence[Problem]) -> Iterator[str]:
    """One command per finding and problem."""
    for finding in findings:
        start, end = finding.span.start, finding.span.end
        path, cell = file_and_cell(finding.span.path)
        title = _property(f"gradsight ({finding.rule})")
        if cell is not None:  # A line of a cell is none of the file; the sentence says where.
            where = f"cell {cell}, line {start.line}: "
            yield f"::{LEVELS[finding.severity]} file={_property(path)},title={title}::{_data(where + finding.message)}"
            continue
        place = f"file={_property(path)},line={start.line},endLine={end.line}"
        if start.line == end.line:  # GitHub takes columns only within one line; endColumn is inclusive
            place += f",col={start.column},endColumn={max(start.column, end.column - 1)}"
        yield f"::{LEVELS[finding.severity]} {place},title={title}::{_data(finding.message)}"
    for problem in problems:
        path, cell = file_and_cell(problem.path)
        line = f",line={problem.span.start.line}" if problem.span and cell is None else ""
        yield f"::error file={_property(path)}{line},title=gradsight::{_data(problem.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
