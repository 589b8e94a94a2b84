"""The second look of the command line: names of other libraries that a report did not know are found out at once."""

from __future__ import annotations

import time
from dataclasses import replace

from ..analysis.check import Project, Snapshot, check
from ..analysis.names import Resolver, site_directories
from ..analysis.report import FileReport
from ..analysis.tried import tried_fixes, with_fixes
from ..verify import InterpreterNotFound, find_interpreter

SECONDS_PER_FILE = 3.0
SECONDS_PER_RUN = 30.0


class Names:
    """Answers of one run of a command. Starts no process unless a file asks about a library that mentions torch."""

    def __init__(self, python: str | None = None, wanted: bool = True) -> None:
        self._python, self._wanted = python, wanted
        self._known: dict[str, str] = {}
        self._resolvers: dict[tuple[str, ...], Resolver] = {}
        self._left = SECONDS_PER_RUN

    def check(self, snapshot: Snapshot, project: Project) -> FileReport:
        """The report of a file, made again when something it did not know could be found out in time.

        Its fixes have been tried.
        """
        report = self._report(snapshot, project)
        return with_fixes(report, tried_fixes(report, snapshot, self._knowing(project)))

    def _knowing(self, project: Project) -> Project:
        return replace(project, known=dict(self._known)) if self._known else project

    def _report(self, snapshot: Snapshot, project: Project) -> FileReport:
        report = check(snapshot, self._knowing(project))
        if not self._wanted or self._left <= 0:
            return report
        questions = [name for name in report.unresolved if name not in self._known]
        if not questions:
            return report
        started = time.monotonic()
        answers = self._resolver(snapshot.path, project.roots).answer(questions, min(SECONDS_PER_FILE, self._left))
        self._left -= time.monotonic() - started
        self._known.update(answers)
        if "module" not in answers.values():
            return report
        return check(snapshot, self._knowing(project))

    def close(self) -> None:
        """End jedi's processes."""
        for resolver in self._resolvers.values():
            resolver.close()

    def __enter__(self) -> Names:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _resolver(self, path: str, roots: tuple[str, ...]) -> Resolver:
        if roots not in self._resolvers:
            try:
                search = site_directories(find_interpreter(path, self._python))
            except InterpreterNotFound:
                search = []
            self._resolvers[roots] = Resolver(roots, search)
        return self._resolvers[roots]
