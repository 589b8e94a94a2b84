"""Sinks that a person names in the settings."""

from __future__ import annotations

import pytest

from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.settings import Settings

PROGRAM = """\
import torch
import my_lib
from my_lib import engine as e

w = torch.ones(3, requires_grad=True)
y = w.detach() * 2
loss = y.sum()
{call}
"""


def lines(call: str, sinks: tuple[str, ...]) -> list[int]:
    """The lines of the findings of the program with a call in it."""
    project = Project(settings=Settings(sinks=sinks))
    return [f.span.start.line for f in check(Snapshot("/p/main.py", PROGRAM.format(call=call)), project).findings]


@pytest.mark.parametrize(
    ("call", "sinks"),
    [
        ("my_lib.step(loss)", ("my_lib.step",)),
        ("e.step(loss)", ("my_lib.engine.step",)),
        ("e.step(loss)", ("e.step",)),
        ("e.step('name', loss=loss)", ("e.step",)),
        ("trainer.step(loss)", ("trainer.step",)),
    ],
)
def test_a_named_function_is_a_sink(call: str, sinks: tuple[str, ...]) -> None:
    assert lines(call, sinks) == [6]


@pytest.mark.parametrize("call", ["my_lib.step(loss)", "e.step(loss)"])
def test_without_the_setting_an_unknown_call_is_none(call: str) -> None:
    assert lines(call, ()) == []
    assert lines(call, ("my_lib.other", "step")) == []


def test_a_function_of_the_file_is_a_sink_by_its_name() -> None:
    call = "def train_on(value):\n    print(value)\n\n\ntrain_on(loss)"
    assert lines(call, ("train_on",)) == [6]
