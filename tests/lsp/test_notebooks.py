"""A notebook is one program over its cells: a cut in one cell and the loss in another are one finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from gradsight.lsp.names import VERIFY

from .conftest import Editor, StartEditor

pytestmark = pytest.mark.asyncio

CELLS = [
    "%matplotlib inline\nimport torch\nx = torch.randn(10, requires_grad=True)",
    "with torch.no_grad():\n    y = x * 2\n",
    "loss = y.sum()\nloss.backward()\nprint(x.grad)",
]


def open_notebook(editor: Editor, path: Path, cells: list[str]) -> tuple[str, list[str]]:
    uri = path.as_uri()
    uris = [f"vscode-notebook-cell:{path}#{index}" for index in range(len(cells))]
    kind = types.NotebookCellKind.Code
    notebook = types.NotebookDocument(
        uri, "jupyter-notebook", 1, [types.NotebookCell(kind=kind, document=cell) for cell in uris]
    )
    items = [types.TextDocumentItem(cell, "python", 1, text) for cell, text in zip(uris, cells, strict=True)]
    editor.client.notebook_document_did_open(types.DidOpenNotebookDocumentParams(notebook, items))
    return uri, uris


def change(editor: Editor, uri: str, version: int, cells: types.NotebookDocumentCellChanges) -> None:
    identifier = types.VersionedNotebookDocumentIdentifier(version, uri)
    event = types.NotebookDocumentChangeEvent(cells=cells)
    editor.client.notebook_document_did_change(types.DidChangeNotebookDocumentParams(identifier, event))


async def test_a_client_that_pulls_for_files_is_told_of_cells(start: StartEditor, tmp_path: Path) -> None:
    editor = await start(pull=True)
    uri, cells = open_notebook(editor, tmp_path / "a.ipynb", CELLS)
    await editor.until(lambda: set(editor.published) == set(cells), "diagnostics of every cell")
    assert [one.code for one in editor.published[cells[1]].diagnostics] == ["no-grad-block"]
    assert not (await editor.pull(cells[1])).items, "they would be shown twice"
    closed = types.DidCloseNotebookDocumentParams(
        types.NotebookDocumentIdentifier(uri), [types.TextDocumentIdentifier(cell) for cell in cells]
    )
    editor.client.notebook_document_did_close(closed)
    await editor.until(lambda: not editor.published[cells[1]].diagnostics, "the diagnostics to be taken back")


async def test_a_finding_over_cells(editor: Editor, tmp_path: Path) -> None:
    assert editor.capabilities is not None and editor.capabilities.notebook_document_sync is not None
    uri, cells = open_notebook(editor, tmp_path / "a.ipynb", CELLS)
    await editor.until(lambda: set(editor.published) == set(cells), "diagnostics of every cell")
    assert not editor.published[cells[0]].diagnostics and not editor.published[cells[2]].diagnostics
    (one,) = editor.published[cells[1]].diagnostics
    assert (one.code, one.range.start) == ("no-grad-block", types.Position(1, 4))
    places = {info.location.uri: info.location.range.start.line for info in one.related_information or ()}
    assert places[cells[0]] == 2 and places[cells[2]] == 1
    said = await editor.hover(cells[1], 1, 4)
    assert said is not None and isinstance(said.contents, types.MarkupContent)
    assert "PyTorch will say at line 2 of code cell 3" in said.contents.value
    assert "●  1:3  x = torch.randn" in said.contents.value

    fix = (await editor.actions(cells[1], 1))[0]
    resolved = await editor.client.code_action_resolve_async(fix)
    assert resolved.edit is not None and resolved.edit.document_changes is not None
    (edited,) = resolved.edit.document_changes
    assert isinstance(edited, types.TextDocumentEdit) and edited.text_document.uri == cells[1]

    answer = await editor.command(VERIFY, {"uri": cells[1], "line": 2})
    assert [result["verdict"] for result in answer["results"]] == ["confirmed"]
    assert "PyTorch raised at line 2 of code cell 3" in answer["results"][0]["reason"]
    assert [(cell["uri"], cell["firstLine"]) for cell in answer["cells"]] == list(zip(cells, (1, 4, 7), strict=True))

    # The cell with the cut goes: so does the finding, and the cell's diagnostics with it.
    array = types.NotebookCellArrayChange(start=1, delete_count=1)
    structure = types.NotebookDocumentCellChangeStructure(array, did_close=[types.TextDocumentIdentifier(cells[1])])
    change(editor, uri, 2, types.NotebookDocumentCellChanges(structure=structure))
    await editor.until(lambda: not editor.published[cells[1]].diagnostics, "no diagnostics for a cell that is gone")

    # And back it comes, typed into another cell.
    text = types.TextDocumentContentChangeWholeDocument(text=f"{CELLS[1]}\n{CELLS[2]}")
    content = types.NotebookDocumentCellContentChanges(types.VersionedTextDocumentIdentifier(2, cells[2]), [text])
    change(editor, uri, 3, types.NotebookDocumentCellChanges(text_content=[content]))
    await editor.until(lambda: bool(editor.published[cells[2]].diagnostics), "finding in the last cell")
    closing = types.DidCloseNotebookDocumentParams(
        types.NotebookDocumentIdentifier(uri), [types.TextDocumentIdentifier(cell) for cell in cells]
    )
    editor.client.notebook_document_did_close(closing)
    await editor.until(lambda: not editor.published[cells[2]].diagnostics, "no diagnostics after closing")
