"""Logical lines of a text that does not parse.

A logical line is what Python's grammar sees as one line: it runs on while a bracket or a triple-quoted string is open
or a backslash ends it. In broken text a bracket may never close; then the line ends where the next statement seems to
start, so that one forgotten `)` does not swallow the rest of the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .lexer import lex

PAIRS = {"(": ")", "[": "]", "{": "}"}

_STATEMENT_WORD = re.compile(
    r"(?:def|class|return|with|while|try|raise|import|from|assert|del|pass|break|continue|global|nonlocal|finally"
    r"|except|elif|async\s+(?:def|with))\b|@\w"
)
_COMPOUND = re.compile(r"(?:async\s+)?(def|class|if|elif|else|for|while|with|try|except|finally)\b")
_ASSIGNMENT = re.compile(r"[A-Za-z_][\w.]*(?:\[[^\]]*\])?\s+(?:[-+*/%@&|^]|//|\*\*|<<|>>)?=\s")
_PLAIN = re.compile(r"[^\"'#()\[\]{}\\\r]*")
_GOES_ON = re.compile(r"[)\]},.:=*/%&|^<>]|(?:and|or|in|is|if|else|for|not)\b")


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """Physical lines `first` to `last` (1-based), the width of the indent, where its code ends, what is left open.

    `code_end` is the offset after the last character that is neither blank nor comment; `open_brackets` the closing
    brackets that are missing, innermost first; `unterminated` whether a string in it has no end.
    """

    first: int
    last: int
    indent: int
    start: int
    code_end: int
    open_brackets: str = ""
    unterminated: bool = False


def indent_width(line: str) -> int:
    """The column the tokenizer gives the first character of a line: tabs go to multiples of 8, a form feed resets."""
    width = 0
    for char in line:
        if char == " ":
            width += 1
        elif char == "\t":
            width = (width // 8 + 1) * 8
        elif char == "\f":
            width = 0
        else:
            break
    return width


class LogicalLines:
    """The logical lines of a text that is mended step by step: what stands before a change is not read again."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._found: list[LogicalLine] = []

    def of(self, lines: list[str]) -> tuple[list[LogicalLine], int]:
        """What `logical_lines` gives for these lines, and the first line that was read again."""
        changed = _first_difference(lines, self._lines)
        kept: list[LogicalLine] = []
        for one in self._found:
            # Where a line with something open ends is decided by the lines below it.
            if one.last > changed or one.open_brackets or one.unterminated:
                break
            kept.append(one)
        again = kept[-1].last + 1 if kept else 1
        self._lines, self._found = list(lines), logical_lines(lines, kept)
        return self._found, again


def _first_difference(lines: list[str], others: list[str]) -> int:
    for index, (line, other) in enumerate(zip(lines, others, strict=False)):
        if line is not other and line != other:
            return index
    return min(len(lines), len(others))


def logical_lines(lines: list[str], known: Sequence[LogicalLine] = ()) -> list[LogicalLine]:
    """The logical lines of a text given as lines without line ends; blank and comment lines belong to none.

    Offsets are those of `"\\n".join(lines)`. `known` are the first ones, where they have been found before.
    """
    text = "\n".join(lines)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    found = [*known]
    number = known[-1].last + 1 if known else 1
    while number <= len(lines):
        stripped = lines[number - 1].strip()
        if not stripped or stripped[0] == "#":
            number += 1
            continue
        line, start = lines[number - 1], starts[number - 1]
        if _PLAIN.fullmatch(line):
            one = LogicalLine(number, number, indent_width(line), start, start + len(line.rstrip()))
        else:
            one = _one(text, lines, starts, number)
        found.append(one)
        number = one.last + 1
    return found


def _one(text: str, lines: list[str], starts: list[int], first: int) -> LogicalLine:
    start, indent = starts[first - 1], indent_width(lines[first - 1])
    compound = _COMPOUND.match(lines[first - 1].lstrip()) is not None
    opened: list[str] = []
    number = first
    # What the line would be if it ended before the next line, remembered at the first line that looks like a statement.
    cut: LogicalLine | None = None
    code_end, unterminated = start, False
    position = start
    for token in lex(text, start):
        if text[position : token.start].strip():
            code_end = position + len(text[position : token.start].rstrip())
        position = token.end
        if token.kind in ("string", "unterminated", "open", "close"):
            code_end = token.end
        if token.kind == "open":
            opened.append(PAIRS[text[token.start]])
        elif token.kind == "close":
            # A closer that does not fit closes nothing: the line counts as left open.
            if opened and opened[-1] == text[token.start]:
                opened.pop()
        elif token.kind == "unterminated":
            unterminated = True
        if token.kind not in ("newline", "continuation"):
            number += text.count("\n", token.start, token.end)
            continue
        here = LogicalLine(first, number, indent, start, code_end, "".join(reversed(opened)), unterminated)
        number += 1
        if token.kind == "continuation":
            continue
        if not opened:
            return here
        if number <= len(lines):
            certainty = _statement_starts(lines[number - 1], indent, compound)
            if certainty == "surely":
                return cut or here
            if certainty == "maybe" and cut is None:
                cut = here
    if text[position:].strip():
        code_end = len(text.rstrip())
    if opened and cut is not None:
        return cut
    return LogicalLine(first, len(lines), indent, start, code_end, "".join(reversed(opened)), unterminated)


def _statement_starts(line: str, indent: int, compound: bool) -> str | None:
    """Whether a line inside an open bracket looks like the next statement: "surely", "maybe" or None."""
    stripped = line.strip()
    if not stripped or stripped[0] == "#":
        return None
    if _STATEMENT_WORD.match(stripped):
        return "surely"
    if _GOES_ON.match(stripped):
        return None
    if indent_width(line) <= indent or _ASSIGNMENT.match(stripped):
        return "maybe"
    return "maybe" if compound and stripped[-1] not in ",([{" else None
