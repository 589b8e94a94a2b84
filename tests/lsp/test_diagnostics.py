"""Diagnostics as an editor gets them from a real server process."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from .conftest import Editor, StartEditor
from .programs import EX1, EX2, EX3, UNICODE

pytestmark = pytest.mark.asyncio
Severity = types.DiagnosticSeverity


def places(diagnostics: list[types.Diagnostic]) -> list[tuple[str, int, int, types.DiagnosticSeverity | None]]:
    """Rule, 1-based line, 0-based character, severity."""
    return [(str(d.code), d.range.start.line + 1, d.range.start.character, d.severity) for d in diagnostics]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EX1, ("nothing-requires-grad", 2, 0, Severity.Error)),
        (EX2, ("no-grad-block", 5, 4, Severity.Error)),
        (EX3, ("inplace-on-loss-path", 4, 0, Severity.Hint)),
        (EX3.replace("x * 2", "x.exp()"), ("inplace-on-saved", 4, 0, Severity.Error)),
    ],
    ids=["ex1", "ex2", "ex3", "ex3-exp"],
)
async def test_the_three_programs(
    editor: Editor, tmp_path: Path, text: str, expected: tuple[str, int, int, types.DiagnosticSeverity]
) -> None:
    found = places(await editor.diagnostics(editor.open(tmp_path / "ex.py", text)))
    rule, line, _, severity = expected
    assert [(one[0], one[1], one[3]) for one in found] == [(rule, line, severity)]


async def test_everything_a_diagnostic_carries(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    (one,) = await editor.diagnostics(uri)
    assert one.source == "gradsight"
    assert "`y`" in one.message and "`loss`" in one.message
    assert one.code_description is not None and one.code_description.href.endswith("/docs/rules/no-grad-block.md")
    assert one.tags is None
    assert one.data["id"] == "no-grad-block@5:5"
    related = one.related_information
    assert related is not None and {info.location.uri for info in related} == {uri}
    lines = [info.location.range.start.line + 1 for info in related]
    assert {3, 4, 5, 7} <= set(lines), f"source, block, cut and sink are in the story: {lines}"


async def test_half_typed_code_keeps_the_other_diagnostics(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    before = places(await editor.diagnostics(uri))
    editor.replace(uri, EX2 + "z = (x +\nfor i in\n")
    assert places(await editor.diagnostics(uri)) == before
    editor.replace(uri, EX2 + "z = torch.ones(3).\n")
    assert places(await editor.diagnostics(uri)) == before


async def test_a_repaired_text_has_none_and_closing_clears(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex1.py", EX1)
    assert await editor.diagnostics(uri)
    line = types.Range(types.Position(1, 34), types.Position(1, 39))
    editor.change(uri, [types.TextDocumentContentChangePartial(range=line, text="True")])
    assert "requires_grad=True" in editor.texts[uri]
    assert await editor.diagnostics(uri) == []
    editor.replace(uri, EX1)
    assert await editor.diagnostics(uri)
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
    await editor.until(lambda: not editor.published[uri].diagnostics, "empty diagnostics after closing")


@pytest.mark.parametrize(("encoding", "character"), [("utf-16", 15), ("utf-8", 18), ("utf-32", 14)])
async def test_columns_are_the_clients(start: StartEditor, tmp_path: Path, encoding: str, character: int) -> None:
    editor = await start(encodings=[encoding])
    assert editor.capabilities is not None and editor.capabilities.position_encoding == encoding
    uri = editor.open(tmp_path / "ex.py", UNICODE)
    assert places(await editor.diagnostics(uri)) == [("no-grad-block", 4, character, Severity.Error)]
    assert await editor.hover(uri, 3, character) is not None
    # Typing behind é and 😀 must land where the editor meant it.
    here = types.Position(3, character)
    editor.change(
        uri, [types.TextDocumentContentChangePartial(range=types.Range(here, here), text="q = 1; ")], encoding
    )
    assert '    s = "é😀"; q = 1; y = x * 2' in editor.texts[uri].split("\n")
    assert places(await editor.diagnostics(uri)) == [("no-grad-block", 4, character + 7, Severity.Error)]


async def test_a_client_without_an_encoding_counts_in_utf_16(editor: Editor, tmp_path: Path) -> None:
    assert editor.capabilities is not None and editor.capabilities.position_encoding == "utf-16"
    uri = editor.open(tmp_path / "ex.py", UNICODE)
    assert places(await editor.diagnostics(uri)) == [("no-grad-block", 4, 15, Severity.Error)]


async def test_pulled_diagnostics_have_result_ids(start: StartEditor, tmp_path: Path) -> None:
    editor = await start(pull=True)
    assert editor.capabilities is not None and editor.capabilities.diagnostic_provider is not None
    uri = editor.open(tmp_path / "ex2.py", EX2)
    first = await editor.pull(uri)
    assert first.kind == "full" and places(first.items) == [("no-grad-block", 5, 4, Severity.Error)]
    again = await editor.pull(uri, first.result_id)
    assert again.kind == "unchanged" and again.result_id == first.result_id
    editor.replace(uri, EX2 + "# a comment\n")
    assert (await editor.pull(uri, first.result_id)).kind == "unchanged"
    editor.replace(uri, EX1)
    other = await editor.pull(uri, first.result_id)
    assert other.kind == "full" and other.result_id != first.result_id
    assert editor.published == {}, "a client that pulls gets nothing pushed"


async def test_pulling_clients_are_asked_to_pull_again(start: StartEditor, tmp_path: Path) -> None:
    editor = await start(pull=True)
    uri = editor.open(tmp_path / "ex2.py", EX2)
    first = await editor.pull(uri)
    assert len(first.items) == 1
    settings = {"gradsight": {"lint": {"ignore": ["no-grad-block"]}}}
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    await editor.until(lambda: editor.refreshes > 0, "request to pull again")
    assert not (await editor.pull(uri, first.result_id)).items


async def test_fast_typing_ends_with_the_last_text(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex.py", EX1)
    for end in range(1, len(EX2), 7):
        editor.replace(uri, EX2[:end])
    editor.replace(uri, EX2)
    assert places(await editor.diagnostics(uri)) == [("no-grad-block", 5, 4, Severity.Error)]
