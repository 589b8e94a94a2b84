"""`# gradsight: ignore[rule]`: the rules such a comment names, and the edit that writes one."""

from __future__ import annotations

import re

from ..analysis.report import Edit
from ..analysis.source.lexer import lex
from ..analysis.source.suppress import Suppressions
from ..analysis.source.text import SourceText

_OURS = re.compile(r"#\s*gradsight\s*:\s*ignore(?![-\w])\s*(?:\[(?P<rules>[^\]#]*)\])?", re.IGNORECASE)


def rules_of_comment(source: SourceText, line: int, column: int) -> tuple[str, ...]:
    """The rules that a suppression comment at the 1-based position names; empty when there is none."""
    # The comment's line alone is read: cheap, and the same for half-typed files.
    if "#" not in source.line_text(line):
        return ()
    found = Suppressions.of(source).comment_at(line, column)
    return found.rules if found is not None else ()


def ignore_edit(source: SourceText, line: int, last_line: int, rule: str) -> Edit | None:
    """The edit that silences the rule for a statement that begins on `line` and ends on `last_line`.

    A comment of ours that is there already takes the rule in; other comments stay where they are. No comment can stand
    behind a backslash or inside a string that goes on below: then the statement's last line takes it, as a comment on
    any line of a statement counts. None where no line can, or where the rule is silenced already.
    """
    for candidate in dict.fromkeys((line, last_line)):
        edit = _on_line(source, candidate, rule)
        if edit is not None:
            return edit
    return None


def _on_line(source: SourceText, line: int, rule: str) -> Edit | None:
    start, end = source.line_start(line), source.line_end(line)
    for token in lex(source.text):
        if token.start > end:
            break
        if token.kind == "comment" and start <= token.start <= end:
            return _into_comment(source, token.start, token.end, rule)
        goes_on = token.start <= end < token.end
        if goes_on and token.kind in ("string", "unterminated", "continuation"):
            return None
    return _appended(source, start, end, rule)


def _into_comment(source: SourceText, start: int, end: int, rule: str) -> Edit | None:
    ours = _OURS.search(source.text, start, end)
    if ours is None:
        return _appended(source, source.line_start(source.position_at(start).line), end, rule)
    if ours["rules"] is None:
        return None  # a bare `ignore` silences everything there already
    names = [name for name in re.split(r"[\s,]+", ours["rules"].strip()) if name]
    if rule in names:
        return None
    return Edit(source.span_of_offsets(*ours.span("rules")), ", ".join([*names, rule]))


def _appended(source: SourceText, start: int, end: int, rule: str) -> Edit:
    code_end = start + len(source.text[start:end].rstrip())
    return Edit(source.span_of_offsets(code_end, end), f"  # gradsight: ignore[{rule}]")
