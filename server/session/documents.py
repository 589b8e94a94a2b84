"""Open documents: text and version in one value, taken and replaced together.

A notebook is one document: the program its cells make when they run from top to bottom. Its cells keep the texts the
client knows, and where in the program each begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..analysis.source.text import SourceText

# `%matplotlib inline`, `!pip install x`, `?print`: IPython's lines are comments to everyone else. Same length, so
# that columns stay; no Python line begins with one of these.
_MAGIC = re.compile(r"^([ \t]*)[%!?]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell: its own uri and text, and the 1-based line of the program where it begins."""

    uri: str
    source: SourceText
    first_line: int = 1

    @property
    def last_line(self) -> int:
        return self.first_line + self.source.line_count - 1


@dataclass(frozen=True, slots=True)
class Document:
    """An open text at one moment.

    `path` is the absolute file path, or the uri itself for texts that no file holds. `generation` grows with every
    change of the text or of the settings: a result is valid for the generation it was computed from and no other.
    """

    uri: str
    path: str
    source: SourceText
    version: int
    generation: int = 0
    cells: tuple[Cell, ...] = ()

    @property
    def text(self) -> str:
        return self.source.text

    def changed(self, text: str, version: int) -> Document:
        source = SourceText(self.path, text)
        return replace(self, source=source, version=version, generation=self.generation + 1)

    def rearranged(self, cells: Iterable[tuple[str, str]], version: int) -> Document:
        """The notebook with these cells (uri and text) in this order."""
        source, placed = _program(self.path, cells)
        return replace(self, source=source, cells=placed, version=version, generation=self.generation + 1)

    def outdated(self) -> Document:
        """The same text, to be analysed again (the settings or a file it imports have changed)."""
        return replace(self, generation=self.generation + 1)


def opened(uri: str, path: str, text: str, version: int, generation: int = 0) -> Document:
    """A document as it was opened."""
    return Document(uri, path, SourceText(path, text), version, generation)


def _program(path: str, cells: Iterable[tuple[str, str]]) -> tuple[SourceText, tuple[Cell, ...]]:
    placed: list[Cell] = []
    line = 1
    for uri, text in cells:
        placed.append(Cell(uri, SourceText(uri, text), line))
        line = placed[-1].last_line + 1
    text = "\n".join(_without_magics(cell.source.text) for cell in placed)
    return SourceText(path, text), tuple(placed)


def _without_magics(text: str) -> str:
    if text.lstrip().startswith("%%"):  # `%%bash`, `%%writefile`: what follows is another language
        magic = text.split(maxsplit=1)[0]
        if magic not in ("%%time", "%%timeit", "%%capture", "%%prun"):
            return re.sub(r"^.*$", lambda line: f"#{line[0][1:]}" if line[0] else "", text, flags=re.MULTILINE)
    return _MAGIC.sub(r"\1#", text)
