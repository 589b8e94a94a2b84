"""`gradsight verify FILE[:LINE]`: run the code and say what really happened to the gradient."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..analysis.report import FileReport, Finding
from ..analysis.source.notebook import Cell, Lines
from .cells import file_and_cell, in_cells, json_in_cells
from .exits import CLEAN, COULD_NOT, FINDINGS
from .sources import Unreadable, read_program, why_missing
from .targets import Target, split_target

if TYPE_CHECKING:
    from ..session.config import Config
    from ..verify import CheckReport, CheckRequest

EPILOG = """\
The file on disk is never written: --fix applies the quick fix in memory and runs the result.

exit status:
  0  no finding was confirmed
  1  at least one finding was confirmed
  2  no answer for at least one finding, or nothing could be run"""

DEFAULT_TIMEOUT = 60.0
ANSWERS = frozenset({"confirmed", "refuted"})


def add(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser(
        "verify",
        help="confirm findings by running the code",
        description="Run the file in a process of its own, up to the loss of each finding, and say what really "
        "happened to the gradient: on CUDA if there is a GPU, else on the CPU with simulated CUDA placement.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "target",
        metavar="FILE[:LINE]",
        help="a Python file or notebook; with a line (in a notebook `:cell 3` or `:cell 3:2`), only the findings there",
    )
    command.add_argument("--device", choices=("auto", "cuda", "cpu"), help="where to run (default: auto)")
    command.add_argument("--python", metavar="INTERPRETER", help="the interpreter that has PyTorch and your packages")
    command.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="limit for one run (default: 60)")
    command.add_argument("--entry", metavar="ENTRY", help='what to run instead of the file: "pytest tests/test_x.py"')
    command.add_argument("--fix", action="store_true", help="also apply the quick fix in memory and run again")
    command.add_argument("--output-format", "--format", choices=("text", "json"), default="text")
    command.set_defaults(run=run)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"`{text}` is not a positive number of seconds")
    return seconds


def run(options: argparse.Namespace) -> int:
    """Find, run, judge, print; returns the exit status."""
    from .check import shown_paths
    from .projects import Projects

    place = split_target(options.target)
    path = place.path
    try:
        text, cells = _read(path)
    except Unreadable as reason:
        return _refuse(f"{path}: {reason}")
    try:
        wanted = place.lines_in(text, cells)
    except Unreadable as reason:
        return _refuse(str(reason))

    from ..analysis.check import Snapshot
    from .names import Names

    projects = Projects()
    try:
        with Names(options.python) as names:
            report = shown_paths(names.check(Snapshot(path, text), projects.of(path)))
    except Exception as error:  # the last line of defence, as in `check`
        return _refuse(f"{path}: not analysed: internal error ({type(error).__name__}: {error}); please report it")
    config = projects.config_of(path)
    for sentence in projects.mistakes:
        print(f"gradsight verify: {sentence}", file=sys.stderr)
    for problem in in_cells(report, cells).problems:
        print(f"{problem.path}: {problem.message}", file=sys.stderr)

    findings = tuple(found for found in report.findings if _covers(found, wanted))
    if not findings:
        _print_nothing_to_check(options, place, in_cells(report, cells))
        return COULD_NOT if report.problems else CLEAN
    return _check_and_print(options, config, path, text, cells, report, findings)


def _read(path: str) -> tuple[str, tuple[Cell, ...]]:
    if os.path.isdir(path):
        raise Unreadable("is a folder; `verify` runs one file")
    reason = why_missing(path)
    if reason:
        raise Unreadable(reason)
    return read_program(path)


def _covers(finding: Finding, lines: range) -> bool:
    return finding.span.start.line < lines.stop and lines.start <= finding.span.end.line


def _refuse(sentence: str) -> int:
    print(f"gradsight verify: {sentence}", file=sys.stderr)
    return COULD_NOT


def _check_and_print(
    options: argparse.Namespace,
    config: Config,
    path: str,
    text: str,
    cells: tuple[Cell, ...],
    report: FileReport,
    findings: tuple[Finding, ...],
) -> int:
    from ..verify import CheckCancelled, CheckRequest, InterpreterNotFound

    try:
        interpreter = choose_interpreter(path, options.python or config.verify.python)
    except InterpreterNotFound as reason:
        return _refuse(str(reason))
    request = CheckRequest(
        path=path,
        text=text,
        findings=findings,
        sinks=report.sinks,
        interpreter=interpreter,
        device=options.device or config.verify.device or "auto",
        timeout=options.timeout or config.verify.timeout or DEFAULT_TIMEOUT,
        fix=options.fix,
        lines=Lines(cells),
        launcher=config.verify.launcher,
        entry=options.entry or config.verify.entry,
        cwd=_entry_folder(options, config),
    )
    try:
        checked = _run_cancellable(request)
    except CheckCancelled:
        print("gradsight verify: cancelled; everything it had started is gone", file=sys.stderr)
        return 130
    if options.output_format == "json":
        from .as_json import dump

        print(dump(json_in_cells(checked.to_json(), cells)))
    else:
        from .terminal import Terminal
        from .verdict_text import write_report

        write_report(Terminal.on(sys.stdout), checked, text, cells)
    verdicts = {result.verdict for result in checked.results}
    if verdicts - ANSWERS:
        return COULD_NOT
    return FINDINGS if "confirmed" in verdicts else CLEAN


def _entry_folder(options: argparse.Namespace, config: Config) -> str | None:
    """Where the entry point runs: here if it was typed, else beside the pyproject.toml that names it."""
    if options.entry:
        return os.getcwd()
    return str(config.source.parent) if config.verify.entry and config.source is not None else None


def choose_interpreter(path: str, explicit: str | None) -> str:
    """The interpreter that runs the file: the chosen one, that of its environment, else ours if it has torch.

    Raises InterpreterNotFound. The presence of torch is looked up without importing it.
    """
    from ..verify import find_interpreter

    found = find_interpreter(path, explicit)
    on_path = {shutil.which("python3"), shutil.which("python")}
    if explicit is None and found in on_path and importlib.util.find_spec("torch") is not None:
        return sys.executable  # gradsight was installed beside torch, in an environment that is not activated
    return found


def _run_cancellable(request: CheckRequest) -> CheckReport:
    from ..verify import run_check

    cancel = threading.Event()
    with _signals_set(cancel):
        return run_check(request, progress=_progress if sys.stderr.isatty() else None, cancel=cancel)


def _progress(sentence: str) -> None:
    print(f"\r\x1b[K\x1b[2m{sentence}\x1b[0m", end="\r", file=sys.stderr, flush=True)


@contextmanager
def _signals_set(cancel: threading.Event) -> Iterator[None]:
    """Ctrl-C and a polite kill end the check, which ends the processes it started, instead of us alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: cancel.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if sys.stderr.isatty():
            print("\x1b[K", end="", file=sys.stderr, flush=True)


def _print_nothing_to_check(options: argparse.Namespace, place: Target, report: FileReport) -> None:
    if options.output_format == "json":
        from .as_json import dump

        print(dump({"path": place.path, "device": None, "torch": None, "seconds": 0.0, "results": []}))
    elif place != Target(place.path) and report.findings:
        found = dict.fromkeys((file_and_cell(each.span.path)[1], each.span.start.line) for each in report.findings)
        lines = ", ".join(f"{line}" if cell is None else f"cell {cell}:{line}" for cell, line in found)
        print(f"{place}: no finding here, so nothing was run; there are findings on: {lines}")
    else:
        print(f"{place.path}: no findings, so nothing was run")
