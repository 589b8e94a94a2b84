"""A second real client: Neovim's built-in one, headless. It has no notion of trust and none of our commands."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import SERVER
from .programs import EX2


@pytest.fixture(scope="session")
def neovim() -> str:
    """Neovim's path: Debian's package, installed where this machine lets us; else the test says that it was skipped."""
    found = shutil.which("nvim")
    if found is None and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "neovim"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
        found = shutil.which("nvim")
    if found is None:
        pytest.skip("NOT TESTED: neovim is missing and could not be installed with apt-get")
    return found


def test_neovim_sees_the_finding_and_fixes_it(neovim: str, tmp_path: Path) -> None:
    file, out = tmp_path / "ex2.py", tmp_path / "out.json"
    file.write_text(EX2, encoding="utf-8")
    environment = {
        **os.environ,
        "GRADSIGHT_COMMAND": json.dumps(SERVER),
        "GRADSIGHT_ROOT": str(tmp_path),
        "GRADSIGHT_PYTHON": sys.executable,
        "GRADSIGHT_OUT": str(out),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    script = Path(__file__).with_name("neovim.lua")
    command = [neovim, "--headless", "--clean", "-n", str(file), "-c", f"luafile {script}"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert out.exists(), run.stderr
    seen = json.loads(out.read_text(encoding="utf-8"))
    assert "error" not in seen, seen["error"]
    (one,) = seen["diagnostics"]
    assert (one["code"], one["lnum"], one["col"], one["severity"]) == ("no-grad-block", 4, 4, 1)
    assert one["source"] == "gradsight"
    assert "╳  5      y = x * 2" in seen["hover"]
    assert seen["actions"][1:3] == ["Run gradient check on CUDA", "Fix and verify"]
    assert seen["answer"]["applied"] is True, seen["answer"]
    assert seen["after"] == [] and "y = x * 2" in seen["lines"]
