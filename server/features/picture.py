"""The gradient's path as a text picture, for hovers and the report page.

    ●  3  x = torch.randn(10, requires_grad=True)   `x` is trainable
    │  4  with torch.no_grad():                     tracking is off from here
    ╳  5      y = x * 2                             cut: `y` has no grad_fn
    ┊  6  loss = y.sum()
    ▼  7  loss.backward()                           raises: element 0 of tensors does not require grad

The line on the left is the gradient's way: solid where autograd recorded it, dashed behind a cut. A row is as wide as
a hover at the most; what is longer ends in an ellipsis.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath

from ..analysis.report import Role, TraceStep
from ..analysis.source.notebook import FILE, Lines

_MARKS: dict[Role, str] = {"source": "●", "cut": "╳", "mutation": "!", "saved": "◆", "sink": "▼", "note": "│"}
_WIDTH = 90
"""Columns a hover shows in one row."""
_CODE_WIDTH = 56
_LEAST_CODE = 30
"""The sentences come first: the line itself stands in the editor too."""

LineOf = Callable[[str, int], str]
"""Gives a source line for (path, 1-based line); an empty string when it cannot be had."""


def draw(steps: Sequence[TraceStep], line_of: LineOf, home: str, lines: Lines = FILE) -> str:
    """The picture of a trace, one step per row, without a fence; `home` is the file whose steps need no file name."""
    rows = list(_merged(steps))
    if not rows:
        return ""
    numbers = [(lines if step.span.path == home else FILE).short(step.span.start.line) for step, _ in rows]
    number_width = max(map(len, numbers))
    room = _WIDTH - len("●") - number_width - len("       ")
    longest = max((len(message) for step, message in rows if not _is_error(step)), default=0)
    codes = textwrap.dedent("\n".join(_code(step, line_of, home) for step, _ in rows)).split("\n")
    if max(map(len, codes)) > max(room - longest, _LEAST_CODE):
        codes = [code.strip() for code in codes]
    code_width = min(max(map(len, codes)), _CODE_WIDTH, max(room - longest, _LEAST_CODE))
    cut = False
    drawn = []
    for (step, message), code, number in zip(rows, codes, numbers, strict=True):
        mark = _MARKS[step.role]
        if step.role == "note" and cut:
            mark = "┊"
        cut = cut or step.role == "cut"
        code, message = _shorten(code, code_width), _shorten(message, room - code_width)
        drawn.append(f"{mark}  {number:>{number_width}}  {code:<{code_width}}   {message}".rstrip())
    return "\n".join(drawn)


def fenced(picture: str) -> str:
    """The picture as a Markdown block that editors leave alone."""
    return f"```text\n{picture}\n```" if picture else ""


def _merged(steps: Iterable[TraceStep]) -> Iterable[tuple[TraceStep, str]]:
    """Steps with their messages in one line; one that repeats the step before it is left out."""
    before: tuple[object, ...] | None = None
    for step in steps:
        key = (step.span.path, step.span.start.line, step.role, step.message)
        if key != before:
            yield step, " ".join(step.message.split())
        before = key


def _is_error(step: TraceStep) -> bool:
    """PyTorch's own words: a hover says them again in full."""
    return step.role == "sink" and "raises: " in step.message


def _code(step: TraceStep, line_of: LineOf, home: str) -> str:
    code = line_of(step.span.path, step.span.start.line).rstrip().expandtabs(4)
    if step.span.path != home:
        return f"{PurePath(step.span.path).name}: {code.strip()}"
    return code


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
