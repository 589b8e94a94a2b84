"""The session and its scheduler: snapshots, debounce, cancellation, and results that come too late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gradsight.analysis.check import Cancelled
from gradsight.analysis.report import FileReport, Finding, Position, Span
from gradsight.features.findings import Outcome, finding_id
from gradsight.session import session as session_module
from gradsight.session.scheduler import Scheduler
from gradsight.session.session import Session

PATIENCE = 5.0
URI = "file:///w/a.py"
PATH = "/w/a.py"


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def finding(line: int = 1) -> Finding:
    return Finding("no-grad-block", "error", "certain", "m", Span(PATH, Position(line, 1), Position(line, 2)))


def test_many_changes_are_one_run() -> None:
    async def main() -> None:
        texts = {"a": 0}
        runs: list[int] = []
        results: list[int] = []
        scheduler = Scheduler[int, int](
            take=lambda key: texts[key],
            work=lambda job, _token: runs.append(job) or job,  # type: ignore[func-returns-value]
            done=lambda _job, result: results.append(result),
            delay=0.02,
        )
        for version in range(1, 20):
            texts["a"] = version
            scheduler.schedule("a")
        await scheduler.settled("a")
        assert runs == [19] and results == [19]
        scheduler.close()

    run(main)


def test_a_newer_text_cancels_the_run_and_drops_its_result() -> None:
    async def main() -> None:
        begun = threading.Event()
        results: list[str] = []

        def work(job: str, token: threading.Event) -> str:
            if job == "old":
                begun.set()
                assert token.wait(PATIENCE), "the old run was not cancelled"
                return "old"  # an engine that misses its token: the result must be dropped all the same
            return job

        jobs = ["old", "new"]
        scheduler = Scheduler[str, str](lambda _key: jobs.pop(0), work, lambda _job, r: results.append(r), delay=0)
        scheduler.schedule("a")
        await asyncio.to_thread(begun.wait, PATIENCE)
        scheduler.schedule("a")
        await scheduler.settled("a")
        assert results == ["new"]
        scheduler.close()

    run(main)


def test_work_that_raises_ends_its_run_only() -> None:
    async def main() -> None:
        results: list[str] = []

        def work(job: str, _token: threading.Event) -> str:
            if job == "bad":
                raise RuntimeError("defect")
            if job == "cancelled":
                raise Cancelled
            return job

        jobs = ["bad", "cancelled", "good"]
        scheduler = Scheduler[str, str](lambda _key: jobs.pop(0), work, lambda _job, r: results.append(r), delay=0)
        for _ in range(3):
            scheduler.schedule("a")
            await scheduler.settled("a")
        assert results == ["good"]
        scheduler.close()

    run(main)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[..., FileReport]]:
    """The analysis behind the session; a test may say what it does."""
    slot: dict[str, Callable[..., FileReport]] = {
        "check": lambda snapshot, _project, _token: FileReport(snapshot.path, findings=(finding(),))
    }
    monkeypatch.setattr(session_module.Analyzer, "check", lambda _self, *args: slot["check"](*args))
    return slot


def test_a_view_is_of_the_current_text_or_there_is_none(engine: dict[str, Callable[..., FileReport]]) -> None:
    async def main() -> None:
        published: list[str] = []
        session = Session(published.append, lambda _problem: None, delay=0.01)
        session.open(URI, PATH, "one", 1)
        view = await session.settled_view(URI)
        assert view is not None and view.document.text == "one" and len(view.shown) == 1
        session.change(URI, "two", 2)
        assert session.view(URI) is None
        view = await session.settled_view(URI)
        assert view is not None and view.document.version == 2
        session.close(URI)
        assert session.view(URI) is None and await session.settled_view(URI) is None
        assert published == [URI, URI, URI]
        session.shutdown()

    run(main)


def test_outcomes_belong_to_one_version(engine: dict[str, Callable[..., FileReport]]) -> None:
    async def main() -> None:
        session = Session(lambda _uri: None, lambda _problem: None, delay=0.01)
        session.open(URI, PATH, "one", 1)
        await session.settled_view(URI)
        refuted = {finding_id(finding()): Outcome("refuted", "cpu", "it is there")}
        assert session.record(URI, 1, refuted)
        view = session.view(URI)
        assert view is not None and view.shown == ()
        session.change(URI, "two", 2)
        view = await session.settled_view(URI)
        assert view is not None and len(view.shown) == 1, "a refuted finding comes back when the text changes"
        assert not session.record(URI, 1, refuted), "outcomes for an old text are dropped"
        rejected = Outcome("confirmed", "cpu", "it is None", frozenset({"a fix"}))
        session.record(URI, 2, {finding_id(finding()): rejected})
        session.record(URI, 2, {finding_id(finding()): Outcome("confirmed", "cpu", "it is None")})
        assert session.outcomes(URI)[finding_id(finding())].rejected_fixes == {"a fix"}, "a later check forgets no fix"
        session.shutdown()

    run(main)


def test_a_defect_of_the_engine_costs_one_report(engine: dict[str, Callable[..., FileReport]]) -> None:
    async def main() -> None:
        def broken(*_args: object) -> FileReport:
            raise ZeroDivisionError

        session = Session(lambda _uri: None, lambda _problem: None, delay=0.01)
        working, engine["check"] = engine["check"], broken
        session.open(URI, PATH, "one", 1)
        view = await session.settled_view(URI)
        assert view is not None and view.shown == () and "could not analyse" in view.report.problems[0].message
        engine["check"] = working
        session.change(URI, "two", 2)
        view = await session.settled_view(URI)
        assert view is not None and len(view.shown) == 1
        session.shutdown()

    run(main)


def test_settings_reach_the_engine(engine: dict[str, Callable[..., FileReport]], tmp_path: Path) -> None:
    async def main() -> None:
        seen: list[Any] = []

        def watching(snapshot: Any, project: Any, _token: object) -> FileReport:
            seen.append(project)
            return FileReport(snapshot.path, findings=(finding(),))

        engine["check"] = watching
        (tmp_path / "pyproject.toml").write_text("[tool.gradsight]\nmin-confidence = 'likely'\nbogus = 1\n")
        problems: list[str] = []
        session = Session(lambda _uri: None, problems.append, delay=0.01)
        session.set_roots([str(tmp_path)])
        path = str(tmp_path / "a.py")
        session.open(URI, path, "one", 1)
        await session.settled_view(URI)
        assert seen[-1].settings.min_confidence == "likely" and seen[-1].roots == (str(tmp_path),)
        assert seen[-1].open_texts == {path: "one"}
        assert len(problems) == 1 and "`bogus`" in problems[0]
        session.configure({"minConfidence": "certain"})
        await session.settled_view(URI)
        assert seen[-1].settings.min_confidence == "certain"
        session.configure({"enable": False})
        view = await session.settled_view(URI)
        assert view is not None and view.shown == ()
        (tmp_path / "pyproject.toml").write_text("[tool.gradsight]\nloss-path-hints = false\n")
        session.files_changed([str(tmp_path / "pyproject.toml")])
        await session.settled_view(URI)
        assert not seen[-1].settings.loss_path_hints
        session.shutdown()

    run(main)


def test_a_file_that_imports_a_changed_one_is_analysed_again(engine: dict[str, Callable[..., FileReport]]) -> None:
    async def main() -> None:
        analysed: list[str] = []

        def watching(snapshot: Any, _project: object, _token: object) -> FileReport:
            analysed.append(Path(snapshot.path).name)
            return FileReport(snapshot.path)

        engine["check"] = watching
        session = Session(lambda _uri: None, lambda _problem: None, delay=0)
        session.open("file:///w/model.py", "/w/model.py", "x = 1", 1)
        session.open("file:///w/train.py", "/w/train.py", "from model import x", 1)
        session.open("file:///w/other.py", "/w/other.py", "y = 1", 1)
        for uri in session.uris():
            await session.settled_view(uri)
        analysed.clear()
        session.change("file:///w/model.py", "x = 2", 2)
        for uri in session.uris():
            await session.settled_view(uri)
        assert sorted(analysed) == ["model.py", "train.py"]
        session.shutdown()

    run(main)
