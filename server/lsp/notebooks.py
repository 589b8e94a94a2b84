"""Notebooks: the client sends cells, the session gets one program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from ..analysis.source.text import SourceText
from .guard import guarded
from .positions import changed

if TYPE_CHECKING:
    from .server import GradsightServer

# Each kind is named in full: lsprotocol cannot read back a selector that names only cells.
SYNC = types.NotebookDocumentSyncOptions(
    notebook_selector=[
        types.NotebookDocumentFilterWithNotebook(kind, cells=[types.NotebookCellLanguage(language="python")])
        for kind in ("jupyter-notebook", "interactive")
    ]
)


def register(server: GradsightServer) -> None:
    """Take part in the synchronisation of notebooks."""
    server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)(did_close)


@guarded
def did_open(ls: GradsightServer, params: types.DidOpenNotebookDocumentParams) -> None:
    """`notebookDocument/didOpen`."""
    notebook = params.notebook_document
    texts = {item.uri: item.text for item in params.cell_text_documents if item.language_id == "python"}
    cells = [(cell.document, texts[cell.document]) for cell in notebook.cells if cell.document in texts]
    ls.session.open_notebook(notebook.uri, ls.path_of(notebook.uri), cells, notebook.version)


@guarded
def did_change(ls: GradsightServer, params: types.DidChangeNotebookDocumentParams) -> None:
    """`notebookDocument/didChange`: cells that came, went or moved, and their texts."""
    document = ls.session.document(params.notebook_document.uri)
    change = params.change.cells
    if document is None or change is None:
        return
    order = [cell.uri for cell in document.cells]
    texts = {cell.uri: cell.source.text for cell in document.cells}
    if change.structure is not None:
        array = change.structure.array
        order[array.start : array.start + array.delete_count] = [cell.document for cell in array.cells or ()]
        texts |= {item.uri: item.text for item in change.structure.did_open or () if item.language_id == "python"}
    for content in change.text_content or ():
        uri = content.document.uri
        for one in content.changes:
            texts[uri] = changed(SourceText(uri, texts.get(uri, "")), one, ls.encoding)
    cells = [(uri, texts[uri]) for uri in order if uri in texts]
    ls.session.change_notebook(document.uri, cells, params.notebook_document.version)


@guarded
def did_close(ls: GradsightServer, params: types.DidCloseNotebookDocumentParams) -> None:
    """`notebookDocument/didClose`."""
    ls.session.close(params.notebook_document.uri)
