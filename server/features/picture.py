"""The gradient's path as a text picture, for hovers and the report page.

    ●  3  x = torch.randn(10, requires_grad=True)   `x` is trainable
    │  4  with torch.no_grad():                     tracking is off from here
    ╳  5      y = x * 2                             cut: `y` has no grad_fn
    ┊  6  loss = y.sum()
    ▼  7  loss.backward()                           raises: element 0 of tensors does not require grad

The line on the left is the gradient's way: solid where autograd recorded it, dashed behind a cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath

from ..analysis.report import Role, TraceStep

_MARKS: dict[Role, str] = {"source": "●", "cut": "╳", "mutation": "!", "saved": "◆", "sink": "▼", "note": "│"}
_CODE_WIDTH = 56

LineOf = Callable[[str, int], str]
"""Gives a source line for (path, 1-based line); an empty string when it cannot be had."""


def draw(steps: Sequence[TraceStep], line_of: LineOf, home: str) -> str:
    """The picture of a trace, one step per row, without a fence; `home` is the file whose steps need no file name."""
    rows = list(_merged(steps))
    if not rows:
        return ""
    codes = [_shorten(_code(step, line_of, home)) for step, _ in rows]
    number_width = max(len(str(step.span.start.line)) for step, _ in rows)
    code_width = max(map(len, codes))
    cut = False
    lines = []
    for (step, message), code in zip(rows, codes, strict=True):
        mark = _MARKS[step.role]
        if step.role == "note" and cut:
            mark = "┊"
        cut = cut or step.role == "cut"
        lines.append(f"{mark}  {step.span.start.line:>{number_width}}  {code:<{code_width}}   {message}".rstrip())
    return "\n".join(lines)


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


def _code(step: TraceStep, line_of: LineOf, home: str) -> str:
    code = line_of(step.span.path, step.span.start.line).rstrip().expandtabs(4)
    if step.span.path != home:
        return f"{PurePath(step.span.path).name}: {code.strip()}"
    return code


def _shorten(code: str) -> str:
    return code if len(code) <= _CODE_WIDTH else code[: _CODE_WIDTH - 1] + "…"
