"""What a run changes is in its journal or was announced with `heap.remember`: else a kept run could not be undone.

A second run of the same program, taken up from the first with one step after the other made anew, must find every
object as the first one did; here objects themselves report writes that go past the journal.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradsight.analysis.autograd import heap as heap_module
from gradsight.analysis.autograd.heap import Heap
from gradsight.analysis.autograd.tensor import Tensor
from gradsight.analysis.interpreter.run import run_file
from gradsight.analysis.interpreter.steps import Recorder, age
from gradsight.analysis.source.parse import parse
from gradsight.analysis.values import Instance, ListValue, ModuleObject, Unknown

TESTS = Path(__file__).resolve().parents[1]
PROGRAMS = [
    block
    for page in sorted((TESTS / "literate").glob("*.md"))
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]
WATCHED = (Tensor, Unknown, Instance, ModuleObject, ListValue)


class Watch:
    """Which writes went past the journal: to objects older than the step that runs."""

    def __init__(self) -> None:
        self.allowed = 0
        self.step: Any = None
        self.found: list[str] = []

    def write(self, obj: Any, name: str) -> None:
        step = self.step
        if self.allowed or step is None or name in ("born", "made"):
            return
        if age(obj) and age(obj) <= step.first:
            self.found.append(f"{type(obj).__name__}.{name}")


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watching = Watch()

    def inside(function: Any) -> Any:
        def run(*arguments: Any) -> Any:
            watching.allowed += 1
            try:
                return function(*arguments)
            finally:
                watching.allowed -= 1

        return run

    for name in ("write", "put", "set", "undo", "redo", "merge"):
        monkeypatch.setattr(Heap, name, inside(getattr(Heap, name)))
    monkeypatch.setattr(heap_module, "set_field", inside(heap_module.set_field))
    opened = Recorder.open

    def open_(self: Any, what: Any, scope: Any = None) -> Any:
        watching.step = opened(self, what, scope)
        return watching.step

    monkeypatch.setattr(Recorder, "open", open_)
    for kind in WATCHED:

        def setattr_(self: Any, name: str, value: Any) -> None:
            if hasattr(self, name) and getattr(self, name) is not value:
                watching.write(self, name)
            object.__setattr__(self, name, value)

        monkeypatch.setattr(kind, "__setattr__", setattr_, raising=False)
    yield watching


@pytest.mark.parametrize("seed", range(12))
def test_no_write_goes_past_the_journal(watch: Watch, seed: int) -> None:
    for text in random.Random(seed).sample(PROGRAMS, 40):
        parsed = parse("/w/train.py", text)
        if not parsed.problems:
            run_file(parsed, keep=True)
    assert sorted(set(watch.found)) == []
