"""The check from an editor: real subprocesses with real torch behind a real server."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from lsprotocol import types

from gradsight.lsp.names import VERIFY, VERIFY_FIX
from gradsight.session.checks import UNTRUSTED

from .conftest import PATIENCE, Editor, StartEditor
from .programs import ENDLESS, EX2, EX3

pytestmark = pytest.mark.asyncio


def begins(editor: Editor) -> list[Any]:
    return [token for token, value in editor.progress if _kind(value) == "begin"]


def ends(editor: Editor) -> list[Any]:
    return [token for token, value in editor.progress if _kind(value) == "end"]


def _kind(value: Any) -> str:
    return value["kind"] if isinstance(value, dict) else value.kind


def _children(editor: Editor) -> list[psutil.Process]:
    return [child for child in psutil.Process(editor.pid).children(recursive=True) if child.is_running()]


async def _gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those still alive after a while; waiting for processes is waiting for an event."""
    return (await asyncio.to_thread(psutil.wait_procs, processes, PATIENCE))[1]


async def test_confirmed_is_shown_in_the_diagnostic(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    (before,) = await editor.diagnostics(uri)
    answer = await editor.command(VERIFY, {"uri": uri, "line": 5, "rule": "no-grad-block"})
    (result,) = answer["results"]
    assert (result["rule"], result["line"], result["verdict"]) == ("no-grad-block", 5, "confirmed")
    assert result["raised"]["type"] == "RuntimeError" and result["raised"]["line"] == 7
    assert [leaf["grad"] for leaf in result["leaves"] if leaf["name"] == "x"] == ["none"]
    assert answer["path"].endswith("ex2.py") and answer["device"] and answer["torch"] and answer["version"] == 1
    await editor.until(lambda: "confirmed" in editor.published[uri].diagnostics[0].message, "a confirmed diagnostic")
    (after,) = editor.published[uri].diagnostics
    assert after.message.startswith(f"{before.message} (confirmed on {answer['device']}: ")
    assert after.message.endswith(")") and "`x.grad` is None" in after.message
    assert begins(editor) and begins(editor) == ends(editor)
    # A change of the text makes the observation one of another program.
    editor.replace(uri, EX2 + "\n")
    assert [one.message for one in await editor.diagnostics(uri)] == [before.message]


async def test_fix_and_verify_changes_the_text(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    answer = await editor.command(VERIFY_FIX, {"uri": uri, "line": 5})
    assert answer["applied"] is True
    assert answer["results"][0]["fix"]["verdict"] == "verified"
    assert editor.versions[uri] > 1
    lines = editor.texts[uri].split("\n")
    assert "y = x * 2" in lines, "moved out of the block"
    assert await editor.diagnostics(uri) == []


async def test_a_hint_stays_and_says_what_was_seen(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex3.py", EX3)
    (before,) = await editor.diagnostics(uri)
    answer = await editor.command(VERIFY, {"uri": uri})
    assert answer["results"][0]["verdict"] == "refuted"
    await editor.until(
        lambda: any(one.message != before.message for one in editor.published[uri].diagnostics), "the outcome"
    )
    (after,) = editor.published[uri].diagnostics
    assert after.message.startswith(f"{before.message} (checked on ")
    assert any("refuted" in line for line in editor.logged)


@pytest.mark.parametrize("how", ["progress", "request"])
async def test_cancelling_an_endless_check(editor: Editor, tmp_path: Path, how: str) -> None:
    uri = editor.open(tmp_path / "endless.py", ENDLESS)
    assert await editor.diagnostics(uri)
    client = editor.client
    params = types.ExecuteCommandParams(VERIFY, [{"uri": uri}])
    request = asyncio.ensure_future(
        client.protocol.send_request_async(types.WORKSPACE_EXECUTE_COMMAND, params, msg_id="the-check")
    )
    await editor.until(lambda: bool(begins(editor)), "progress")
    while not (started := _children(editor)):  # no message tells when a process begins
        await asyncio.sleep(0.05)
    # The server answers all the while.
    assert await editor.hover(uri, 3, 4) is not None
    cancelled_at = time.monotonic()
    if how == "progress":
        client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(begins(editor)[0]))
        answer = await asyncio.wait_for(request, PATIENCE)
        assert answer["cancelled"] is True and answer["results"] == []
    else:
        client.cancel_request(types.CancelParams("the-check"))
        with pytest.raises(Exception, match=r"(?i)cancel"):
            await asyncio.wait_for(request, PATIENCE)
    await editor.until(lambda: bool(ends(editor)), "end of the progress")
    assert await _gone(started) == [], "the processes of a cancelled check are killed"
    assert time.monotonic() - cancelled_at < 10
    assert await editor.diagnostics(uri), "a cancelled check changes nothing"


async def test_a_text_that_changed_meanwhile_is_left_alone(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    await editor.diagnostics(uri)
    request = asyncio.ensure_future(editor.command(VERIFY_FIX, {"uri": uri}))
    await editor.until(lambda: bool(begins(editor)), "progress")
    changed = "# typed while the check ran\n" + EX2
    editor.replace(uri, changed)
    answer = await request
    assert answer["applied"] is False
    assert editor.texts[uri] == changed
    assert all("confirmed" not in one.message for one in await editor.diagnostics(uri))


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({"line": 5}, "needs the uri"),
        ({"uri": "file:///nowhere/a.py"}, "open the file first"),
        ("nonsense", "needs the uri"),
        ({"uri": None, "line": "x"}, "needs the uri"),
    ],
)
async def test_what_cannot_be_checked_is_one_sentence(editor: Editor, argument: Any, sentence: str) -> None:
    answer = await editor.command(VERIFY, argument)
    assert sentence in answer["error"] and "\n" not in answer["error"]
    await editor.until(lambda: any(sentence in message for message in editor.shown), "a message")


async def test_a_line_without_a_finding(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    answer = await editor.command(VERIFY, {"uri": uri, "line": 1})
    assert answer["error"] == "There is no finding on line 1 to check."


async def test_a_sink_stands_for_the_findings_that_end_there(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "ex2.py", EX2)
    answer = await editor.command(VERIFY, {"uri": uri, "line": 7})
    assert [result["line"] for result in answer["results"]] == [5]


async def test_untrusted_workspaces_run_nothing(start: StartEditor, tmp_path: Path) -> None:
    editor = await start(options={"trusted": False})
    marker = tmp_path / "it-ran"
    uri = editor.open(tmp_path / "ex2.py", f"open({str(marker)!r}, 'w')\n{EX2}")
    for command in (VERIFY, VERIFY_FIX):
        assert (await editor.command(command, {"uri": uri}))["error"] == UNTRUSTED
    assert not marker.exists() and _children(editor) == []
    await editor.until(lambda: UNTRUSTED in editor.shown, "a message")


async def test_an_interpreter_that_does_not_exist(start: StartEditor, tmp_path: Path) -> None:
    editor = await start(options={"settings": {"verify": {"python": str(tmp_path / "no-python")}}})
    uri = editor.open(tmp_path / "ex2.py", EX2)
    answer = await editor.command(VERIFY, {"uri": uri})
    assert "no-python" in answer["error"] and "\n" not in answer["error"]


STEP = "import torch\n\nlayer = torch.nn.Linear(3, 1)\n\n\ndef step(x):\n    loss = layer(x).exp().sum()\n"
STEP += "    loss.backward()\n    loss.backward()\n"


async def test_the_entry_point_of_the_project_runs_beside_its_settings(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.gradsight.verify]\nentry = 'pytest tests/test_step.py'\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_step.py").write_text(
        "import torch\nfrom src.steps import step\n\n\ndef test_step():\n    step(torch.ones(2, 3))\n"
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "steps.py").write_text("raise SystemExit('the text on disk must not run')\n")
    uri = editor.open(tmp_path / "src" / "steps.py", STEP)
    await editor.diagnostics(uri)
    answer = await editor.command(VERIFY, {"uri": uri})
    assert [result["verdict"] for result in answer["results"]] == ["confirmed"], answer
    assert answer["notes"][0] == "Run by `pytest tests/test_step.py`."
