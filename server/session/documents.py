"""Open documents: text and version in one value, taken and replaced together.

A notebook is one document: the program its cells make when they run from top to bottom. Its cells keep the texts the
client knows, and where in the program each begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..analysis.source.notebook import Cell, Lines, program
from ..analysis.source.text import SourceText

__all__ = ["Cell", "Document", "opened"]


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
        """The text; of a notebook, that of its program."""
        return self.source.text

    @property
    def lines(self) -> Lines:
        """What its lines are called."""
        return Lines(self.cells)

    def changed(self, text: str, version: int) -> Document:
        """The document with another text."""
        source = SourceText(self.path, text)
        return replace(self, source=source, version=version, generation=self.generation + 1)

    def rearranged(self, cells: Iterable[tuple[str, str]], version: int) -> Document:
        """The notebook with these cells (uri and text) in this order."""
        source, placed = program(self.path, cells)
        return replace(self, source=source, cells=placed, version=version, generation=self.generation + 1)

    def outdated(self) -> Document:
        """The same text, to be analysed again (the settings or a file it imports have changed)."""
        return replace(self, generation=self.generation + 1)


def opened(uri: str, path: str, text: str, version: int, generation: int = 0) -> Document:
    """A document as it was opened."""
    return Document(uri, path, SourceText(path, text), version, generation)
