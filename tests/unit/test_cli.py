"""The command line as a person meets it: real processes, their output and exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

CLEAN = "import torch\nx = torch.randn(3, requires_grad=True)\n(x * 2).sum().backward()\nprint(x.grad)\n"
CUT = (EXAMPLES / "ex2.py").read_text(encoding="utf-8")


def gradsight(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    cleaned = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    result = subprocess.run(
        [sys.executable, "-m", "gradsight", *arguments],
        cwd=cwd,
        stdin=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        env={**cleaned, **(env or {})},
    )
    assert "Traceback" not in result.stderr + result.stdout
    return result


def check_json(*arguments: str, cwd: Path) -> tuple[int, dict[str, Any]]:
    result = gradsight("check", *arguments, "--output-format", "json", cwd=cwd)
    return result.returncode, json.loads(result.stdout)


def problems(document: dict[str, Any]) -> dict[str, str]:
    return {problem["path"]: problem["message"] for problem in document["problems"]}


# --- the three programs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rule", "line", "severity", "status"),
    [
        ("ex1.py", "nothing-requires-grad", 2, "error", 1),
        ("ex2.py", "no-grad-block", 5, "error", 1),
        ("ex3.py", "inplace-on-loss-path", 4, "hint", 0),
    ],
)
def test_the_three_programs(name: str, rule: str, line: int, severity: str, status: int) -> None:
    returned, document = check_json(name, cwd=EXAMPLES)
    assert [(d["path"], d["rule"], d["range"]["start"]["line"], d["severity"]) for d in document["diagnostics"]] == [
        (name, rule, line, severity)
    ]
    assert returned == status
    assert document["diagnostics"][0]["fixes"]


def test_text_of_the_second_program_has_its_layout() -> None:
    result = gradsight("check", "ex2.py", cwd=EXAMPLES)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ex2.py:5:5: error[no-grad-block] `y` ")
    assert any(line.startswith("    5 |     y = x * 2    ") for line in lines)
    assert any(line.startswith("    7 | loss.backward()    ") for line in lines)
    assert any(line.startswith("    fix (safe): move `y = x * 2` out of ") for line in lines)
    assert lines[-1] == "Found 1 error (1 file checked); 1 with a safe fix"
    assert "\x1b" not in result.stdout and result.returncode == 1


def test_json_has_exactly_the_documented_fields() -> None:
    _, document = check_json("ex1.py", "ex2.py", "ex3.py", cwd=EXAMPLES)
    assert set(document) == {"version", "files", "diagnostics", "problems"}
    assert document["files"] == 3 and document["problems"] == []
    assert document["diagnostics"]
    for diagnostic in document["diagnostics"]:
        keys = {"path", "rule", "severity", "confidence", "message", "range", "trace", "fixes"}
        assert set(diagnostic) == keys
        assert diagnostic["severity"] in ("error", "warning", "information", "hint")
        assert diagnostic["confidence"] in ("certain", "likely", "possible")
        _is_range(diagnostic["range"])
        assert diagnostic["trace"]
        for step in diagnostic["trace"]:
            assert set(step) == {"path", "role", "message", "range"}
            assert step["role"] in ("source", "cut", "mutation", "saved", "sink", "note")
            _is_range(step["range"])
        for fix in diagnostic["fixes"]:
            assert set(fix) == {"title", "applicability", "edits"}
            assert fix["applicability"] in ("safe", "unsafe", "suggestion")
            for edit in fix["edits"]:
                assert set(edit) == {"path", "range", "text"}
                _is_range(edit["range"])


def _is_range(value: dict[str, dict[str, int]]) -> None:
    assert set(value) == {"start", "end"}
    for position in value.values():
        assert set(position) == {"line", "column"}
        assert position["line"] >= 1 and position["column"] >= 1


def test_columns_count_characters(tmp_path: Path) -> None:
    program = CUT.replace("    y = x * 2", '    s = "é😀"; y = x * 2')
    (tmp_path / "wide.py").write_text(program, encoding="utf-8")
    _, document = check_json("wide.py", cwd=tmp_path)
    assert [d["range"]["start"] for d in document["diagnostics"]] == [{"line": 5, "column": 15}]


def test_sarif_and_github_carry_the_finding() -> None:
    sarif = json.loads(gradsight("check", "ex2.py", "--output-format", "sarif", cwd=EXAMPLES).stdout)
    (result,) = sarif["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("no-grad-block", "error")
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 5
    assert sarif["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "no-grad-block"
    github = gradsight("check", "ex2.py", "--output-format", "github", cwd=EXAMPLES).stdout
    assert github.startswith("::error file=ex2.py,line=5,endLine=5,col=5,")


# --- selection and the failing level --------------------------------------------------------------------------------


def test_select_ignore_and_suppression(tmp_path: Path) -> None:
    (tmp_path / "cut.py").write_text(CUT, encoding="utf-8")
    assert check_json("cut.py", "--select", "freed-graph", cwd=tmp_path)[1]["diagnostics"] == []
    assert check_json("cut.py", "--ignore", "freed-graph,no-grad-block", cwd=tmp_path)[1]["diagnostics"] == []
    selected = check_json("cut.py", "--select", "freed-graph", "--select", "no-grad-block", cwd=tmp_path)[1]
    assert len(selected["diagnostics"]) == 1
    (tmp_path / "pyproject.toml").write_text('[tool.gradsight]\nignore = ["no-grad-block"]\n', encoding="utf-8")
    assert check_json("cut.py", cwd=tmp_path)[1]["diagnostics"] == []


def test_the_failing_level() -> None:
    assert gradsight("check", "ex2.py", "--exit-zero", cwd=EXAMPLES).returncode == 0
    assert gradsight("check", "ex2.py", "--fail-on", "never", cwd=EXAMPLES).returncode == 0
    assert gradsight("check", "ex3.py", "--fail-on", "hint", cwd=EXAMPLES).returncode == 1
    assert gradsight("check", "ex3.py", "--fail-on", "information", cwd=EXAMPLES).returncode == 0


# --- bad input: one sentence, the right status, the rest goes on ----------------------------------------------------


def test_a_missing_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(CLEAN, encoding="utf-8")
    status, document = check_json("gone.py", "good.py", cwd=tmp_path)
    assert (status, document["files"]) == (2, 1)
    assert problems(document) == {"gone.py": "no such file or folder"}
    text = gradsight("check", "gone.py", "good.py", cwd=tmp_path)
    assert text.stderr == "gone.py: no such file or folder\n"
    assert text.stdout == "No findings (1 file checked, 1 problem)\n"


def test_a_folder_without_python(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("hello")
    status, document = check_json("data", cwd=tmp_path)
    assert (status, problems(document)) == (2, {"data": "no Python files in this folder"})


def test_invalid_utf8_and_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_bytes(b"import torch\nx = '\xff\xfe'\n")
    (tmp_path / "latin.py").write_bytes("# -*- coding: latin-1 -*-\nname = 'caf\xe9'\n".encode("latin-1"))
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbfimport torch\r\nx = 1\r\n")
    (tmp_path / "codec.py").write_bytes(b"# coding: klingon\nx = 1\n")
    (tmp_path / "null.py").write_bytes(b"x = 1\0\n")
    (tmp_path / "early.py").write_bytes(b"x = '\xff'\n")
    status, document = check_json(".", cwd=tmp_path)
    found = problems(document)
    assert set(found) == {"bad.py", "codec.py", "null.py", "early.py"} and status == 2
    assert found["bad.py"].startswith("line 2: byte 0xff is not valid UTF-8")
    assert found["early.py"].startswith("line 1: byte 0xff is not valid UTF-8")
    assert "klingon" in found["codec.py"]
    assert "null byte" in found["null.py"]
    assert document["files"] == 2


def test_a_syntax_error_is_reported_and_the_rest_of_the_file_analysed(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(CUT + "\ndef half(:\n    pass\n", encoding="utf-8")
    (tmp_path / "good.py").write_text(CLEAN, encoding="utf-8")
    status, document = check_json("broken.py", "good.py", cwd=tmp_path)
    assert status == 2 and document["files"] == 2
    assert "line 10" in problems(document)["broken.py"]
    assert [d["rule"] for d in document["diagnostics"]] == ["no-grad-block"]


def test_unknown_rules_are_named_and_the_known_ones_used(tmp_path: Path) -> None:
    (tmp_path / "cut.py").write_text(CUT, encoding="utf-8")
    result = gradsight("check", "--select", "no-grad-blok,no-grad-block", "cut.py", cwd=tmp_path)
    assert result.stderr == "gradsight check: --select: unknown rule `no-grad-blok`; did you mean `no-grad-block`?\n"
    assert result.returncode == 2 and "error[no-grad-block]" in result.stdout
    result = gradsight("check", "--select", "E501", "cut.py", cwd=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    assert "unknown rule `E501`" in result.stderr and "nothing was checked" in result.stderr


def test_a_mistake_in_the_settings_is_said_and_the_rest_used(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(CLEAN, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.gradsight]\nselekt = []\n", encoding="utf-8")
    result = gradsight("check", "good.py", cwd=tmp_path)
    assert result.returncode == 2 and "selekt" in result.stderr and "(1 file checked)" in result.stdout


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that even root cannot read: Linux")
def test_a_file_whose_reading_fails(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(CLEAN)
    status, document = check_json("/proc/self/mem", "good.py", cwd=tmp_path)
    assert (status, document["files"]) == (2, 1)
    assert problems(document) == {"/proc/self/mem": "cannot be read: input/output error"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text(CLEAN)
    (tmp_path / "secret.py").chmod(0)
    (tmp_path / "room").mkdir(mode=0)
    (tmp_path / "good.py").write_text(CLEAN)
    status, document = check_json(".", cwd=tmp_path)
    assert (status, document["files"]) == (2, 1)
    assert problems(document) == {
        "secret.py": "cannot be read: permission denied",
        "room": "cannot list this folder: permission denied",
    }
    _, document = check_json("room", "room/a.py", cwd=tmp_path)
    assert problems(document) == {
        "room": "cannot list this folder: permission denied",
        "room/a.py": "cannot be read: permission denied",
    }


def test_the_folder_one_stands_in_may_be_gone(tmp_path: Path) -> None:
    (tmp_path / "cut.py").write_text(CUT, encoding="utf-8")
    (tmp_path / "here").mkdir()
    command = f'rmdir ../here; exec "{sys.executable}" -m gradsight check "{tmp_path / "cut.py"}"'
    result = subprocess.run(command, shell=True, cwd=tmp_path / "here", capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and result.stderr == ""


def test_bad_options_are_one_sentence(tmp_path: Path) -> None:
    for arguments in (["check", "--nonsense"], ["check", "--output-format", "xml"], [], ["chekc"]):
        result = gradsight(*arguments, cwd=tmp_path)
        assert result.returncode == 2 and result.stdout == ""
        assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("gradsight")


def test_files_of_odd_kinds(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "link.py").symlink_to("nowhere.py")
    status, document = check_json("empty.py", "link.py", cwd=tmp_path)
    assert (status, document["files"]) == (2, 1)
    assert problems(document) == {"link.py": "a link to a file that does not exist"}
    (tmp_path / "round.py").symlink_to("round.py")
    _, document = check_json("round.py", "-", cwd=tmp_path)
    assert problems(document)["round.py"] == "cannot be read: too many levels of symbolic links"
    assert problems(document)["-"].startswith("no such file or folder")


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    name = b"caf\xe9.py"
    try:
        (tmp_path / os.fsdecode(name)).write_text(CUT, encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    result = gradsight("check", ".", cwd=tmp_path)
    assert "(1 file checked)" in result.stdout
    status, document = check_json(".", cwd=tmp_path)
    assert document["files"] == 1 and status in (0, 1)


# --- walking folders ------------------------------------------------------------------------------------------------


def test_a_folder_is_walked_without_what_is_not_the_users_own(tmp_path: Path) -> None:
    for folder in (".git", "node_modules/x", "__pycache__", "env/lib/site-packages", "src/pkg", "lib/site-packages"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "broken.py").write_text("def (:\n")
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    (tmp_path / "env" / "inside.py").write_text("def (:\n")
    (tmp_path / "src" / "pkg" / "broken.py").write_text(CLEAN)
    (tmp_path / "src" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "src" / ".ipynb_checkpoints" / "notes.ipynb").write_text("{}")
    os.mkfifo(tmp_path / "src" / "pipe.py")  # opening it would wait for ever
    status, document = check_json(cwd=tmp_path)
    assert (status, document["files"], document["problems"]) == (0, 1, [])
    # What is named is taken: twice named is once checked.
    status, document = check_json("src", "src/pkg/broken.py", "./src", "env/inside.py", cwd=tmp_path)
    assert document["files"] == 2 and list(problems(document)) == ["env/inside.py"]


def test_paths_are_shown_as_typed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "cut.py").write_text(CUT, encoding="utf-8")
    for typed, shown in (("sub", "sub/cut.py"), (".", "sub/cut.py"), ("sub/cut.py", "sub/cut.py")):
        assert [d["path"] for d in check_json(typed, cwd=tmp_path)[1]["diagnostics"]] == [shown]
    absolute = str(tmp_path / "sub" / "cut.py")
    (diagnostic,) = check_json(absolute, cwd=tmp_path)[1]["diagnostics"]
    assert diagnostic["path"] == absolute
    assert {step["path"] for step in diagnostic["trace"]} == {absolute}


# --- terminals and pipes --------------------------------------------------------------------------------------------


def test_colour_is_for_terminals_only() -> None:
    assert "\x1b[" in gradsight("check", "ex2.py", cwd=EXAMPLES, env={"FORCE_COLOR": "1"}).stdout
    for env in ({}, {"NO_COLOR": "1"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        assert "\x1b" not in gradsight("check", "ex2.py", cwd=EXAMPLES, env=env).stdout


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    process = subprocess.run(
        f"{sys.executable} -m gradsight explain no-grad-block | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert process.stdout == "# no-grad-block\n" and process.stderr == ""


# --- explain, version, verify's arguments ---------------------------------------------------------------------------


def test_explain(tmp_path: Path) -> None:
    page = gradsight("explain", "inplace-on-saved", cwd=tmp_path)
    assert page.returncode == 0
    for heading in ("What it does", "Why it matters", "Example", "Use instead", "Fix safety", "What it cannot see"):
        assert f"## {heading}\n" in page.stdout
    assert "no-grad-block" in gradsight("explain", cwd=tmp_path).stdout
    unknown = gradsight("explain", "no-gard-block", cwd=tmp_path)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr == "gradsight explain: unknown rule `no-gard-block`; did you mean `no-grad-block`?\n"


def test_version(tmp_path: Path) -> None:
    from gradsight import __version__

    assert gradsight("--version", cwd=tmp_path).stdout == f"gradsight {__version__}\n"


def test_verify_refuses_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cut.py").write_text(CUT, encoding="utf-8")
    for target, words in (
        ("gone.py", "gone.py: no such file"),
        ("gone.py:3", "gone.py: no such file"),
        (".", "is a folder"),
        ("cut.py:99", "has no line 99"),
        (f"cut.py:{len(CUT.splitlines()) + 1}", f"its last one is {len(CUT.splitlines())}"),
    ):
        result = gradsight("verify", target, cwd=tmp_path)
        assert result.returncode == 2 and words in result.stderr and len(result.stderr.splitlines()) == 1
    result = gradsight("verify", "cut.py", "--python", "/no/such/python", cwd=tmp_path)
    assert result.returncode == 2 and "/no/such/python" in result.stderr
    for arguments in (["--timeout", "0"], ["--timeout", "soon"], ["--device", "tpu"]):
        assert gradsight("verify", "cut.py", *arguments, cwd=tmp_path).returncode == 2


def test_verify_runs_nothing_where_there_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "clean.py").write_text("open('ran', 'w').close()\n" + CLEAN, encoding="utf-8")
    result = gradsight("verify", "clean.py", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "clean.py: no findings, so nothing was run\n")
    assert not (tmp_path / "ran").exists()
    (tmp_path / "cut.py").write_text(CUT, encoding="utf-8")
    result = gradsight("verify", "cut.py:1", cwd=tmp_path)
    assert result.returncode == 0 and "there are findings on: 5" in result.stdout
