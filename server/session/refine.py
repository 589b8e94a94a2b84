"""The second look: names of other libraries that an analysis did not know are found out, and it runs once more.

Asking means reading sources and, in a process of its own, jedi; it takes milliseconds to seconds, so it happens in a
thread of its own, after a pause, and never delays a report. Everything else runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..analysis.names import Resolver, site_directories
from ..verify import InterpreterNotFound, find_interpreter

log = logging.getLogger(__name__)

PAUSE = 0.25
SECONDS = 8.0
"""How long one round of questions may take."""


@dataclass(frozen=True, slots=True)
class Question:
    """Names a report could not resolve, and where to look: the workspace's roots and the file's interpreter."""

    names: tuple[str, ...]
    path: str
    roots: tuple[str, ...]
    interpreter: str | None


@dataclass(slots=True)
class _Round:
    """A question that waits for its pause to pass or is being asked."""

    stop: threading.Event = field(default_factory=threading.Event)
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        self.stop.set()
        if self.timer is not None:
            self.timer.cancel()


class Refiner:
    """Answers by name, gathered over a session. `learned(uri)` is called when an answer can change a report."""

    def __init__(self, learned: Callable[[str], None], pause: float = PAUSE) -> None:
        self._learned, self._pause = learned, pause
        self._known: dict[str, str] = {}
        self._rounds: dict[str, _Round] = {}
        self._resolvers: dict[tuple[tuple[str, ...], tuple[str, ...]], Resolver] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gradsight-names")

    @property
    def known(self) -> dict[str, str]:
        """What is known now, as a copy for one analysis."""
        return dict(self._known)

    def wonder(self, uri: str, question: Question) -> None:
        """Find out what a document's report did not know; an older question of the same document is dropped."""
        self.forget(uri)
        # An answer may have come while the analysis ran without it.
        if any(self._known.get(name) == "module" for name in question.names):
            self._learned(uri)
            return
        if all(name in self._known for name in question.names):
            return
        waiting = self._rounds[uri] = _Round()
        waiting.timer = asyncio.get_running_loop().call_later(self._pause, self._start, uri, waiting, question)

    def forget(self, uri: str) -> None:
        """Drop a document's question."""
        waiting = self._rounds.pop(uri, None)
        if waiting is not None:
            waiting.cancel()

    def forget_answers(self) -> None:
        """Installed packages may have changed: find out anew."""
        self._known.clear()
        self._close_resolvers()

    def close(self) -> None:
        """Drop all questions and end jedi's process."""
        for uri in list(self._rounds):
            self.forget(uri)
        self._close_resolvers()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _close_resolvers(self) -> None:
        resolvers, self._resolvers = list(self._resolvers.values()), {}
        for resolver in resolvers:
            resolver.close()

    def _start(self, uri: str, waiting: _Round, question: Question) -> None:
        waiting.task = asyncio.ensure_future(self._round(uri, waiting, question))

    async def _round(self, uri: str, waiting: _Round, question: Question) -> None:
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._pool, self._ask, question, waiting.stop)
        except Exception:
            log.exception("names of %s could not be looked up", question.path)
            return
        self._known.update(answers)
        if self._rounds.get(uri) is waiting:
            del self._rounds[uri]
            if "module" in answers.values():
                self._learned(uri)

    def _ask(self, question: Question, stop: threading.Event) -> dict[str, str]:
        """Runs in the thread."""
        if stop.is_set():
            return {}
        try:
            search: Sequence[str] = site_directories(find_interpreter(question.path, question.interpreter))
        except InterpreterNotFound:
            search = ()
        key = (question.roots, tuple(search))
        resolver = self._resolvers.get(key)
        if resolver is None:
            resolver = self._resolvers[key] = Resolver(question.roots, search)
        return resolver.answer(question.names, SECONDS, stop)
