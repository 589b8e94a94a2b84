"""Notebooks: the program that their code cells make when they run from top to bottom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

from ..report import Edit
from .text import SourceText

# `%matplotlib inline`, `!pip install x`, `?print`: IPython's lines are comments to everyone else. Same length, so
# that columns stay; no Python line begins with one of these.
_MAGIC = re.compile(r"^([ \t]*)[%!?]", re.MULTILINE)
# Cell magics whose cell stays Python; of the others what follows is another language.
_STAYS_PYTHON = frozenset({"%%time", "%%timeit", "%%capture", "%%prun"})


class NotANotebook(Exception):
    """A text that is no notebook of Python cells; the message is a sentence for the user."""


class OtherLanguage(NotANotebook):
    """A notebook of another language, which a folder may well hold."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell: its own uri (or name) and text, and the 1-based line of the program where it begins.

    `label` is what a person calls it: "cell 3" by its number among all cells, "code cell 3" where only those are known.
    """

    uri: str
    source: SourceText
    first_line: int = 1
    label: str = "cell"

    @property
    def last_line(self) -> int:
        """The 1-based line of the program where it ends."""
        return self.first_line + self.source.line_count - 1


@dataclass(frozen=True, slots=True)
class Lines:
    """What a line of a program is called: by its number, or in a notebook by its cell and its number there."""

    cells: tuple[Cell, ...] = ()

    def words(self, line: int) -> str:
        """ "line 5", "line 2 of cell 3"."""
        cell = self.cell(line)
        return f"line {line}" if cell is None else f"line {line - cell.first_line + 1} of {cell.label}"

    def short(self, line: int) -> str:
        """ "5", "3:2"."""
        cell = self.cell(line)
        return str(line) if cell is None else f"{cell.label.rpartition(' ')[2]}:{line - cell.first_line + 1}"

    def cell(self, line: int) -> Cell | None:
        """The cell that holds a line of the program."""
        return next((cell for cell in reversed(self.cells) if cell.first_line <= line), None)

    def after(self, edits: Iterable[Edit]) -> Lines:
        """The lines of the program after these edits."""
        grown = [(e.span.start.line, e.text.count("\n") - e.span.end.line + e.span.start.line) for e in edits]
        return Lines(
            tuple(
                replace(cell, first_line=cell.first_line + sum(more for line, more in grown if line < cell.first_line))
                for cell in self.cells
            )
        )


FILE = Lines()
"""The lines of a plain file."""


def program(
    path: str, cells: Iterable[tuple[str, str]], labels: Iterable[str] = ()
) -> tuple[SourceText, tuple[Cell, ...]]:
    """The program of cells given as (uri, text) in their order, and where in it each begins."""
    placed: list[Cell] = []
    line = 1
    for (uri, text), label in zip(cells, chain(labels, map("code cell {}".format, count(1))), strict=False):
        placed.append(Cell(uri, SourceText(uri, text), line, label))
        line = placed[-1].last_line + 1
    text = "\n".join(_without_magics(cell.source.text) for cell in placed)
    return SourceText(path, text), tuple(placed)


def code_cells(text: str) -> list[tuple[int, str]]:
    """The code cells of an `.ipynb` file: the 1-based number among all cells, and the text.

    Raises NotANotebook, and OtherLanguage where the kernel is not Python's.
    Format: https://nbformat.readthedocs.io/en/latest/format_description.html (version 4; version 3
    keeps its cells in worksheets).
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"{error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno}, column {error.colno}"
        raise NotANotebook(f"not a notebook: its JSON is broken: {what}") from error
    except (ValueError, RecursionError) as error:
        raise NotANotebook(f"not a notebook: {error}") from error
    if not isinstance(content, dict):
        raise NotANotebook("not a notebook: no object with cells")
    cells = content.get("cells")
    if cells is None and isinstance(content.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in content["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    if not isinstance(cells, list):
        raise NotANotebook("not a notebook: it has no cells")
    language = _language(content.get("metadata"))
    if language not in ("", "python"):
        raise OtherLanguage(f"its cells are {language}, not Python")
    return [
        (number, _text_of(cell))
        for number, cell in enumerate(cells, start=1)
        if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]


def _language(metadata: Any) -> str:
    """The language that the notebook says its kernel runs, in lower case; empty when it says nothing."""
    if isinstance(metadata, dict):
        for section, key in (("language_info", "name"), ("kernelspec", "language")):
            found = metadata.get(section)
            if isinstance(found, dict) and isinstance(found.get(key), str):
                return "python" if found[key].lower() == "ipython" else found[key].lower()
    return ""


def _text_of(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))  # `input` in version 3
    text = "".join(line for line in source if isinstance(line, str)) if isinstance(source, list) else source
    return text.replace("\r\n", "\n").replace("\r", "\n") if isinstance(text, str) else ""


def _without_magics(text: str) -> str:
    if text.lstrip().startswith("%%"):  # `%%bash`, `%%writefile`: what follows is another language
        magic = text.split(maxsplit=1)[0]
        if magic not in _STAYS_PYTHON:
            return re.sub(r"^.*$", lambda line: f"#{line[0][1:]}" if line[0] else "", text, flags=re.MULTILINE)
    return _MAGIC.sub(r"\1#", text)
