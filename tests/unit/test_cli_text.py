"""How findings look on a terminal: the layout of the product's example, letter by letter."""

from __future__ import annotations

import io
from collections.abc import Sequence

from gradsight.analysis.report import Finding, Fix, Position, Role, Span, TraceStep
from gradsight.cli.as_github import workflow_commands
from gradsight.cli.as_text import SOURCE_COLUMN, summary, write_finding
from gradsight.cli.terminal import Terminal, printable, with_code

EX2 = """\
import torch

x = torch.randn(10, requires_grad=True)
with torch.no_grad():
    y = x * 2
loss = y.sum()
loss.backward()
print(x.grad)
"""


def span(line: int, column: int = 1, end: int = 2, path: str = "ex2.py") -> Span:
    return Span(path, Position(line, column), Position(line, end))


def step(line: int, role: Role, message: str, path: str = "ex2.py") -> TraceStep:
    return TraceStep(span(line, path=path), role, message)


FINDING = Finding(
    rule="no-grad-block",
    severity="error",
    confidence="certain",
    message="`y` carries no gradient to `loss`: computed under `torch.no_grad()`",
    span=span(5, 5, 14),
    trace=(
        step(3, "source", "`x` is trainable"),
        step(4, "cut", "tracking is off from here"),
        step(5, "cut", "cut: `y` has no grad_fn"),
        step(7, "sink", "raises: element 0 of tensors does not require grad"),
    ),
    fixes=(Fix("move `y = x * 2` out of `torch.no_grad()`", "safe", ()),),
)


def shown(finding: Finding, files: dict[str, str], colour: bool = False) -> str:
    stream = io.StringIO()
    out = Terminal(stream, False)

    def lines(path: str) -> Sequence[str]:
        return files.get(path, "").split("\n")

    write_finding(out, finding, lines)
    return stream.getvalue()


def test_the_example_of_the_product_page() -> None:
    assert shown(FINDING, {"ex2.py": EX2}) == (
        "ex2.py:5:5: error[no-grad-block] `y` carries no gradient to `loss`: computed under `torch.no_grad()`\n"
        "    3 | x = torch.randn(10, requires_grad=True)    `x` is trainable\n"
        "    4 | with torch.no_grad():                      tracking is off from here\n"
        "    5 |     y = x * 2                              cut: `y` has no grad_fn\n"
        "    7 | loss.backward()                            raises: element 0 of tensors does not require grad\n"
        "    fix (safe): move `y = x * 2` out of `torch.no_grad()`\n"
        "\n"
    )


def test_two_steps_on_one_line_show_it_once_and_other_files_are_named() -> None:
    finding = Finding(
        "detached-value",
        "warning",
        "likely",
        "`a` is cut",
        span(1),
        (
            step(1, "source", "one"),
            step(1, "cut", "two"),
            step(2, "sink", "three", path="lib/other.py"),
        ),
    )
    text = shown(finding, {"ex2.py": "    a = 1", "lib/other.py": "\n    b = 2"})
    assert text.splitlines()[1:4] == [
        "                 1 | a = 1    one",
        "                   |          two",
        "    lib/other.py:2 | b = 2    three",
    ]


def test_a_finding_without_a_trace_shows_its_line() -> None:
    finding = Finding("detached-value", "hint", "likely", "`a` is cut", span(2))
    assert shown(finding, {"ex2.py": "\n\ta = 1"}).splitlines()[1] == "    2 | a = 1"


def test_long_lines_are_shortened_and_control_characters_cannot_reach_the_terminal() -> None:
    finding = Finding("detached-value", "hint", "likely", "bad \x1b[2J", span(1), (step(1, "cut", "here"),))
    text = shown(finding, {"ex2.py": "x = '\x1b]0;title\x07'" + "y" * 200})
    assert "\x1b" not in text and "\x07" not in text
    row = text.splitlines()[1]
    assert row.endswith("…    here") and len(row) == len("    1 | ") + SOURCE_COLUMN + len("    here")


def test_a_file_that_changed_since_shows_no_wrong_line() -> None:
    assert shown(FINDING, {"ex2.py": "import torch"}).splitlines()[1] == "    3 |     `x` is trainable"


def test_summary_counts_by_severity() -> None:
    hint = Finding("detached-value", "hint", "likely", "m", span(1))
    text = "".join(piece for piece, _ in summary([FINDING, FINDING, hint], 3, 1))
    assert text == "Found 2 errors, 1 hint (3 files checked, 1 problem); 2 with a safe fix"
    assert "".join(piece for piece, _ in summary([], 1, 0)) == "No findings (1 file checked)"


def test_backticks_become_pieces_and_an_odd_number_is_left_alone() -> None:
    assert with_code("a `b` c", "red", "bold") == [("a ", "red"), ("`b`", "bold"), (" c", "red")]
    assert with_code("a `b", "red", "bold") == [("a `b", "red")]


def test_printable_keeps_other_alphabets_and_emoji() -> None:
    assert printable("é 張量 😀\tx\r") == "é 張量 😀    x\\r"


def test_github_commands_escape_what_would_end_them() -> None:
    finding = Finding("detached-value", "warning", "likely", "50%\nlost", span(3, 1, 4, path="a,b:c.py"))
    assert list(workflow_commands([finding], [])) == [
        "::warning file=a%2Cb%3Ac.py,line=3,endLine=3,col=1,endColumn=3,title=gradsight (detached-value)::50%25%0Alost"
    ]
