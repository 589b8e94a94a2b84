"""`diagnosticMode: workspace`: findings of files that nobody has opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from .conftest import Editor, StartEditor
from .programs import EX1, EX2

pytestmark = pytest.mark.asyncio

WORKSPACE = {"settings": {"diagnosticMode": "workspace"}}
LIBRARY = "import torch\n\ndef half(x):\n    return x / 2\n"
CUTTING = "import torch\n\ndef half(x):\n    return x.detach() / 2\n"
TRAINING = """\
import torch
from library import half

x = torch.randn(3, requires_grad=True)
loss = half(x).sum()
loss.backward()
"""


def rules(editor: Editor, uri: str) -> list[object]:
    params = editor.published.get(uri)
    return [item.code for item in params.diagnostics] if params is not None else []


def saved(editor: Editor, *paths: Path) -> None:
    """The file watcher's news."""
    changes = [types.FileEvent(path.as_uri(), types.FileChangeType.Changed) for path in paths]
    editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(changes))


@pytest.mark.parametrize("pull", [False, True])
async def test_a_closed_file_is_told_of_and_left_to_its_document(
    start: StartEditor, tmp_path: Path, pull: bool
) -> None:
    closed, other = tmp_path / "closed.py", tmp_path / "deep" / "other.py"
    other.parent.mkdir()
    closed.write_text(EX2)
    other.write_text(EX1)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.py").write_text(EX2)
    editor = await start(pull=pull, options=WORKSPACE)
    uri = closed.as_uri()
    await editor.until(lambda: rules(editor, uri) == ["no-grad-block"], "finding of the closed file")
    await editor.until(lambda: rules(editor, other.as_uri()) == ["nothing-requires-grad"], "finding further down")
    assert (tmp_path / "node_modules" / "x.py").as_uri() not in editor.published
    # Opened with another text, the document speaks; closed again, the file does.
    editor.open(closed, "import torch\n")
    await editor.until(lambda: rules(editor, uri) == [], "the finding to go with the open text")
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
    await editor.until(lambda: rules(editor, uri) == ["no-grad-block"], "finding of the file closed again")


async def test_a_change_on_disk_reaches_those_that_import_it(start: StartEditor, tmp_path: Path) -> None:
    library, training = tmp_path / "library.py", tmp_path / "training.py"
    library.write_text(CUTTING)
    training.write_text(TRAINING)
    editor = await start(options=WORKSPACE)
    await editor.until(lambda: rules(editor, training.as_uri()) == ["detached-value"], "finding over two files")
    library.write_text(LIBRARY)
    saved(editor, library)
    await editor.until(lambda: rules(editor, training.as_uri()) == [], "the finding to go")
    library.write_text(CUTTING)
    saved(editor, library)
    await editor.until(lambda: rules(editor, training.as_uri()) == ["detached-value"], "the finding to come back")
    training.unlink()
    saved(editor, training)
    await editor.until(lambda: rules(editor, training.as_uri()) == [], "nothing about a file that is gone")


async def test_switching_it_off_takes_everything_back(start: StartEditor, tmp_path: Path) -> None:
    closed = tmp_path / "closed.py"
    closed.write_text(EX2)
    editor = await start(options=WORKSPACE)
    await editor.until(lambda: rules(editor, closed.as_uri()) == ["no-grad-block"], "finding of the closed file")
    settings = {"gradsight": {"diagnosticMode": "openFilesOnly"}}
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    await editor.until(lambda: rules(editor, closed.as_uri()) == [], "no finding of a closed file")
