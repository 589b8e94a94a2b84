"""A sample of the files that are installed here, whole and cut off anywhere: nothing raises, nothing takes long.

The seed is printed and can be given as GRADSIGHT_SEED. `tools/robustness.py` does the same for all files.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "robustness.py"
SEED = int(os.environ.get("GRADSIGHT_SEED") or random.SystemRandom().randrange(10**6))
SECONDS = 12.0
"""For each of the two samples; a text that has begun is finished."""


def robustness(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool."""
    command = [sys.executable, str(TOOL), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("torch", [False, True], ids=["as they are", "as if they used torch"])
def test_a_sample_of_the_environment(torch: bool) -> None:
    print(f"GRADSIGHT_SEED={SEED}")
    options = ["--seed", str(SEED), "--seconds", str(SECONDS), "--cuts", "5", "--sample", "2000"]
    result = robustness(sysconfig.get_paths()["purelib"], *options, *(["--torch"] if torch else []))
    assert result.returncode == 0, f"GRADSIGHT_SEED={SEED}\n{result.stdout}\n{result.stderr}"


def test_the_tool_tells_what_went_wrong(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import torch\n" + "x = torch.ones(2)\n" * 3000, encoding="utf-8")
    result = robustness(str(slow), "--cuts", "0", "--limit", "0.02")
    (failure,) = map(json.loads, result.stdout.splitlines())
    assert result.returncode == 1
    assert (failure["path"], failure["cut"], failure["kind"]) == (str(slow), None, "slow")


def test_a_file_that_is_no_python_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_bytes(b"# torch\nx = \xff\xfe(\x00\n  def f(:\n" * 20)
    (tmp_path / "empty.py").write_text("", encoding="utf-8")
    result = robustness(str(tmp_path), "--cuts", "10", "--seed", "1")
    assert (result.returncode, result.stdout) == (0, "")
