"""`# gradsight: ignore[...]` lands where it silences the line, and only there."""

from __future__ import annotations

import pytest

from gradsight.analysis.report import Position, Span, apply_edits
from gradsight.analysis.source import Suppressions, parse
from gradsight.analysis.source.edits import ignore_comment

CASES = [
    ("y = 1\n", 1, "y = 1  # gradsight: ignore[r]\n"),
    ("y = 1   \n", 1, "y = 1  # gradsight: ignore[r]\n"),
    ("y = 1", 1, "y = 1  # gradsight: ignore[r]"),
    ("y = 1\r\nz = 2\r\n", 1, "y = 1  # gradsight: ignore[r]\r\nz = 2\r\n"),
    ('y = "é😀"  # note\n', 1, 'y = "é😀"  # note  # gradsight: ignore[r]\n'),
    ("y = 1  # gradsight: ignore[a]\n", 1, "y = 1  # gradsight: ignore[a, r]\n"),
    ("y = 1  # gradsight:ignore[ a,b ]  # x\n", 1, "y = 1  # gradsight:ignore[a, b, r]  # x\n"),
    ("y = 1  # gradsight: ignore\n", 1, None),
    ("y = 1  # gradsight: ignore[r]\n", 1, None),
    ('y = f("""\n# no\n""")\nz = 1\n', 1, 'y = f("""\n# no\n""")  # gradsight: ignore[r]\nz = 1\n'),
    ('y = f("""\n# no\n""")\nz = 1\n', 2, 'y = f("""\n# no\n""")  # gradsight: ignore[r]\nz = 1\n'),
    ("y = 1 + \\\n    2\nz = 1\n", 1, "y = 1 + \\\n    2  # gradsight: ignore[r]\nz = 1\n"),
    ("y = f(\n    1,\n)\n", 1, "y = f(  # gradsight: ignore[r]\n    1,\n)\n"),
    ("y = '# gradsight: ignore[a]'\n", 1, "y = '# gradsight: ignore[a]'  # gradsight: ignore[r]\n"),
    ("y = 1\n", 9, None),
]


@pytest.mark.parametrize(("before", "line", "after"), CASES)
def test_ignore_comment(before, line, after):
    parsed = parse("t.py", before)
    edits = ignore_comment(parsed.source, line, "r")
    if after is None:
        assert edits is None
        return
    assert edits is not None
    got = apply_edits(before, edits)
    assert got == after
    again = parse("t.py", got)
    assert not again.problems
    start = Position(line, 1)
    assert Suppressions.of_parsed(again).hides("r", Span("t.py", start, start))
    assert ignore_comment(again.source, line, "r") is None
