"""Findings as text for a person.

    ex2.py:5:5: error[no-grad-block] `y` carries no gradient to `loss`: computed under `torch.no_grad()`
        3 | x = torch.randn(10, requires_grad=True)    `x` is trainable
        4 | with torch.no_grad():                      tracking is off from here
        5 |     y = x * 2                              cut: `y` has no grad_fn
        7 | loss.backward()                            raises: element 0 of tensors does not require grad
        fix (safe): move `y = x * 2` out of `torch.no_grad()`

The source in one column, what happens there in the next. What several lines share in indentation is left out; a source
line longer than the column is shortened.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from ..analysis.report import SEVERITY_ORDER, Finding, Role, Span
from .cells import file_and_cell
from .terminal import SEVERITY_STYLES, Piece, Terminal, printable, with_code

Lines = Callable[[str], Sequence[str]]
"""The lines of a file by the path that findings carry; empty when it cannot be read."""

INDENT = "    "
SOURCE_COLUMN = 64

ROLE_STYLES: dict[Role, str] = {
    "source": "green",
    "cut": "red",
    "mutation": "red",
    "saved": "yellow",
    "sink": "magenta",
    "note": "",
}


def write_finding(
    out: Terminal, finding: Finding, lines: Lines, *, fixes: bool = True, empty_line: bool = True
) -> None:
    """One finding: its sentence, its trace beside the source, its fixes, and an empty line."""
    start = finding.span.start
    out.line(
        (finding.span.path, "bold"),
        (f":{start.line}:{start.column}: ", "dim"),
        (f"{finding.severity}[{finding.rule}]", SEVERITY_STYLES[finding.severity]),
        " ",
        *with_code(finding.message, "", "bold"),
    )
    write_trace(out, finding, lines)
    for fix in finding.fixes if fixes else ():
        out.line(INDENT, (f"fix ({fix.applicability}): ", "green"), *with_code(fix.title, "", "bold"))
    if empty_line:
        out.line()


def write_trace(out: Terminal, finding: Finding, lines: Lines) -> None:
    """The trace, one source line a row; a finding without a trace shows the line it stands on."""
    steps: list[tuple[Span, str, str]] = [
        (step.span, step.message, ROLE_STYLES[step.role]) for step in finding.trace
    ] or [(finding.span, "", "")]
    home = finding.span.path
    sources = _shared_indent_removed([_source_line(span, lines) for span, _, _ in steps])
    numbers = [_number(span, home) for span, _, _ in steps]
    number_width = max(map(len, numbers))
    source_width = max(map(len, sources))
    before = ""
    for number, source, (_, message, style) in zip(numbers, sources, steps, strict=True):
        again = number == before  # two things that happen on one line: the line is shown once
        out.line(
            INDENT,
            (f"{'' if again else number:>{number_width}} | ", "dim"),
            ("" if again else source) if not message else f"{'' if again else source:<{source_width}}    ",
            *with_code(message, style, f"{style} bold".strip()),
        )
        before = number


def _number(span: Span, home: str) -> str:
    """The line of a step, with the file or the cell where it is not the finding's own."""
    line = f"{span.start.line}"
    if span.path == home:
        return line
    file, cell = file_and_cell(span.path)
    return f"cell {cell}:{line}" if cell is not None and file == file_and_cell(home)[0] else f"{span.path}:{line}"


def _source_line(span: Span, lines: Lines) -> str:
    text = lines(span.path)
    return printable(text[span.start.line - 1]).rstrip() if 0 < span.start.line <= len(text) else ""


def _shared_indent_removed(sources: list[str]) -> list[str]:
    """The lines less their common indentation, none longer than the column."""
    cut = textwrap.dedent("\n".join(sources)).split("\n")
    return [line if len(line) <= SOURCE_COLUMN else f"{line[: SOURCE_COLUMN - 1]}…" for line in cut]


def summary(findings: Sequence[Finding], files: int, broken: int) -> list[Piece]:
    """The last line: what was found in how many files, or that nothing was."""
    checked = f"{files} file{'' if files == 1 else 's'} checked"
    if broken:
        checked += f", {broken} problem{'' if broken == 1 else 's'}"
    if not findings:
        return [("No findings", "" if broken else "bold green"), (f" ({checked})", "dim")]
    counts = []
    for severity in SEVERITY_ORDER:
        number = sum(finding.severity == severity for finding in findings)
        if number:
            plural = "" if number == 1 or severity == "information" else "s"
            counts.append((f"{number} {severity}{plural}", SEVERITY_STYLES[severity]))
    pieces: list[Piece] = [("Found ", "")]
    for index, count in enumerate(counts):
        pieces += [(", " if index else "", ""), count]
    fixable = sum(any(fix.applicability == "safe" for fix in finding.fixes) for finding in findings)
    tail = f"; {fixable} with a safe fix" if fixable else ""
    return [*pieces, (f" ({checked}){tail}", "dim")]
