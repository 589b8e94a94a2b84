"""Documents opened, changed, saved and closed: the session is told, nothing else happens here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from ..analysis.source.text import SourceText
from .guard import guarded
from .positions import changed

if TYPE_CHECKING:
    from .server import GradsightServer


def register(server: GradsightServer) -> None:
    """Take part in the synchronisation of documents."""
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)


@guarded
def did_open(ls: GradsightServer, params: types.DidOpenTextDocumentParams) -> None:
    """`textDocument/didOpen`."""
    item = params.text_document
    path = ls.path_of(item.uri)
    if item.language_id == "python" or path.endswith((".py", ".pyi", ".pyw")):
        ls.session.open(item.uri, path, item.text, item.version)


@guarded
def did_change(ls: GradsightServer, params: types.DidChangeTextDocumentParams) -> None:
    """`textDocument/didChange`, whole texts and ranges alike."""
    document = ls.session.document(params.text_document.uri)
    if document is None or document.uri != params.text_document.uri:
        return
    source = document.source
    for change in params.content_changes:
        source = SourceText(document.path, changed(source, change, ls.encoding))
    ls.session.change(document.uri, source.text, params.text_document.version)


@guarded
def did_close(ls: GradsightServer, params: types.DidCloseTextDocumentParams) -> None:
    """`textDocument/didClose`."""
    ls.session.close(params.text_document.uri)
