"""Positions at the edge: 1-based characters inside, the client's 0-based code units outside.

A client counts UTF-16 units unless it offered something else. For the column behind `"é😀"` that is one more than
Python's index, in UTF-8 four more.
"""

from __future__ import annotations

from lsprotocol import types

from ..analysis.report import Edit, Position, Span
from ..analysis.source.text import SourceText

Encoding = types.PositionEncodingKind | str


def _units(text: str, encoding: Encoding) -> int:
    if text.isascii() or encoding == types.PositionEncodingKind.Utf32:
        return len(text)
    if encoding == types.PositionEncodingKind.Utf8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(character > "\uffff" for character in text)


def to_client(source: SourceText, position: Position, encoding: Encoding) -> types.Position:
    """A position of the text as the client counts; a column past the end of its line is its end."""
    line = source.line_text(position.line)
    return types.Position(position.line - 1, _units(line[: position.column - 1], encoding))


def to_range(source: SourceText, span: Span, encoding: Encoding) -> types.Range:
    """A span of the text as the client's range."""
    return types.Range(to_client(source, span.start, encoding), to_client(source, span.end, encoding))


def from_client(source: SourceText, position: types.Position, encoding: Encoding) -> Position:
    """A client's position in the text; outside of it is clamped, the middle of a character is its start."""
    if position.line >= source.line_count:
        return Position(source.line_count, len(source.line_text(source.line_count)) + 1)
    line = source.line_text(position.line + 1)
    if line.isascii() or encoding == types.PositionEncodingKind.Utf32:
        return Position(position.line + 1, min(position.character, len(line)) + 1)
    units = 0
    for index, character in enumerate(line):
        units += _units(character, encoding)
        if units > position.character:
            return Position(position.line + 1, index + 1)
    return Position(position.line + 1, len(line) + 1)


def text_edit(source: SourceText, edit: Edit, encoding: Encoding) -> types.TextEdit:
    """An edit of the text as the client's."""
    return types.TextEdit(to_range(source, edit.span, encoding), edit.text)


def changed(source: SourceText, change: types.TextDocumentContentChangeEvent, encoding: Encoding) -> str:
    """The text after a `didChange` event's change: of a range, or of everything."""
    if not isinstance(change, types.TextDocumentContentChangePartial):
        return change.text
    start = source.offset_at(from_client(source, change.range.start, encoding))
    end = source.offset_at(from_client(source, change.range.end, encoding))
    return source.text[:start] + change.text + source.text[max(start, end) :]
