"""`verify.entry`: a test, script, module or function runs instead of the file, which is checked where that uses it."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from gradsight.verify.entry import parse_entry

from .build import Claim, Story

CUT = Story(
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Linear(4, 3)
            self.head = nn.Linear(3, 1)

        def forward(self, x):
            return self.head(self.encoder(x).detach())

    def step(net, x, scale=1.0):
        loss = net(x).pow(2).sum() * scale
        loss.backward()
        return loss

    def main(rows, scale=1.0):
        step(Net(), torch.ones(rows, 4), scale=scale)
    """,
    Claim(
        "detached-value",
        "self.encoder(x).detach()",
        [
            ("source", "self.encoder = nn.Linear(4, 3)", "`self.encoder` is trainable"),
            ("cut", "self.encoder(x).detach()", "cut"),
            ("sink", "loss.backward()", "the loss"),
        ],
        (".detach()", ""),
    ),
)
"""Nothing in it calls anything: without an entry point a call is made up."""

TEST = """
import pathlib

import pytest
import torch

from program import Net, step


@pytest.fixture
def net():
    yield Net()
    pathlib.Path(__file__).with_name("torn-down").touch()


def test_first(net):
    step(net, torch.ones(2, 4))


def test_second(net):
    pathlib.Path(__file__).with_name("second-ran").touch()
"""


@pytest.fixture
def project(tmp_path: Path):
    """Files by name; the checked one lies there too, with another text than the editor's."""
    (tmp_path / "program.py").write_text("raise SystemExit('the text on disk must not run')\n")

    def write(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        return tmp_path

    return write


def test_a_test_confirms_and_its_fix_is_verified(check, project) -> None:
    folder = project(test_step=TEST)
    report = check(CUT, entry="pytest -q test_step.py::test_first", cwd=str(folder), fix=True)
    (result,) = report.results
    assert result.verdict == "confirmed", result.reason
    assert {leaf.name for leaf in result.leaves} == {"self.encoder.weight", "self.encoder.bias"} or {
        leaf.name for leaf in result.leaves
    } == {"net.encoder.weight", "net.encoder.bias"}
    assert result.fix is not None and result.fix.verdict == "verified", result.fix
    assert not report.invented
    assert report.notes[0] == "Run by `pytest -q test_step.py::test_first`."


def test_the_session_ends_where_the_check_has_seen_enough(check, project) -> None:
    folder = project(test_step=TEST)
    report = check(CUT, entry="python -m pytest test_step.py", cwd=str(folder))
    assert report.results[0].verdict == "confirmed"
    assert (folder / "torn-down").exists() and not (folder / "second-ran").exists()
    assert not [*folder.rglob("*.pyc"), *folder.rglob(".pytest_cache")], "a check writes nothing"


def test_a_finding_in_the_test_file_itself(check, project) -> None:
    project(program="def test_it(): raise SystemExit('the text on disk must not run')\n")
    story = Story(
        """
        import torch

        def test_it():
            w = torch.ones(3, requires_grad=True)
            loss = w.detach().sum()
            assert loss.ndim == 0
            loss.backward()
        """,
        Claim("detached-value", "w.detach()", [("cut", "w.detach()", "cut"), ("sink", "loss.backward()", "raises")]),
    )
    folder = project()
    report = check(story, entry="pytest program.py::test_it", cwd=str(folder))
    (result,) = report.results
    assert result.verdict == "confirmed" and result.raised is not None and result.raised.line == 7, result.reason


def test_a_script_with_arguments(check, project) -> None:
    folder = project(train="import sys\nimport program\nprogram.main(int(sys.argv[2]))\n")
    report = check(CUT, entry="python train.py --rows 2", cwd=str(folder))
    assert report.results[0].verdict == "confirmed", report.results[0].reason


def test_a_module(check, project) -> None:
    folder = project(train="import program\nif __name__ == '__main__':\n    program.main(3)\n")
    report = check(CUT, entry="python -m train", cwd=str(folder))
    assert report.results[0].verdict == "confirmed", report.results[0].reason


@pytest.mark.parametrize("entry", ["program:main(2, scale=0.5)", "helpers:again"])
def test_a_function(check, project, entry: str) -> None:
    folder = project(helpers="import program\n\ndef again():\n    program.main(1)\n")
    report = check(CUT, entry=entry, cwd=str(folder))
    assert report.results[0].verdict == "confirmed", report.results[0].reason


def test_the_checked_file_as_the_script(check, project) -> None:
    story = Story(
        """
        import sys
        import torch

        w = torch.ones(int(sys.argv[1]), requires_grad=True)
        loss = w.detach().sum()
        loss.backward()
        """,
        Claim("detached-value", "w.detach()", [("cut", "w.detach()", "cut"), ("sink", "loss.backward()", "raises")]),
    )
    report = check(story, entry="program.py 3", cwd=str(project()))
    assert report.results[0].verdict == "confirmed", report.results[0].reason


def test_a_test_that_fails_for_another_reason_is_told_with_its_error(check, project) -> None:
    folder = project(test_step="import program\n\ndef test_it():\n    program.step(None, 3)\n")
    (result,) = check(CUT, entry="pytest test_step.py", cwd=str(folder)).results
    assert result.verdict == "failed" and "TypeError" in result.reason, result.reason


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("pytest absent.py", "a wrong command line"),
        ("pytest test_none.py", "no test was found"),
        ("absent.py", "cannot be read"),
        ("python -m absent", "there is no module `absent`"),
        ("absent:main()", "there is no module `absent`"),
        ("program:absent", "has no `absent`"),
        ("make test", "is none that can be run"),
        ("program:main(rows)", "not all literals"),
    ],
)
def test_an_entry_point_that_is_none(check, project, entry: str, said: str) -> None:
    folder = project(test_none="")
    (result,) = check(CUT, entry=entry, cwd=str(folder)).results
    assert result.verdict == "could-not-start" and said in result.reason, result.reason


def test_an_entry_point_that_never_loads_the_file(check, project) -> None:
    folder = project(other="value = 1\n")
    (result,) = check(CUT, entry="other.py", cwd=str(folder)).results
    assert (result.verdict, result.reason) == ("not-reached", "The entry point ran and never loaded this file.")


@pytest.mark.parametrize(
    ("text", "kind", "name", "arguments"),
    [
        ("pytest tests/test_step.py::test_one", "pytest", "pytest", ("tests/test_step.py::test_one",)),
        ("pytest -k 'a and b'", "pytest", "pytest", ("-k", "a and b")),
        ("python3 -m pytest tests", "pytest", "pytest", ("tests",)),
        ("python -m pkg.train --epochs 1", "module", "pkg.train", ("--epochs", "1")),
        ("scripts/train.py --epochs 1", "script", "scripts/train.py", ("--epochs", "1")),
        ("pkg.train:Trainer.fit(1, [2.5])", "function", "pkg.train:Trainer.fit", (1, [2.5])),
    ],
)
def test_what_a_setting_means(text: str, kind: str, name: str, arguments: tuple[object, ...]) -> None:
    entry = parse_entry(text)
    assert (entry.kind, entry.name, entry.arguments) == (kind, name, arguments)
