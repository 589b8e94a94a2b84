"""Questions to jedi, asked in one worker process that is started at the first one.

    client = JediClient(roots=["/w"])
    answer = client.goto("/w/train.py", text, line=3, column=7, version=12)
    answer.definitions, answer.problem

A question cannot be cancelled inside jedi, so each has a time limit: a worker that exceeds it is killed and the next
question gets a new one. A question about a version that is no longer the newest asked about is not asked at all.
Calls block; make them from a worker thread, never from an event loop.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WORKER = str(Path(__file__).with_name("jedi_worker.py"))
_FAILED_STARTS_MAX = 3
_PAUSE_AFTER_FAILURES = 60.0


@dataclass(frozen=True, slots=True)
class Definition:
    """What a name is: its dotted name, the file and line that define it, and jedi's word for its kind.

    Kinds are "module", "class", "function", "instance", "statement", "param", "property", "namespace", "keyword".
    `module_path` is None for what has no Python source.
    """

    full_name: str
    module_path: str | None
    line: int | None
    kind: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Definitions, or in one sentence why there are none to give (`problem`)."""

    definitions: tuple[Definition, ...] = ()
    problem: str | None = None


class _Lost(Exception):
    """The worker is gone or too slow; the message says which."""


class _Worker:
    """One process and the thread that reads its answers."""

    def __init__(self, options: dict[str, Any]) -> None:
        flags = ["-I", "-S", "-X", "utf8"]
        self.process = subprocess.Popen(
            [sys.executable, *flags, _WORKER, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self.replies: queue.Queue[str | None] = queue.Queue()
        self.sent: dict[str, object] = {}
        self.answered = False
        threading.Thread(target=self._read, name="jedi worker reader", daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self.process.stdout:
                self.replies.put(line)
        self.replies.put(None)

    def ask(self, request: dict[str, Any], limit: float) -> dict[str, Any]:
        """One request, one reply. Raises _Lost."""
        assert self.process.stdin is not None
        # A pipe's buffer is small: writing a long text to a worker that does not read would block without a limit.
        writer = threading.Thread(target=self._write, args=(json.dumps(request) + "\n",), daemon=True)
        deadline = time.monotonic() + limit
        writer.start()
        while True:
            try:
                line = self.replies.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                raise _Lost(f"jedi did not answer within {limit:g} s") from None
            if line is None:
                raise _Lost("the jedi process ended")
            try:
                reply = json.loads(line)
            except ValueError:
                raise _Lost("the jedi process answered nonsense") from None
            if reply.get("id") == request["id"]:
                self.answered = True
                return reply  # type: ignore[no-any-return]

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()


class JediClient:
    """Asks jedi about names of the workspace. Safe to use from several threads; one question at a time.

    `search` are further directories (the user's site-packages) to read sources from. Packages in `closed` are never
    looked at: what torch and numpy do is the engine's own knowledge, and a first question costs seconds (measured:
    numpy 4.2 s, torch 3 to 7 s).
    `limit` is the time one question may take, `first_limit` the time for a process' first one, its start included.
    """

    def __init__(
        self,
        roots: Sequence[str] = (),
        search: Sequence[str] = (),
        closed: Sequence[str] = ("torch", "numpy"),
        limit: float = 2.0,
        first_limit: float = 10.0,
    ) -> None:
        self._options = {
            "roots": [os.path.abspath(root) for root in roots],
            "search": list(search),
            "closed": list(closed),
        }
        self._limits = (limit, first_limit)
        self._lock = threading.Lock()
        self._newest_lock = threading.Lock()
        self._newest: dict[str, int] = {}
        self._worker: _Worker | None = None
        self._next_id = 0
        self._failed_starts = 0
        self._paused_until = 0.0
        self._closed = False

    def goto(self, path: str, text: str, line: int, column: int, version: int | None = None) -> Answer:
        """Where the name at a 1-based position is defined, imports followed."""
        return self._ask("goto", path, text, line, column, version)

    def infer(self, path: str, text: str, line: int, column: int, version: int | None = None) -> Answer:
        """What the expression at a 1-based position evaluates to: the class of an instance, a function, a module."""
        return self._ask("infer", path, text, line, column, version)

    @property
    def pid(self) -> int | None:
        """The process id of the worker, or None while none runs."""
        worker = self._worker
        return None if worker is None or worker.process.poll() is not None else worker.process.pid

    def loaded_modules(self, names: Sequence[str]) -> tuple[str, ...] | None:
        """Which of these modules the worker has imported (for tests); None when it cannot say."""
        with self._lock:
            try:
                return tuple(self._request({"op": "modules", "names": list(names)})["modules"])
            except (_Lost, KeyError):
                return None

    def close(self) -> None:
        """End the worker; later questions are answered with a problem."""
        self._closed = True
        worker = self._worker
        if worker is not None:
            worker.process.kill()  # Ends a question that is under way, so that the lock comes free.
        with self._lock:
            self._drop_worker()

    def __enter__(self) -> JediClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, operation: str, path: str, text: str, line: int, column: int, version: int | None) -> Answer:
        if version is not None:
            with self._newest_lock:
                self._newest[path] = max(version, self._newest.get(path, version))
        with self._lock:
            if self._closed:
                return Answer(problem="jedi was shut down")
            if version is not None and version < self._newest[path]:
                return Answer(problem="a newer version of the text is being asked about")
            key: object = version if version is not None else hash(text)
            request = {"op": operation, "path": path, "version": key, "line": line, "column": column}
            try:
                reply = self._request(request, path, key, text)
            except _Lost as lost:
                return Answer(problem=str(lost))
        if "error" in reply:
            return Answer(problem=f"jedi could not answer ({reply['error']})")
        return Answer(tuple(Definition(**one) for one in reply.get("definitions", ())))

    def _request(
        self, request: dict[str, Any], path: str = "", key: object = None, text: str | None = None
    ) -> dict[str, Any]:
        worker = self._worker_or_start()
        limit = self._limits[0] if worker.answered else self._limits[1]
        try:
            reply: dict[str, Any] = {"need_text": True}
            if text is None or worker.sent.get(path) == key:
                reply = worker.ask(self._numbered(request), limit)
            if reply.get("need_text") and text is not None:
                reply = worker.ask(self._numbered({**request, "text": text}), limit)
                worker.sent[path] = key
        except _Lost:
            if not worker.answered:
                self._failed_starts += 1
                if self._failed_starts >= _FAILED_STARTS_MAX:
                    self._paused_until = time.monotonic() + _PAUSE_AFTER_FAILURES
            self._drop_worker()
            raise
        self._failed_starts = 0
        return reply

    def _numbered(self, request: dict[str, Any]) -> dict[str, Any]:
        self._next_id += 1
        return {**request, "id": self._next_id}

    def _worker_or_start(self) -> _Worker:
        if self._worker is not None:
            if self._worker.process.poll() is None:
                return self._worker
            self._drop_worker()
        if time.monotonic() < self._paused_until:
            raise _Lost("jedi could not be started")
        library = _library_directories()
        if library is None:
            raise _Lost("jedi is not installed")
        try:
            self._worker = _Worker({**self._options, "library": library})
        except OSError as error:
            raise _Lost(f"jedi could not be started ({error.strerror or error})") from None
        return self._worker

    def _drop_worker(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None


def _library_directories() -> list[str] | None:
    """The directories jedi and parso lie in, without importing them."""
    found = []
    for name in ("jedi", "parso"):
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        if spec is None or spec.origin is None:
            return None
        found.append(str(Path(spec.origin).parent.parent))
    return list(dict.fromkeys(found))
