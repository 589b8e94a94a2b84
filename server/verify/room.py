"""The locked room: starts the probe in a process group of its own, limits it, reads what it says, and ends it whole.

A child is over when it sent `end`, when it died, when the time is up, or when the check is cancelled; whichever comes
first, its group is killed, and on Linux also processes that left the group but still carry its marker in their
environment. Nothing here waits for a pipe to close: a grandchild may hold it open.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .bundle import PROBE, bundle
from .environment import clean_environment
from .frames import FrameReader
from .verdicts import CheckCancelled

TAIL_BYTES = 64 << 10
MOST_OUTPUT = 8 << 30
GRACE = 2.0
POSIX = os.name == "posix"


@dataclass(slots=True)
class Heard:
    """All that came out of one run. `ended` tells why it is over: "end", "exit", "timeout", "flood", "start"."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    ended: str = "exit"
    returncode: int | None = None
    output: str = ""
    seconds: float = 0.0
    error: str = ""

    def last(self, kind: str) -> dict[str, Any] | None:
        """The last message of a kind; None if none came."""
        return next((m for m in reversed(self.messages) if m.get("kind") == kind), None)


class _Tail:
    """Drains a stream on a thread and keeps its end."""

    def __init__(self, stream: IO[bytes], sink: Callable[[bytes], None] | None = None) -> None:
        self.kept = bytearray()
        self.total = 0
        self._stream = stream
        self._sink = sink
        self.thread = threading.Thread(target=self._drain, daemon=True)
        self.thread.start()

    def _drain(self) -> None:
        fd = self._stream.fileno()
        with contextlib.suppress(OSError, ValueError):
            while True:
                data = os.read(fd, 1 << 20)
                if not data:
                    return
                self.total += len(data)
                if self._sink is not None:
                    self._sink(data)
                    continue
                self.kept += data
                if len(self.kept) > 2 * TAIL_BYTES:
                    del self.kept[:-TAIL_BYTES]

    def text(self) -> str:
        data = bytes(self.kept[-TAIL_BYTES:])
        text = data.decode("utf-8", "replace")
        return text if self.total <= len(data) else f"[{self.total - len(data)} bytes left out]\n" + text


def run_probe(
    plan: dict[str, Any],
    *,
    interpreter: str,
    cwd: str,
    timeout: float,
    device: str,
    launcher: tuple[str, ...] = (),
    cancel: threading.Event | None = None,
    on_message: Callable[[dict[str, Any]], None] | None = None,
) -> Heard:
    """Run the plan once. Never raises for what the program does; raises CheckCancelled when `cancel` is set."""
    nonce = secrets.token_hex(12)
    folder = tempfile.mkdtemp(prefix="gradsight-")
    plan = {**plan, "nonce": nonce}
    started = time.monotonic()
    heard = Heard()
    run = None
    try:
        run = _Run(plan, nonce, folder, interpreter, cwd, device, launcher)
        run.start()
        _wait(run, heard, started + timeout, cancel, on_message)
    except OSError as error:
        heard.ended, heard.error = "start", f"`{interpreter}` could not be started: {error.strerror or error}."
    finally:
        if run is not None:
            run.kill()
            heard.output = run.output()
        shutil.rmtree(folder, ignore_errors=True)
        heard.seconds = time.monotonic() - started
    return heard


def _wait(
    run: _Run,
    heard: Heard,
    deadline: float,
    cancel: threading.Event | None,
    on_message: Callable[[dict[str, Any]], None] | None,
) -> None:
    grace = None
    while True:
        run.woken.wait(0.05)
        dead = run.process.poll() is not None
        if dead:
            run.drain(0.5)
        for message in run.take():
            heard.messages.append(message)
            if on_message is not None:
                on_message(message)
            if message.get("kind") in ("end", "stopping") and grace is None:
                heard.ended, grace = "end", time.monotonic() + GRACE
        if cancel is not None and cancel.is_set():
            raise CheckCancelled("The check was cancelled.")
        if dead:
            heard.returncode = run.process.returncode
            return
        now = time.monotonic()
        if grace is not None and now > grace:
            return
        if grace is None and now > deadline:
            heard.ended = "timeout"
            return
        if grace is None and run.output_bytes() > MOST_OUTPUT:
            heard.ended = "flood"
            return


class _Run:
    """One child with its pipes."""

    def __init__(
        self,
        plan: dict[str, Any],
        nonce: str,
        folder: str,
        interpreter: str,
        cwd: str,
        device: str,
        launcher: tuple[str, ...],
    ) -> None:
        self.plan, self.folder, self.cwd, self.launcher = plan, folder, cwd, launcher
        self.interpreter = interpreter
        self.spare = os.path.join(folder, "frames")
        self.marker = nonce
        self.env = clean_environment(os.environ, nonce, device)
        self.reader = FrameReader(nonce)
        self.spare_reader = FrameReader(nonce)
        self.woken = threading.Event()
        self._lock = threading.Lock()
        self._messages: list[dict[str, Any]] = []
        self._spare_at = 0
        self._tails: list[_Tail] = []
        self._results: _Tail | None = None
        self._streams: list[IO[bytes]] = []

    def start(self) -> None:
        options: dict[str, Any] = {"cwd": self.cwd, "env": self.env, "stdin": subprocess.PIPE}
        if POSIX:
            options["start_new_session"] = True
        else:
            options["creationflags"] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        if self.launcher:
            payload = bundle(self.plan)
            command = [*self.launcher, self.interpreter, "-"]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
            self._listen(self.process.stdout)
            self._tails.append(_Tail(self.process.stderr))  # type: ignore[arg-type]
        else:
            payload = self._start_local(options)
        threading.Thread(target=self._feed, args=(payload,), daemon=True).start()

    def _start_local(self, options: dict[str, Any]) -> bytes:
        command = [self.interpreter, str(PROBE / "main.py")]
        fd = None
        if POSIX:
            receive, fd = os.pipe()
            options["pass_fds"] = (fd,)
        try:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        except OSError:
            if fd is not None:
                os.close(receive)
            raise
        finally:
            if fd is not None:
                os.close(fd)
        if fd is not None:
            self._listen(os.fdopen(receive, "rb", buffering=0))
        self._tails.append(_Tail(self.process.stdout))  # type: ignore[arg-type]
        return json.dumps({**self.plan, "fd": fd, "spare": self.spare}).encode("utf-8")

    def _listen(self, stream: Any) -> None:
        self._streams.append(stream)
        self._results = _Tail(stream, self._received)

    def _feed(self, payload: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):
            assert self.process.stdin is not None
            self.process.stdin.write(payload)
            self.process.stdin.close()

    def _received(self, data: bytes) -> None:
        with self._lock:
            self._messages += self.reader.feed(data)
        self.woken.set()

    def take(self) -> list[dict[str, Any]]:
        """Messages since the last call, from the pipe and from the spare file."""
        self.woken.clear()
        with self._lock:
            out, self._messages = self._messages, []
        with contextlib.suppress(OSError), open(self.spare, "rb") as stream:
            stream.seek(self._spare_at)
            data = stream.read()
            self._spare_at += len(data)
            out += self.spare_reader.feed(data)
        return out

    def drain(self, seconds: float) -> None:
        """Lets the reading threads finish with what a dead child left; a grandchild may keep the pipes open."""
        limit = time.monotonic() + seconds
        for tail in (self._results, *self._tails):
            if tail is not None:
                tail.thread.join(max(0.0, limit - time.monotonic()))

    def output_bytes(self) -> int:
        return sum(tail.total for tail in self._tails)

    def output(self) -> str:
        return "".join(tail.text() for tail in self._tails)

    def kill(self) -> None:
        """Ends the child and everything it started."""
        if not hasattr(self, "process"):
            return
        process = self.process
        if POSIX:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        elif process.poll() is None:
            with contextlib.suppress(OSError):
                subprocess.run(
                    ["taskkill", "/PID", str(process.pid), "/T", "/F"], capture_output=True, timeout=10, check=False
                )
        with contextlib.suppress(OSError):
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        _kill_marked(self.marker)
        self.drain(1.0)
        for stream in (process.stdin, process.stdout, process.stderr, *self._streams):
            if stream is not None and not any(tail.thread.is_alive() for tail in self._tails):
                with contextlib.suppress(OSError, ValueError):
                    stream.close()


def _kill_marked(marker: str) -> None:
    """Kills processes of ours that left the group (a daemon of the program): they still carry the marker."""
    needle = f"GRADSIGHT_RUN={marker}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue
