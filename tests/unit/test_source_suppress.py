"""Comments silence findings where they stand, and nowhere else."""

from __future__ import annotations

import pytest

from gradsight.analysis.report import Position, Span
from gradsight.analysis.source import Suppressions, parse


def hides(text: str, line: int, rule: str = "r") -> bool:
    place = Position(line, 1)
    return Suppressions.of_parsed(parse("t.py", text)).hides(rule, Span("t.py", place, place))


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("x = 1  # gradsight: ignore\n", 1, True),
        ("x = 1  # gradsight: ignore[r]\n", 1, True),
        ("x = 1  # gradsight:ignore[a, r]\n", 1, True),
        ("x = 1  # gradsight: ignore[a]\n", 1, False),
        ("x = 1  # gradsight: ignore[]\n", 1, False),
        ("x = 1  # why  # gradsight: ignore[r]\n", 1, True),
        ("x = 1\ny = 2  # gradsight: ignore[r]\n", 1, False),
        ("x = '# gradsight: ignore'\n", 1, False),
        ('x = """\n# gradsight: ignore-file\n"""\n', 1, False),
        ("x = 1\n# gradsight: ignore-file\n", 1, True),
        ("# gradsight: ignore-file[a]\nx = 1\n", 2, False),
        ("# gradsight: ignore-file[r]\nx = 1\n", 2, True),
        ("x = 1  # noqa\n", 1, True),
        ("x = 1  # NOQA\n", 1, True),
        ("x = 1  # noqa: r\n", 1, True),
        ("x = 1  # noqa: E501\n", 1, False),
        ("x = 1  # noqa: E501, r\n", 1, True),
        ("x = 1  # noqa:\n", 1, False),
        ("x = f(\n    1,  # gradsight: ignore[r]\n)\n", 1, True),
        ("x = f(\n    1,\n)  # gradsight: ignore[r]\n", 2, True),
        ("with f(\n    a\n):  # gradsight: ignore[r]\n    y = 1\n", 1, True),
        ("with f(a):  # gradsight: ignore[r]\n    y = 1\n", 2, False),
        ("if a:\n    y = 1  # gradsight: ignore[r]\n", 1, False),
        ("def f(\n    a,\n    b=1,  # gradsight: ignore[r]\n):\n    return a\n", 1, True),
        ("def f():\n    x = f(\n    )  # gradsight: ignore[r]\n    y = 1\n", 4, False),
        ("x = f(\ny = 1  # gradsight: ignore[r]\n", 2, True),
    ],
)
def test_hides(text, line, expected):
    assert hides(text, line) is expected


def test_hover_and_unknown_rules():
    parsed = parse("t.py", 's = "é😀"  # gradsight: ignore[no-such, r]\nx = 1  # noqa: whatever\n')
    found = Suppressions.of_parsed(parsed)
    comment = found.comment_at(1, 20)
    assert comment is not None and comment.rules == ("no-such", "r")
    assert found.comment_at(1, 3) is None
    problems = found.unknown_rules({"r"})
    assert [p.message for p in problems] == ["line 1: unknown rule `no-such` in `gradsight: ignore`"]
    assert problems[0].span == comment.span


def test_without_comments_nothing_is_read():
    assert Suppressions.of_parsed(parse("t.py", "x = 1\n")).found == ()
