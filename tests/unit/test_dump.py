"""`gradsight dump` shows the engine's view; the expected texts lie in `dumps/`, next to the programs they belong to.

With `GRADSIGHT_UPDATE=1` the expected texts are rewritten; read the difference before you keep it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gradsight.analysis.dump import dump
from gradsight.cli import main

FOLDER = Path(__file__).with_name("dumps")
CASES = [
    ("no_grad_block", None),
    ("saved_and_changed", None),
    ("branch_and_loop", None),
    ("module_step", None),
    ("module_step", "Net.forward"),
]


@pytest.mark.parametrize(("name", "function"), CASES, ids=[f"{n}-{f}" if f else n for n, f in CASES])
def test_the_view_is_the_expected_one(name: str, function: str | None) -> None:
    program = FOLDER / f"{name}.py"
    expected = FOLDER / (f"{name}.{function}.txt" if function else f"{name}.txt")
    seen = dump(program.name, program.read_text(), function=function)
    if os.environ.get("GRADSIGHT_UPDATE", "") not in ("", "0"):
        expected.write_text(seen)
    assert seen == expected.read_text()


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", str(FOLDER / "no_grad_block.py")]) == 0
    assert "backward raises: element 0 of tensors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.py"], "nowhere.py"),
        ([str(FOLDER / "module_step.py"), "--function", "missing"], "`missing` is never run"),
    ],
)
def test_nothing_to_show_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dump", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert sentence in told.err and told.err.count("\n") == 1


def test_what_does_not_parse_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "typed.py").write_text("import torch\nx = torch.ones(2)\ny = (x +\n")
    assert main(["dump", str(tmp_path / "typed.py")]) == 2
    told = capsys.readouterr()
    assert "x  no grad" in told.out
    assert "line 3: " in told.err and told.err.count("\n") == 1


def test_a_text_that_does_not_parse_is_shown_as_far_as_it_goes() -> None:
    assert "x  leaf, requires grad" in dump("a.py", "import torch\nx = torch.ones(2, requires_grad=True)\ny = (x +\n")
