"""Open documents: text and version in one value, taken and replaced together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..analysis.source.text import SourceText


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

    @property
    def text(self) -> str:
        return self.source.text

    def changed(self, text: str, version: int) -> Document:
        source = SourceText(self.path, text)
        return replace(self, source=source, version=version, generation=self.generation + 1)

    def outdated(self) -> Document:
        """The same text, to be analysed again (the settings or a file it imports have changed)."""
        return replace(self, generation=self.generation + 1)


def opened(uri: str, path: str, text: str, version: int, generation: int = 0) -> Document:
    """A document as it was opened."""
    return Document(uri, path, SourceText(path, text), version, generation)
