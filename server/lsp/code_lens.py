"""Code lens over each `backward()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from ..features.lens import lenses
from .guard import guarded
from .names import VERIFY

if TYPE_CHECKING:
    from .server import GradsightServer


def register(server: GradsightServer) -> None:
    """Offer the feature."""
    server.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions(resolve_provider=False))(code_lens)


@guarded
async def code_lens(ls: GradsightServer, params: types.CodeLensParams) -> list[types.CodeLens]:
    """`textDocument/codeLens`: a line above each loss; none where the user switched them off."""
    view = await ls.session.settled_view(params.text_document.uri)
    if view is None or not ls.session.client.code_lens:
        return []
    result = []
    for lens in lenses(view.report, view.shown, ls.session.client.trusted, view.document.lines):
        where = ls.places(view.document).location(lens.span)
        if where.uri != params.text_document.uri:
            continue
        arguments = [{"uri": where.uri, "line": where.range.start.line + 1}]
        # Without a command to run the lens is text only.
        name = ls.command_name(VERIFY) if lens.can_check else ""
        command = types.Command(lens.title, name, arguments=arguments)
        result.append(types.CodeLens(where.range, command))
    return result
