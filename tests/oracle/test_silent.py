"""Where a gradient is silently wrong, the engine knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]


def test_every_wrong_gradient_is_foreseen() -> None:
    """A part that crashes torch says nothing; all together find some wrong gradients and miss none."""
    wrong, missed = 0, []
    for profile in ("straight", "modules", "loops"):
        command = [sys.executable, "-m", "tests.oracle.silent", profile, "0", "600"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        count, _, programs = done.stdout.partition("\n")
        assert done.returncode <= 0, done.stderr
        wrong += int(count or 0)
        missed += [programs] if programs.strip() else []
    assert wrong >= 3 and not missed, "\n".join(missed)
