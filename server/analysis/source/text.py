"""A text and its coordinates: offsets, 1-based positions, and spans of syntax-tree nodes.

Three ways to count meet here. `ast` counts columns in UTF-8 bytes from 0; `report.Position` counts characters from 1;
slicing a `str` needs offsets. For `y` in `s = "é😀"; y = 1` these are 14, 11 and 10.

Lines end where Python's tokenizer ends them: at `\\n`, `\\r\\n` and a lone `\\r`; a form feed or U+2028 does not end
one (so `str.splitlines` must not be used on source text).
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from functools import cached_property

from ..report import LINE_END, Position, Span
from .lexer import comments, lex

_SURROGATE = re.compile("[\ud800-\udfff]")


class SourceText:
    """One immutable text with its line index, built when first needed.

    Any text is fine: a byte order mark, NUL characters, lone surrogates, no newline at the end. No method raises for
    positions outside the text; they are clamped to it.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @cached_property
    def parse_text(self) -> str:
        """The text as the parser may see it: same length, same lines, same columns.

        A byte order mark becomes a form feed (which Python accepts at the start of a line without indenting), and lone
        surrogates, which cannot be encoded, become `?`.
        """
        text = self.text
        if text.startswith("\ufeff"):
            text = "\f" + text[1:]
        if not text.isascii():
            text = _SURROGATE.sub("?", text)
        return text

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset at which each line begins."""
        return [0, *(match.end() for match in LINE_END.finditer(self.text))]

    @cached_property
    def _ascii(self) -> bool:
        return self.parse_text.isascii()

    @cached_property
    def newline(self) -> str:
        """The line end the text uses (its first one); `\\n` when it has none."""
        match = LINE_END.search(self.text)
        return match.group() if match else "\n"

    @property
    def line_count(self) -> int:
        """How many lines there are; a text that ends with a newline has an empty last line."""
        return len(self.line_starts)

    @cached_property
    def lines_in_strings(self) -> frozenset[int]:
        """The lines that begin inside a string: their blanks are data."""
        found: set[int] = set()
        for token in lex(self.text):
            if token.kind in ("string", "unterminated"):
                first, last = self.position_at(token.start).line, self.position_at(token.end).line
                found.update(range(first + 1, last + 1))
        return frozenset(found)

    @cached_property
    def comment_offsets(self) -> dict[int, tuple[int, int]]:
        """Where each line's comment starts and ends, by line; lines without one are not in it."""
        return {self.position_at(token.start).line: (token.start, token.end) for token in comments(self.text)}

    def line_start(self, line: int) -> int:
        """The offset of the first character of the 1-based line; the length of the text past the last line."""
        if line > len(self.line_starts):
            return len(self.text)
        return self.line_starts[max(line, 1) - 1]

    def line_text(self, line: int) -> str:
        """The 1-based line without its line end; empty outside the text."""
        if not 1 <= line <= len(self.line_starts):
            return ""
        return self.text[self.line_starts[line - 1] : self.line_end(line)]

    def line_end(self, line: int) -> int:
        """The offset after the last character of the line, before its line end."""
        if line >= len(self.line_starts):
            return len(self.text)
        end = self.line_starts[max(line, 1)]
        return end - (2 if self.text.startswith("\r\n", end - 2) else 1)

    def indent_of(self, line: int) -> str:
        """The blanks the line begins with."""
        text = self.line_text(line)
        return text[: len(text) - len(text.lstrip(" \t\f"))]

    def position_at(self, offset: int) -> Position:
        """The 1-based position of an offset."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self.line_starts, offset)
        return Position(line, offset - self.line_starts[line - 1] + 1)

    def offset_at(self, position: Position) -> int:
        """The offset of a 1-based position; a column past the end of the line is the end of the line."""
        if position.line > len(self.line_starts):
            return len(self.text)
        if position.line < 1:
            return 0
        return min(self.line_starts[position.line - 1] + max(position.column, 1) - 1, self.line_end(position.line))

    def offset_of_bytes(self, line: int, byte_column: int) -> int:
        """The offset of an `ast` place: 1-based line, 0-based column in UTF-8 bytes."""
        start = self.line_start(line)
        if not self._ascii:
            text = self.parse_text[start : self.line_end(line)]
            if not text.isascii():
                byte_column = len(text.encode()[: max(byte_column, 0)].decode(errors="ignore"))
        return min(start + max(byte_column, 0), self.line_end(line))

    def span_of_offsets(self, start: int, end: int) -> Span:
        """The span between two offsets."""
        return Span(self.path, self.position_at(start), self.position_at(max(start, end)))

    def offsets(self, node: ast.AST) -> tuple[int, int]:
        """Start and end offset of a node.

        Decorators do not belong to the span of what they decorate. Nodes without a place of their own (`withitem`,
        `comprehension`, `match_case`) span their children; `Module` spans the text.
        """
        line = getattr(node, "lineno", None)
        if line is not None:
            end_line = getattr(node, "end_lineno", None)
            start = self.offset_of_bytes(line, node.col_offset)  # type: ignore[attr-defined]
            if end_line is None:
                return start, start
            end = self.offset_of_bytes(end_line, node.end_col_offset)  # type: ignore[attr-defined]
            return start, max(start, end)
        if isinstance(node, ast.Module):
            return 0, len(self.text)
        children = [self.offsets(child) for child in ast.iter_child_nodes(node) if not isinstance(child, PLACELESS)]
        if not children:
            return 0, 0
        return min(start for start, _ in children), max(end for _, end in children)

    def span(self, node: ast.AST) -> Span:
        """The span of a node, in characters. See `offsets` for nodes without a place."""
        if self._ascii and (end_line := getattr(node, "end_lineno", None)) is not None:
            # Bytes are characters, and the parser's places are ours.
            first = Position(node.lineno, node.col_offset + 1)  # type: ignore[attr-defined]
            return Span(self.path, first, Position(end_line, node.end_col_offset + 1))  # type: ignore[attr-defined]
        start, end = self.offsets(node)
        return self.span_of_offsets(start, end)

    def segment(self, node: ast.AST) -> str:
        """The source of a node as written."""
        start, end = self.offsets(node)
        return self.text[start:end]

    def span_of_line(self, line: int) -> Span:
        """The span of a line's code: from its first character that is not blank to the end of the line."""
        text = self.line_text(line)
        start = self.line_start(line) + len(text) - len(text.lstrip())
        return self.span_of_offsets(start, self.line_start(line) + len(text.rstrip()))


PLACELESS = (ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)
