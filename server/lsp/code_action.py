"""The light bulb, and fixing all that is safe (`source.fixAll.gradsight`).

Edits are computed when an action is chosen if the client can resolve them then, else at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.capabilities import get_capability

from ..analysis.report import Finding
from ..features.actions import Action, actions, fix_all
from ..features.findings import Shown, on_lines
from ..session.session import View
from .diagnostics import diagnostic
from .edits import workspace_edit
from .guard import guarded
from .names import VERIFY, VERIFY_FIX

if TYPE_CHECKING:
    from .server import GradsightServer

FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.gradsight"
QUICK_FIX = types.CodeActionKind.QuickFix


def register(server: GradsightServer) -> None:
    """Offer the feature."""
    options = types.CodeActionOptions(code_action_kinds=[QUICK_FIX, FIX_ALL], resolve_provider=True)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)(code_action)
    server.feature(types.CODE_ACTION_RESOLVE)(resolve)


@guarded
async def code_action(ls: GradsightServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """`textDocument/codeAction`: fixes, checks and ignoring for the findings in the range, and fix-all."""
    everything = _wanted(params, FIX_ALL, only_asked=True)

    def asked(view: View) -> list[Finding]:
        return [item.finding for item in (view.shown if everything else _here(ls, view, params))]

    view = await ls.session.tried_view(params.text_document.uri, asked)
    if view is None:
        return []
    result: list[types.CodeAction] = []
    if _wanted(params, QUICK_FIX.value):
        offered = actions(view.document.source, _here(ls, view, params), ls.session.client.trusted)
        result += [_quick_fix(ls, view, index, action) for index, action in enumerate(offered)]
    if everything and fix_all(view.shown):
        action = types.CodeAction(
            title="Fix all safe gradient findings", kind=FIX_ALL, data={"uri": view.document.uri, "all": True}
        )
        result.append(_with_edit(ls, view, action))
    return result


@guarded
async def resolve(ls: GradsightServer, params: types.CodeAction) -> types.CodeAction:
    """The action with its edit. For a text that has changed meanwhile there is none: its places have moved."""
    data: Any = params.data
    if not isinstance(data, dict) or params.edit is not None:
        return params
    view = await ls.session.settled_view(str(data.get("uri")))
    if view is not None and ("version" not in data or view.document.version == data["version"]):
        params.edit = _edit(ls, view, data)
    return params


def _here(ls: GradsightServer, view: View, params: types.CodeActionParams) -> list[Shown]:
    """The findings in the range that the client asks about."""
    places, uri = ls.places(view.document), params.text_document.uri
    first, last = (places.position(uri, place).line for place in (params.range.start, params.range.end))
    return on_lines(view.shown, first, last) if _inside(view, params.range) else []


def _quick_fix(ls: GradsightServer, view: View, index: int, action: Action) -> types.CodeAction:
    finding = action.finding
    result = types.CodeAction(
        title=action.title,
        kind=QUICK_FIX,
        diagnostics=[diagnostic(ls, view, action.shown)],
        is_preferred=action.preferred or None,
    )
    if action.kind in ("check", "fix-and-verify"):
        command = VERIFY if action.kind == "check" else VERIFY_FIX
        place = ls.places(view.document).location(finding.span)
        where = {"uri": place.uri, "line": place.range.start.line + 1, "rule": finding.rule}
        result.command = types.Command(action.title, ls.command_name(command), arguments=[where])
        return result
    result.data = {
        "uri": view.document.uri,
        "version": view.document.version,
        "id": action.shown.id,
        "title": action.title,
    }
    return _with_edit(ls, view, result)


def _with_edit(ls: GradsightServer, view: View, action: types.CodeAction) -> types.CodeAction:
    """Puts the edit in, unless the client asks for it later."""
    later = get_capability(ls.client_capabilities, "text_document.code_action.resolve_support.properties", ())
    keeps_data = get_capability(ls.client_capabilities, "text_document.code_action.data_support")
    if not (keeps_data and "edit" in later):
        data: Any = action.data
        action.edit, action.data = _edit(ls, view, data), None
    return action


def _edit(ls: GradsightServer, view: View, data: dict[str, Any]) -> types.WorkspaceEdit | None:
    if data.get("all"):
        return workspace_edit(ls, view.document, fix_all(view.shown))
    for action in actions(view.document.source, view.shown, can_check=False):
        if (action.shown.id, action.title) == (data.get("id"), data.get("title")):
            return workspace_edit(ls, view.document, action.edits)
    return None


def _inside(view: View, range_: types.Range) -> bool:
    """Whether the range begins in the text: one behind it is no reason to offer what its last line is offered."""
    return bool(view.document.cells) or range_.start.line < view.document.source.line_count


def _wanted(params: types.CodeActionParams, kind: str, only_asked: bool = False) -> bool:
    """Whether the client's filter lets the kind through; `source` actions are given only when asked for."""
    only = params.context.only
    if only is None:
        return not only_asked
    return any(kind == wanted or kind.startswith(f"{wanted}.") for wanted in map(_text, only))


def _text(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else str(kind)
