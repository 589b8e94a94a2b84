"""`# gradsight: ignore[rule]` on a line, merged with what stands there."""

from __future__ import annotations

import re

from .edit_base import Edits, edit
from .lexer import lex
from .text import SourceText

_IGNORE = re.compile(r"#\s*gradsight\s*:\s*ignore\b(?!-)\s*(\[[^\]#]*\])?", re.IGNORECASE)


def ignore_comment(source: SourceText, line: int, rule: str) -> Edits | None:
    """Silence `rule` on a 1-based line: a comment is appended, or the rule added to the one that is there.

    Where the line cannot carry a comment (a string or a backslash goes over its end) the comment goes to the next line
    that can, which belongs to the same statement. None when the rule is silenced there already.
    """
    if not 1 <= line <= source.line_count:
        return None
    line = _line_for_comment(source, line)
    comment = source.comment_offsets.get(line)
    if comment is not None:
        match = _IGNORE.search(source.text, *comment)
        if match is not None:
            if match[1] is None:
                return None
            rules = [one.strip() for one in match[1][1:-1].split(",") if one.strip()]
            if rule in rules:
                return None
            start, end = match.span(1)
            return (_plain(source, start, end, f"[{', '.join([*rules, rule])}]"),)
    end = source.line_end(line)
    start = source.line_start(line) + len(source.line_text(line).rstrip())
    return (_plain(source, start, end, f"  # gradsight: ignore[{rule}]"),)


def _line_for_comment(source: SourceText, line: int) -> int:
    for token in lex(source.text, 0):
        first = source.position_at(token.start).line
        if first > line:
            break
        last = source.position_at(token.end).line
        if token.kind in ("string", "unterminated", "continuation") and first <= line < last:
            line = last
    return min(line, source.line_count)


def _plain(source: SourceText, start: int, end: int, text: str):
    from ..report import Edit

    return Edit(source.span_of_offsets(start, end), text)


__all__ = ["edit", "ignore_comment"]
