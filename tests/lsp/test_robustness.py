"""What a server has to survive, and what it must never do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from .conftest import Editor, StartEditor
from .programs import EX1, EX2

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    "options",
    [
        None,
        3,
        "x",
        [],
        {"trusted": "perhaps"},
        {"settings": 7},
        {"settings": {"lint": 3, "verify": []}},
        {"nested": {}},
    ],
    ids=str,
)
async def test_malformed_options_leave_a_working_server(start: StartEditor, tmp_path: Path, options: Any) -> None:
    editor = await start(options=options)
    assert await editor.diagnostics(editor.open(tmp_path / "ex2.py", EX2))


@pytest.mark.parametrize("settings", [None, [], 3, {"gradsight": []}, {"gradsight": {"lint": {"select": 1}}}, {"x": 1}])
async def test_malformed_settings_leave_a_working_server(editor: Editor, tmp_path: Path, settings: Any) -> None:
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    assert await editor.diagnostics(editor.open(tmp_path / "ex2.py", EX2))


async def test_mistakes_in_settings_are_told(editor: Editor) -> None:
    settings = {"gradsight": {"lint": {"select": ["no-grad-blok"]}}}
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    await editor.until(lambda: any("no-grad-blok" in message for message in editor.shown), "message")
    assert any("did you mean `no-grad-block`?" in message for message in editor.shown)


async def test_settings_are_asked_for(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    assert await editor.diagnostics(uri)
    editor.client.set_configuration({"lint": {"ignore": ["no-grad-block"]}}, section="gradsight")
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await editor.until(lambda: not editor.published[uri].diagnostics, "diagnostics without the ignored rule")


async def test_a_watched_pyproject_is_read_again(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    assert await editor.diagnostics(uri)
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.gradsight]\nignore = ["no-grad-block"]\nminimum = 3\n')
    change = types.FileEvent(project.as_uri(), types.FileChangeType.Created)
    editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([change]))
    await editor.until(lambda: not editor.published[uri].diagnostics, "diagnostics without the ignored rule")
    assert any("unknown option `minimum`" in message for message in editor.shown)


async def test_changes_of_unopened_documents_are_passed_over(editor: Editor, tmp_path: Path) -> None:
    nowhere = types.VersionedTextDocumentIdentifier(3, "file:///nowhere/a.py")
    whole: list[types.TextDocumentContentChangeEvent] = [types.TextDocumentContentChangeWholeDocument(text="x")]
    editor.client.text_document_did_change(types.DidChangeTextDocumentParams(nowhere, whole))
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(nowhere))
    assert await editor.hover("file:///nowhere/a.py", 0, 0) is None
    assert await editor.diagnostics(editor.open(tmp_path / "ex2.py", EX2))


async def test_positions_outside_the_text(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex1.py", EX1)
    far = types.Range(types.Position(90, 90), types.Position(99, 0))
    editor.change(uri, [types.TextDocumentContentChangePartial(range=far, text="# the end\n")])
    assert editor.texts[uri].endswith("# the end\n")
    assert await editor.diagnostics(uri)
    assert await editor.actions(uri, 4000) == []


async def test_lines_end_where_python_and_editors_end_them(editor: Editor, tmp_path: Path) -> None:
    """A form feed or U+2028 ends no line; a text with CRLF counts as any other."""
    uri = editor.open(tmp_path / "ex.py", "\x0c# \u2028 x\r\n" + EX2.replace("\n", "\r\n"))
    (one,) = await editor.diagnostics(uri)
    assert one.range.start.line == 5
    here = types.Position(5, 13)
    editor.change(uri, [types.TextDocumentContentChangePartial(range=types.Range(here, here), text="  # x")])
    assert "    y = x * 2  # x\r\n" in editor.texts[uri]
    assert [d.range.start.line for d in await editor.diagnostics(uri)] == [5]


async def test_unknown_requests_are_refused_and_the_server_goes_on(editor: Editor, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no command"):
        await editor.command("gradsight.server.nothing")
    assert await editor.diagnostics(editor.open(tmp_path / "ex2.py", EX2))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_torch_is_never_loaded_into_the_server(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2 + "import torch.nn.functional as F\nz = F.relu(x)\n")
    await editor.diagnostics(uri)
    for line, character in ((0, 9), (2, 5), (2, 12), (3, 13), (4, 4), (5, 8), (9, 5), (9, 7)):
        await editor.hover(uri, line, character)
    await editor.actions(uri, 4)
    maps = Path(f"/proc/{editor.pid}/maps").read_text()
    assert "libpython" in maps or "python" in maps, "this is the server's process"
    assert "libtorch" not in maps and "/torch/" not in maps
