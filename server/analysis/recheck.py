"""Checking one document again and again: what an edit did not change is taken over from the run before.

`Analyzer.check` gives what `check` gives for the same text; only the time differs. It keeps the last run, and goes on
from it when the next text differs in some lines (`source.reparse`, `interpreter.trunk`). The rules look at the whole
run each time: they ask about all of it, and are cheap.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

from .check import Project, Snapshot, check, one_at_a_time, report_of, workspace_of, worth_running
from .check_types import Cancelled, StartOver, Token
from .interpreter.collector import collector_paused
from .interpreter.imports import Importer, Workspace
from .interpreter.run import Interpreter, run_again, run_file
from .interpreter.trunk import Trunk
from .report import FileReport, Position, Span, ValueFacts
from .source.parse import Parsed, parse
from .source.reparse import reparse


@dataclass(slots=True)
class _Kept:
    """A run that can be gone on from, the text it is of, and what it was made with."""

    parsed: Parsed
    machine: Interpreter
    project: Project
    asked: dict[tuple[Any, ...], Any]
    report: FileReport


class Analyzer:
    """The analysis of one document, which `keeps` its last run.

    `check` may be called from one thread at a time, and reports be read from any.
    """

    def __init__(self, keeps: bool = True) -> None:
        self._keeps = keeps
        self._kept: _Kept | None = None
        self._edition = 0
        self._lock = threading.Lock()

    def check(self, snapshot: Snapshot, project: Project | None = None, token: Token | None = None) -> FileReport:
        """What `check.check` gives for the same arguments. Raises Cancelled when `token` is set.

        From here on `value_at` of the report before gives None, as the run that it reads goes on.
        """
        project = project or Project()
        with self._lock, one_at_a_time, collector_paused():
            kept, self._kept = self._kept, None
            self._edition += 1
            if kept is not None and self._still_holds(kept, snapshot, project):
                with suppress(StartOver):
                    return self._go_on(kept, snapshot, project, token)
            return self._from_the_start(snapshot, project, token)

    # ------------------------------------------------------------------ the ways to a report

    def _from_the_start(self, snapshot: Snapshot, project: Project, token: Token | None) -> FileReport:
        workspace = workspace_of(project)
        parsed = parse(snapshot.path, snapshot.text)
        if not self._keeps or not worth_running(snapshot, workspace):
            return check(snapshot, project, token)
        asked: dict[tuple[Any, ...], Any] = {}
        importer = Importer(_Asked(workspace, asked))
        known, sinks = project.known, project.settings.sinks
        machine = run_file(parsed, importer, token=token, known=known, sinks=sinks, keep=True)
        return self._reported(_Kept(parsed, machine, project, asked, FileReport(snapshot.path)))

    def _go_on(self, kept: _Kept, snapshot: Snapshot, project: Project, token: Token | None) -> FileReport:
        """The report from where the kept run left. Raises StartOver where that cannot be done."""
        machine = kept.machine
        if snapshot.text != kept.parsed.source.text:
            kept.parsed = parsed = reparse(kept.parsed, snapshot.text)
            machine.importer.workspace = _Asked(workspace_of(project), kept.asked)
            run_again(machine, parsed, token)
        kept.project = project
        return self._reported(kept)

    def _reported(self, kept: _Kept) -> FileReport:
        trunk = kept.machine.trunk
        trunk.forget_questions()
        with trunk.questions():
            report = report_of(kept.machine, kept.parsed, kept.project)
        edition, value_at = self._edition, report.value_at
        found: FileReport = _own_spans(replace(report, value_at=partial(self._value_at, edition, trunk, value_at)))
        kept.report = found
        machine = kept.machine
        if not (machine.overflowed or machine.spent_all or machine.crashes or machine.foreign.given_up):
            self._kept = kept
        return found

    def _value_at(
        self, edition: int, trunk: Trunk, ask: Callable[[int, int], ValueFacts | None], line: int, column: int
    ) -> ValueFacts | None:
        with self._lock, trunk.questions():
            found = ask(line, column) if edition == self._edition else None
            return None if found is None else _own_spans(found)

    @staticmethod
    def _still_holds(kept: _Kept, snapshot: Snapshot, project: Project) -> bool:
        """Whether everything but the text is as it was when the kept run was made."""
        before = kept.project
        if kept.parsed.path != snapshot.path or before.known != project.known or before.roots != project.roots:
            return False
        if before.settings.sinks != project.settings.sinks:
            return False
        workspace = workspace_of(project)
        if any(_ask(workspace, question) is not answer for question, answer in kept.asked.items()):
            return False
        return worth_running(snapshot, workspace)


# ---------------------------------------------------------------------- what a run asks of other files


class _Asked:
    """The modules of the workspace, remembering what was asked and answered."""

    def __init__(self, workspace: Workspace, asked: dict[tuple[Any, ...], Any]) -> None:
        self._workspace, self._answers = workspace, asked

    def _answer(self, *question: Any) -> Any:
        found = self._answers[question] = _ask(self._workspace, question)
        return found

    def find(self, dotted: str, from_path: str | None = None) -> str | None:
        """See `WorkspaceModules.find`."""
        found: str | None = self._answer("find", dotted, from_path)
        return found

    def find_import(self, from_path: str, module: str, level: int = 0) -> str | None:
        """See `WorkspaceModules.find_import`."""
        found: str | None = self._answer("find_import", from_path, module, level)
        return found

    def absolute(self, from_path: str, module: str, level: int) -> str:
        """See `WorkspaceModules.absolute`."""
        found: str = self._answer("absolute", from_path, module, level)
        return found

    def mentions(self, path: str) -> bool:
        """See `WorkspaceModules.mentions`."""
        found: bool = self._answer("mentions", path)
        return found

    def load(self, path: str) -> Any:
        """See `WorkspaceModules.load`."""
        return self._answer("load", path)


def _ask(workspace: Any, question: tuple[Any, ...]) -> Any:
    found = getattr(workspace, question[0])(*question[1:])
    # Names and paths are compared by identity, as trees are.
    return sys.intern(found) if isinstance(found, str) else found


# ---------------------------------------------------------------------- what leaves the analyzer


def _own_spans(found: Any) -> Any:
    """The same data with spans of its own: those of a kept run move with the text."""
    if isinstance(found, Span):
        start, end = found.start, found.end
        return Span(found.path, Position(start.line, start.column), Position(end.line, end.column))
    if isinstance(found, tuple):
        return tuple(_own_spans(each) for each in found)
    if is_dataclass(found) and not isinstance(found, type):
        return replace(found, **{each.name: _own_spans(getattr(found, each.name)) for each in fields(found)})  # type: ignore[type-var]
    return found


__all__ = ["Analyzer", "Cancelled"]
