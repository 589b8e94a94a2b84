"""Reading a Markdown suite: headings name the tests, prose says why, fenced blocks hold the programs.

A fenced block opened by ```` ```python ```` is a program. Blocks opened by ```` ```python file=pkg/mod.py ```` are
further files of the next program under the same heading, whose own text is `main.py`. HTML comments between the prose
and the program annotate it:

    <!-- torch: raises at 7 "does not require grad" -->      what torch does (grammar in `oracle`)
    <!-- no-run: needs CUDA -->                              torch does not run this one
    <!-- known wrong: why -->                                the expectations describe a mistake of ours

`known wrong` directly after a heading, before its first prose, holds for every program under that heading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

MAIN = "main.py"
_FENCE = re.compile(r"^(```+|~~~+)\s*(.*)$")
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_NOTE = re.compile(r"^<!--\s*(torch|no-run|known wrong):\s*(.*?)\s*-->$")
_FILE = re.compile(r"\bfile=(\S+)")


class SuiteError(ValueError):
    """A suite that cannot be read; the message says where and why."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a program: its relative path, text, and the suite's line just before its first line."""

    path: str
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Program:
    """One program of a suite. `files` ends with `main.py`; the notes are None when absent."""

    suite: Path
    heading: str
    line: int
    prose: str
    files: tuple[SourceFile, ...]
    torch: str | None
    no_run: str | None
    known_wrong: str | None

    @property
    def id(self) -> str:
        """A short name for the test report: suite, heading, line of the block."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.heading.lower()).strip("-")
        return f"{self.suite.stem}/{slug}:{self.line}"


@dataclass
class _Section:
    """What has been read since the last heading or program."""

    heading: str = ""
    known_wrong: str | None = None
    prose: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    files: list[SourceFile] = field(default_factory=list)
    programs: int = 0

    def next_program(self) -> None:
        self.prose, self.notes, self.files = [], {}, []
        self.programs += 1


def _close(section: _Section, where: str) -> None:
    if section.files:
        raise SuiteError(
            f"{where}: `{section.files[-1].path}` belongs to no program (a block without file= must follow)"
        )
    if section.notes:
        raise SuiteError(f"{where}: the annotation `{next(iter(section.notes))}` belongs to no program")


def read_suite(path: Path, text: str | None = None) -> list[Program]:
    """The programs of a suite in order. `text` replaces the file's content. Raises SuiteError."""
    lines = (path.read_text(encoding="utf-8") if text is None else text).split("\n")
    programs: list[Program] = []
    section = _Section(heading=path.stem)
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        where = f"{path.name}:{number}"
        if heading := _HEADING.match(line):
            _close(section, where)
            section = _Section(heading=heading[2])
        elif note := _NOTE.match(line.strip()):
            if note[1] == "known wrong" and not section.prose and not section.programs:
                section.known_wrong = note[2]
            else:
                section.notes[note[1]] = note[2]
        elif fence := _FENCE.match(line):
            start = number
            while number < len(lines) and not lines[number].startswith(fence[1]):
                number += 1
            if number == len(lines):
                raise SuiteError(f"{where}: the block is never closed")
            number += 1
            if not fence[2].startswith("python"):
                continue
            named = _FILE.search(fence[2])
            name = named[1] if named else MAIN
            section.files.append(SourceFile(name, "\n".join(lines[start : number - 1]) + "\n", start))
            if named:
                continue
            programs.append(
                Program(
                    suite=path,
                    heading=section.heading,
                    line=start,
                    prose=" ".join(section.prose),
                    files=tuple(section.files),
                    torch=section.notes.get("torch"),
                    no_run=section.notes.get("no-run"),
                    known_wrong=section.notes.get("known wrong", section.known_wrong),
                )
            )
            section.next_program()
        elif line.strip():
            section.prose.append(line.strip())
    _close(section, f"{path.name}:{number}")
    return programs
