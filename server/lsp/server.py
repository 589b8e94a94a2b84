"""The server object, what it is wired from, and how it is run."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from .. import __version__
from ..analysis.source.text import SourceText
from ..session.documents import Document
from ..session.session import Session
from . import code_action, code_lens, diagnostics, documents, hover, inlay_hint, lifecycle, notebooks, verify
from .names import CLIENT_COMMANDS
from .places import Places
from .positions import Encoding
from .protocol import GradsightProtocol

log = logging.getLogger(__name__)


class GradsightServer(LanguageServer):
    """One connection: the session behind it and what the client at the other end can do."""

    def __init__(self) -> None:
        super().__init__(
            "gradsight", __version__, notebook_document_sync=notebooks.SYNC, protocol_cls=GradsightProtocol
        )
        self.session = Session(
            published=lambda uri: diagnostics.published(self, uri),
            warn=self.warn,
            found=lambda path, view: diagnostics.found(self, path, view),
        )
        self.checking = asyncio.Lock()  # one check at a time: two would share a GPU and disturb each other's timing
        self.refresh = diagnostics.Refresh()
        self.pushed: dict[str, tuple[str, ...]] = {}  # by document, the uris that diagnostics were pushed for
        self.client_commands = False  # the client's own commands call ours and show what they answer

    @property
    def encoding(self) -> Encoding:
        """The unit in which the client counts columns."""
        return self.workspace.position_encoding or types.PositionEncodingKind.Utf16

    def source(self, path: str) -> SourceText:
        """The text that positions in `path` refer to."""
        return self.session.source_of(path)

    def places(self, document: Document) -> Places:
        """Where the document's places are for this client."""
        return Places(document, self.encoding)

    def uri_of(self, path: str) -> str:
        """The uri of a file as the client writes it."""
        for uri in self.session.uris():
            document = self.session.document(uri)
            if document is not None and document.path == path:
                return uri
        return from_fs_path(path) or path

    def path_of(self, uri: str) -> str:
        """The path of a uri; the uri itself for what no file holds."""
        return to_fs_path(uri) or uri

    def command_name(self, name: str) -> str:
        """What an action or a lens has to name so that this client runs one of our commands."""
        return CLIENT_COMMANDS[name] if self.client_commands else name

    def tell(self, message: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """A line in the client's log."""
        self.window_log_message(types.LogMessageParams(kind, message))

    def warn(self, message: str) -> None:
        """A mistake of the user's, shown to them once and kept in the log."""
        self.tell(message, types.MessageType.Warning)
        self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, f"gradsight: {message}"))

    def report_server_error(self, error: Exception, source: object) -> None:
        """pygls calls this for what it could not handle: our defect or the client's, for the log in either case."""
        log.error("%s: %s", getattr(source, "__name__", source), error)


def create() -> GradsightServer:
    """A server with all features registered."""
    server = GradsightServer()
    for feature in (lifecycle, documents, notebooks, diagnostics, hover, code_action, code_lens, inlay_hint, verify):
        feature.register(server)
    return server


def serve() -> int:
    """Serve over standard input and output until the client says `exit` or is gone."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    level = os.environ.get("GRADSIGHT_LOG", "").upper()
    logging.getLogger("gradsight").setLevel("DEBUG" if level == "DEBUG" else "INFO")
    # The protocol gets descriptors of its own. Whatever prints from now on writes to the log, and no child process
    # can read the client's messages.
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    server = create()
    try:
        server.start_io(incoming, outgoing)
    finally:
        server.session.shutdown()
    return 0
