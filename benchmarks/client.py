"""A small language client over stdio: a measurement holds the server's time and next to nothing of the client's."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any


class Client:
    """Starts `gradsight server`; sends, waits, and notes when each message came in."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gradsight", "server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "GRADSIGHT_LOG": "debug"},
        )
        self.analysed: list[float] = []
        """Milliseconds of each analysis, as the server logs them."""
        threading.Thread(target=self._read_log, daemon=True).start()
        self._incoming: queue.Queue[tuple[float, dict[str, Any]] | None] = queue.Queue()
        self._number = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(rb"analysed .* in ([\d.]+) ms", line)
            if found is not None:
                self.analysed.append(float(found[1]))

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if not length:
                self._incoming.put(None)
                return
            body = stream.read(length)
            arrived = time.perf_counter()
            self._incoming.put((arrived, json.loads(body)))

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def request(self, method: str, params: Any, timeout: float = 60.0) -> float:
        """Send a request; the time its answer came in."""
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": params})
        return self.wait(lambda message: message.get("id") == number and "method" not in message, timeout)[0]

    def wait(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = 60.0) -> tuple[float, dict[str, Any]]:
        """The first message that fits, with the time it came in; the server's own requests are answered with null.

        Raises TimeoutError, and ConnectionError when the server is gone.
        """
        end = time.perf_counter() + timeout
        while True:
            try:
                item = self._incoming.get(timeout=max(0.0, end - time.perf_counter()))
            except queue.Empty:
                raise TimeoutError(f"no answer within {timeout:.0f} s") from None
            if item is None:
                raise ConnectionError("the server ended")
            arrived, message = item
            if "method" in message and "id" in message:
                items = (
                    message.get("params", {}).get("items") if message["method"] == "workspace/configuration" else None
                )
                self._send({"id": message["id"], "result": [None] * len(items) if items else None})
            if wanted(message):
                return arrived, message

    def diagnostics(self, uri: str, version: int, timeout: float = 60.0) -> tuple[float, list[dict[str, Any]]]:
        """The first diagnostics published for that version of a document."""

        def fits(message: dict[str, Any]) -> bool:
            params = message.get("params") or {}
            published = message.get("method") == "textDocument/publishDiagnostics"
            return bool(published and params["uri"] == uri and params.get("version") == version)

        arrived, message = self.wait(fits, timeout)
        return arrived, message["params"]["diagnostics"]

    def diagnostics_of_closed(self, uri: str, timeout: float = 60.0) -> float:
        """When findings of a file came that is not open."""

        def fits(message: dict[str, Any]) -> bool:
            params = message.get("params") or {}
            published = message.get("method") == "textDocument/publishDiagnostics"
            return bool(published and params["uri"] == uri and params["diagnostics"])

        return self.wait(fits, timeout)[0]

    def close(self) -> None:
        """Shut down politely, then not."""
        try:
            self.request("shutdown", None, timeout=10)
            self.notify("exit", {})
            self.process.wait(timeout=10)
        except (TimeoutError, ConnectionError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
