"""The protocol-free features, on the report that product.md describes for its second program."""

from __future__ import annotations

import pytest

from gradsight.analysis.check import Snapshot, check
from gradsight.analysis.report import (
    Edit,
    FileReport,
    Finding,
    Fix,
    Position,
    SinkFacts,
    Span,
    TraceStep,
    ValueFacts,
    apply_edits,
)
from gradsight.analysis.source.notebook import Lines, program
from gradsight.analysis.source.text import SourceText
from gradsight.features.actions import actions, fix_all
from gradsight.features.findings import Outcome, finding_id, shown_findings
from gradsight.features.hover import hover
from gradsight.features.ignore import ignore_edit
from gradsight.features.lens import lenses, summary
from gradsight.features.picture import draw
from gradsight.features.rule_pages import RULE_DOCS_BASE

TEXT = """\
import torch

x = torch.randn(10, requires_grad=True)
with torch.no_grad():
    y = x * 2
loss = y.sum()
loss.backward()
print(x.grad)
"""
PATH = "/w/ex2.py"
SOURCE = SourceText(PATH, TEXT)


def span(line: int, column: int, end_line: int, end_column: int) -> Span:
    return Span(PATH, Position(line, column), Position(end_line, end_column))


TRACE = (
    TraceStep(span(3, 1, 3, 40), "source", "`x` is trainable"),
    TraceStep(span(4, 6, 4, 21), "note", "tracking is off from here"),
    TraceStep(span(5, 5, 5, 14), "cut", "`y` has no grad_fn"),
    TraceStep(span(7, 1, 7, 16), "sink", "raises: element 0 of tensors does not require grad"),
)
MOVE = Fix("move `y = x * 2` out of `torch.no_grad()`", "safe", (Edit(span(4, 1, 5, 14), "y = x * 2"),))
FINDING = Finding(
    "no-grad-block",
    "error",
    "certain",
    "`y` carries no gradient to `loss`: computed under `torch.no_grad()`",
    span(5, 5, 5, 14),
    TRACE,
    (MOVE,),
)
HINT = Finding("inplace-on-loss-path", "hint", "certain", "`y.add_(1)` is safe here", span(6, 1, 6, 15))


def value_at(line: int, column: int) -> ValueFacts | None:
    if (line, column) == (6, 8):
        return ValueFacts(
            span(6, 8, 6, 9), "y", "`y`: no gradient, cut at line 5", "no", "yes", TRACE[:3], ("`x` is a leaf.",)
        )
    return None


REPORT = FileReport(
    PATH,
    findings=(FINDING, HINT),
    sinks=(SinkFacts(span(7, 1, 7, 16), "loss.backward()", (), (("x", span(5, 5, 5, 14)),)),),
    value_at=value_at,
)
LINES = TEXT.split("\n")


def line_of(path: str, line: int) -> str:
    assert path == PATH
    return LINES[line - 1]


def test_picture_shows_the_way_and_the_cut() -> None:
    assert draw(TRACE, line_of, PATH).split("\n") == [
        "●  3  x = torch.randn(10, requires_grad=True)   `x` is trainable",
        "│  4  with torch.no_grad():                     tracking is off from here",
        "╳  5      y = x * 2                             `y` has no grad_fn",
        "▼  7  loss.backward()                           raises: element 0 of tensors does not req…",
    ]


def test_a_row_of_the_picture_is_no_wider_than_a_hover() -> None:
    long = "x = torch.nn.functional.cross_entropy(model(batch_of_images), labels_of_the_batch, reduction='sum')"
    for step in (TraceStep(span(1, 1, 1, 2), "cut", "a" * 200), TraceStep(span(1, 1, 1, 2), "sink", "raises")):
        row = draw([step], lambda path, line: long, PATH)
        assert len(row) <= 90 and "…" in row


def test_places_in_a_notebook_are_told_in_its_cells() -> None:
    source, cells = program(PATH, [("a", "\n" * 2), ("b", "x\ny")], ["cell 2", "cell 5"])
    lines = Lines(cells)
    assert (lines.words(3), lines.words(5), lines.short(5)) == ("line 3 of cell 2", "line 2 of cell 5", "5:2")
    sink = SinkFacts(span(5, 1, 5, 2), "loss.backward()", (), (("x", span(4, 1, 4, 2)), ("y", span(5, 1, 5, 2))))
    assert summary(sink, lines).endswith("2 cut at line 1 of cell 5 and 1 more")
    state = ValueFacts(span(5, 1, 5, 2), "y", "`y`: no gradient, cut at line 4", "no", "yes", cut_line=4)
    report = FileReport(PATH, value_at=lambda line, column: state)
    answer = hover(source, report, (), line_of, 5, 1, lines)
    assert answer is not None and answer.markdown == "`y`: no gradient, cut at line 1 of cell 5"
    more = lines.after([Edit(span(1, 1, 1, 1), "one\ntwo\n")])
    assert more.words(7) == "line 2 of cell 5"


def test_hover_on_a_finding_tells_the_whole_story() -> None:
    answer = hover(SOURCE, REPORT, shown_findings(REPORT, {}), line_of, 5, 6)
    assert answer is not None and answer.span == FINDING.span
    assert FINDING.message in answer.markdown
    assert "╳  5" in answer.markdown and "```text" in answer.markdown
    assert "PyTorch will say at line 7: *element 0 of tensors does not require grad*" in answer.markdown
    assert f"]({RULE_DOCS_BASE}no-grad-block.md)" in answer.markdown


def test_hover_quotes_what_only_the_next_pass_raises() -> None:
    text = """\
import torch

w = torch.randn(3, requires_grad=True)
state = torch.zeros(3)
for _ in range(3):
    state = torch.tanh(state * w)
    state.sum().backward()
"""
    report, source = check(Snapshot(PATH, text)), SourceText(PATH, text)
    (finding,) = report.findings
    start = finding.span.start
    shown = shown_findings(report, {})
    answer = hover(source, report, shown, lambda _path, line: source.line_text(line), start.line, start.column)
    assert finding.rule == "freed-graph" and answer is not None
    said = "*Trying to backward through the graph a second time*"
    assert f"PyTorch will say at line 7 in the next pass: {said}" in answer.markdown


def test_hover_quotes_nothing_where_nothing_is_raised() -> None:
    text = """\
import torch

w = torch.randn(3, requires_grad=True)
loss = (w * w).sum()
w.data.mul_(2)
loss.backward()
print(w.grad)
"""
    report, source = check(Snapshot(PATH, text)), SourceText(PATH, text)
    (finding,) = report.findings
    start = finding.span.start
    shown = shown_findings(report, {})
    answer = hover(source, report, shown, lambda _path, line: source.line_text(line), start.line, start.column)
    assert finding.rule == "data-mutation" and answer is not None
    assert "raises nothing" in answer.markdown and "PyTorch will say" not in answer.markdown


def test_hover_on_a_value_begins_with_its_state() -> None:
    answer = hover(SOURCE, REPORT, shown_findings(REPORT, {}), line_of, 6, 8)
    assert answer is not None
    assert answer.markdown.startswith("`y`: no gradient, cut at line 5")
    assert "`x` is a leaf." in answer.markdown and "╳  5" in answer.markdown


def test_hover_where_nothing_is_known() -> None:
    assert hover(SOURCE, REPORT, shown_findings(REPORT, {}), line_of, 1, 2) is None


def test_hover_on_a_suppression_comment_shows_the_rule() -> None:
    text = "y = x.detach()  # gradsight: ignore[detached-value]\n"
    source = SourceText(PATH, text)
    answer = hover(source, FileReport(PATH), (), lambda _path, line: source.line_text(line), 1, 40)
    assert answer is not None and "detached-value" in answer.markdown and "```python" in answer.markdown
    assert hover(source, FileReport(PATH), (), lambda _path, line: source.line_text(line), 1, 3) is None


def test_actions_come_in_their_order() -> None:
    offered = actions(SOURCE, shown_findings(REPORT, {})[:1], can_check=True)
    assert [(action.kind, action.title) for action in offered] == [
        ("fix", "Move `y = x * 2` out of `torch.no_grad()`"),
        ("check", "Run gradient check on CUDA"),
        ("fix-and-verify", "Fix and verify"),
        ("ignore", "Ignore `no-grad-block` on this line"),
    ]
    assert [action.preferred for action in offered] == [True, False, False, False]


def test_no_checks_where_code_may_not_run() -> None:
    offered = actions(SOURCE, shown_findings(REPORT, {})[:1], can_check=False)
    assert [action.kind for action in offered] == ["fix", "ignore"]


def test_a_rejected_fix_is_neither_preferred_nor_tried_again() -> None:
    outcome = Outcome("confirmed", "cpu", "`x.grad` is None", frozenset({MOVE.title}))
    offered = actions(SOURCE, shown_findings(REPORT, {finding_id(FINDING): outcome})[:1], can_check=True)
    assert [action.kind for action in offered] == ["fix", "check", "ignore"]
    assert not offered[0].preferred
    assert fix_all(shown_findings(REPORT, {finding_id(FINDING): outcome})) == ()


def test_outcomes_are_told_or_withdraw_the_finding() -> None:
    confirmed = shown_findings(REPORT, {finding_id(FINDING): Outcome("confirmed", "cuda:0", "`x.grad` is None")})
    assert confirmed[0].message == f"{FINDING.message} (confirmed on cuda:0: `x.grad` is None)"
    refuted = shown_findings(REPORT, {finding_id(FINDING): Outcome("refuted", "cpu", "`x.grad` is there")})
    assert [item.finding for item in refuted] == [HINT]
    agreed = shown_findings(REPORT, {finding_id(HINT): Outcome("refuted", "cpu", "`x.grad` is there")})
    assert agreed[1].message == f"{HINT.message} (checked on cpu: `x.grad` is there)"


def test_fix_all_leaves_out_what_would_overlap() -> None:
    overlapping = Finding(
        "a", "error", "certain", "m", span(5, 1, 5, 2), fixes=(Fix("f", "safe", (Edit(span(5, 1, 5, 10), "z"),)),)
    )
    unsafe = Finding(
        "b", "error", "certain", "m", span(8, 1, 8, 2), fixes=(Fix("g", "unsafe", (Edit(span(8, 1, 8, 2), "z"),)),)
    )
    report = FileReport(PATH, findings=(FINDING, overlapping, unsafe))
    edits = fix_all(shown_findings(report, {}))
    assert len(edits) == 1
    apply_edits(TEXT, edits)


@pytest.mark.parametrize(
    ("text", "line", "last", "expected"),
    [
        ("y = 1\n", 1, 1, "y = 1  # gradsight: ignore[r]\n"),
        ("y = 1  \n", 1, 1, "y = 1  # gradsight: ignore[r]\n"),
        ("y = 1\r\nz\r\n", 1, 1, "y = 1  # gradsight: ignore[r]\r\nz\r\n"),
        ("y = 1  # keep\n", 1, 1, "y = 1  # keep  # gradsight: ignore[r]\n"),
        ("y = '#'  # gradsight: ignore[a]\n", 1, 1, "y = '#'  # gradsight: ignore[a, r]\n"),
        ("y = 1  # gradsight:ignore[ a ,b ] why\n", 1, 1, "y = 1  # gradsight:ignore[a, b, r] why\n"),
        ("y = 1  # gradsight: ignore-file[a]\n", 1, 1, "y = 1  # gradsight: ignore-file[a]  # gradsight: ignore[r]\n"),
        ("y = 1 + \\\n  2\n", 1, 2, "y = 1 + \\\n  2  # gradsight: ignore[r]\n"),
        ('y = f("""a\nb""")\n', 1, 2, 'y = f("""a\nb""")  # gradsight: ignore[r]\n'),
        ("é = '😀'", 1, 1, "é = '😀'  # gradsight: ignore[r]"),
    ],
)
def test_ignore_comment(text: str, line: int, last: int, expected: str) -> None:
    edit = ignore_edit(SourceText(PATH, text), line, last, "r")
    assert edit is not None
    assert apply_edits(text, [edit]) == expected
    assert ignore_edit(SourceText(PATH, expected), line, last, "r") is None or line != last


@pytest.mark.parametrize("text", ["y = 1  # gradsight: ignore\n", "y = 1  # gradsight: ignore[r]\n", "s = '''a\nb\n"])
def test_no_ignore_comment_where_none_helps_or_none_can_stand(text: str) -> None:
    assert ignore_edit(SourceText(PATH, text), 1, 1, "r") is None


def test_lens_counts_and_places() -> None:
    here = span(40, 1, 40, 2)
    sink = SinkFacts(here, "loss.backward()", tuple(f"fc{i}.weight" for i in range(12)), (("a.b", here), ("c.d", here)))
    assert summary(sink) == "gradient reaches 12 of 14 parameters · 2 cut at line 40"
    assert summary(SinkFacts(here, "")) == "gradient reaches no tensor that requires grad"
    assert summary(SinkFacts(here, "", ("x",), (), ("w",))) == "gradient reaches 1 of 2 trainable tensors · 1 not known"
    (lens,) = lenses(REPORT, shown_findings(REPORT, {}), trusted=True)
    assert lens.title == "gradient reaches 0 of 1 trainable tensor · 1 cut at line 5 · run check"
    (lens,) = lenses(REPORT, shown_findings(REPORT, {}), trusted=False)
    assert not lens.can_check and "run check" not in lens.title
