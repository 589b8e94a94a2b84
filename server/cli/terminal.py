"""Lines for a person: coloured by rich on a terminal, plain text everywhere else.

Colour is on when stdout is a terminal that can show it and `NO_COLOR` is not set, or when `FORCE_COLOR` is set; rich is
imported only then. What comes from files and programs is made printable first, so that no file can send control
sequences to the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

Piece = tuple[str, str]
"""A text and its style in rich's words ("bold red"; "" for none)."""

SEVERITY_STYLES = {"error": "bold red", "warning": "bold yellow", "information": "bold blue", "hint": "bold cyan"}


def wants_colour(stream: TextIO) -> bool:
    """Whether lines on the stream are coloured (https://no-color.org: any non-empty `NO_COLOR` turns it off)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """The text with tabs as four spaces and every other control character escaped."""
    text = text.replace("\t", "    ")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass
class Terminal:
    """Writes lines made of styled pieces to a stream."""

    stream: TextIO
    colour: bool
    _console: Console | None = None

    @classmethod
    def on(cls, stream: TextIO | None = None) -> Terminal:
        """A terminal on the stream, stdout by default, with colour where it is wanted and rich is installed."""
        stream = stream or sys.stdout
        colour = wants_colour(stream)
        if colour:
            try:
                from rich.console import Console
            except ImportError:
                return cls(stream, False)
            return cls(stream, True, Console(file=stream, force_terminal=True, soft_wrap=True, highlight=False))
        return cls(stream, False)

    def line(self, *pieces: Piece | str) -> None:
        """Write one line; a plain string is a piece without style."""
        styled = [(piece, "") if isinstance(piece, str) else piece for piece in pieces]
        if self._console is None:
            self.stream.write("".join(printable(text) for text, _ in styled).rstrip() + "\n")
            return
        from rich.text import Text

        text = Text.assemble(*((printable(text), style) for text, style in styled))
        text.rstrip()
        self._console.print(text)

    def lines(self, lines: Iterable[Iterable[Piece | str]]) -> None:
        """Write several lines."""
        for pieces in lines:
            self.line(*pieces)


def with_code(message: str, style: str, code_style: str) -> list[Piece]:
    """A sentence as pieces, what stands in backticks in its own style (the backticks stay: plain text needs them)."""
    pieces: list[Piece] = []
    for index, part in enumerate(message.split("`")):
        if index % 2:
            pieces.append((f"`{part}`", code_style))
        elif part:
            pieces.append((part, style))
    return pieces if message.count("`") % 2 == 0 else [(message, style)]
