"""The examples on the rules' pages: each fires its own rule, the better form fires nothing, and torch agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradsight.analysis.rules import ALL_RULES, Rule

from .oracle import TorchWorker
from .runner import analyse
from .suite import MAIN, SourceFile

RULES = [pytest.param(rule, id=name) for name, rule in ALL_RULES.items()]


@pytest.mark.parametrize("rule", RULES)
def test_the_example_fires_its_rule_and_no_other(rule: Rule, tmp_path: Path) -> None:
    (tmp_path / MAIN).write_text(rule.example, encoding="utf-8")
    findings = analyse(SourceFile(MAIN, rule.example, 0), tmp_path)
    assert [f.rule for f in findings] == [rule.name]
    assert findings[0].severity == rule.severity


@pytest.mark.parametrize("rule", RULES)
def test_the_better_form_fires_nothing(rule: Rule, tmp_path: Path) -> None:
    (tmp_path / MAIN).write_text(rule.instead, encoding="utf-8")
    assert analyse(SourceFile(MAIN, rule.instead, 0), tmp_path) == []


@pytest.mark.parametrize("rule", RULES)
def test_torch_runs_the_better_form(rule: Rule, tmp_path: Path, torch_worker: TorchWorker) -> None:
    (tmp_path / MAIN).write_text(rule.instead, encoding="utf-8")
    assert torch_worker.run(tmp_path, ())["raised"] is None


@pytest.mark.parametrize("rule", RULES)
def test_torch_raises_where_the_example_says_so(rule: Rule, tmp_path: Path, torch_worker: TorchWorker) -> None:
    (tmp_path / MAIN).write_text(rule.example, encoding="utf-8")
    said = [(n, line) for n, line in enumerate(rule.example.split("\n"), 1) if "# RuntimeError: " in line]
    raised = torch_worker.run(tmp_path, ())["raised"]
    if not said:
        return
    line, text = said[0]
    assert raised is not None
    assert raised["line"] == line
    assert text.split("# RuntimeError: ")[1].split(" by ")[0] in raised["message"].replace("Trying to b", "b")


@pytest.mark.parametrize("rule", RULES)
def test_the_page_is_complete(rule: Rule) -> None:
    for part in (rule.summary, rule.fix, rule.what, rule.why, rule.fix_safety, rule.blind_spots):
        assert part.strip()
    assert "\n" not in rule.summary
