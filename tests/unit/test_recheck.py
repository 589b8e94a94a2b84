"""The analysis that goes on from the run before: it says what an analysis from the start says, whatever was edited."""

from __future__ import annotations

import ast
import random
import re
import threading
from pathlib import Path

import pytest
from edits import edited

from gradsight.analysis.check import Cancelled, Project, Snapshot, check
from gradsight.analysis.interpreter import budget
from gradsight.analysis.interpreter.machine import Machine
from gradsight.analysis.recheck import Analyzer
from gradsight.analysis.report import FileReport
from gradsight.analysis.settings import Settings
from gradsight.analysis.source.parse import parse
from gradsight.analysis.source.reparse import reparse

TESTS = Path(__file__).resolve().parents[1]
PROGRAMS = [
    block
    for page in sorted((TESTS / "literate").glob("*.md"))
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]
PATH = "/w/train.py"

SCRIPT = """\
import torch
from torch import nn


def step(model, x):
    loss = model(x).sum()
    loss.backward()
    return loss


def unused():
    w = torch.zeros(2, requires_grad=True)
    (w.detach() * 2).sum().backward()


def main():
    first = nn.Linear(2, 2)
    second = nn.Linear(2, 2)
    x = torch.randn(4, 2)
    step(first, x)
    code = first(x)
    step(second, code)


if __name__ == "__main__":
    main()
"""


def same(left: FileReport, right: FileReport) -> bool:
    """Whether two reports say the same, apart from hover."""
    return left == right and left.unresolved == right.unresolved


def assert_same(again: FileReport, fresh: FileReport, text: str, chance: random.Random) -> None:
    for field in ("findings", "problems", "sinks", "suppressed", "unresolved"):
        assert getattr(again, field) == getattr(fresh, field), text
    lines = text.split("\n")
    for _ in range(8):
        line = chance.randrange(len(lines)) + 1
        column = chance.randrange(len(lines[line - 1]) + 1) + 1
        assert again.value_at(line, column) == fresh.value_at(line, column), f"hover at {line}:{column} of\n{text}"


@pytest.mark.parametrize("seed", range(40))
def test_after_random_edits_it_says_what_a_first_look_says(seed: int) -> None:
    chance = random.Random(seed)
    text = chance.choice(PROGRAMS)
    analyzer, before = Analyzer(), [text]
    analyzer.check(Snapshot(PATH, text))
    for _ in range(6):
        text = chance.choice(before) if chance.random() < 0.25 else edited(text, chance)
        before.append(text)
        again, fresh = analyzer.check(Snapshot(PATH, text)), check(Snapshot(PATH, text))
        assert_same(again, fresh, text, chance)


@pytest.mark.parametrize("seed", range(12))
def test_a_run_that_stopped_early_is_gone_on_from(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setitem(Machine.__init__.__kwdefaults__, "max_steps", chance.choice((60, 200, 600)))
    monkeypatch.setattr(budget, "ENTRY_STEPS", chance.choice((40, 150)))
    text = "\n".join(chance.choice(PROGRAMS) for _ in range(4))
    analyzer, before = Analyzer(), [text]
    analyzer.check(Snapshot(PATH, text))
    for _ in range(4):
        text = chance.choice(before) if chance.random() < 0.25 else edited(text, chance)
        before.append(text)
        again, fresh = analyzer.check(Snapshot(PATH, text)), check(Snapshot(PATH, text))
        assert_same(again, fresh, text, chance)


def test_what_ran_out_of_steps_does_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Machine.__init__.__kwdefaults__, "max_steps", 40)
    analyzer = Analyzer()
    report = analyzer.check(Snapshot(PATH, SCRIPT))
    assert any("stopped early" in problem.message for problem in report.problems)
    text = SCRIPT.replace("w.detach() * 2", "w * 2")
    again = analyzer.check(Snapshot(PATH, text))
    assert steps_run(analyzer)[0] == 2  # the `def`, and the function that nobody calls
    assert same(again, check(Snapshot(PATH, text)))


@pytest.mark.parametrize("seed", range(20))
def test_a_text_parsed_again_has_the_tree_of_a_text_parsed_once(seed: int) -> None:
    chance = random.Random(seed)
    text = chance.choice(PROGRAMS).replace("\n", chance.choice(("\n", "\n", "\r\n")))
    parsed = parse(PATH, text)
    for _ in range(8):
        text = edited(text, chance)
        parsed, fresh = reparse(parsed, text), parse(PATH, text)
        assert parsed.problems == fresh.problems
        assert ast.dump(parsed.tree, include_attributes=True) == ast.dump(fresh.tree, include_attributes=True)
        assert len(parsed.parents) == len(fresh.parents)


def steps_run(analyzer: Analyzer) -> tuple[int, int]:
    """How many steps of the trunk the last run made itself, and how many there are."""
    assert analyzer._kept is not None
    trunk = analyzer._kept.machine.trunk
    return trunk.ran, sum(step.what is not None for step in trunk.steps)


def test_only_what_sees_the_edit_runs() -> None:
    analyzer = Analyzer()
    analyzer.check(Snapshot(PATH, SCRIPT))
    everything = steps_run(analyzer)
    assert everything[0] == everything[1]
    analyzer.check(Snapshot(PATH, SCRIPT.replace("w.detach() * 2", "w * 2")))
    assert steps_run(analyzer)[0] == 2  # the `def`, and the function that nobody calls
    text = SCRIPT.replace("w.detach() * 2", "w * 2").replace("second = nn.Linear(2, 2)", "second = nn.Linear(2, 3)")
    analyzer.check(Snapshot(PATH, text))
    assert steps_run(analyzer)[0] < everything[0]
    analyzer.check(Snapshot(PATH, "# a note\n\n" + text))
    assert steps_run(analyzer)[0] == 0


def test_a_local_name_is_written_again_by_a_step_that_ran_after_an_edit() -> None:
    text = SCRIPT.replace("def main():", "def build():\n    return nn.Linear(2, 2)\n\n\ndef main():")
    text = text.replace("first = nn.Linear(2, 2)", "first = build()")
    analyzer = Analyzer()
    analyzer.check(Snapshot(PATH, text))
    # What is new is numbered below what it stands for, also the call of `main`.
    text = text.replace("return nn.Linear(2, 2)", "return nn.Linear(2, 2).float()").replace(
        "randn(4, 2)", "randn(8, 2)"
    )
    analyzer.check(Snapshot(PATH, text))
    text = text.replace("step(second, code)", "step(second, code.detach())")
    again = analyzer.check(Snapshot(PATH, text))
    assert steps_run(analyzer)[0] == 2  # the `def` of `main`, and the call that changed
    assert same(again, check(Snapshot(PATH, text)))


def test_a_method_runs_by_itself_once_nothing_else_runs_it() -> None:
    text = """\
import torch
from torch import nn


class Net(nn.Module):
    def forward(self, x):
        return torch.exp(x)


def use():
    return Net()(torch.zeros(2))
"""
    analyzer = Analyzer()
    analyzer.check(Snapshot(PATH, text))
    text = text.replace("Net()(torch.zeros(2))", "torch.zeros(2)")
    again, fresh = analyzer.check(Snapshot(PATH, text)), check(Snapshot(PATH, text))
    assert again.value_at is not None and fresh.value_at is not None
    assert fresh.value_at(7, 17) is not None and again.value_at(7, 17) == fresh.value_at(7, 17)


def test_findings_move_with_their_lines() -> None:
    analyzer = Analyzer()
    first = analyzer.check(Snapshot(PATH, SCRIPT))
    moved = analyzer.check(Snapshot(PATH, "\n\n" + SCRIPT))
    lines = [finding.span.start.line for finding in first.findings]
    assert lines and [finding.span.start.line for finding in moved.findings] == [line + 2 for line in lines]
    assert same(moved, check(Snapshot(PATH, "\n\n" + SCRIPT)))
    assert same(first, check(Snapshot(PATH, SCRIPT))), "a report that is out does not change any more"


def test_the_report_before_has_no_answers_for_hover_any_more() -> None:
    analyzer = Analyzer()
    first = analyzer.check(Snapshot(PATH, SCRIPT))
    line = SCRIPT.split("\n").index("    code = first(x)") + 1
    assert first.value_at(line, 5) is not None
    second = analyzer.check(Snapshot(PATH, SCRIPT + "\n"))
    assert first.value_at(line, 5) is None and second.value_at(line, 5) is not None


class After:
    """A token that is set when it has been asked so many times."""

    def __init__(self, asked: int) -> None:
        self.left = asked

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("asked", [0, 1, 5, 20])
def test_a_cancelled_check_leaves_nothing_behind(asked: int) -> None:
    analyzer = Analyzer()
    analyzer.check(Snapshot(PATH, SCRIPT))
    text = SCRIPT.replace("    step(first, x)", "    step(first.eval(), x.detach())")
    with pytest.raises(Cancelled):
        analyzer.check(Snapshot(PATH, text), token=After(asked))
    for each in (text, SCRIPT):
        assert_same(analyzer.check(Snapshot(PATH, each)), check(Snapshot(PATH, each)), each, random.Random(0))


def test_another_file_that_changes_is_seen(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("import torch\n\n\ndef cut(x):\n    return x\n")
    main = tmp_path / "main.py"
    text = "import torch\nfrom nets import cut\n\nw = torch.zeros(2, requires_grad=True)\ncut(w * 2).sum().backward()\n"
    analyzer, project = Analyzer(), Project(roots=(str(tmp_path),))
    assert not analyzer.check(Snapshot(str(main), text), project).findings
    (tmp_path / "nets.py").write_text("import torch\n\n\ndef cut(x):\n    return x.detach()\n")
    assert analyzer.check(Snapshot(str(main), text), project).findings
    opened = Project(roots=(str(tmp_path),), open_texts={str(tmp_path / "nets.py"): "def cut(x):\n    return x\n"})
    assert not analyzer.check(Snapshot(str(main), text + "\n"), opened).findings


def test_settings_are_those_of_each_check() -> None:
    analyzer = Analyzer()
    shown = analyzer.check(Snapshot(PATH, SCRIPT))
    rule = shown.findings[0].rule
    without = Project(settings=Settings(ignore=frozenset({rule})))
    assert all(finding.rule != rule for finding in analyzer.check(Snapshot(PATH, SCRIPT), without).findings)
    assert same(analyzer.check(Snapshot(PATH, SCRIPT)), shown)


def test_hover_and_checks_from_two_threads_agree() -> None:
    analyzer = Analyzer()
    texts = [SCRIPT, SCRIPT.replace("return loss", "return loss * 2")]
    reports = [analyzer.check(Snapshot(PATH, SCRIPT))]
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            reports[-1].value_at(20, 5)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for number in range(20):
            reports.append(analyzer.check(Snapshot(PATH, texts[number % 2])))
    finally:
        stop.set()
        asking.join()
    assert same(reports[-1], check(Snapshot(PATH, texts[1])))
