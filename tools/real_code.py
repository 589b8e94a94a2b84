"""Check published packages and folders of real code, and print what was found, how fast, and what went wrong.

    python tools/real_code.py [--results FILE] [--sources FOLDER] [--verdicts docs/real-code.md] TARGET...

A TARGET is a folder, or a requirement `name==version`, which pip downloads (without its dependencies, nothing of it is
built or run) and which is unpacked below `--sources`. `TARGET:part,part` restricts it to some of its files and folders.

Each file is checked as `gradsight check --no-jedi` does, in a process apart: at most `--memory` MB, ended when a file
takes more than `--timeout` seconds, and replaced after a crash or a hundred files. What is known about a file is
appended to the results at once, one JSON object a line: `target`, `path`, `lines`, `seconds` (of processor time),
`findings` (errors and warnings), and, where there is something to tell, `exhausted`, `problems`, `crash` (an internal
error, or the end of the process) and `timeout`. Files that are already in the results are not checked again, so an
interrupted run goes on where it stopped; no TARGET at all prints the tables of the results there are.

Each target's true and false alarms are counted from the verdicts in the tables of `docs/real-code.md`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import resource
import subprocess
import sys
import time
import traceback
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOUD = ("error", "warning")
SLOW = 2.0  # seconds; a file that takes longer is listed
FILES_PER_PROCESS = 100

Record = dict[str, Any]
Verdicts = dict[tuple[str, str, int, str], str]


# ---------------------------------------------------------------------------------------------- where the code is


@dataclass(frozen=True)
class Target:
    """A package or folder by its name, and the files of it that are checked."""

    name: str
    folder: Path
    parts: tuple[str, ...]

    def files(self) -> list[str]:
        """Every Python file `gradsight check` would take."""
        from gradsight.cli.sources import gather

        gathered = gather([str(self.folder / part) for part in self.parts] or [str(self.folder)])
        for problem in gathered.problems:
            print(f"{problem.path}: {problem.message}", file=sys.stderr)
        return gathered.files


def target_of(text: str, sources: Path) -> Target:
    """The target that a command-line argument means; downloads and unpacks a requirement that is not there yet."""
    whole, _, parts = text.partition(":")
    wanted = tuple(part for part in parts.split(",") if part)
    if re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+", whole):
        name = whole.replace("==", " ")
        folder = sources / whole.replace("==", "-")
        if not folder.is_dir():
            download(whole, folder)
        return Target(name, folder, wanted)
    folder = Path(whole)
    if not folder.is_dir():
        sys.exit(f"{whole}: neither a folder nor a requirement `name==version`")
    return Target(folder.resolve().name, folder, wanted)


def download(requirement: str, folder: Path) -> None:
    """Put the Python files of a wheel into `folder`. Raises SystemExit when pip gives no wheel."""
    with_wheel = folder.with_name(folder.name + ".wheel")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    if subprocess.run([*command, "--dest", str(with_wheel), requirement]).returncode:
        sys.exit(f"pip has no wheel of {requirement}")
    for wheel in with_wheel.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.endswith(".py")]
            archive.extractall(folder, members)
        wheel.unlink()
    with_wheel.rmdir()


# ---------------------------------------------------------------------------------------------- checking one file


def examine(path: str) -> Record:
    """What `gradsight check --no-jedi` finds in a file, and how long it takes.

    The command steps over internal errors one by one; here they are looked for first.
    """
    from gradsight.analysis.check import Snapshot, check
    from gradsight.cli.projects import Projects
    from gradsight.cli.sources import Unreadable, read_program

    record: Record = {"path": path}
    try:
        text, _ = read_program(path)
    except Unreadable as reason:
        return {**record, "lines": 0, "seconds": 0.0, "findings": [], "problems": [str(reason)]}
    record["lines"] = len(text.splitlines())
    project = Projects().of(path)
    started = time.process_time()
    os.environ["GRADSIGHT_STRICT"] = "1"
    try:
        report = check(Snapshot(path, text), project)
    except Exception:
        record["crash"] = traceback.format_exc(limit=-4)
        os.environ["GRADSIGHT_STRICT"] = "0"
        started = time.process_time()
        report = check(Snapshot(path, text), project)
    record["seconds"] = round(time.process_time() - started, 3)
    record["findings"] = [
        {
            "line": finding.span.start.line,
            "rule": finding.rule,
            "severity": finding.severity,
            "message": finding.message,
            "trace": [f"{step.span.path}:{step.span.start.line} {step.role}: {step.message}" for step in finding.trace],
        }
        for finding in report.findings
        if finding.severity in LOUD
    ]
    problems = [problem.message for problem in report.problems]
    if any("budget" in message for message in problems):
        record["exhausted"] = True
    if others := [message for message in problems if "budget" not in message]:
        record["problems"] = others
    return record


def serve(pipe: Connection, megabytes: int) -> None:
    """The life of a checking process: a path in, a record out."""
    from gradsight.analysis.check import collect_if_due

    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    while True:
        path = pipe.recv()
        try:
            pipe.send(examine(path))
        except BaseException:  # whatever it is, it is this file's result
            pipe.send({"path": path, "crash": traceback.format_exc(limit=-4)})
        collect_if_due()  # As the command does between two files.


@dataclass
class Checker:
    """A process that checks one file after another, and its successors."""

    timeout: float
    megabytes: int
    _process: multiprocessing.process.BaseProcess | None = None
    _pipe: Connection | None = None
    _done: int = 0

    def check(self, path: str) -> Record:
        """The record of a file, whatever happens to the process."""
        if self._process is None or self._pipe is None:
            self._start()
        assert self._pipe is not None
        started = time.perf_counter()
        self._pipe.send(path)
        try:
            if self._pipe.poll(self.timeout):
                record: Record = self._pipe.recv()
                self._done += 1
                if self._done >= FILES_PER_PROCESS or "lines" not in record:
                    self.stop()
            else:
                record = {"path": path, "timeout": True}
                self.stop()
        except (EOFError, ConnectionError):
            record = {"path": path, "crash": "the process ended"}
            self.stop()
        if "lines" not in record:
            record |= {"lines": _lines(path), "seconds": round(time.perf_counter() - started, 3), "findings": []}
        return record

    def stop(self) -> None:
        """End the process; the next file gets another."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self.megabytes), daemon=True)
        self._process.start()
        theirs.close()
        self._done = 0


def _lines(path: str) -> int:
    return len(Path(path).read_bytes().splitlines())


# ---------------------------------------------------------------------------------------------- what came out


@dataclass
class Row:
    """The figures of one target."""

    files: int = 0
    lines: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    exhausted: int = 0
    crashes: int = 0
    timeouts: int = 0
    verdicts: dict[str, int] = field(default_factory=lambda: {"true": 0, "false": 0, "unjudged": 0})

    def add(self, record: Record) -> None:
        """Count a file, except its findings."""
        self.files += 1
        self.lines += record["lines"]
        self.seconds += record["seconds"]
        self.slowest = max(self.slowest, record["seconds"])
        self.exhausted += record.get("exhausted", False)
        self.crashes += "crash" in record
        self.timeouts += record.get("timeout", False)


HEADER = (
    "| package | files | lines | alarms | true | false | seconds | slowest | budget ran out | crashes | time-outs |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)
VERDICT = re.compile(
    r"^\| `(?P<target>[^`]+)` \| `(?P<path>[^`:]+):(?P<line>\d+)` \| `(?P<rule>[^`]+)` \| (?P<verdict>\w+) "
)


def verdicts_of(text: str) -> Verdicts:
    """The verdicts in the tables of a page: rows of target, file and line, rule, `true` or `false`, a sentence."""
    found = [VERDICT.match(line) for line in text.splitlines()]
    return {(m["target"], m["path"], int(m["line"]), m["rule"]): m["verdict"] for m in found if m}


def inside(path: str, target: str) -> str:
    """A file's path inside its target, which is how the verdicts name it."""
    parts = Path(path).parts
    names = [index for index, part in enumerate(parts) if part in (target, target.replace(" ", "-"))]
    return "/".join(parts[names[0] + 1 :]) if names else path


def table(records: Sequence[Record], verdicts: Verdicts) -> str:
    """The figures by target as a Markdown table."""
    rows: dict[str, Row] = {}
    total = Row()
    for record in records:
        row = rows.setdefault(record["target"], Row())
        for each in (row, total):
            each.add(record)
            for finding in record["findings"]:
                key = (record["target"], inside(record["path"], record["target"]), finding["line"], finding["rule"])
                each.verdicts[verdicts.get(key, "unjudged")] += 1
    return "\n".join([HEADER, *(_row(name, row) for name, row in sorted(rows.items())), _row("**all**", total)])


def _row(name: str, row: Row) -> str:
    seconds = f"{row.seconds:.1f} | {row.slowest:.1f}"
    found = row.verdicts
    alarms = f"{sum(found.values())} | {found['true']} | {found['false']}"
    if found["unjudged"]:
        alarms += f" ({found['unjudged']} not judged)"
    ends = f"{row.exhausted} | {row.crashes} | {row.timeouts}"
    return f"| {name} | {row.files} | {row.lines:,} | {alarms} | {seconds} | {ends} |"


def details(records: Sequence[Record], verdicts: Verdicts) -> Iterator[str]:
    """Everything a person must read: alarms without a verdict, and the files that were slow or not analysed whole."""
    for record in records:
        target, path = record["target"], record["path"]
        place = inside(path, target)
        for finding in record["findings"]:
            if (target, place, finding["line"], finding["rule"]) not in verdicts:
                yield f"{path}:{finding['line']} {finding['severity']}[{finding['rule']}] {finding['message']}"
                yield from (f"    {step}" for step in finding["trace"])
        for event in ("crash", "problems"):
            if event in record:
                yield f"{path}: {event}: {record[event]}"
        if record.get("timeout"):
            yield f"{path}: not done within the time limit"
        elif record["seconds"] > SLOW or record.get("exhausted"):
            end = ", budget exhausted" if record.get("exhausted") else ""
            yield f"{path}: {record['seconds']:.1f} s for {record['lines']} lines{end}"


def read_results(path: Path) -> list[Record]:
    """The records of earlier runs; a last line that was cut off is dropped."""
    records: list[Record] = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                print(f"{path}: a line that is no JSON was left out", file=sys.stderr)
    return records


def main() -> int:
    """Exit status 0; 1 when a file crashed the analysis or was not done in time."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "targets", nargs="*", metavar="TARGET", help="a folder or name==version, `:part,part` after it"
    )
    arguments.add_argument("--results", type=Path, default=Path("real-code.jsonl"), help="default: real-code.jsonl")
    arguments.add_argument(
        "--sources", type=Path, default=Path("real-code-sources"), help="where packages are unpacked"
    )
    arguments.add_argument("--verdicts", type=Path, default=ROOT / "docs" / "real-code.md")
    arguments.add_argument("--timeout", type=float, default=60.0, help="seconds a file (default: 60)")
    arguments.add_argument("--memory", type=int, default=4000, help="MB a process (default: 4000)")
    options = arguments.parse_args()

    targets = [target_of(text, options.sources) for text in options.targets]
    records = read_results(options.results)
    done = {(record["target"], record["path"]) for record in records}
    checker = Checker(options.timeout, options.memory)
    with open(options.results, "a", encoding="utf-8") as results:
        for target in targets:
            for path in target.files():
                if (target.name, path) not in done:
                    record = {"target": target.name, **checker.check(path)}
                    records.append(record)
                    results.write(json.dumps(record) + "\n")
                    results.flush()
    checker.stop()

    verdicts = verdicts_of(options.verdicts.read_text(encoding="utf-8")) if options.verdicts.exists() else {}
    print(table(records, verdicts))
    print(*details(records, verdicts), sep="\n")
    return int(any("crash" in record or record.get("timeout") for record in records))


if __name__ == "__main__":
    sys.exit(main())
