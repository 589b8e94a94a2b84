"""Memory of a workspace of 1,000 files: a server with 20 of them open, and `gradsight check` of the folder.

    python benchmarks/workspace.py [--files 1000] [--open 20] [--edits 20] [--json FILE]

The files are made here, the same on every machine: packages of layers, models, losses, data and training scripts that
import each other and torch, a fifth of them without torch. The server is a real process over stdio that is told to look
at the whole workspace (`diagnosticMode: workspace`); 20 training scripts are open, and one of them is edited. Resident
memory is read at each stage; the ratio is to the server before it has seen a file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from client import Client
from parts import files

CAPABILITIES = {"textDocument": {"publishDiagnostics": {"versionSupport": True, "relatedInformation": True}}}
PATIENCE = 1800.0


def write(folder: Path, count: int) -> tuple[list[Path], Path]:
    """Write the workspace; gives its training scripts, and the last file a walk over it meets, which has a finding."""
    scripts = []
    for name, text in files(count):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.name.startswith("train"):
            scripts.append(path)
    last = folder / "zz" / "last.py"
    last.parent.mkdir()
    last.write_text(
        "import torch\n\nx = torch.ones(3, requires_grad=True)\n(x.detach() * 2).sum().backward()\n", "utf-8"
    )
    return scripts, last


class Memory:
    """Resident memory of a process and of those it started, by stage."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.stages: dict[str, tuple[float, float]] = {}

    def read(self, stage: str) -> None:
        """Note the memory at a stage, in MiB."""
        own = self.process.memory_info().rss / 2**20
        children = sum(child.memory_info().rss for child in self.process.children(recursive=True)) / 2**20
        self.stages[stage] = (own, children)


def server(folder: Path, scripts: list[Path], last: Path, opened: int, edits: int) -> dict[str, Any]:
    """The server's memory at each stage, and how long the look at the whole workspace took."""
    client = Client()
    memory = Memory(client.process.pid)
    try:
        params: dict[str, Any] = {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": CAPABILITIES}
        params["workspaceFolders"] = [{"uri": folder.as_uri(), "name": "workspace"}]
        client.request("initialize", params)
        memory.read("started")
        params["initializationOptions"] = {"settings": {"diagnosticMode": "workspace"}}
        client.close()
        client = Client()
        memory.process = psutil.Process(client.process.pid)
        client.request("initialize", params)
        started = time.perf_counter()
        client.notify("initialized", {})
        client.diagnostics_of_closed(last.as_uri(), PATIENCE)
        checked = time.perf_counter() - started
        memory.read("all files looked at")
        for path in scripts[:opened]:
            item = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": path.read_text("utf-8")}
            client.notify("textDocument/didOpen", {"textDocument": item})
        for path in scripts[:opened]:
            client.diagnostics(path.as_uri(), 1, PATIENCE)
        memory.read(f"{opened} of them open")
        edited, text = scripts[0], scripts[0].read_text("utf-8")
        for number in range(edits):
            line = f"# {number}\n"
            change = {
                "textDocument": {"uri": edited.as_uri(), "version": 2 + number},
                "contentChanges": [{"text": text + line}],
            }
            client.notify("textDocument/didChange", change)
            client.diagnostics(edited.as_uri(), 2 + number, PATIENCE)
        memory.read(f"{edits} edits later")
    finally:
        client.close()
    return {"stages": memory.stages, "all_files_s": checked}


def command(folder: Path) -> dict[str, float]:
    """The terminal's command on the whole folder: wall time and the most memory it had at a time."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "gradsight", "check", "--no-jedi", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    watched, most = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            most = max(most, watched.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    process.wait()
    return {"seconds": time.perf_counter() - started, "peak_mib": most / 2**20}


def main() -> int:
    """Measure, print, write JSON; status 1 when the server gave no answer."""
    arguments = argparse.ArgumentParser(description="Memory of a workspace of many files.")
    arguments.add_argument("--files", type=int, default=1000)
    arguments.add_argument("--open", type=int, default=20)
    arguments.add_argument("--edits", type=int, default=20)
    arguments.add_argument("--json", type=Path, help="write the figures here (default: .cache/workspace.json)")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "workspace"
        scripts, last = write(folder, options.files)
        lines = sum(path.read_text("utf-8").count("\n") for path in folder.rglob("*.py"))
        print(
            f"{options.files} files, {lines:,} lines, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}", flush=True
        )
        try:
            figures: dict[str, Any] = {"files": options.files, "lines": lines}
            figures["server"] = server(folder, scripts, last, options.open, options.edits)
        except (TimeoutError, ConnectionError) as error:
            print(f"the language server gave no answer: {error}", file=sys.stderr)
            return 1
        figures["command"] = command(folder)
    stages = figures["server"]["stages"]
    base = stages["started"][0]
    print(f"{'':<34} {'MiB':>8} {'ratio':>6} {'workers':>8}")
    for stage, (own, children) in stages.items():
        print(f"{'server: ' + stage:<34} {own:8.1f} {own / base:6.2f} {children:8.1f}")
    peak, seconds = figures["command"]["peak_mib"], figures["command"]["seconds"]
    print(f"{'gradsight check of the folder, peak':<34} {peak:8.1f} {peak / base:6.2f}")
    print(f"all files looked at after {figures['server']['all_files_s']:.1f} s; gradsight check took {seconds:.1f} s")
    target = options.json or Path(__file__).resolve().parents[1] / ".cache" / "workspace.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"figures as JSON: {os.path.relpath(target)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
