"""The workspace's files that are not open: analysed one by one in the background, for those who want their findings.

An open document always goes first: a file is taken when nothing open waits, and given up when something open changes.
Of a file only what is told remains, as no one can hover in it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from ..analysis.check import Cancelled
from ..analysis.names import read_source
from ..analysis.report import FileReport
from ..analysis.source.files import walk
from .documents import Document, opened

log = logging.getLogger(__name__)

Analyse = Callable[[Document, threading.Event], Awaitable[FileReport]]


class ClosedFiles:
    """`analyse(document, token)` runs when nothing more important does and raises Cancelled when something came up;
    `is_open(path)` says which files are left to their documents; `told(document, report)` gets each result, and None
    for a file that has none any more.
    """

    def __init__(
        self, analyse: Analyse, is_open: Callable[[str], bool], told: Callable[[str, Document | None, FileReport], None]
    ) -> None:
        self._analyse, self._is_open, self._told = analyse, is_open, told
        self._roots: tuple[str, ...] = ()
        self._shown: set[str] = set()  # paths that findings were told of
        self._waiting: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._token = threading.Event()

    def look_at(self, roots: Iterable[str]) -> None:
        """Look at all files below these folders from now on, and at no others; at none without folders."""
        roots = tuple(roots)
        self._stop()
        self._roots = roots
        if not roots:
            for path in sorted(self._shown):
                self._forget(path)
        else:
            self._start(None)

    def changed(self, paths: Iterable[str]) -> None:
        """Files came, went or changed on disk: they and those that import them are looked at again."""
        if self._roots:
            self._start(set(paths))

    def opened(self, path: str) -> None:
        """A file is open from now on: what was told of it as a closed one is taken back."""
        if path in self._shown:
            self._forget(path)

    def close(self) -> None:
        """Stop; nothing is told any more."""
        self._stop()
        self._roots = ()

    def _forget(self, path: str) -> None:
        self._shown.discard(path)
        self._told(path, None, FileReport(path))

    def _stop(self) -> None:
        self._token.set()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._waiting.clear()

    def _start(self, changed: set[str] | None) -> None:
        """Look at the files that changed and at what is still waiting; at all with None."""
        waiting = set(self._waiting)
        everything = changed is None or (self._task is not None and not self._task.done() and not waiting)
        self._stop()
        self._token = threading.Event()
        wanted = None if everything else waiting | (changed or set())
        self._waiting = set(wanted or ())
        self._task = asyncio.ensure_future(self._run(wanted, waiting, self._token))

    async def _run(self, wanted: set[str] | None, surely: set[str], token: threading.Event) -> None:
        try:
            loop = asyncio.get_running_loop()
            paths, gone = await loop.run_in_executor(None, _affected, self._roots, wanted, surely)
            for path in sorted(gone & self._shown):
                self._forget(path)
            self._waiting = set(paths)
            for path in paths:
                await self._one(path, token)
                self._waiting.discard(path)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("the files of the workspace could not be analysed")

    async def _one(self, path: str, token: threading.Event) -> None:
        while not self._is_open(path):
            try:
                text = await asyncio.get_running_loop().run_in_executor(None, read_source, path)
            except OSError:
                text = ""
            document = opened(Path(path).as_uri(), path, text, 0)
            try:
                report = await self._analyse(document, token)
            except Cancelled:
                continue  # An open document needed the thread.
            if report.findings and not self._is_open(path):
                self._shown.add(path)
                self._told(path, document, report)
            elif path in self._shown:
                self._forget(path)
            return


def _affected(roots: tuple[str, ...], changed: set[str] | None, surely: set[str]) -> tuple[list[str], set[str]]:
    """The files to look at in the order of the folders, and those of the changed ones that are gone.

    A file that names a changed module beside an `import` may import it, which is reason enough.
    """
    files = list(dict.fromkeys(path for root in roots for path in walk(root)))
    if changed is None:
        return files, set()
    names = {Path(path).parent.name if Path(path).stem == "__init__" else Path(path).stem for path in changed - surely}
    found = []
    for path in files:
        if path in changed:
            found.append(path)
        elif names:
            try:
                text = read_source(path)
            except OSError:
                continue
            if "import" in text and any(name in text for name in names):
                found.append(path)
    return found, changed - set(files)
