"""Diagnostics: pushed to clients of the old kind, pulled with result ids by those that can.

A client counts as pulling only if the server can also ask it to pull again: after a check or a change of settings the
text is the same, and nobody would see what has been found out. The cells of a notebook are pushed to every client:
VS Code's pulls for files alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.capabilities import get_capability

from ..analysis.report import Severity, TraceStep
from ..features.findings import Shown
from ..features.rule_pages import rule_url
from ..session.session import View
from .guard import guarded
from .places import of_source

if TYPE_CHECKING:
    from .server import GradsightServer

SOURCE = "gradsight"
SEVERITIES: dict[Severity, types.DiagnosticSeverity] = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}


def register(server: GradsightServer) -> None:
    """Nothing yet: whether pulling is offered depends on the client (see `register_pull`)."""


def register_pull(ls: GradsightServer) -> None:
    """Called from `initialize`, before the server's capabilities are told."""
    if pulls(ls):
        options = types.DiagnosticOptions(inter_file_dependencies=True, workspace_diagnostics=False, identifier=SOURCE)
        ls.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, options)(pull)


def pulls(ls: GradsightServer) -> bool:
    """Whether the client fetches diagnostics itself."""
    can = get_capability(ls.client_capabilities, "text_document.diagnostic") is not None
    return can and bool(get_capability(ls.client_capabilities, "workspace.diagnostics.refresh_support"))


@guarded
async def pull(ls: GradsightServer, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
    """Waits for the analysis of the newest text, so that no half-old report is ever given."""
    view = await ls.session.settled_view(params.text_document.uri)
    pulled = view if view is not None and not view.document.cells else None
    items = of_view(ls, pulled).get(params.text_document.uri, []) if pulled is not None else []
    result_id = _result_id(ls, items)
    if result_id == params.previous_result_id:
        return types.RelatedUnchangedDocumentDiagnosticReport(result_id=result_id)
    return types.RelatedFullDocumentDiagnosticReport(items=items, result_id=result_id)


def published(ls: GradsightServer, uri: str) -> None:
    """What is shown for a document has changed: push it, or let a pulling client know if it cannot know by itself."""
    document = ls.session.document(uri)
    is_notebook = uri in ls.pushed or (document is not None and bool(document.cells))
    if pulls(ls) and not is_notebook:
        version = document.version if document is not None else None
        if ls.refresh.is_news(uri, version):
            ls.refresh.soon(ls)
        return
    view = ls.session.view(uri)
    items = of_view(ls, view) if view is not None else {}
    before = ls.pushed.pop(uri, () if items else (uri,))
    gone = [old for old in before if old not in items]
    if items:
        ls.pushed[uri] = tuple(items)
    version = document.version if document is not None and not document.cells else None
    for place, found in {**{old: [] for old in gone}, **items}.items():
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(place, found, version))


def found(ls: GradsightServer, path: str, view: View | None) -> None:
    """What is shown for a file that is not open: pushed to every client, as one that pulls asks for open documents."""
    uri = ls.uri_of(path)
    items = of_view(ls, view).get(view.document.uri, []) if view is not None else []
    ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, items))


def of_view(ls: GradsightServer, view: View) -> dict[str, list[types.Diagnostic]]:
    """The diagnostics of a document by the uris it has in the client: its own, or those of its cells."""
    places = ls.places(view.document)
    result: dict[str, list[types.Diagnostic]] = {uri: [] for uri in places.uris}
    for item in view.shown:
        result[places.location(item.finding.span).uri].append(diagnostic(ls, view, item))
    return result


def diagnostic(ls: GradsightServer, view: View, item: Shown) -> types.Diagnostic:
    """One finding as the client shows it; `data` names it for code actions."""
    finding = item.finding
    related = get_capability(ls.client_capabilities, "text_document.publish_diagnostics.related_information")
    related = related or get_capability(ls.client_capabilities, "text_document.diagnostic.related_information")
    return types.Diagnostic(
        range=ls.places(view.document).location(finding.span).range,
        message=item.message,
        severity=SEVERITIES[finding.severity],
        code=finding.rule,
        code_description=types.CodeDescription(rule_url(finding.rule)),
        source=SOURCE,
        related_information=[_related(ls, view, step) for step in finding.trace] if related else None,
        data={"id": item.id, "version": view.document.version},
    )


def _related(ls: GradsightServer, view: View, step: TraceStep) -> types.DiagnosticRelatedInformation:
    path = step.span.path
    if path == view.document.path:
        location = ls.places(view.document).location(step.span)
    else:
        location = of_source(ls.source(path), ls.uri_of(path), step.span, ls.encoding)
    return types.DiagnosticRelatedInformation(location, step.message)


def _result_id(ls: GradsightServer, items: list[types.Diagnostic]) -> str:
    """Two reports with one id are equal as shown. The version in `data` is not shown, and the id leaves it out."""
    shown = [ls.protocol._converter.unstructure(item) for item in items]
    for item in shown:
        item.get("data", {}).pop("version", None)
    return hashlib.sha1(json.dumps(shown, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


class Refresh:
    """Asks a pulling client to pull again: once for many changes, and only for those it cannot know of."""

    def __init__(self) -> None:
        self._seen: dict[str, int | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def is_news(self, uri: str, version: int | None) -> bool:
        """False for the first report of a version: the change of the text made the client pull it already."""
        if version is None:
            self._seen.pop(uri, None)
            return False
        known = self._seen.get(uri) == version
        self._seen[uri] = version
        return known

    def soon(self, ls: GradsightServer) -> None:
        """Send the requests after a moment in which more may be changed."""
        if self._timer is None or self._timer.when() < asyncio.get_running_loop().time():
            self._timer = asyncio.get_running_loop().call_later(0.05, self._send, ls)

    def _send(self, ls: GradsightServer) -> None:
        self._timer = None
        ls.workspace_diagnostic_refresh(None)
        if get_capability(ls.client_capabilities, "workspace.code_lens.refresh_support"):
            ls.workspace_code_lens_refresh(None)
        if get_capability(ls.client_capabilities, "workspace.inlay_hint.refresh_support"):
            ls.workspace_inlay_hint_refresh(None)
