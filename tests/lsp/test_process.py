"""The server as a process: what it says on which descriptor, how it ends, and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import PATIENCE, SERVER
from .programs import ENDLESS


class RawClient:
    """JSON-RPC by hand, so that the client can vanish in the middle of things."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(SERVER, stdin=pipe, stdout=pipe, stderr=pipe)
        self._watchdog = threading.Timer(2 * PATIENCE, self.process.kill)
        self._watchdog.start()

    def send(self, method: str, params: Any, request: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.raw(json.dumps(message if request is None else {**message, "id": request}).encode())

    def raw(self, body: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server is gone"
        return json.loads(self.process.stdout.read(length))

    def until(self, **wanted: Any) -> dict[str, Any]:
        while True:
            message = self.receive()
            if all(message.get(key) == value for key, value in wanted.items()):
                return message

    def initialize(self) -> None:
        options = {"settings": {"verify": {"python": sys.executable}}}
        params = {"capabilities": {"window": {"workDoneProgress": False}}, "processId": None, "rootUri": None}
        self.send("initialize", {**params, "initializationOptions": options}, request=1)
        self.until(id=1)
        self.send("initialized", {})

    def open(self, uri: str, text: str) -> None:
        self.send(
            "textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": text}}
        )

    def close(self) -> None:
        self._watchdog.cancel()
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.process.wait(PATIENCE)


@pytest.fixture
def client() -> Any:
    client = RawClient()
    yield client
    client.close()


def test_an_orderly_end(client: RawClient) -> None:
    client.initialize()
    client.send("shutdown", None, request=2)
    assert client.until(id=2)["result"] is None
    client.send("exit", None)
    assert client.process.wait(PATIENCE) == 0


def test_a_client_that_vanishes_takes_the_running_check_with_it(client: RawClient, tmp_path: Path) -> None:
    client.initialize()
    uri = (tmp_path / "endless.py").as_uri()
    client.open(uri, ENDLESS)
    client.until(method="textDocument/publishDiagnostics")
    arguments = [{"uri": uri}]
    client.send("workspace/executeCommand", {"command": "gradsight.server.verify", "arguments": arguments}, request=2)
    server = psutil.Process(client.process.pid)
    while not (started := server.children(recursive=True)):  # nothing is said when a process begins
        assert client.process.poll() is None
        threading.Event().wait(0.05)
    assert client.process.stdin is not None
    client.process.stdin.close()
    _, alive = psutil.wait_procs([server, *started], timeout=PATIENCE)
    assert alive == []


def test_malformed_messages_are_survived(client: RawClient, tmp_path: Path) -> None:
    client.initialize()
    client.raw(b"{not json")
    client.raw(b'{"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": 3}}')
    client.raw(b'{"jsonrpc": "2.0", "method": "gradsight/whatIsThis", "params": []}')
    client.open((tmp_path / "a.py").as_uri(), "import torch\n")
    client.until(method="textDocument/publishDiagnostics")


def test_importing_the_package_is_cheap() -> None:
    """`gradsight.lsp` costs nothing until `main` runs; the server never imports jedi, rich or typer by itself."""
    code = (
        "import sys, gradsight.lsp; assert 'pygls' not in sys.modules; import gradsight.lsp.server;"
        "print(sorted({'jedi', 'rich', 'typer', 'torch', 'numpy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"
