"""A mistake of the analysis itself costs one rule or one statement, never the report."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from gradsight.analysis import check as front
from gradsight.analysis.check import Snapshot, check
from gradsight.analysis.interpreter import blocks

PROGRAM = """\
import torch
x = torch.randn(3, requires_grad=True)
del x[0], y
with torch.no_grad():
    y = x * 2
y.sum().backward()
"""


def _fails(*_: Any) -> Any:
    raise ZeroDivisionError("a mistake")


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSIGHT_STRICT", "0")


def test_a_rule_that_raises_costs_its_own_findings_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(front.CHECKS, "detached-value", _fails)
    report = check(Snapshot("program.py", PROGRAM))
    assert [f.rule for f in report.findings] == ["no-grad-block"]
    assert [p.message for p in report.problems] == [
        "detached-value could not be checked: an internal error (ZeroDivisionError)"
    ]


def test_a_statement_that_cannot_be_analysed_is_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(blocks.HANDLERS, ast.Delete, _fails)
    report = check(Snapshot("program.py", PROGRAM))
    assert [f.rule for f in report.findings] == ["no-grad-block"]


def test_in_the_tests_both_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSIGHT_STRICT", "1")
    monkeypatch.setitem(front.CHECKS, "detached-value", _fails)
    with pytest.raises(ZeroDivisionError):
        check(Snapshot("program.py", PROGRAM))
