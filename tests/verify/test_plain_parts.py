"""The parts that need no process: frames in a noisy stream, spans moved by a fix, choices of a fix, the laws."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from gradsight.analysis.report import Edit, Finding, Fix, Position, Span, apply_edits
from gradsight.analysis.rules import ALL_RULES
from gradsight.analysis.rules.claims import CUT
from gradsight.analysis.source.moved import move_finding
from gradsight.verify.fixes import choose_fix, edited_text
from gradsight.verify.frames import FrameReader
from gradsight.verify.laws import law_of
from gradsight.verify.plan import make_plan

from .build import Claim, Story, place

NONCE = "0123456789abcdef"


def frame(data: dict) -> bytes:
    body = json.dumps(data).encode()
    return b"\n%s %d\n%s\n" % (NONCE.encode(), len(body), body)


@given(
    st.lists(st.one_of(st.dictionaries(st.text(max_size=4), st.integers(), min_size=1), st.binary(max_size=30))),
    st.integers(1, 17),
)
def test_frames_survive_garbage_and_any_cutting(parts: list, step: int) -> None:
    garbage = [p for p in parts if isinstance(p, bytes) and NONCE.encode() not in p]
    messages = [p for p in parts if isinstance(p, dict)]
    stream = b"".join(frame(p) if isinstance(p, dict) else p for p in parts if isinstance(p, dict) or p in garbage)
    reader, out = FrameReader(NONCE), []
    for at in range(0, len(stream), step):
        out += reader.feed(stream[at : at + step])
    assert out == messages


def test_a_forged_head_is_skipped() -> None:
    reader = FrameReader(NONCE)
    forged = b"\n%s 99999999999\n" % NONCE.encode() + b"\n%s 5\n{nope\n" % NONCE.encode()
    assert reader.feed(forged + frame({"a": 1})) == [{"a": 1}]


def test_spans_follow_the_edits() -> None:
    story = Story(
        "with torch.no_grad():\n    y = x * 2  # kept\nloss = y.sum()\nloss.backward(); done()\n",
        Claim("no-grad-block", "y = x * 2", [("cut", "x * 2", ""), ("sink", "loss.backward()", "")]),
    )
    path = "f.py"
    (finding,) = story.findings(path)
    edits = (
        Edit(place(path, story.text, "with torch.no_grad():\n    "), ""),
        Edit(Span(path, Position(4, 1), Position(4, 1)), "extra = 1; "),
    )
    after = apply_edits(story.text, edits)
    moved = move_finding(finding, story.text, edits, after)

    def text(span: Span) -> str:
        line = after.split("\n")[span.start.line - 1]
        return line[span.start.column - 1 : span.end.column - 1]

    assert text(moved.span) == "y = x * 2"
    assert [text(step.span) for step in moved.trace] == ["x * 2", "loss.backward()"]


def test_a_span_around_an_edit_keeps_both_ends() -> None:
    text = "x = randn(3, requires_grad=False)\n"
    span = place("f.py", text, "randn(3, requires_grad=False)")
    edits = (Edit(place("f.py", text, "False"), "True"),)
    moved = move_finding(Finding("r", "error", "certain", "", span), text, edits, apply_edits(text, edits)).span
    assert (moved.start.column, moved.end.column) == (5, 33)


def test_the_safe_fix_is_taken_first() -> None:
    fixes = tuple(Fix(name, name, ()) for name in ("suggestion", "unsafe", "safe"))  # type: ignore[arg-type]
    span = Span("f.py", Position(1, 1), Position(1, 2))
    chosen = choose_fix(Finding("r", "error", "certain", "", span, (), fixes))
    assert chosen is not None and chosen.title == "safe"


def test_a_fix_for_another_file_is_not_applied_here() -> None:
    fix = Fix("", "safe", (Edit(Span("other.py", Position(1, 1), Position(1, 1)), "x"),))
    try:
        edited_text("f.py", "y\n", fix)
    except ValueError as error:
        assert "another file" in str(error)
    else:
        raise AssertionError("applied")


def test_one_target_serves_findings_with_one_sink() -> None:
    story = Story(
        "a = x.detach()\nb = x.data\nloss = (a + b).sum()\nloss.backward()\n",
        *(Claim("detached-value", piece, [("sink", "loss.backward()", "")]) for piece in ("x.detach()", "x.data")),
    )
    plan = make_plan("f.py", story.text, story.findings("f.py"))
    assert len(plan.targets) == 1
    assert plan.watched[0].targets == plan.watched[1].targets


def test_a_finding_is_judged_by_the_claim_of_its_rule() -> None:
    assert all(law_of(name) is rule.claim for name, rule in ALL_RULES.items())
    assert law_of("reveal-grad") is CUT
