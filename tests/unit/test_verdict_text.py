"""How the result of an execution check looks on a terminal."""

from __future__ import annotations

import io

from gradsight.analysis.report import Finding, Position, Span
from gradsight.cli.targets import Target, split_target
from gradsight.cli.terminal import Terminal
from gradsight.cli.verdict_text import write_report
from gradsight.verify import CheckReport, FixResult, LeafGrad, Raised, Result

TEXT = "import torch\nwith torch.no_grad():\n    y = x * 2\ny.sum().backward()\n"
FINDING = Finding("no-grad-block", "error", "certain", "`y` is cut", Span("a.py", Position(3, 5), Position(3, 14)))


def shown(report: CheckReport) -> str:
    stream = io.StringIO()
    write_report(Terminal(stream, False), report, TEXT)
    return stream.getvalue()


def test_a_confirmed_finding_with_a_verified_fix() -> None:
    fix = FixResult(
        "move `y = x * 2` out of the block",
        "verified",
        "the gradient is there",
        (LeafGrad("x", 1, "present", 6.3246),),
        TEXT.replace("with torch.no_grad():\n    ", ""),
    )
    result = Result(
        "no-grad-block",
        3,
        "confirmed",
        "`backward()` raised",
        raised=Raised("RuntimeError", "element 0", 4),
        leaves=(LeafGrad("x", 1, "none"),),
        fix=fix,
        finding=FINDING,
    )
    assert shown(CheckReport("a.py", "cpu", "2.13.0", 1.94, (result,))) == (
        "a.py:3:5: error[no-grad-block] `y` is cut\n"
        "    3 | y = x * 2\n"
        "    confirmed on cpu: `backward()` raised\n"
        "        raised RuntimeError: element 0 (line 4)\n"
        "        x.grad is None\n"
        "    fix verified: move `y = x * 2` out of the block\n"
        "          import torch\n"
        "        - with torch.no_grad():\n"
        "        -     y = x * 2\n"
        "        + y = x * 2\n"
        "          y.sum().backward()\n"
        "        x.grad is there (norm 6.325)\n"
        "\n"
        "1 confirmed, 1 fix verified (cpu, torch 2.13.0, 1.9 s)\n"
    )


def test_no_answer_shows_why_and_the_programs_last_words() -> None:
    result = Result("no-grad-block", 3, "failed", "the program failed on its own", finding=FINDING)
    report = CheckReport("a.py", "cpu", "2.13.0", 0.5, (result,), stdout="Traceback\nKeyError: 'data'\n")
    text = shown(report)
    assert "    failed: the program failed on its own\n" in text
    assert "the program's last output:\n    Traceback\n    KeyError: 'data'\n" in text
    assert text.endswith("1 failed (cpu, torch 2.13.0, 0.5 s)\n")


def test_targets() -> None:
    assert split_target("a.py") == Target("a.py")
    assert split_target("a.py:12") == Target("a.py", 12)
    assert split_target("dir/a.py:12:5") == Target("dir/a.py", 12)
    assert split_target("a.ipynb:cell 3") == Target("a.ipynb", None, 3)
    assert split_target("a.ipynb:cell 3:2:5") == Target("a.ipynb", 2, 3)
    assert split_target("C:\\code\\a.py:7") == Target("C:\\code\\a.py", 7)
