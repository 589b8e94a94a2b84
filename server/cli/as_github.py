"""Findings as GitHub workflow commands: they appear as annotations on the lines of a pull request.

The syntax and its escapes: https://docs.github.com/actions/reference/workflow-commands-for-github-actions and the
toolkit's `command.ts` (`%`, CR and LF in the message; also `:` and `,` in a property).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..analysis.report import Finding, Problem, Severity

LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "information": "notice", "hint": "notice"}


def workflow_commands(findings: Sequence[Finding], problems: Sequence[Problem]) -> Iterator[str]:
    """One command per finding and problem."""
    for finding in findings:
        start, end = finding.span.start, finding.span.end
        place = f"file={_property(finding.span.path)},line={start.line},endLine={end.line}"
        if start.line == end.line:  # GitHub takes columns only within one line; endColumn is inclusive
            place += f",col={start.column},endColumn={max(start.column, end.column - 1)}"
        title = _property(f"gradsight ({finding.rule})")
        yield f"::{LEVELS[finding.severity]} {place},title={title}::{_data(finding.message)}"
    for problem in problems:
        line = f",line={problem.span.start.line}" if problem.span else ""
        yield f"::error file={_property(problem.path)}{line},title=gradsight::{_data(problem.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
