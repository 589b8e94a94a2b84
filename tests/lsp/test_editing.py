"""Hover, the light bulb and the lens, from a real server process."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from gradsight.lsp.names import VERIFY, VERIFY_FIX

from .conftest import Editor, StartEditor
from .programs import EX1, EX2, EX3

pytestmark = pytest.mark.asyncio


def markdown(hover: types.Hover | None) -> str:
    assert hover is not None
    assert isinstance(hover.contents, types.MarkupContent)
    return hover.contents.value


async def test_hover_tells_the_path_and_where_it_is_cut(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    text = markdown(await editor.hover(uri, 4, 4))
    assert "`y`" in text
    assert "```text" in text and "╳  5      y = x * 2" in text
    assert "PyTorch will say at line 7" in text
    assert "docs/rules/no-grad-block.md" in text


async def test_hover_on_a_healthy_tensor(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex3.py", EX3)
    text = markdown(await editor.hover(uri, 4, 7))
    assert "`y`" in text and "error" not in text


async def test_hover_where_there_is_no_tensor(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    assert await editor.hover(uri, 1, 0) is None
    assert await editor.hover(uri, 500, 3) is None


async def test_hover_on_a_suppression_comment(editor: Editor, tmp_path: Path) -> None:
    text = EX2.replace("y = x * 2", "y = x * 2  # gradsight: ignore[no-grad-block]")
    uri = editor.open(tmp_path / "ex2.py", text)
    assert "no-grad-block" in markdown(await editor.hover(uri, 4, 30))


async def test_the_light_bulb_in_its_order(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    offered = await editor.actions(uri, 4)
    titles = [action.title for action in offered]
    assert titles[0].startswith("Move `y = x * 2`")
    assert titles[1:] == ["Run gradient check on CUDA", "Fix and verify", "Ignore `no-grad-block` on this line"]
    assert [bool(action.is_preferred) for action in offered] == [True, False, False, False]
    assert [action.command.command for action in offered if action.command] == [VERIFY, VERIFY_FIX]
    assert offered[1].command is not None
    assert list(offered[1].command.arguments or ()) == [{"uri": uri, "line": 5, "rule": "no-grad-block"}]
    assert editor.capabilities is not None and editor.capabilities.execute_command_provider is not None
    assert {VERIFY, VERIFY_FIX} <= set(editor.capabilities.execute_command_provider.commands)
    assert await editor.actions(uri, 0) == []


@pytest.mark.parametrize("text", [EX1, EX2], ids=["ex1", "ex2"])
async def test_the_fix_makes_the_diagnostic_go(editor: Editor, tmp_path: Path, text: str) -> None:
    uri = editor.open(tmp_path / "ex.py", text)
    (one,) = await editor.diagnostics(uri)
    fix = (await editor.actions(uri, one.range.start.line))[0]
    assert fix.edit is None, "this editor resolves the edit when the action is chosen"
    await editor.choose(fix)
    assert await editor.diagnostics(uri) == []
    compile(editor.texts[uri], "fixed", "exec")


async def test_a_fix_says_what_comes_next_and_is_not_preferred(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "two.py", EX2.replace("loss = y.sum()", "z = y.exp()\nz.add_(1)\nloss = z.sum()"))
    fix = (await editor.actions(uri, 4))[0]
    assert fix.title.endswith("(then comes `inplace-on-saved`)") and not fix.is_preferred
    await editor.choose(fix)
    assert [one.code for one in await editor.diagnostics(uri)] == ["inplace-on-saved"]


async def test_a_fix_that_does_not_help_is_not_offered(editor: Editor, tmp_path: Path) -> None:
    text = EX2.replace("with torch.no_grad():\n    y = x * 2", "y = x.detach().argmax(-1) * x.new_ones(1)")
    uri = editor.open(tmp_path / "argmax.py", text)
    assert "detached-value" in [one.code for one in await editor.diagnostics(uri)]
    assert not [action.title for action in await editor.actions(uri, 3) if action.title.startswith("Drop")]


async def test_the_ignore_comment(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    await editor.choose((await editor.actions(uri, 4))[-1])
    assert editor.texts[uri].split("\n")[4] == "    y = x * 2  # gradsight: ignore[no-grad-block]"
    assert await editor.diagnostics(uri) == []


async def test_an_action_for_an_old_text_has_no_edit(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    fix = (await editor.actions(uri, 4))[0]
    editor.replace(uri, "import os\n" + EX2)
    assert (await editor.client.code_action_resolve_async(fix)).edit is None


async def test_fix_all_is_given_when_asked_for(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    (fix,) = await editor.actions(uri, 0, only=["source.fixAll"])
    assert fix.kind == "source.fixAll.gradsight"
    await editor.choose(fix)
    assert await editor.diagnostics(uri) == []


async def test_the_lens_over_backward(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    params = types.CodeLensParams(types.TextDocumentIdentifier(uri))
    (lens,) = await editor.client.text_document_code_lens_async(params) or []
    assert lens.range.start.line == 6 and lens.command is not None
    assert lens.command.title == "gradient reaches 0 of 1 trainable tensor · 1 cut at line 5 · run check"
    assert lens.command.command == VERIFY and list(lens.command.arguments or ()) == [{"uri": uri, "line": 7}]


async def test_a_client_with_commands_of_its_own(start: StartEditor, tmp_path: Path) -> None:
    editor = await start(options={"clientCommands": True})
    uri = editor.open(tmp_path / "ex2.py", EX2)
    named = [action.command.command for action in await editor.actions(uri, 4) if action.command]
    assert named == ["gradsight.verify", "gradsight.verifyFix"]


async def test_no_check_is_offered_in_an_untrusted_workspace(start: StartEditor, tmp_path: Path) -> None:
    editor = await start(options={"trusted": False})
    uri = editor.open(tmp_path / "ex2.py", EX2)
    offered = await editor.actions(uri, 4)
    assert len(offered) == 2 and all(action.command is None for action in offered)
    trust = types.DidChangeConfigurationParams({"gradsight": {"trusted": True}})
    editor.client.workspace_did_change_configuration(trust)
    assert len(await editor.actions(uri, 4)) == 4


async def test_inlay_hints_for_those_who_want_them(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "cut.py", EX2)
    lines = types.Range(types.Position(0, 0), types.Position(EX2.count("\n"), 0))
    request = types.InlayHintParams(types.TextDocumentIdentifier(uri), lines)
    assert not await editor.client.text_document_inlay_hint_async(request)
    settings = {"gradsight": {"inlayHints": True}}
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    hints = await editor.client.text_document_inlay_hint_async(request)
    assert hints is not None
    shown = [(EX2.split("\n")[hint.position.line][: hint.position.character].strip(), hint.label) for hint in hints]
    assert shown == [("x", "leaf that requires grad"), ("y", "no gradient"), ("loss", "no gradient")]
    assert isinstance(hints[1].tooltip, types.MarkupContent)
    assert hints[1].tooltip.value == "`y`: no gradient, computed under `torch.no_grad()` at line 5"
