"""Offsets, positions and spans agree, whatever the line ends and characters."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradsight.analysis.report import Position, apply_edits
from gradsight.analysis.source import SourceText, parse
from gradsight.analysis.source.edits import edit

PIECES = st.sampled_from(["a", " ", "é", "😀", "\t", "\n", "\r\n", "\r", "\f", "\u2028", "\x0b", "#", "'", "\ufeff"])


def test_bytes_become_characters():
    text = 's = "é😀"; y = 1\n'
    parsed = parse("t.py", text)
    y = parsed.tree.body[1]
    assert y.col_offset == 14
    span = parsed.source.span(y)
    assert (span.start, span.end) == (Position(1, 11), Position(1, 16))
    assert parsed.source.segment(y) == "y = 1"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends(newline):
    parsed = parse("t.py", newline.join(["x = 1", "if x:", "\ty = (2,", "\t  3)", "z = 4"]))
    assert [parsed.source.segment(s) for s in parsed.tree.body][::2] == ["x = 1", "z = 4"]
    assert parsed.source.segment(parsed.tree.body[1].body[0]) == f"y = (2,{newline}\t  3)"
    assert parsed.source.newline == newline
    assert parsed.source.line_text(2) == "if x:"
    assert parsed.source.line_count == 5


def test_a_form_feed_ends_no_line():
    parsed = parse("t.py", "x = 1\n\fy = 2\x0c\nz = 3\n")
    assert [parsed.source.segment(s) for s in parsed.tree.body] == ["x = 1", "y = 2", "z = 3"]
    assert parsed.source.line_text(2) == "\fy = 2\x0c"


def test_a_byte_order_mark_is_a_character():
    parsed = parse("t.py", "\ufeffx = 1\ny = 2\n")
    assert not parsed.problems
    assert parsed.source.span(parsed.tree.body[0]).start == Position(1, 2)
    assert [parsed.source.segment(s) for s in parsed.tree.body] == ["x = 1", "y = 2"]


def test_lone_surrogates():
    parsed = parse("t.py", "x = '\ud800'; y = 1\n")
    assert not parsed.problems
    assert parsed.source.segment(parsed.tree.body[1]) == "y = 1"


def test_nodes_without_a_place():
    parsed = parse("t.py", "with a() as b, c(): pass\n[x for x in y if z]\nmatch q:\n    case [1, r] if s: pass\n")
    segments = {type(n).__name__: parsed.source.segment(n) for n in ast.walk(parsed.tree)}
    assert segments["withitem"] == "c()"
    assert segments["comprehension"] == "x in y if z"
    assert segments["match_case"].startswith("[1, r] if s: pass")
    assert segments["Module"] == parsed.source.text


def test_outside_the_text_is_clamped():
    source = SourceText("t.py", "ab\ncd")
    assert source.offset_at(Position(1, 99)) == 2
    assert source.offset_at(Position(9, 1)) == 5
    assert source.offset_at(Position(0, 0)) == 0
    assert source.position_at(99) == Position(2, 3)
    assert source.position_at(-1) == Position(1, 1)
    assert source.line_text(0) == source.line_text(7) == ""
    assert SourceText("t.py", "").line_count == 1


@given(st.lists(PIECES, max_size=30).map("".join))
def test_offsets_and_positions_are_inverse(text):
    source = SourceText("t.py", text)
    for offset in range(len(text) + 1):
        # The middle of a \r\n belongs to the end of its line.
        expected = offset - 1 if text[offset - 1 : offset + 1] == "\r\n" and offset else offset
        assert source.offset_at(source.position_at(offset)) == expected
    assert (
        "".join(text[source.line_start(n) : source.line_start(n + 1)] for n in range(1, source.line_count + 1)) == text
    )


@given(st.text(alphabet="aé😀\n ", max_size=20), st.data())
def test_edits_replace_what_offsets_say(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    parsed = parse("t.py", text)
    assert apply_edits(text, [edit(parsed, start, end, "X")]) == text[:start] + "X" + text[end:]
