"""Which Python is taken, and what is said when it cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import gradsight
from gradsight.verify import InterpreterNotFound, find_interpreter
from gradsight.verify.environment import clean_environment

from .build import Story, cut_before_backward

STORY = Story("import torch\nloss = torch.randn(3).sum()\nloss.backward()\n", cut_before_backward())


def environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return python


def test_order(tmp_path: Path) -> None:
    near, active = environment(tmp_path / "project" / ".venv"), environment(tmp_path / "active")
    file = str(tmp_path / "project" / "deep" / "file.py")
    assert find_interpreter(file, env={"VIRTUAL_ENV": str(tmp_path / "active")}) == str(active)
    assert find_interpreter(file, env={}) == str(near)
    assert find_interpreter(file, sys.executable, env={}) == os.path.abspath(sys.executable)
    assert find_interpreter(file, str(tmp_path / "active"), env={}) == str(active)
    assert find_interpreter(str(tmp_path / "other.py"), env={"PATH": str(near.parent)}).startswith(str(near.parent))
    assert find_interpreter(str(tmp_path / "other.py"), env={"PATH": ""}) == os.path.abspath(sys.executable)


def test_a_missing_interpreter_is_one_sentence(check) -> None:
    with pytest.raises(InterpreterNotFound, match=r"`/no/such/python` does not exist\."):
        find_interpreter(None, "/no/such/python")
    (result,) = check(STORY, interpreter="/no/such/python").results
    assert (result.verdict, result.reason) == (
        "could-not-start",
        "The Python interpreter `/no/such/python` does not exist.",
    )


def test_something_that_is_no_python(check, tmp_path: Path) -> None:
    fake = tmp_path / "fake"
    fake.write_text("#!/bin/sh\necho 'no such option' >&2\nexit 3\n")
    fake.chmod(0o755)
    (result,) = check(STORY, interpreter=str(fake)).results
    assert result.verdict == "could-not-start"
    assert "no such option" in result.reason


def test_an_interpreter_without_torch(check, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    report = check(STORY, interpreter=str(bare / "bin" / "python"), fix=True)
    assert report.results[0].verdict == "no-torch"
    assert report.torch is None


def test_environment_is_cleaned_of_ours_only() -> None:
    # Of the checkout that is imported, wherever the shell's PYTHONPATH leads.
    package = Path(gradsight.__file__).resolve().parent
    env = {"PYTHONPATH": os.pathsep.join(["/theirs", str(package.parent)]), "HOME": "/h", "GRADSIGHT_LOG": "1"}
    out = clean_environment(env, "m", "cpu")
    assert out["PYTHONPATH"] == "/theirs"
    assert out["HOME"] == "/h"
    assert "GRADSIGHT_LOG" not in out


def test_the_program_runs_like_python_file(check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own modules before ours, PYTHONPATH kept, `__file__` and argv set, `__main__` importable, nothing of ours."""
    (tmp_path / "session.py").write_text("mine = 1\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "from_path.py").write_text("mine = 2\n")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    story = Story(
        textwrap.dedent(
            """
            from __future__ import annotations
            import os, sys
            import torch, session, from_path, __main__
            assert session.mine == 1 and from_path.mine == 2
            assert __main__.__file__ == __file__ == sys.argv[0] and len(sys.argv) == 1
            assert os.getcwd() == os.path.dirname(__file__) == sys.path[0]
            assert not any(p.rstrip("/").endswith("verify/probe") for p in sys.path)
            if __name__ == "__main__":
                loss = torch.randn(3).sum()
                loss.backward()
            """
        ),
        cut_before_backward(),
    )
    (result,) = check(story).results
    assert result.verdict == "confirmed", result.reason


@pytest.mark.skipif(shutil.which("env") is None, reason="needs env")
def test_a_launcher_gets_one_file_over_stdin(check) -> None:
    story = Story(
        "import torch\nprint('printed')\nloss = torch.randn(3).sum()\nloss.backward()\n", cut_before_backward()
    )
    report = check(story, launcher=("env", "LAUNCHED=1"))
    assert report.results[0].verdict == "confirmed", report.results[0].reason
    assert "printed" in report.stdout
