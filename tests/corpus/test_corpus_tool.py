"""How the corpus tool counts: at labelled lines, errors and warnings only."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "corpus.py"


@pytest.fixture(scope="module")
def corpus() -> ModuleType:
    spec = importlib.util.spec_from_file_location("corpus_tool", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def diagnostic(line: int, severity: str = "error", last: int | None = None) -> dict[str, Any]:
    return {
        "rule": "no-grad-block",
        "severity": severity,
        "range": {"start": {"line": line, "column": 1}, "end": {"line": last or line, "column": 2}},
    }


BUG = {"kind": "bug", "category": "no_grad", "outcome": "raises", "line": 5, "alt_lines": [3], "block_lines": [8]}
CLEAN = {"kind": "clean", "category": "no_grad", "outcome": "ok"}


@pytest.mark.parametrize(
    ("found", "hit"),
    [
        ([diagnostic(5)], True),
        ([diagnostic(3, "warning")], True),
        ([diagnostic(8)], True),
        ([diagnostic(7, last=9)], True),
        ([diagnostic(6)], False),
        ([diagnostic(5, "hint")], False),
        ([diagnostic(5, "information")], False),
        ([], False),
    ],
)
def test_a_bug_is_found_at_a_labelled_line(corpus: ModuleType, found: list[dict[str, Any]], hit: bool) -> None:
    result = corpus.score({"a.py": BUG}, {"a.py": found})
    assert (result.recall, len(result.misses)) == ((1.0, 0) if hit else (0.0, 1))


@pytest.mark.parametrize(
    ("found", "silent"), [([], True), ([diagnostic(1, "hint")], True), ([diagnostic(1, "warning")], False)]
)
def test_a_clean_case_is_silent_without_error_and_warning(
    corpus: ModuleType, found: list[dict[str, Any]], silent: bool
) -> None:
    result = corpus.score({"a.py": CLEAN, "b.py": CLEAN}, {"a.py": found})
    assert result.silence == (1.0 if silent else 0.5)
    assert len(result.false_alarms) == (0 if silent else 1)


def test_the_command_counts_a_small_corpus(tmp_path: Path) -> None:
    examples = TOOL.parents[1] / "examples"
    (tmp_path / "cases").mkdir()
    for name in ("ex2.py", "ex3.py"):
        (tmp_path / "cases" / name).write_text((examples / name).read_text(encoding="utf-8"), encoding="utf-8")
    labels = {"ex2.py": {**BUG, "alt_lines": [], "block_lines": []}, "ex3.py": CLEAN}
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    command = [sys.executable, str(TOOL), "--corpus", str(tmp_path), "--min-recall", "1"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "recall  100.0%  (1 of 1 bugs" in result.stdout
    assert "silence 100.0%  (1 of 1 clean" in result.stdout


def test_no_corpus_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, str(TOOL), "--corpus", str(tmp_path / "none")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and result.stderr.startswith("no corpus at ")
