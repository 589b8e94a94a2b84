"""What a check may cost: other files have accounts of their own, and the checked file is told all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradsight.analysis.check import Snapshot, check
from gradsight.analysis.interpreter import state
from gradsight.analysis.interpreter.budget import FOREIGN_STEPS, IMPORTS_STEPS
from gradsight.analysis.interpreter.imports import Importer
from gradsight.analysis.interpreter.run import Interpreter, run_file
from gradsight.analysis.names.workspace import WorkspaceModules
from gradsight.analysis.recheck import Analyzer
from gradsight.analysis.source.parse import Parsed, parse

HELPER = '''
def describe(depth, text):
    """Nothing here touches a tensor."""
    words = []
    for word in text.split():
        for letter in word:
            if depth > 0 and letter != word:
                words.append(describe(depth - 1, word + letter))
            elif letter in word:
                words.append(letter)
    return words

def scaled(x, factor):
    return x * factor
'''
MAIN = """
import torch
from helper import describe, scaled

{many}
w = torch.ones(3, requires_grad=True)
y = scaled(w, 2).detach()
reveal_grad(y)
(y * w).sum().backward()
"""


def run(tmp_path: Path, many: str) -> Interpreter:
    """Run the program beside its helper."""
    (tmp_path / "helper.py").write_text(HELPER, encoding="utf-8")
    parsed = parse(str(tmp_path / "main.py"), MAIN.format(many=many))
    return run_file(parsed, Importer(WorkspaceModules((str(tmp_path),))))


def test_functions_without_tensors_are_given_up_and_those_with_one_are_not(tmp_path: Path) -> None:
    machine = run(tmp_path, "\n".join(f"d{i} = describe(9, str({i}))" for i in range(200)))
    assert any("takes more steps than the budget allows" in reason for reason in machine.events.unresolved)
    assert machine.foreign.given_up and machine.foreign.left > 0, "one function has its share and no more"
    assert not machine.exhausted
    (value, _node, requires_grad) = machine.events.reveals[0][1]
    assert requires_grad.no and value.node is not None
    (sink,) = machine.events.sinks
    assert [leaf.name or "w" for leaf, how in sink.outcome.reach.leaves.items() if how.yes] == ["w"]


def test_a_program_within_the_budget_is_followed(tmp_path: Path) -> None:
    machine = run(tmp_path, "d = describe(1, 'a b')")
    assert not any("budget" in reason for reason in machine.events.unresolved)
    assert FOREIGN_STEPS - 10_000 < machine.foreign.left < FOREIGN_STEPS


class Noted(WorkspaceModules):
    """The modules of a folder, and which of them were parsed."""

    def load(self, path: str) -> Parsed | None:
        """See `WorkspaceModules.load`."""
        self.loaded = [*getattr(self, "loaded", []), Path(path).name]
        return super().load(path)


def test_a_far_file_that_never_mentions_torch_is_parsed_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "near.py").write_text("import torch\nfrom far import used\nfrom farther import unused\n", "utf-8")
    (tmp_path / "far.py").write_text("def used(x):\n    return x.detach()\n", "utf-8")
    (tmp_path / "farther.py").write_text("unused = 1\n", "utf-8")
    workspace = Noted((str(tmp_path),))
    program = "import torch\nfrom near import used\nreveal_grad(used(torch.ones(1, requires_grad=True)))\n"
    machine = run_file(parse(str(tmp_path / "main.py"), program), Importer(workspace))
    assert workspace.loaded == ["near.py", "far.py"]
    assert machine.events.reveals[0][1][2].no


def test_a_chain_of_imports_takes_no_more_than_one_account(tmp_path: Path) -> None:
    for n in range(6):
        further = f"import far{n + 1}\n" if n < 5 else ""
        text = f"import torch\n{further}x = 0\n" + "x = x + 1\n" * 15_000
        (tmp_path / f"far{n}.py").write_text(text, "utf-8")
    importer = Importer(WorkspaceModules((str(tmp_path),)))
    machine = run_file(parse(str(tmp_path / "main.py"), "import torch\nimport far0\ny = 1\n"), importer)
    assert IMPORTS_STEPS <= importer.steps < IMPORTS_STEPS + 10
    assert machine.main.namespace["y"] == 1 and not machine.exhausted


def test_what_an_imported_file_imports_is_paid_from_the_same_account(tmp_path: Path) -> None:
    body = "import torch\nx = 0\nfor i in range(3):\n" + "    x = x + 1\n" * 400
    (tmp_path / "outer.py").write_text("import inner\n" + body, "utf-8")
    (tmp_path / "inner.py").write_text(body, "utf-8")

    def taken(program: str) -> int:
        importer = Importer(WorkspaceModules((str(tmp_path),)))
        run_file(parse(str(tmp_path / "main.py"), program), importer)
        return importer.steps

    assert taken("import outer") >= 2 * taken("import inner") > 2000


def test_what_a_function_of_another_file_takes_is_not_charged_to_who_calls_it(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text(HELPER, encoding="utf-8")
    calls = "\n".join(f"    d{i} = describe(9, str({i}))" for i in range(20))
    text = f"import torch\nfrom helper import describe\n\ndef main(w):\n{calls}\n    return w.detach()\n"
    machine = run_file(parse(str(tmp_path / "main.py"), text), Importer(WorkspaceModules((str(tmp_path),))))
    assert machine.foreign.left < FOREIGN_STEPS - 4000
    assert machine.steps < 500 and not machine.exhausted


LONG = "import torch\n" + "".join(
    f"\ndef part_{n}(x):\n" + "    x = x * 2 + 1\n" * 40 + "    return x.sum()\n" for n in range(6)
)


def test_all_accounts_together_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "RUN_STEPS", 700)
    machine = run_file(parse("main.py", LONG))
    assert machine.spent_all and 700 <= machine.steps < 720
    assert machine.stopped == ["part_2", "part_3", "part_4", "part_5"]


def test_it_is_told_in_one_sentence_what_was_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "RUN_STEPS", 700)
    (problem,) = check(Snapshot("main.py", LONG)).problems
    assert problem.message == (
        "the analysis stopped early: `part_2`, `part_3` and 2 more take more steps than the budget allows"
    )


def test_an_edited_file_that_comes_to_the_end_is_checked_as_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "RUN_STEPS", 1500)
    analyzer = Analyzer()
    for text in (LONG, LONG.replace("x * 2", "x * 2 * 3 * 4"), LONG, "x = 1\n" + LONG):
        found, fresh = analyzer.check(Snapshot("main.py", text)), check(Snapshot("main.py", text))
        assert found.problems == fresh.problems and found.findings == fresh.findings
