"""Where a document's places are for the client: in the document, or in one of the cells of a notebook."""

from __future__ import annotations

from lsprotocol import types

from ..analysis.report import Edit, Position, Span
from ..analysis.source.text import SourceText
from ..session.documents import Cell, Document
from .positions import Encoding, from_client, to_client, to_range


class Places:
    """Converts between one document's spans and the client's uris and ranges."""

    def __init__(self, document: Document, encoding: Encoding) -> None:
        self.document, self.encoding = document, encoding

    @property
    def uris(self) -> tuple[str, ...]:
        """The uris under which the client knows the document's text."""
        return tuple(cell.uri for cell in self.document.cells) or (self.document.uri,)

    def location(self, span: Span) -> types.Location:
        """A span as the client's; one that goes on behind its cell ends with it."""
        cell = self._cell_at(span.start.line)
        if cell is None:
            return types.Location(self.document.uri, to_range(self.document.source, span, self.encoding))
        start = to_client(cell.source, _shifted(span.start, cell), self.encoding)
        last = min(span.end, Position(cell.last_line, len(cell.source.line_text(cell.source.line_count)) + 1))
        return types.Location(cell.uri, types.Range(start, to_client(cell.source, _shifted(last, cell), self.encoding)))

    def position(self, uri: str, position: types.Position) -> Position:
        """A client's position in one of its texts, as the document's."""
        for cell in self.document.cells:
            if cell.uri == uri:
                inside = from_client(cell.source, position, self.encoding)
                return Position(inside.line + cell.first_line - 1, inside.column)
        return from_client(self.document.source, position, self.encoding)

    def edit(self, edit: Edit) -> tuple[str, types.TextEdit] | None:
        """An edit and the uri of the text it changes; None when it would join two cells."""
        cell = self._cell_at(edit.span.start.line)
        if cell is not None and edit.span.end.line > cell.last_line:
            return None
        where = self.location(edit.span)
        return where.uri, types.TextEdit(where.range, edit.text)

    def _cell_at(self, line: int) -> Cell | None:
        for cell in self.document.cells:
            if cell.first_line <= line <= cell.last_line:
                return cell
        return None


def of_source(source: SourceText, uri: str, span: Span, encoding: Encoding) -> types.Location:
    """A span of a text that is not open in the client."""
    return types.Location(uri, to_range(source, span, encoding))


def _shifted(position: Position, cell: Cell) -> Position:
    return Position(position.line - cell.first_line + 1, position.column)
