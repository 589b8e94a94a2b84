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


def workspace_edit(ls: GradsightServer, document: Document, edits: Iterable[Edit]) -> types.WorkspaceEdit:
    """The edits, most of them of `document`; a fix may also touch another file (a decorator that lives there)."""
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.span.path, []).append(edit)
    versioned = get_capability(ls.client_capabilities, "workspace.workspace_edit.document_changes")
    changes: dict[str, list[types.TextEdit]] = {}
    documents: list[types.TextDocumentEdit] = []
    for path, own in by_path.items():
        is_this = path == document.path
        uri = document.uri if is_this else ls.uri_of(path)
        source = document.source if is_this else ls.source(path)
        texts = [text_edit(source, edit, ls.encoding) for edit in own]
        changes[uri] = texts
        other = ls.session.document(uri)
        version = document.version if is_this else other.version if other is not None else None
        documents.append(types.TextDocumentEdit(types.OptionalVersionedTextDocumentIdentifier(uri, version), texts))
    return types.WorkspaceEdit(document_changes=documents) if versioned else types.WorkspaceEdit(changes=changes)
