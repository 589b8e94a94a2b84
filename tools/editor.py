"""`make editor`: the extension in a VS Code that a browser shows, opened on `examples/`; Ctrl-C ends it.

    python tools/editor.py [--port 8080] [--host 127.0.0.1] [FOLDER]

VS Code is code-server, set up by tools/codeserver/setup.sh in .cache; your own VS Code is not touched. It asks for no
password: keep it on 127.0.0.1, or behind a tunnel of your own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENTRY = ROOT / ".cache/code-server/node_modules/code-server/out/node/entry.js"
HOME = ROOT / ".cache/editor"
VSIX = ROOT / "client/gradsight.vsix"
SETTINGS = {
    "gradsight.interpreter": sys.executable,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "workbench.startupEditor": "none",
    "workbench.welcomePage.walkthroughs.openOnInstall": False,
}


def free_port(host: str, wanted: int) -> int:
    """The wanted port, or the next free one after it."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    sys.exit(f"no free port between {wanted} and {wanted + 49} on {host}: choose one with --port")


def step(what: str, *command: str | Path) -> None:
    """Run one step of the preparation, or end with one sentence."""
    status = subprocess.call([str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL)
    if status:
        sys.exit(f"{what} failed (exit status {status}, its message is above)")


def main() -> int:
    """Prepare, start, wait."""
    arguments = argparse.ArgumentParser(description="The extension in a VS Code in the browser.")
    arguments.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8080")))
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("folder", nargs="?", type=Path, default=ROOT / "examples")
    options = arguments.parse_args()

    step("setting up code-server", ROOT / "tools/codeserver/setup.sh")
    step("building the extension", ROOT / "client/scripts/package-if-stale.sh")
    (HOME / "user/User").mkdir(parents=True, exist_ok=True)
    settings = HOME / "user/User/settings.json"
    if not settings.exists():
        settings.write_text(json.dumps(SETTINGS, indent=2), encoding="utf-8")
    folders = ["--extensions-dir", HOME / "extensions", "--user-data-dir", HOME / "user"]
    step("installing the extension", "node", ENTRY, "--install-extension", VSIX, "--force", *folders)

    port = free_port(options.host, options.port)
    command = ["node", ENTRY, "--auth", "none", "--bind-addr", f"{options.host}:{port}"]
    command += ["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust", *folders]
    server = subprocess.Popen(
        [*map(str, command), str(options.folder.resolve())], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    print(f"\nGradsight in VS Code: http://{options.host}:{port}/?folder={options.folder.resolve()}")
    print("Open ex2.py, hover `y`, press Ctrl+. on the squiggle. Ctrl-C here ends it.", flush=True)
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait(timeout=20)
        return 0


if __name__ == "__main__":
    sys.exit(main())
