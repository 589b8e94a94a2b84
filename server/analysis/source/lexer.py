"""Where comments, strings and brackets are, also in a text that does not parse.

`tokenize` stops at the first thing it cannot read and costs more than `ast.parse`; one regular expression that knows
only strings, comments, brackets and line ends answers the questions asked here, for any text:

    lex('x = f("# no", # yes\\n 1)')   # a string, a comment, and one logical line over two physical ones

It does not look into the braces of f-strings: `f"{d["k"]}"` (legal since 3.12) reads as two strings with `k` between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

TokenKind = Literal["comment", "string", "unterminated", "open", "close", "newline", "continuation"]

_TOKEN = re.compile(
    r"""
    (?P<comment>\#[^\r\n]*)
  | (?P<string>
        '''[^'\\]*(?:(?:\\(?:\r\n|.)|'(?!''))[^'\\]*)*'''
      | \"\"\"[^"\\]*(?:(?:\\(?:\r\n|.)|"(?!""))[^"\\]*)*\"\"\"
      | '(?!'')[^'\\\r\n]*(?:\\(?:\r\n|.)[^'\\\r\n]*)*'
      | "(?!"")[^"\\\r\n]*(?:\\(?:\r\n|.)[^"\\\r\n]*)*"
    )
  | (?P<unterminated>
        (?:'''|\"\"\")(?:\\.|[^\\])*\\?
      | ['"](?:\\(?:\r\n|.)|[^\\\r\n])*\\?
    )
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<continuation>\\(?:\r\n|\r|\n))
  | (?P<newline>\r\n|\r|\n)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A comment, a string (its prefix letters not included), a bracket or a line end, by offsets."""

    kind: TokenKind
    start: int
    end: int


def lex(text: str, start: int = 0) -> Iterator[Token]:
    """The tokens of a text in order, from an offset outside strings. An unterminated string is a token of its own."""
    for match in _TOKEN.finditer(text, start):
        yield Token(match.lastgroup, match.start(), match.end())  # type: ignore[arg-type]


def comments(text: str) -> Iterator[Token]:
    """The comments of a text; text inside strings is none."""
    return (token for token in lex(text) if token.kind == "comment")
