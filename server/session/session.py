"""The server's only mutable state: documents, settings, reports, and what checks have shown.

All methods are called on the event loop's thread and return at once. Other threads only ever see frozen values
(`AnalysisJob`), taken here in one moment.
"""

from __future__ import annotations

import linecache
import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..analysis.check import Cancelled, Project, Snapshot, collect_if_due
from ..analysis.recheck import Analyzer
from ..analysis.report import FileReport, Finding, Fix, Problem
from ..analysis.source.text import SourceText
from ..analysis.tried import tried_fixes, with_fixes
from ..features.findings import Outcome, Shown, shown_findings
from .closed import ClosedFiles
from .config import ClientSettings, Config, VerifyConfig, load_config, read_client_settings
from .documents import Document, opened
from .refine import Question, Refiner
from .scheduler import Scheduler

log = logging.getLogger(__name__)

_NEIGHBOUR_DELAY = 0.5


@dataclass(frozen=True, slots=True)
class AnalysisJob:
    """One analysis: a document at one moment and what surrounds it."""

    document: Document
    project: Project
    analyzer: Analyzer
    """Holds the last run of the document; only the worker thread uses it."""


@dataclass(frozen=True, slots=True)
class View:
    """A document with the report of exactly this text, and its findings as they are shown."""

    document: Document
    report: FileReport
    shown: tuple[Shown, ...]


class Session:
    """One client's session.

    `published(uri)` is called whenever what is shown for a document has changed, `found(path, view)` for a file that is
    not open, if the client wants to know of those; None takes back what was found before.
    """

    def __init__(
        self,
        published: Callable[[str], None],
        warn: Callable[[str], None],
        delay: float = 0.1,
        found: Callable[[str, View | None], None] = lambda path, view: None,
    ) -> None:
        self.client = ClientSettings()
        self.roots: tuple[str, ...] = ()
        self._published, self._warn = published, warn
        self._documents: dict[str, Document] = {}
        self._generation = 0  # keeps results of a document that was closed apart from those of the same one reopened
        self._reports: dict[str, tuple[int, FileReport]] = {}
        self._analyzers: dict[str, Analyzer] = {}
        self._outcomes: dict[str, tuple[int, dict[str, Outcome]]] = {}
        self._tried: dict[str, tuple[int, dict[Finding, tuple[Fix, ...]]]] = {}
        self._configs: dict[str, Config] = {}
        self._warned: set[str] = set()
        self.scheduler: Scheduler[AnalysisJob, FileReport] = Scheduler(
            self._take, _analyse, self._store, delay, collect_if_due
        )
        self.refiner = Refiner(self._learned)
        self._found = found
        self.closed = ClosedFiles(self._analyse_closed, self._is_open, self._tell_closed)

    # documents

    def open(self, uri: str, path: str, text: str, version: int) -> None:
        """A document was opened; its analysis starts at once."""
        self._generation += 1
        self._documents[uri] = opened(uri, path, text, version, self._generation << 32)
        self._forget_results(uri)
        self.closed.opened(path)
        self.scheduler.schedule(uri, delay=0)
        self._neighbours_of(uri)

    def open_notebook(self, uri: str, path: str, cells: Iterable[tuple[str, str]], version: int) -> None:
        """A notebook was opened: (uri, text) of its code cells, in their order."""
        self.open(uri, path, "", version)
        self.change_notebook(uri, cells, version)

    def change_notebook(self, uri: str, cells: Iterable[tuple[str, str]], version: int) -> None:
        """Cells of an open notebook changed, came, went or moved."""
        document = self._documents.get(uri)
        if document is not None:
            self._replace(document.rearranged(cells, version))

    def change(self, uri: str, text: str, version: int) -> None:
        """The text of an open document changed; results for the old one are dropped from here on."""
        document = self._documents.get(uri)
        if document is not None:
            self._replace(document.changed(text, version))

    def _replace(self, document: Document) -> None:
        uri = document.uri
        self._documents[uri] = document
        self._outcomes.pop(uri, None)
        self.scheduler.schedule(uri)
        self._neighbours_of(uri)

    def close(self, uri: str) -> None:
        """A document was closed: nothing is known about it any more."""
        document = self._documents.pop(uri, None)
        self.scheduler.forget(uri)
        self.refiner.forget(uri)
        self._forget_results(uri)
        self._published(uri)
        if document is not None:
            self.closed.changed([document.path])

    def document(self, uri: str) -> Document | None:
        """The open document of a uri, which may be that of a notebook's cell."""
        found = self._documents.get(uri)
        if found is None:
            for document in self._documents.values():
                if any(cell.uri == uri for cell in document.cells):
                    return document
        return found

    def uris(self) -> tuple[str, ...]:
        """The open documents."""
        return tuple(self._documents)

    # answers

    def view(self, uri: str) -> View | None:
        """The report of the document's current text; None while there is none."""
        document = self.document(uri)
        generation, report = self._reports.get(document.uri if document is not None else uri, (-1, None))
        if document is None or report is None or generation != document.generation:
            return None
        if not self.client.enable:
            return View(document, FileReport(document.path), ())
        report = with_fixes(report, self._tried_of(document))
        return View(document, report, shown_findings(report, self.outcomes(document.uri)))

    async def settled_view(self, uri: str) -> View | None:
        """The same, after the analysis that is under way; starts one only if there is no report and none is coming."""
        document = self.document(uri)
        uri = document.uri if document is not None else uri
        if document is not None and self.view(uri) is None and not self.scheduler.busy(uri):
            self.scheduler.schedule(uri, delay=0)
        await self.scheduler.settled(uri)
        return self.view(uri)

    async def tried_view(self, uri: str, wanted: Callable[[View], Iterable[Finding]]) -> View | None:
        """The settled view, in which the fixes of the `wanted` findings of it have been tried: it has those that hold.

        The engine runs the text with each fix in it, once per text.
        """
        while (view := await self.settled_view(uri)) is not None:
            document = view.document
            tried = self._tried_of(document)
            asked = tuple(each for each in wanted(view) if each.fixes and not _known(each, tried))
            if not asked:
                break
            job = self._job(document, Analyzer(keeps=False))
            with suppress(Cancelled):  # Typed meanwhile: the new text is looked at.
                found = await self.scheduler.asked(document.uri, partial(_try_fixes, job, view.report, asked))
                self._tried[document.uri] = (document.generation, {**tried, **found})
                break
        return self.view(uri)

    def _tried_of(self, document: Document) -> dict[Finding, tuple[Fix, ...]]:
        generation, tried = self._tried.get(document.uri, (None, {}))
        return tried if generation == document.generation else {}

    def line_of(self, path: str, line: int) -> str:
        """A source line, of the open text if the file is open, else of the file on disk; "" if there is none."""
        return self.source_of(path).line_text(line)

    def source_of(self, path: str) -> SourceText:
        """A file's text, open or on disk; an empty one if it cannot be had."""
        for document in self._documents.values():
            if document.path == path:
                return document.source
        linecache.checkcache(path)
        return SourceText(path, "".join(linecache.getlines(path)))

    # execution checks

    def outcomes(self, uri: str) -> dict[str, Outcome]:
        """What checks have shown about the current text, by finding."""
        document = self._documents.get(uri)
        version, outcomes = self._outcomes.get(uri, (None, {}))
        return outcomes if document is not None and document.version == version else {}

    def record(self, uri: str, version: int, outcomes: dict[str, Outcome]) -> bool:
        """Keep outcomes for a version of a document; False (and nothing kept) when the text has moved on."""
        document = self._documents.get(uri)
        if document is None or document.version != version:
            return False
        known = self.outcomes(uri)
        merged = {name: outcome.after(known[name]) if name in known else outcome for name, outcome in outcomes.items()}
        self._outcomes[uri] = (version, {**known, **merged})
        self._published(uri)
        return True

    def verify_config(self, path: str) -> VerifyConfig:
        """How a file is to be checked: the editor's choices over those of its pyproject.toml."""
        return self.client.verify.over(self._config(path).verify)

    def entry_folder(self, path: str) -> str | None:
        """Where the entry point of a file's check is run: in the workspace folder for one that the editor chose, else
        beside the pyproject.toml that names it."""
        if self.client.verify.entry:
            roots = [root for root in self.roots if Path(path).is_relative_to(root)]
            return max(roots, key=len, default=None)
        source = self._config(path).source
        return str(source.parent) if source is not None else None

    # settings

    def configure(self, value: object) -> None:
        """Take settings from the client; mistakes in them are told and the rest is used."""
        before = self.client
        self.client, problems = read_client_settings(value, before)
        for problem in problems:
            self._warn(problem)
        if self.client != before:
            self.reanalyse()
            self._look_at_closed()

    def set_roots(self, roots: Iterable[str]) -> None:
        """The folders of the workspace have changed."""
        self.roots = tuple(dict.fromkeys(roots))
        self.reanalyse()
        self._look_at_closed()

    def files_changed(self, paths: Iterable[str]) -> None:
        """Settings files or sources on disk changed: read them again when they are needed next.

        Documents are known from their text, whatever happens to their files.
        """
        paths = set(paths)
        if not all(map(self._is_open, paths)):
            self._configs.clear()
            self._warned.clear()
            self.refiner.forget_answers()
            self.reanalyse()
        if all(path.endswith(".py") for path in paths):
            self.closed.changed(paths)
        else:
            self._look_at_closed()

    def _look_at_closed(self) -> None:
        """All files of the workspace, if the client wants to know of those that are not open."""
        self.closed.look_at(self.roots if self.client.workspace_diagnostics and self.client.enable else ())

    def reanalyse(self) -> None:
        """Analyse all open documents again, as something they depend on has changed."""
        for uri, document in self._documents.items():
            self._documents[uri] = document.outdated()
            self.scheduler.schedule(uri)

    def shutdown(self) -> None:
        """Stops everything that runs in the background."""
        self.closed.close()
        self.scheduler.close()
        self.refiner.close()

    # inner workings

    def _forget_results(self, uri: str) -> None:
        self._analyzers.pop(uri, None)
        self._reports.pop(uri, None)
        self._outcomes.pop(uri, None)
        self._tried.pop(uri, None)

    def _neighbours_of(self, uri: str) -> None:
        """Open documents that seem to import this one see its new text; a name in their text is reason enough."""
        stem = Path(self._documents[uri].path).stem
        stem = Path(self._documents[uri].path).parent.name if stem == "__init__" else stem
        for other, document in list(self._documents.items()):
            if other != uri and "import" in document.text and stem in document.text:
                self._documents[other] = document.outdated()
                self.scheduler.schedule(other, delay=_NEIGHBOUR_DELAY)

    def _config(self, path: str) -> Config:
        folder = str(Path(path).parent)
        if folder not in self._configs:
            self._configs[folder] = config = load_config(folder)
            for problem in config.problems:
                if problem not in self._warned:
                    self._warned.add(problem)
                    self._warn(problem)
        return self._configs[folder]

    def _take(self, uri: str) -> AnalysisJob | None:
        document = self._documents.get(uri)
        if document is None:
            return None
        return self._job(document, self._analyzers.setdefault(uri, Analyzer()))

    def _job(self, document: Document, analyzer: Analyzer) -> AnalysisJob:
        project = Project(
            roots=self._roots_for(document.path),
            settings=self.client.over(self._config(document.path).settings),
            open_texts={open_.path: open_.text for open_ in self._documents.values()},
            known=self.refiner.known,
        )
        return AnalysisJob(document, project, analyzer)

    def _roots_for(self, path: str) -> tuple[str, ...]:
        """The workspace folder the file is in comes first, as imports are looked up in order."""
        inside = [root for root in self.roots if Path(path).is_relative_to(root)]
        return tuple(dict.fromkeys([*sorted(inside, key=len, reverse=True), *self.roots]))

    def _store(self, job: AnalysisJob, report: FileReport) -> None:
        uri = job.document.uri
        document = self._documents.get(uri)
        if document is None or document.generation != job.document.generation:
            return
        generation, before = self._reports.get(uri, (None, None))
        self._reports[uri] = (document.generation, report)
        # A second look that finds the same is nobody's business.
        if before is None or generation != document.generation or before != report:
            self._published(uri)
        if report.unresolved:
            interpreter = self.verify_config(document.path).python
            self.refiner.wonder(uri, Question(report.unresolved, document.path, job.project.roots, interpreter))

    def _is_open(self, path: str) -> bool:
        return any(document.path == path for document in self._documents.values())

    async def _analyse_closed(self, document: Document, stop: threading.Event) -> FileReport:
        return await self.scheduler.aside(self._job(document, Analyzer(keeps=False)), stop)

    def _tell_closed(self, path: str, document: Document | None, report: FileReport) -> None:
        self._found(path, View(document, report, shown_findings(report, {})) if document is not None else None)

    def _learned(self, uri: str) -> None:
        """Something the report of a document did not know is known now."""
        if uri in self._documents and not self.scheduler.busy(uri):
            self.scheduler.schedule(uri, delay=0)


def _known(finding: Finding, tried: dict[Finding, tuple[Fix, ...]]) -> bool:
    """Whether a finding of a view is one whose fixes were tried: it has those that hold."""
    return any(finding == replace(each, fixes=fixes) for each, fixes in tried.items())


def _try_fixes(
    job: AnalysisJob, report: FileReport, wanted: tuple[Finding, ...], token: threading.Event
) -> dict[Finding, tuple[Fix, ...]]:
    """Runs in the worker thread. A defect of the engine leaves the fixes as they are."""
    document = job.document
    snapshot = Snapshot(document.path, document.text, document.version)
    try:
        return tried_fixes(report, snapshot, job.project, token, wanted)
    except Cancelled:
        raise
    except Exception:
        log.exception("gradsight could not try the fixes of %s", document.path)
        return {each: each.fixes for each in wanted}


def _analyse(job: AnalysisJob, token: threading.Event) -> FileReport:
    """Runs in the worker thread. A defect of the engine costs this report, never the server."""
    document = job.document
    started = time.perf_counter()
    try:
        report = job.analyzer.check(Snapshot(document.path, document.text, document.version), job.project, token)
        log.debug("analysed %s in %.2f ms", document.path, (time.perf_counter() - started) * 1000)
        return report
    except Cancelled:
        raise
    except Exception as error:
        log.exception("gradsight could not analyse %s", document.path)
        sentence = f"gradsight could not analyse this file ({type(error).__name__}); the log has the details"
        return FileReport(path=document.path, problems=(Problem(document.path, sentence),))
