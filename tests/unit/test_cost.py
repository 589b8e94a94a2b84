"""What a check and an edit cost, in calls of Python functions: no clock, so the same on a loaded machine.

The program is the one of `benchmarks/run.py`, 1,000 lines. A ceiling is what was counted (in the comment behind it, on
Python 3.11; later versions count less) and a sixth more. Who comes to one finds out which function is called more often
than before: `python -m cProfile -s ncalls` on the same program.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.recheck import Analyzer

COLD = 455_000  # 391,700
EDIT = 113_000  # 55,000 to 97,000
UNCHANGED = 55_000  # 47,000
SHARED = 515_000  # 441,000

PATH, PROJECT = "/bench/train.py", Project(roots=("/bench",))


def _benchmark() -> Any:
    file = Path(__file__).resolve().parents[2] / "benchmarks" / "program.py"
    spec = importlib.util.spec_from_file_location("benchmark_program", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = _benchmark()
TEXT: str = BENCHMARK.program(1000)
EDITS = dict(BENCHMARK.edits_inside(TEXT))


def calls(run: Callable[[], object]) -> int:
    """How many Python functions are called while `run` runs."""
    count = 0

    def count_call(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(count_call)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count


def checked(text: str) -> Callable[[], object]:
    """A check of a text that nothing is kept of."""
    return lambda: check(Snapshot(PATH, text), PROJECT)


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    """What the server keeps of the program."""
    found = Analyzer()
    # The first edit finds out which names the functions mention, once for all.
    for text in (TEXT, EDITS["Block0.forward: line added"], TEXT):
        found.check(Snapshot(PATH, text), PROJECT)
    return found


def edited(analyzer: Analyzer, text: str) -> int:
    """What an edit of the program costs; afterwards the program is as it was."""
    cost = calls(lambda: analyzer.check(Snapshot(PATH, text), PROJECT))
    analyzer.check(Snapshot(PATH, TEXT), PROJECT)
    return cost


def test_a_check_from_the_start() -> None:
    checked(TEXT)()
    assert calls(checked(f'"""Another text."""\n{TEXT}')) < COLD


@pytest.mark.parametrize("name", sorted(EDITS))
def test_an_edit_inside_one_function(analyzer: Analyzer, name: str) -> None:
    assert edited(analyzer, EDITS[name]) < EDIT


def test_an_edit_that_changes_nothing_that_runs(analyzer: Analyzer) -> None:
    assert edited(analyzer, TEXT + "# the end\n") < UNCHANGED


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        (".float().mean().item()\n", ".float().mean().item() + 0\n"),
        ("inputs = torch.randn(size, width)\n", "inputs = torch.randn(size, width) + 0\n"),
    ],
)
def test_an_edit_of_what_the_whole_program_uses_costs_little_more_than_a_new_check(
    analyzer: Analyzer, line: str, changed: str
) -> None:
    text = TEXT.replace(line, changed, 1)
    assert text != TEXT
    assert edited(analyzer, text) < SHARED
