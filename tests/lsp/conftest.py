"""A real server process, and an editor small enough to be read: it keeps texts, applies edits and waits for news."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Union

import pytest_asyncio
from lsprotocol import types
from lsprotocol.types import CodeAction, Command
from pygls.protocol import default_converter
from pytest_lsp import ClientServerConfig, LanguageClient
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features

from gradsight.analysis.source.text import SourceText
from gradsight.lsp.positions import changed

PATIENCE = 30.0
# The tests can be pointed at another server, such as the one inside a built vsix.
SERVER = shlex.split(os.environ.get("GRADSIGHT_TEST_SERVER", "")) or [
    sys.executable,
    "-c",
    "from gradsight.lsp import main; raise SystemExit(main())",
]


def capabilities(pull: bool = False, encodings: list[str] | None = None) -> types.ClientCapabilities:
    """What a modern editor says about itself; `pull`: it fetches diagnostics by itself."""
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=encodings),
        window=types.WindowClientCapabilities(work_done_progress=True),
        notebook_document=types.NotebookDocumentClientCapabilities(
            synchronization=types.NotebookDocumentSyncClientCapabilities()
        ),
        workspace=types.WorkspaceClientCapabilities(
            apply_edit=True,
            configuration=True,
            workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
            diagnostics=types.DiagnosticWorkspaceClientCapabilities(refresh_support=True) if pull else None,
        ),
        text_document=types.TextDocumentClientCapabilities(
            publish_diagnostics=types.PublishDiagnosticsClientCapabilities(related_information=True),
            diagnostic=types.DiagnosticClientCapabilities() if pull else None,
            code_action=types.CodeActionClientCapabilities(
                data_support=True, resolve_support=types.ClientCodeActionResolveOptions(properties=["edit"])
            ),
        ),
    )


def _converter() -> Any:
    """lsprotocol takes every code action that has a command for a bare Command when it reads one back."""
    converter = default_converter()

    def structure(value: Any, _type: Any) -> Any:
        bare = isinstance(value.get("command"), str)
        return converter.structure(value, types.Command if bare else types.CodeAction)

    for union in (Command | CodeAction, Union[Command, CodeAction], Union[CodeAction, Command]):  # noqa: UP007
        converter.register_structure_hook(union, structure)
    return converter


class Editor:
    """One client of one server process."""

    def __init__(self) -> None:
        self.client = LanguageClient(converter_factory=_converter)
        self.news = asyncio.Condition()
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.published: dict[str, types.PublishDiagnosticsParams] = {}
        self.shown: list[str] = []
        self.logged: list[str] = []
        self.progress: list[Any] = []
        self.refreshes = 0
        self.capabilities: types.ServerCapabilities | None = None

    async def start(
        self, capabilities: types.ClientCapabilities, options: Any = None, root: Path | None = None
    ) -> None:
        own: dict[str, Any] = {
            **DEFAULT_CLIENT_FEATURES,
            types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS: _plain(self._on_publish),
            types.WINDOW_SHOW_MESSAGE: _plain(self._on_show),
            types.WINDOW_LOG_MESSAGE: _plain(self._on_log),
            types.PROGRESS: _plain(self._on_progress),
            types.WORKSPACE_APPLY_EDIT: _plain(self._on_apply_edit),
            types.WORKSPACE_DIAGNOSTIC_REFRESH: _plain(self._on_refresh),
            types.WINDOW_WORK_DONE_PROGRESS_CREATE: _plain(self._on_create_progress),
        }
        register_lsp_features(self.client, own)
        config = ClientServerConfig(server_command=SERVER, client_factory=lambda: self.client)
        await config.start()
        uri = root.as_uri() if root is not None else None
        params = types.InitializeParams(
            capabilities=capabilities,
            root_uri=uri,
            workspace_folders=[types.WorkspaceFolder(uri, root.name)] if root is not None and uri else None,
            initialization_options=options,
        )
        result = await asyncio.wait_for(self.client.initialize_session(params), PATIENCE)
        self.capabilities = result.capabilities

    async def stop(self) -> None:
        try:
            await asyncio.wait_for(self.client.shutdown_session(), PATIENCE)
        finally:
            await asyncio.wait_for(self.client.stop(), PATIENCE)

    @property
    def pid(self) -> int:
        return self.client._server.pid  # type: ignore[union-attr]

    # documents

    def open(self, path: Path, text: str) -> str:
        uri = path.as_uri()
        self.texts[uri], self.versions[uri] = text, 1
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 1, text))
        )
        return uri

    def replace(self, uri: str, text: str) -> None:
        """Type: the whole text is replaced."""
        self.change(uri, [types.TextDocumentContentChangeWholeDocument(text=text)])

    def change(self, uri: str, changes: list[types.TextDocumentContentChangeEvent], encoding: str = "utf-16") -> None:
        for one in changes:
            self.texts[uri] = changed(SourceText(uri, self.texts[uri]), one, encoding)
        self.versions[uri] += 1
        identifier = types.VersionedTextDocumentIdentifier(self.versions[uri], uri)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, changes))

    async def diagnostics(self, uri: str) -> list[types.Diagnostic]:
        """What is pushed for the current version, as soon as it is there."""

        def there() -> bool:
            params = self.published.get(uri)
            return params is not None and params.version == self.versions[uri]

        await self.until(there, f"diagnostics of {uri} version {self.versions[uri]}")
        return list(self.published[uri].diagnostics)

    async def pull(self, uri: str, previous: str | None = None) -> Any:
        params = types.DocumentDiagnosticParams(types.TextDocumentIdentifier(uri), previous_result_id=previous)
        return await asyncio.wait_for(self.client.text_document_diagnostic_async(params), PATIENCE)

    async def hover(self, uri: str, line: int, character: int) -> types.Hover | None:
        params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(line, character))
        return await asyncio.wait_for(self.client.text_document_hover_async(params), PATIENCE)

    async def actions(self, uri: str, line: int, only: list[str] | None = None) -> list[types.CodeAction]:
        """The light bulb on a 0-based line."""
        here = types.Position(line, 0)
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(uri), types.Range(here, here), types.CodeActionContext([], only=only)
        )
        answer = await asyncio.wait_for(self.client.text_document_code_action_async(params), PATIENCE)
        return [action for action in answer or [] if isinstance(action, types.CodeAction)]

    async def choose(self, action: types.CodeAction) -> None:
        """Resolve an action and apply its edit, as a click does."""
        resolved = await asyncio.wait_for(self.client.code_action_resolve_async(action), PATIENCE)
        assert resolved.edit is not None, f"no edit for {action.title}"
        self.apply(resolved.edit)

    def apply(self, edit: types.WorkspaceEdit) -> None:
        for document in edit.document_changes or []:
            assert isinstance(document, types.TextDocumentEdit)
            uri = document.text_document.uri
            assert document.text_document.version in (None, self.versions[uri])
            # Ranges are of the original text: the last edit is applied first.
            ordered = sorted(document.edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True)
            self.change(
                uri, [types.TextDocumentContentChangePartial(range=one.range, text=one.new_text) for one in ordered]
            )

    async def command(self, name: str, *arguments: Any) -> Any:
        params = types.ExecuteCommandParams(name, arguments)
        return await asyncio.wait_for(self.client.workspace_execute_command_async(params), 2 * PATIENCE)

    # news

    async def until(self, there: Callable[[], bool], what: str) -> None:
        async with self.news:
            try:
                await asyncio.wait_for(self.news.wait_for(there), PATIENCE)
            except asyncio.TimeoutError:
                raise AssertionError(f"no {what} within {PATIENCE:.0f} s; log: {self.logged}") from None

    async def _tell(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def _on_publish(self, params: types.PublishDiagnosticsParams) -> None:
        self.published[params.uri] = params
        await self._tell()

    async def _on_show(self, params: types.ShowMessageParams) -> None:
        self.shown.append(params.message)
        await self._tell()

    async def _on_log(self, params: types.LogMessageParams) -> None:
        self.logged.append(params.message)
        await self._tell()

    async def _on_progress(self, params: types.ProgressParams) -> None:
        self.progress.append((params.token, params.value))
        await self._tell()

    async def _on_create_progress(self, params: types.WorkDoneProgressCreateParams) -> None:
        return None

    async def _on_refresh(self, params: None) -> None:
        self.refreshes += 1
        await self._tell()

    async def _on_apply_edit(self, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        self.apply(params.edit)
        return types.ApplyWorkspaceEditResult(applied=True)


def _plain(method: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """A function of the method: pygls marks its handlers with attributes, which a bound method does not take."""

    async def handler(params: Any) -> Any:
        return await method(params)

    return handler


StartEditor = Callable[..., Awaitable[Editor]]
_DEFAULT: Any = object()


@pytest_asyncio.fixture(loop_scope="function")
async def start(tmp_path: Path) -> AsyncIterator[StartEditor]:
    """Starts editors; all of them are stopped in the end."""
    editors: list[Editor] = []

    async def new(pull: bool = False, encodings: list[str] | None = None, options: Any = _DEFAULT) -> Editor:
        editor = Editor()
        if options is _DEFAULT:
            # The interpreter of the tests has torch; the first Python on the PATH need not.
            chosen = {"settings": {"verify": {"python": sys.executable, "device": "auto"}}}
            options = chosen
        editors.append(editor)
        await editor.start(capabilities(pull, encodings), options, tmp_path)
        return editor

    yield new
    for editor in editors:
        await editor.stop()


@pytest_asyncio.fixture(loop_scope="function")
async def editor(start: StartEditor) -> Editor:
    """An editor that gets its diagnostics pushed."""
    return await start()
