"""When documents are analysed: debounced, one run per document, newest text wins, late results are dropped.

Everything here runs on the event loop's thread except the work itself, which runs in one worker thread. Nothing here
waits on the loop: scheduling returns at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..analysis.check import Cancelled

log = logging.getLogger(__name__)

Job = TypeVar("Job")
Result = TypeVar("Result")
Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Run:
    """A run that is waiting for its delay to pass or being worked on, and what ends with it."""

    token: threading.Event = field(default_factory=threading.Event)
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None  # kept, as the loop itself holds tasks weakly
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def cancel(self) -> None:
        self.token.set()
        if self.timer is not None:
            self.timer.cancel()
        self.done.set()


class Scheduler(Generic[Job, Result]):
    """Runs `work(job, token)` in a worker thread for keys (documents) that were scheduled.

    `take(key)` makes the job when the delay has passed, on the loop's thread, so that it is one snapshot; None means
    there is nothing to do any more. `done(job, result)` gets results of runs that nothing newer has replaced. `rest()`
    is called in the worker thread when nothing waits or works any more.
    """

    def __init__(
        self,
        take: Callable[[str], Job | None],
        work: Callable[[Job, threading.Event], Result],
        done: Callable[[Job, Result], None],
        delay: float = 0.1,
        rest: Callable[[], None] | None = None,
    ) -> None:
        self._take, self._work, self._done, self._rest = take, work, done, rest
        self._delay = delay
        self._runs: dict[str, _Run] = {}
        self._asked: dict[str, set[threading.Event]] = {}
        self._aside: threading.Event | None = None
        # One thread: the analysis is pure Python, so a second one would only slow the first down.
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gradsight-analysis")

    def schedule(self, key: str, delay: float | None = None) -> None:
        """Replace whatever runs or waits for `key` by a new run after the delay."""
        self.forget(key)
        if self._aside is not None:
            self._aside.set()
        run = self._runs[key] = _Run()
        wait = self._delay if delay is None else delay
        run.timer = asyncio.get_running_loop().call_later(wait, self._start, key, run)

    def forget(self, key: str) -> None:
        """Cancel what runs or waits for `key`; its result, if one still comes, is dropped."""
        for token in self._asked.get(key, ()):
            token.set()
        run = self._runs.pop(key, None)
        if run is not None:
            run.cancel()

    def busy(self, key: str) -> bool:
        """Whether a run for `key` waits or works."""
        return key in self._runs

    async def settled(self, key: str) -> None:
        """Return when nothing waits or works for `key`, also when newer runs replace the one that does now."""
        while (run := self._runs.get(key)) is not None:
            await run.done.wait()

    async def aside(self, job: Job, stop: threading.Event) -> Result:
        """Do a job that matters less than any document: once nothing waits or works, and given up when something does.

        Raises Cancelled when it was given up or `stop` is set.
        """
        while self._runs:
            await next(iter(self._runs.values())).done.wait()
        if stop.is_set():
            raise Cancelled
        token = self._aside = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._work, job, token)
        finally:
            self._pause()

    async def asked(self, key: str, work: Callable[[threading.Event], Answer]) -> Answer:
        """Do what a person waits for about `key` in the worker thread, before jobs that matter less.

        Raises Cancelled when `key` is scheduled again meanwhile.
        """
        token = threading.Event()
        self._asked.setdefault(key, set()).add(token)
        if self._aside is not None:
            self._aside.set()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, token)
        finally:
            token.set()  # The request itself may have been cancelled.
            waiting = self._asked.get(key, set())
            waiting.discard(token)
            if not waiting:
                self._asked.pop(key, None)
            self._pause()

    def close(self) -> None:
        """Cancel everything; the worker thread ends after its current poll of the token."""
        for key in [*self._runs, *self._asked]:
            self.forget(key)
        if self._aside is not None:
            self._aside.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, key: str, run: _Run) -> None:
        job = self._take(key)
        if job is None:
            self._finish(key, run)
            return
        run.task = asyncio.ensure_future(self._work_on(key, run, job))

    async def _work_on(self, key: str, run: _Run, job: Job) -> None:
        loop = asyncio.get_running_loop()
        try:
            result = await loop.run_in_executor(self._pool, self._work, job, run.token)
            if not run.token.is_set():
                self._done(job, result)
        except Cancelled:
            pass
        except Exception:
            log.exception("analysis of %s failed", key)
        finally:
            self._finish(key, run)

    def _finish(self, key: str, run: _Run) -> None:
        if self._runs.get(key) is run:
            del self._runs[key]
        run.done.set()
        self._pause()

    def _pause(self) -> None:
        if self._rest is not None and not self._runs:
            with suppress(RuntimeError):  # It was closed.
                self._pool.submit(self._rest)
