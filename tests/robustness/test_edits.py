"""The literate programs in the middle of an edit: words and lines gone, doubled, exchanged; calls with other arguments.

A cut file (`test_sample`) is what a text looks like when its end is typed; this is what it looks like when the middle
is. Nothing may raise. The seed is printed and can be given as GRADSIGHT_SEED; a failure prints the whole text.
"""

from __future__ import annotations

import io
import os
import random
import re
import time
import tokenize
from collections.abc import Callable
from pathlib import Path

import pytest

from gradsight.analysis.check import Project, Snapshot, check
from tests.literate.runner import programs

SEED = int(os.environ.get("GRADSIGHT_SEED") or random.SystemRandom().randrange(10**6))
SECONDS = 12.0
"""A limit for the loop, not an expectation: a busy machine tries fewer texts."""

HALF_WRITTEN = ("", "()", "[]", "{}", "None", "*x", "**x", "x[0]", "super()", "lambda: 0", "-1", "10**30", "...")


def words(text: str) -> list[tokenize.TokenInfo]:
    """The words of a text; none where Python cannot tell them apart."""
    try:
        return [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.string.strip()]
    except (tokenize.TokenError, SyntaxError):
        return []


def other_word(text: str, rng: random.Random) -> str:
    """One word gone, or replaced by another of the text or by something half written."""
    found = words(text)
    if not found:
        return text
    word = rng.choice(found)
    lines = text.splitlines(keepends=True)
    row, start, end = word.start[0] - 1, word.start[1], word.end[1]
    if row >= len(lines) or word.end[0] != word.start[0]:
        return text
    new = rng.choice((rng.choice(HALF_WRITTEN), rng.choice(found).string))
    lines[row] = lines[row][:start] + new + lines[row][end:]
    return "".join(lines)


def other_lines(text: str, rng: random.Random) -> str:
    """A line gone, doubled elsewhere, or in another's place."""
    lines = text.splitlines(keepends=True) or [""]
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(3)
    if kind == 0:
        del lines[one]
    elif kind == 1:
        lines.insert(one, lines[two])
    else:
        lines[one], lines[two] = lines[two], lines[one]
    return "".join(lines)


def other_arguments(text: str, rng: random.Random) -> str:
    """A call with no arguments, fewer, more, or in another order."""
    found = list(re.finditer(r"\(([^()]*)\)", text))
    if not found:
        return text
    call = rng.choice(found)
    given = call.group(1).split(",")
    new = rng.choice(([], given[::-1], given + given, given[:1], given[1:], [*given, "*x"], [*given, "**x"]))
    return text[: call.start(1)] + ",".join(new) + text[call.end(1) :]


EDITS: tuple[Callable[[str, random.Random], str], ...] = (other_word, other_word, other_lines, other_arguments)


def test_no_edit_makes_it_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSIGHT_STRICT", "1")
    rng = random.Random(SEED)
    texts = [program.files[-1].text for program in programs()]
    tried, until = 0, time.monotonic() + SECONDS
    while time.monotonic() < until:
        text = rng.choice(texts)
        for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
            text = rng.choice(EDITS)(text, rng)
        try:
            check(Snapshot(str(tmp_path / "t.py"), text), Project(roots=(str(tmp_path),)))
        except Exception as error:
            raise AssertionError(f"GRADSIGHT_SEED={SEED}, text {tried}:\n{text}") from error
        tried += 1
    print(f"GRADSIGHT_SEED={SEED}: {tried} texts")
    assert tried
