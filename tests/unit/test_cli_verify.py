"""`gradsight verify` as a person meets it: real programs, run by a real torch in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CUT = (EXAMPLES / "ex2.py").read_text(encoding="utf-8")


def gradsight(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    cleaned = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    result = subprocess.run(
        [sys.executable, "-m", "gradsight", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        env=cleaned,
    )
    assert "Traceback" not in result.stderr
    return result


def verify(*arguments: str, cwd: Path) -> tuple[int, dict[str, Any]]:
    result = gradsight("verify", *arguments, "--python", sys.executable, "--output-format", "json", cwd=cwd)
    return result.returncode, json.loads(result.stdout)


@pytest.mark.parametrize(
    ("name", "rule", "line", "verdict", "status"),
    [
        ("ex1.py", "nothing-requires-grad", 2, "confirmed", 1),
        ("ex2.py", "no-grad-block", 5, "confirmed", 1),
        ("ex3.py", "inplace-on-loss-path", 4, "refuted", 0),
    ],
)
def test_the_three_programs_with_their_fix(name: str, rule: str, line: int, verdict: str, status: int) -> None:
    before = (EXAMPLES / name).read_bytes()
    returned, document = verify(name, "--fix", cwd=EXAMPLES)
    assert (EXAMPLES / name).read_bytes() == before
    (result,) = document["results"]
    assert (result["rule"], result["line"], result["verdict"], returned) == (rule, line, verdict, status)
    assert set(document) == {"path", "device", "torch", "seconds", "results"}
    assert set(result) == {"rule", "line", "verdict", "reason", "raised", "leaves", "fix"}
    assert document["path"] == name and document["torch"] and document["device"]
    if status:
        assert result["raised"]["type"] == "RuntimeError" and result["raised"]["line"] in (5, 7)
        assert result["fix"]["verdict"] == "verified"
        leaves = {leaf["name"]: leaf for leaf in result["fix"]["leaves"]}
        assert leaves["x"]["grad"] == "present" and leaves["x"]["norm"] > 0
    for leaf in result["leaves"]:
        assert set(leaf) == {"name", "line", "grad", "norm"}
        assert leaf["grad"] in ("none", "zero", "present", "wrong")


def test_the_text_says_what_was_seen_and_what_the_fix_did() -> None:
    result = gradsight("verify", "ex2.py", "--fix", "--python", sys.executable, cwd=EXAMPLES)
    assert result.returncode == 1
    assert result.stdout.startswith("ex2.py:5:5: error[no-grad-block] ")
    assert "\n    confirmed on " in result.stdout
    assert "element 0 of tensors does not require grad" in result.stdout
    assert "\n    fix verified: move `y = x * 2` out of `torch.no_grad()`\n" in result.stdout
    assert "x.grad is there (norm 6.3" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("1 confirmed, 1 fix verified (")


def test_the_small_training_script_is_confirmed_and_its_fix_verified() -> None:
    status, document = verify("train_small.py", "--fix", cwd=EXAMPLES)
    (result,) = document["results"]
    assert (status, result["rule"], result["verdict"]) == (1, "no-grad-block", "confirmed")
    assert result["fix"]["verdict"] == "verified"


def test_a_line_chooses_its_findings_and_a_place_can_be_pasted(tmp_path: Path) -> None:
    (tmp_path / "cut.py").write_text(CUT, encoding="utf-8")
    for target in ("cut.py:5", "cut.py:5:5"):
        assert [result["line"] for result in verify(target, cwd=tmp_path)[1]["results"]] == [5]


def test_a_leaf_moved_to_cuda_is_found_and_confirmed_without_a_gpu(tmp_path: Path) -> None:
    program = (
        "import torch\n"
        "x = torch.randn(10, requires_grad=True).cuda()\n"
        "loss = (x * 2).sum()\n"
        "loss.backward()\n"
        "print(x.grad)\n"
    )
    (tmp_path / "moved.py").write_text(program)
    status, document = verify("moved.py", cwd=tmp_path)
    assert [(result["rule"], result["line"], result["verdict"]) for result in document["results"]] == [
        ("device-move-leaf", 2, "confirmed")
    ]
    assert status == 1 and "cuda" in document["device"]


def test_an_interpreter_without_torch_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cut.py").write_text(CUT, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True, timeout=120)
    python = str(tmp_path / "bare" / "bin" / "python")
    result = gradsight("verify", "cut.py", "--python", python, "--output-format", "json", cwd=tmp_path)
    document = json.loads(result.stdout)
    assert result.returncode == 2 and document["torch"] is None
    (verdict,) = document["results"]
    assert verdict["verdict"] == "no-torch" and "torch" in verdict["reason"].lower()


def test_a_check_that_never_ends_is_ended(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(CUT.replace("loss = y.sum()", "while True: pass\nloss = y.sum()"))
    started = time.monotonic()
    status, document = verify("endless.py", "--timeout", "8", cwd=tmp_path)
    if document["results"]:  # the analysis may say that the loss is never reached, which is right too
        assert [result["verdict"] for result in document["results"]] == ["timeout"] and status == 2
    assert time.monotonic() - started < 60


def test_a_project_names_the_test_that_runs(tmp_path: Path) -> None:
    package = tmp_path / "src"
    package.mkdir()
    (package / "steps.py").write_text(
        "import torch\n\n"
        "layer = torch.nn.Linear(3, 1)\n\n"
        "def step(x: torch.Tensor) -> None:\n"
        "    loss = layer(x).exp().sum()\n"
        "    loss.backward()\n"
        "    loss.backward()\n"
    )
    (tmp_path / "test_step.py").write_text(
        "import sys\nsys.path.insert(0, 'src')\n"
        "import torch\nfrom steps import step\n\n"
        "def test_one():\n    step(torch.ones(2, 3))\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.gradsight.verify]\nentry = 'pytest -q test_step.py::test_one'\n")
    for arguments, entry in (((), "-q test_step.py::test_one"), (("--entry", "pytest ../test_step.py"), "")):
        if entry == "":
            (tmp_path / "pyproject.toml").unlink()
        returned, document = verify("steps.py", *arguments, cwd=package)
        (result,) = document["results"]
        assert (result["rule"], result["verdict"], returned) == ("freed-graph", "confirmed", 1), result
