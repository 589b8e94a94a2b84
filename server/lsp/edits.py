"""Edits of a report as a workspace edit, with the document's version where the client keeps versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.capabilities import get_capability

from ..analysis.report import Edit
from ..session.documents import Document
from .positions import text_edit

if TYPE_CHECKING:
    from .server import GradsightServer


def workspace_edit(ls: GradsightServer, document: Document, edits: Iterable[Edit]) -> types.WorkspaceEdit | None:
    """The edits, most of them of `document`; a fix may also touch another file (a decorator that lives there).

    None when they cannot be made: one would join two cells of a notebook.
    """
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.span.path, []).append(edit)
    versioned = get_capability(ls.client_capabilities, "workspace.workspace_edit.document_changes")
    changes: dict[str, list[types.TextEdit]] = {}
    versions: dict[str, int | None] = {}
    for path, own in by_path.items():
        if path == document.path:
            target: Document | None = document
            placed = [ls.places(document).edit(edit) for edit in own]
        else:
            uri, source = ls.uri_of(path), ls.source(path)
            target = ls.session.document(uri)
            placed = [(uri, text_edit(source, edit, ls.encoding)) for edit in own]
        if None in placed:
            return None
        # A cell has a version of its own, which only the notebook's is kept of.
        version = target.version if target is not None and not target.cells else None
        for place, text in filter(None, placed):
            changes.setdefault(place, []).append(text)
            versions[place] = version
    if not versioned:
        return types.WorkspaceEdit(changes=changes)
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(types.OptionalVersionedTextDocumentIdentifier(uri, versions[uri]), texts)
            for uri, texts in changes.items()
        ]
    )
