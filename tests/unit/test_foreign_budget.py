"""What other files may cost: their functions have a budget of their own, and the checked file is told all the same."""

from __future__ import annotations

from pathlib import Path

from gradsight.analysis.interpreter.foreign_budget import FOREIGN_STEPS
from gradsight.analysis.interpreter.imports import MAX_STEPS, Importer
from gradsight.analysis.interpreter.run import Interpreter, run_file
from gradsight.analysis.names.workspace import WorkspaceModules
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
    assert -10 < importer.steps_left <= 0
    assert machine.main.namespace["y"] == 1 and not machine.exhausted


def test_what_an_imported_file_imports_is_paid_from_the_same_account(tmp_path: Path) -> None:
    body = "import torch\nx = 0\nfor i in range(3):\n" + "    x = x + 1\n" * 400
    (tmp_path / "outer.py").write_text("import inner\n" + body, "utf-8")
    (tmp_path / "inner.py").write_text(body, "utf-8")

    def left(program: str) -> int:
        importer = Importer(WorkspaceModules((str(tmp_path),)))
        run_file(parse(str(tmp_path / "main.py"), program), importer)
        return importer.steps_left

    assert MAX_STEPS - left("import outer") >= 2 * (MAX_STEPS - left("import inner")) > 2000
