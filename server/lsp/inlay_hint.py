"""Inlay hints behind assignments, for those who switch them on (`gradsight.inlayHints`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from ..analysis.report import Span
from ..features.inlay import hints
from .guard import guarded

if TYPE_CHECKING:
    from .server import GradsightServer


def register(server: GradsightServer) -> None:
    """Offer the feature."""
    server.feature(types.TEXT_DOCUMENT_INLAY_HINT, types.InlayHintOptions(resolve_provider=False))(inlay_hint)


@guarded
async def inlay_hint(ls: GradsightServer, params: types.InlayHintParams) -> list[types.InlayHint]:
    """`textDocument/inlayHint`; none unless the user switched them on."""
    if not ls.session.client.inlay_hints:
        return []
    uri = params.text_document.uri
    view = await ls.session.settled_view(uri)
    if view is None:
        return []
    places = ls.places(view.document)
    first, last = places.position(uri, params.range.start), places.position(uri, params.range.end)
    result = []
    for hint in hints(view.document.source, view.report, first.line, last.line, view.document.lines):
        where = places.location(Span(view.document.path, hint.position, hint.position))
        if where.uri == uri:
            tooltip = types.MarkupContent(types.MarkupKind.Markdown, hint.tooltip)
            position = where.range.start
            result.append(types.InlayHint(position, hint.label, tooltip=tooltip, padding_left=True))
    return result
