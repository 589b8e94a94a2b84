"""Notebooks on the command line: one program, places in cells."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from test_cli import check_json, gradsight, problems


def write(path: Path, *cells: str, language: str = "python") -> None:
    """A notebook with these code cells behind a text cell."""
    path.write_text(
        json.dumps(
            {
                "cells": [
                    {"cell_type": "markdown", "metadata": {}, "source": "# Training"},
                    *(
                        {
                            "cell_type": "code",
                            "metadata": {},
                            "outputs": [],
                            "execution_count": None,
                            "source": cell.splitlines(keepends=True),
                        }
                        for cell in cells
                    ),
                ],
                "metadata": {"kernelspec": {"name": "k", "display_name": "k", "language": language}},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
    )


CELLS = (
    "%matplotlib inline\nimport torch\nx = torch.randn(3, requires_grad=True)",
    "with torch.no_grad():\n    y = x * 2",
    "loss = y.sum()\nloss.backward()\n",
)


def test_a_finding_is_in_its_cell(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", *CELLS)
    result = gradsight("check", ".", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stdout.startswith("train.ipynb:cell 3:2:5: error[no-grad-block]")
    assert "cell 2:3 | x = torch.randn(3, requires_grad=True)" in result.stdout
    assert "cell 4:2 | loss.backward()" in result.stdout


def test_json_names_the_cell_beside_the_file(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", *CELLS)
    status, document = check_json("train.ipynb", cwd=tmp_path)
    (diagnostic,) = document["diagnostics"]
    assert (status, diagnostic["path"], diagnostic["cell"]) == (1, "train.ipynb", 3)
    assert diagnostic["range"]["start"] == {"line": 2, "column": 5}
    assert [(step["cell"], step["range"]["start"]["line"]) for step in diagnostic["trace"]] == [
        (2, 3),
        (3, 1),
        (3, 2),
        (4, 2),
    ]
    (edit,) = {edit["cell"] for fix in diagnostic["fixes"] for edit in fix["edits"]}
    assert edit == 3


def test_formats_without_cells_name_the_file(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", *CELLS)
    github = gradsight("check", "--output-format", "github", cwd=tmp_path).stdout
    assert github.startswith("::error file=train.ipynb,title=gradsight (no-grad-block)::cell 3, line 2: ")
    sarif = json.loads(gradsight("check", "--output-format", "sarif", cwd=tmp_path).stdout)
    (result,) = sarif["runs"][0]["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"] == {"artifactLocation": {"uri": "train.ipynb"}}
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "cell 3, line 2"


def test_what_is_wrong_with_a_cell_is_said_of_that_cell(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", *CELLS, "\ndef f(:\n    pass\n", "%%bash\necho $(ls")
    status, document = check_json("train.ipynb", cwd=tmp_path)
    assert status == 2 and len(document["diagnostics"]) == 1  # the other cells keep theirs
    assert document["problems"] == [{"path": "train.ipynb", "cell": 5, "message": "line 2: invalid syntax"}]


def test_what_is_no_notebook_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.ipynb").write_text("{")
    (tmp_path / "list.ipynb").write_text("[]")
    (tmp_path / "latin.ipynb").write_bytes(b'{"cells": "\xe9"}')
    (tmp_path / "sheet.ipynb").write_text('{"worksheets": [{"cells": null}]}')
    status, document = check_json(cwd=tmp_path)
    assert status == 2
    assert problems(document)["broken.ipynb"].startswith("not a notebook: its JSON is broken: expecting property name")
    assert problems(document)["list.ipynb"] == "not a notebook: no object with cells"
    assert problems(document)["latin.ipynb"] == "not a notebook: its text is not valid UTF-8"
    assert "sheet.ipynb" not in problems(document), "a sheet without cells is an empty one"


def test_another_language_is_a_problem_only_where_it_is_named(tmp_path: Path) -> None:
    write(tmp_path / "stats.ipynb", "x <- 1", language="R")
    write(tmp_path / "train.ipynb", *CELLS)
    assert check_json(cwd=tmp_path)[1]["problems"] == []
    assert problems(check_json("stats.ipynb", cwd=tmp_path)[1]) == {"stats.ipynb": "its cells are r, not Python"}


def test_the_check_runs_the_cells(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", *CELLS)
    result = gradsight("verify", "train.ipynb", "--fix", "--output-format", "json", cwd=tmp_path)
    (found,) = json.loads(result.stdout)["results"]
    assert (found["verdict"], found["fix"]["verdict"]) == ("confirmed", "verified")


def test_the_check_speaks_in_cells(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", *CELLS)
    result = gradsight("verify", "train.ipynb:cell 3", "--python", sys.executable, cwd=tmp_path)
    assert result.stdout.startswith("train.ipynb:cell 3:2:5: error[no-grad-block]"), result.stderr
    assert "PyTorch raised at line 2 of cell 4" in result.stdout
    result = gradsight("verify", "train.ipynb:cell 4:1", "--python", sys.executable, cwd=tmp_path)
    assert result.stdout == (
        "train.ipynb:cell 4:1: no finding here, so nothing was run; there are findings on: cell 3:2\n"
    )
    for target, refused in (
        ("train.ipynb:cell 1", "train.ipynb has no code cell 1"),
        ("train.ipynb:cell 3:9", "train.ipynb:cell 3 has no line 9; its last one is 2"),
    ):
        result = gradsight("verify", target, cwd=tmp_path)
        assert (result.returncode, result.stderr) == (2, f"gradsight verify: {refused}\n")


def test_the_json_of_a_check_names_the_cells(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", *CELLS)
    arguments = ("--fix", "--python", sys.executable, "--output-format", "json")
    result = gradsight("verify", "train.ipynb", *arguments, cwd=tmp_path)
    (found,) = json.loads(result.stdout)["results"]
    assert (found["cell"], found["line"]) == (3, 2)
    assert (found["raised"]["cell"], found["raised"]["line"]) == (4, 2)
    assert [(leaf["cell"], leaf["line"]) for leaf in found["fix"]["leaves"]] == [(2, 3)]
