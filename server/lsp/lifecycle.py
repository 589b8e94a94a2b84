"""From `initialize` to `shutdown`: what the client can do, its settings, folders and watched files."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.capabilities import get_capability

from . import diagnostics
from .guard import guarded

if TYPE_CHECKING:
    from .server import GradsightServer

log = logging.getLogger(__name__)

SECTION = "gradsight"
_WATCHED = ("**/pyproject.toml", "**/*.py")
_CLIENT_PATIENCE = 5.0


def register(server: GradsightServer) -> None:
    """Take part in start, end and changes of the workspace."""
    server.feature(types.INITIALIZE)(initialize)
    server.feature(types.INITIALIZED)(initialized)
    server.feature(types.SHUTDOWN)(shutdown)
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(did_change_watched_files)
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_folders)


@guarded
def initialize(ls: GradsightServer, params: types.InitializeParams) -> None:
    """`initializationOptions`: {"trusted": bool, "settings": {…}, "clientCommands": bool}, all optional.

    A client that sends no `trusted` has no notion of trust, and its user started the server: code may be run.
    `clientCommands` is for clients that register `gradsight.verify` and `gradsight.verifyFix` themselves, call the
    server's commands from there and show the answer: actions and lenses then carry those names.
    """
    options = params.initialization_options
    if isinstance(options, Mapping):
        ls.client_commands = options.get("clientCommands") is True
        ls.session.configure(options.get("settings"))
        if "trusted" in options:
            ls.session.configure({"trusted": options["trusted"]})
    diagnostics.register_pull(ls)
    _take_folders(ls)


@guarded
async def initialized(ls: GradsightServer, params: types.InitializedParams) -> None:
    """`initialized`: asks to be told of files and settings that change, where the client can."""
    registrations = []
    if get_capability(ls.client_capabilities, "workspace.did_change_watched_files.dynamic_registration"):
        watchers = [types.FileSystemWatcher(glob_pattern=pattern) for pattern in _WATCHED]
        registrations.append(
            types.Registration(
                "gradsight-files",
                types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
                types.DidChangeWatchedFilesRegistrationOptions(watchers),
            )
        )
    if get_capability(ls.client_capabilities, "workspace.did_change_configuration.dynamic_registration"):
        registrations.append(
            types.Registration(
                "gradsight-settings",
                types.WORKSPACE_DID_CHANGE_CONFIGURATION,
                types.DidChangeConfigurationRegistrationOptions(SECTION),
            )
        )
    if registrations:
        request = types.RegistrationParams(registrations)
        try:
            await asyncio.wait_for(ls.client_register_capability_async(request), _CLIENT_PATIENCE)
        except Exception as error:
            log.warning("the client will not tell about changed files and settings: %r", error)
    await _pull_settings(ls)


@guarded
def shutdown(ls: GradsightServer, params: None) -> None:
    """`shutdown`: nothing runs afterwards."""
    ls.session.shutdown()


@guarded
async def did_change_configuration(ls: GradsightServer, params: types.DidChangeConfigurationParams) -> None:
    """Clients of the old kind send the settings along, others want to be asked for them."""
    settings = params.settings
    if isinstance(settings, Mapping) and SECTION in settings:
        ls.session.configure(settings[SECTION])
    elif settings:
        ls.session.configure(settings)
    await _pull_settings(ls)


@guarded
def did_change_watched_files(ls: GradsightServer, params: types.DidChangeWatchedFilesParams) -> None:
    """`workspace/didChangeWatchedFiles`: settings files and sources that changed on disk."""
    paths = {ls.path_of(change.uri) for change in params.changes}
    mine = {path for path in paths if PurePath(path).name == "pyproject.toml" or path.endswith(".py")}
    if mine:
        ls.session.files_changed(mine)


@guarded
def did_change_folders(ls: GradsightServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    """`workspace/didChangeWorkspaceFolders`."""
    _take_folders(ls)


def _take_folders(ls: GradsightServer) -> None:
    uris = list(ls.workspace.folders) or ([ls.workspace.root_uri] if ls.workspace.root_uri else [])
    ls.session.set_roots(ls.path_of(uri) for uri in uris)


async def _pull_settings(ls: GradsightServer) -> None:
    if not get_capability(ls.client_capabilities, "workspace.configuration"):
        return
    request = types.ConfigurationParams([types.ConfigurationItem(section=SECTION)])
    try:
        answer = await asyncio.wait_for(ls.workspace_configuration_async(request), _CLIENT_PATIENCE)
    except Exception as error:
        log.warning("the client did not answer with its settings: %r", error)
        return
    if answer and answer[0]:
        ls.session.configure(answer[0])
