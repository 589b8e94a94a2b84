"""Work-done progress of one check: shown where the client can show it, with a cancel button that works."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.capabilities import get_capability

if TYPE_CHECKING:
    from .server import GradsightServer

log = logging.getLogger(__name__)

_CLIENT_PATIENCE = 2.0


class CheckProgress:
    """Begins, reports and ends on one token: the client's own if it sent one, else one the server creates.

    Without either nothing is shown. Pressing cancel sets the event. `report` may be called from any thread.
    """

    def __init__(self, ls: GradsightServer, token: types.ProgressToken | None, cancel: threading.Event) -> None:
        self._ls, self._token, self._cancel = ls, token, cancel
        self._loop = asyncio.get_running_loop()

    async def begin(self, title: str) -> None:
        """Show the progress; a client that does not answer in time gets none."""
        progress = self._ls.work_done_progress
        if self._token is None and get_capability(self._ls.client_capabilities, "window.work_done_progress"):
            token = str(uuid.uuid4())
            try:
                await asyncio.wait_for(progress.create_async(token), _CLIENT_PATIENCE)
                self._token = token
            except Exception as error:
                log.warning("the client created no progress: %r", error)
        if self._token is None:
            return
        progress.begin(self._token, types.WorkDoneProgressBegin(title=title, cancellable=True))
        progress.tokens[self._token].add_done_callback(lambda _: self._cancel.set())

    def report(self, message: str) -> None:
        """One short sentence on what is going on."""
        self._loop.call_soon_threadsafe(self._report, message)

    def end(self, message: str) -> None:
        """Take the progress away, with a last word."""
        if self._token is None:
            return
        self._ls.work_done_progress.end(self._token, types.WorkDoneProgressEnd(message=message))
        self._ls.work_done_progress.tokens.pop(self._token, None)
        self._token = None

    def _report(self, message: str) -> None:
        if self._token is not None:
            self._ls.work_done_progress.report(self._token, types.WorkDoneProgressReport(message=message))
