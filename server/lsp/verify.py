"""The commands that run the user's code: `gradsight.server.verify` and `gradsight.server.verifyFix`.

Both take one argument, {"uri": …, "line"?: 1-based, "rule"?: …}, and answer with the JSON of `gradsight verify` and its
details, plus `version` (the document version that was run) and for verifyFix `applied` (whether the text was changed).
What could not be run answers {"path", "results": [], "error": one sentence} or {…, "cancelled": true}.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.capabilities import get_capability

from ..session import checks
from ..verify import CheckCancelled, CheckReport
from .edits import workspace_edit
from .names import VERIFY, VERIFY_FIX
from .progress import CheckProgress

if TYPE_CHECKING:
    from .server import GradsightServer

log = logging.getLogger(__name__)

_CLIENT_PATIENCE = 30.0  # a client may ask its user before it applies an edit


def register(server: GradsightServer) -> None:
    """Offer both commands."""
    server.command(VERIFY)(verify)
    server.command(VERIFY_FIX)(verify_fix)


async def verify(ls: GradsightServer, arguments: Sequence[Any], token: types.ProgressToken | None) -> dict[str, Any]:
    """The command that checks the findings on a line, or all of a document."""
    return await _command(ls, arguments, token, fix=False)


async def verify_fix(
    ls: GradsightServer, arguments: Sequence[Any], token: types.ProgressToken | None
) -> dict[str, Any]:
    """The command that also applies the first fix that was verified."""
    return await _command(ls, arguments, token, fix=True)


async def _command(
    ls: GradsightServer, arguments: Sequence[Any], token: types.ProgressToken | None, fix: bool
) -> dict[str, Any]:
    where = arguments[0] if arguments and isinstance(arguments[0], Mapping) else {}
    uri, line, rule = where.get("uri"), where.get("line"), where.get("rule")
    path = ls.path_of(uri) if isinstance(uri, str) else ""
    try:
        if not isinstance(uri, str):
            raise checks.Refused("The gradient check needs the uri of an open file.")
        if line is not None and (not isinstance(line, (int, float)) or line != int(line)):
            raise checks.Refused("The gradient check needs a whole number as its line.")
        if not ls.session.client.trusted:
            raise checks.Refused(checks.UNTRUSTED)
        view = await ls.session.tried_view(uri, lambda view: view.report.findings if fix else ())
        if view is None:
            raise checks.Refused(f"There is no analysis of {path or uri}: open the file first.")
        if line is not None:
            line = ls.places(view.document).position(uri, types.Position(max(int(line) - 1, 0), 0)).line
        check = checks.prepare(ls.session, view, line, rule if isinstance(rule, str) else None, fix)
        return await _run(ls, check, token, fix)
    except checks.Refused as refusal:
        _say(ls, str(refusal), types.MessageType.Warning)
        return {"path": path, "results": [], "error": str(refusal)}
    except CheckCancelled:
        ls.tell("The gradient check was cancelled.")
        return {"path": path, "results": [], "cancelled": True}
    except Exception:
        log.exception("the gradient check of %s failed", path)
        sentence = "The gradient check failed inside gradsight; the server's log has the details."
        _say(ls, sentence, types.MessageType.Error)
        return {"path": path, "results": [], "error": sentence}


async def _run(
    ls: GradsightServer, check: checks.Check, token: types.ProgressToken | None, fix: bool
) -> dict[str, Any]:
    cancel = threading.Event()
    progress = CheckProgress(ls, token, cancel)
    word = "failed"
    await progress.begin("Fix and verify" if fix else "Gradient check")
    try:
        report = await _in_thread(ls, check, progress, cancel)
        word = ", ".join(dict.fromkeys(result.verdict for result in report.results)) or "nothing to check"
    except (CheckCancelled, asyncio.CancelledError):
        word = "cancelled"
        raise
    finally:
        progress.end(word)
    answer = report.to_json(details=True) | {"version": check.view.document.version}
    if check.view.document.cells:
        answer["cells"] = [
            {"uri": cell.uri, "firstLine": cell.first_line, "label": cell.label, "text": cell.source.text}
            for cell in check.view.document.cells
        ]
    if fix:
        answer["applied"] = await _apply(ls, check, report)
    if not answer.get("applied"):
        ls.session.record(check.view.document.uri, check.view.document.version, checks.outcomes_of(check, report))
    _announce(ls, check, report, fix)
    return answer


async def _in_thread(
    ls: GradsightServer, check: checks.Check, progress: CheckProgress, cancel: threading.Event
) -> CheckReport:
    """Runs the check off the loop. When the request is cancelled the processes are killed before this returns."""
    async with ls.checking:
        if cancel.is_set():
            raise CheckCancelled
        work = asyncio.ensure_future(asyncio.to_thread(check.run, progress.report, cancel))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            cancel.set()
            await asyncio.wait([work], timeout=10)
            if work.done() and not work.cancelled():
                work.exception()  # looked at, so that the loop does not complain: the request is gone
            raise


async def _apply(ls: GradsightServer, check: checks.Check, report: CheckReport) -> bool:
    """Applies the fix that was verified, if the text it was verified on is still the document's."""
    verified = checks.verified_edits(check, report)
    document = check.view.document
    now = ls.session.document(document.uri)
    if verified is None:
        return False
    title, edits = verified
    if now is None or now.version != document.version:
        ls.tell(f"The text has changed since the check began, so the verified fix was not applied: {title}")
        return False
    if not get_capability(ls.client_capabilities, "workspace.apply_edit"):
        ls.tell(f"The editor does not let the server change texts; the verified fix is: {title}")
        return False
    edit = workspace_edit(ls, document, edits)
    if edit is None:
        return False
    answer = await asyncio.wait_for(
        ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, label=title)), _CLIENT_PATIENCE
    )
    return bool(answer.applied)


def _announce(ls: GradsightServer, check: checks.Check, report: CheckReport, fix: bool) -> None:
    """All goes to the log; a message is shown where the diagnostics do not tell it by themselves."""
    for sentence, result in zip(checks.sentences(check, report), report.results, strict=False):
        ls.tell(sentence)
        visible = result.verdict == "confirmed" and (not fix or (result.fix and result.fix.verdict == "verified"))
        if not visible and not ls.client_commands:
            ls.window_show_message(types.ShowMessageParams(types.MessageType.Info, sentence))


def _say(ls: GradsightServer, sentence: str, kind: types.MessageType) -> None:
    ls.tell(sentence, kind)
    ls.window_show_message(types.ShowMessageParams(kind, sentence))
