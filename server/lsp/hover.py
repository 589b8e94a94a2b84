"""Hover: one call into the features, and its span in the client's units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from ..features import hover as feature
from .guard import guarded

if TYPE_CHECKING:
    from .server import GradsightServer


def register(server: GradsightServer) -> None:
    """Offer the feature."""
    server.feature(types.TEXT_DOCUMENT_HOVER)(hover)


@guarded
async def hover(ls: GradsightServer, params: types.HoverParams) -> types.Hover | None:
    """`textDocument/hover`, from the report of the present text; None where nothing is known."""
    view = await ls.session.settled_view(params.text_document.uri)
    if view is None:
        return None
    document, places = view.document, ls.places(view.document)
    position = places.position(params.text_document.uri, params.position)
    line, column, line_of = position.line, position.column, ls.session.line_of
    beside = ls.client_commands  # our own client: VS Code's hover begins with the diagnostics
    answer = feature.hover(document.source, view.report, view.shown, line_of, line, column, document.lines, beside)
    if answer is None:
        return None
    return types.Hover(
        contents=types.MarkupContent(types.MarkupKind.Markdown, answer.markdown),
        range=places.location(answer.span).range if answer.span is not None else None,
    )
