"""`make bench`: edit to published diagnostics, start-up, memory, and `ast.parse` on the same file in the same run.

    python benchmarks/run.py [--lines 1000] [--edits 20] [--json FILE]

The language server is a real process, spoken to over stdio; its times hold its own debounce and the transport.
Ratios to `ast.parse` compare machines; the milliseconds only compare runs on one.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from client import Client
from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.recheck import Analyzer
from program import CUT, EDITED, edits_inside, program

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "ex2.py"
CAPABILITIES = {"textDocument": {"publishDiagnostics": {"versionSupport": True, "relatedInformation": True}}}


def milliseconds(run: Callable[[], object], times: int) -> list[float]:
    """How long each of several runs took."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def memory(pid: int) -> tuple[float, float]:
    """Resident MiB of a process, and of the processes it started."""
    process = psutil.Process(pid)
    own = process.memory_info().rss
    children = sum(child.memory_info().rss for child in process.children(recursive=True))
    return own / 2**20, children / 2**20


def in_process(text: str) -> dict[str, Any]:
    """`ast.parse` and a cold `check` of the same text, by turns; every check sees a text it has not met before."""
    number = 0

    def cold() -> None:
        nonlocal number
        number += 1
        # The change comes first: whatever is kept by content, function or line is of no use.
        check(Snapshot("/bench/train.py", f'"""Run {number}."""\n{text}'), Project(roots=("/bench",)))

    first = milliseconds(cold, 1)[0]
    parse, checks = [], []
    for _ in range(7):
        # What the one before left to the garbage collector is not the next one's cost.
        gc.collect()
        parse += milliseconds(lambda: ast.parse(text), 3)
        gc.collect()
        checks += milliseconds(cold, 1)
    report = check(Snapshot("/bench/train.py", text), Project(roots=("/bench",)))
    return {
        "parse_ms": statistics.median(parse),
        "check_first_ms": first,
        "check_cold_ms": statistics.median(checks),
        "check_cold_ratio": statistics.median(checks) / statistics.median(parse),
        **rechecks(text),
        "findings": [f"{found.rule} at line {found.span.start.line}" for found in report.findings],
        "problems": [problem.message for problem in report.problems],
    }


def rechecks(text: str) -> dict[str, Any]:
    """What an edit inside one function costs the analysis that the server keeps.

    Functions of the first, a middle and the last part of the file, a line changed and a line added, and the way back.
    """
    project, analyzer = Project(roots=("/bench",)), Analyzer()
    analyzer.check(Snapshot("/bench/train.py", text), project)
    taken: dict[str, float] = {}
    parses: list[float] = []
    for name, edited in edits_inside(text):
        times: list[float] = []
        for _ in range(3):
            for each in (edited, text):
                gc.collect()
                parses += milliseconds(partial(ast.parse, each), 1)
                gc.collect()
                times += milliseconds(partial(analyzer.check, Snapshot("/bench/train.py", each), project), 1)
        taken[name] = statistics.median(times)
    slowest = max(taken, key=lambda name: taken[name])
    parse = statistics.median(parses)
    return {
        "recheck_ms": taken,
        "recheck_median_ms": statistics.median(taken.values()),
        "recheck_worst_ms": taken[slowest],
        "recheck_ratio": statistics.median(taken.values()) / parse,
        "recheck_worst_ratio": taken[slowest] / parse,
        "recheck_worst": slowest,
    }


def over_lsp(text: str, edits: int, folder: Path) -> dict[str, Any]:
    """Start-up, opening, edits that make a finding appear and go, and memory of a real server process."""
    file = folder / "train.py"
    file.write_text(text, encoding="utf-8")
    small = folder / "ex2.py"
    small.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    started = time.perf_counter()
    client = Client()
    try:
        root = folder.as_uri()
        params = {"processId": os.getpid(), "rootUri": root, "capabilities": CAPABILITIES}
        params["workspaceFolders"] = [{"uri": root, "name": "bench"}]
        ready = client.request("initialize", params)
        client.notify("initialized", {})

        def opened(path: Path) -> float:
            item = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": path.read_text("utf-8")}
            before = time.perf_counter()
            client.notify("textDocument/didOpen", {"textDocument": item})
            return (client.diagnostics(path.as_uri(), 1)[0] - before) * 1000

        first_small = opened(small)
        first_large = opened(file)
        line = text.split("\n").index(EDITED)
        whole_line = {"start": {"line": line, "character": 0}, "end": {"line": line, "character": 0}}
        taken, seen = [], []
        now = EDITED
        for number in range(edits):
            whole_line["end"]["character"] = len(now)
            now = CUT if now == EDITED else EDITED
            change = {
                "textDocument": {"uri": file.as_uri(), "version": 2 + number},
                "contentChanges": [{"range": whole_line, "text": now}],
            }
            before = time.perf_counter()
            client.notify("textDocument/didChange", change)
            arrived, published = client.diagnostics(file.as_uri(), 2 + number)
            taken.append((arrived - before) * 1000)
            seen.append(any(item["range"]["start"]["line"] == line for item in published) == (now == CUT))
            time.sleep(0.05)
        server = client.analysed[-edits:]
        own, children = memory(client.process.pid)
    finally:
        client.close()
    return {
        "start_ms": (ready - started) * 1000,
        "open_small_ms": first_small,
        "open_ms": first_large,
        "edit_median_ms": statistics.median(taken),
        "edit_p90_ms": sorted(taken)[int(len(taken) * 0.9)],
        "edit_max_ms": max(taken),
        "analysis_median_ms": statistics.median(server),
        "analysis_max_ms": max(server),
        "edits": len(taken),
        "edits_with_the_right_answer": sum(seen),
        "server_rss_mib": own,
        "worker_rss_mib": children,
    }


def command_line() -> dict[str, float]:
    """Wall time of the terminal's command on a program of nine lines, interpreter start included."""

    def run(*arguments: str) -> Callable[[], object]:
        command = [sys.executable, *arguments]
        return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)

    return {
        "python_ms": statistics.median(milliseconds(run("-c", "pass"), 5)),
        "check_command_ms": statistics.median(milliseconds(run("-m", "gradsight", "check", str(EXAMPLE)), 5)),
    }


def print_table(figures: dict[str, Any]) -> None:
    """The figures for a person."""
    inside, server, command = figures["in_process"], figures["lsp"], figures["command_line"]
    parse = inside["parse_ms"]
    rows = [
        (f"ast.parse ({figures['lines']} lines)", parse, 1.0),
        ("check, first in a process", inside["check_first_ms"], inside["check_first_ms"] / parse),
        ("check, cold (median)", inside["check_cold_ms"], inside["check_cold_ratio"]),
        ("analysis: edit in a function, median", inside["recheck_median_ms"], inside["recheck_ratio"]),
        ("analysis: edit in a function, slowest", inside["recheck_worst_ms"], inside["recheck_worst_ratio"]),
        ("server: start to initialized", server["start_ms"], None),
        ("server: open 9 lines to diagnostics", server["open_small_ms"], None),
        ("server: open to diagnostics", server["open_ms"], server["open_ms"] / parse),
        ("server: edit to diagnostics, median", server["edit_median_ms"], server["edit_median_ms"] / parse),
        ("server: edit to diagnostics, 90 %", server["edit_p90_ms"], server["edit_p90_ms"] / parse),
        ("server: edit to diagnostics, slowest", server["edit_max_ms"], server["edit_max_ms"] / parse),
        ("server: of that its analysis, median", server["analysis_median_ms"], server["analysis_median_ms"] / parse),
        ("server: of that its analysis, slowest", server["analysis_max_ms"], server["analysis_max_ms"] / parse),
        ("gradsight check ex2.py (whole process)", command["check_command_ms"], None),
        ("python -c pass (whole process)", command["python_ms"], None),
    ]
    print(f"{'':<40} {'ms':>9} {'x ast.parse':>12}")
    for name, value, ratio in rows:
        print(f"{name:<40} {value:9.1f} {f'{ratio:.1f}' if ratio is not None else '':>12}")
    print(f"{'server: resident memory':<40} {server['server_rss_mib']:9.1f} MiB")
    print(f"{'server: its worker processes':<40} {server['worker_rss_mib']:9.1f} MiB")
    right = f"{server['edits_with_the_right_answer']} of {server['edits']}"
    print(f"edits whose finding came and went as it should: {right}")
    print(f"slowest edit in a function: {inside['recheck_worst']}")
    print(
        "analysis: in process, no transport; edit to diagnostics: with the server's pause for typing and the transport"
    )
    print(f"findings in the file: {', '.join(inside['findings']) or 'none'}")


def main() -> int:
    """Measure, print, write JSON; status 1 when the server gave no answer."""
    arguments = argparse.ArgumentParser(description="Latency, start-up and memory of the language server.")
    arguments.add_argument("--lines", type=int, default=1000)
    arguments.add_argument("--edits", type=int, default=20)
    arguments.add_argument("--json", type=Path, help="write the figures here (default: .cache/bench.json)")
    options = arguments.parse_args()
    text = program(options.lines)
    figures: dict[str, Any] = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "lines": text.count("\n"),
    }
    with tempfile.TemporaryDirectory() as folder:
        try:
            figures["lsp"] = over_lsp(text, options.edits, Path(folder))
        except (TimeoutError, ConnectionError) as error:
            print(f"the language server gave no answer: {error}", file=sys.stderr)
            return 1
    figures["in_process"] = in_process(text)
    figures["command_line"] = command_line()
    print(f"Python {figures['python']}, {figures['cpus']} CPUs, load {figures['load']:.1f} at the start")
    print_table(figures)
    target = options.json or Path(__file__).resolve().parents[1] / ".cache" / "bench.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"figures as JSON: {os.path.relpath(target)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
