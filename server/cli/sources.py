"""Which files a path on the command line means, and what their text is; of a notebook, that of the program it holds.

A folder is walked in sorted order. Hidden folders, virtual environments (known by their `pyvenv.cfg`) and folders of
installed or generated code are left out; a file that is named explicitly is always taken, whatever its suffix.
Paths stay as they were typed, so that the output can be clicked or pasted where the command was run.
"""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..analysis.report import Problem
from ..analysis.source.files import NOTEBOOK, PYTHON, walk
from ..analysis.source.notebook import Cell, NotANotebook, OtherLanguage, code_cells, program
from .cells import name_of


class Unreadable(Exception):
    """A file whose text cannot be had; the message is one sentence for the user."""


class NotPython(Unreadable):
    """A notebook of another language."""


@dataclass
class Gathered:
    """The files to look at (`named`: typed as such), and the paths that gave none, each with its reason."""

    files: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def gather(paths: Sequence[str]) -> Gathered:
    """Every Python file and notebook the paths mean, once each, in order; what could not be used becomes a problem."""
    found = Gathered()
    seen: set[str] = set()
    for path in paths:
        reason = why_missing(path)
        if reason:
            found.problems.append(Problem(path, reason))
            continue
        if os.path.isdir(path):
            before = len(found.problems)
            files = list(_walk(path, found.problems))
            if not files and len(found.problems) == before:
                found.problems.append(Problem(path, "no Python files in this folder"))
        else:
            files = [path]
            found.named.add(path)
        for file in files:
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                found.files.append(file)
    return found


def why_missing(path: str) -> str:
    """Why there is nothing to be looked at under a path, as one clause; empty when there is."""
    try:
        os.stat(path)
    except FileNotFoundError:
        if path == "-":
            return "no such file or folder; standard input is `/dev/stdin`"
        return "a link to a file that does not exist" if os.path.islink(path) else "no such file or folder"
    except OSError as error:
        return f"cannot be read: {_reason(error)}"
    return ""


def _walk(folder: str, problems: list[Problem]) -> Iterator[str]:
    def refused(error: OSError) -> None:
        problems.append(Problem(_tidy(error.filename or folder), f"cannot list this folder: {_reason(error)}"))

    for path in walk(folder, (PYTHON, NOTEBOOK), refused):
        yield _tidy(path)


def _tidy(path: str) -> str:
    prefix = os.curdir + os.sep
    return path[len(prefix) :] if path.startswith(prefix) else path


def read_program(path: str) -> tuple[str, tuple[Cell, ...]]:
    """The text of a Python file; of a notebook, the program of its code cells and these cells.

    Raises Unreadable with one sentence when there is no such text.
    """
    if not path.endswith(NOTEBOOK):
        return read_source(path), ()
    try:
        cells = code_cells(_read(path).decode("utf-8-sig"))
    except OtherLanguage as error:
        raise NotPython(str(error)) from error
    except NotANotebook as error:
        raise Unreadable(str(error)) from error
    except UnicodeDecodeError as error:
        raise Unreadable("not a notebook: its text is not valid UTF-8") from error
    source, placed = program(path, [(name_of(path, n), text) for n, text in cells], [f"cell {n}" for n, _ in cells])
    if "\0" in source.text:
        raise Unreadable("a null byte in a cell; this is not Python text")
    return source.text, placed


def read_source(path: str) -> str:
    """The text of a Python file with `\\n` line ends, decoded as Python does (PEP 263 coding line, byte order mark).

    Raises Unreadable with one sentence when the file cannot be opened or decoded.
    """
    return decode_source(_read(path))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Unreadable(f"cannot be read: {_reason(error)}") from error


def decode_source(raw: bytes) -> str:
    """The text of Python source bytes; raises Unreadable for bytes that are not text in their declared encoding."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except SyntaxError as error:
        # Also raised when one of the first two lines is not UTF-8 and none declares an encoding; that is said below.
        if "missing" not in str(error):
            raise Unreadable(f"cannot be decoded: {error}") from error
        encoding = "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            f"line {line}: byte 0x{raw[error.start]:02x} is not valid {encoding.upper()}; "
            "save the file as UTF-8 or declare its encoding in a coding line"
        ) from error
    if "\0" in text:
        raise Unreadable(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}: a null byte; this is not Python text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
