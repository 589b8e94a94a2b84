"""Files as they are and cut off anywhere: nothing may raise, nothing may take longer than 5 s.

    python tools/robustness.py [FOLDER-OR-FILE ...] [--sample N] [--cuts 50] [--seed N] [--torch] [--json FILE]
                               [--done FILE]

Without folders: the site-packages of the Python that runs it, the smallest files first. Each is checked whole, then cut
at `--cuts` random places, with GRADSIGHT_STRICT=1, so that what people would lose a statement or a rule to ends the
check. Around a check: hover at 20 places (5 where it is cut), and the edits of every fix. `--torch` adds a comment with
the word to every text: a file that never mentions torch is done after one look, and is no test of the engine.

`--done` appends a line for each file that was gone through: how many texts of it were checked, the slowest one, and the
memory in MB (the peak while it was checked, and what the process held afterwards). Files with such a line, of as many
cuts and the same `--torch`, are left out, so a run that was stopped goes on.

One JSON line per failure: path, cut (null: whole), kind ("raises", "slow", "dies"), seconds, detail. Seconds are the
processor's, so that a busy machine slows nothing down. The checks run in a process of their own: one that dies
(a C stack, memory) or hangs is a failure too, and the others go on. Status 1 when there was a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMIT = 5.0
CUTS = 50
HOVERS, HOVERS_IN_CUTS = 20, 5
HANGS = 60.0
"""Seconds of silence, beyond those a check may take, after which the process counts as hung (a busy machine's wall)."""
MEMORY = 3 << 30
WORD = "\n# torch\n"


class TooLong(BaseException):
    """Raised by the watchdog in the middle of a check; no `except Exception` stops it."""


def cut_places(text: str, count: int, seed: object) -> list[int]:
    """`count` places (fewer in a short text) at which a text is cut off, the same for the same seed."""
    places = range(1, len(text))
    return sorted(random.Random(f"{seed}").sample(places, min(count, len(places))))


def python_files(paths: Iterable[str]) -> list[str]:
    """The Python files below folders, sorted."""
    found: list[str] = []
    for path in paths:
        if os.path.isfile(path):
            found.append(path)
            continue
        for folder, _, names in os.walk(path):
            found += [os.path.join(folder, name) for name in names if name.endswith(".py")]
    return sorted(found)


# ---------------------------------------------------------------------- in the process that checks


def examine(path: str, text: str, limit: float, hovers: int = HOVERS) -> dict[str, Any] | None:
    """Check a text as if it stood at `path`, and hover at so many places; what went wrong, or None."""
    from gradsight.analysis.check import Project, Snapshot, check
    from gradsight.analysis.report import apply_edits

    os.environ["GRADSIGHT_STRICT"] = "1"
    project = Project(roots=(os.path.dirname(path),))

    def everything() -> None:
        report = check(Snapshot(path, text), project)
        lines = text.split("\n")
        for number in range(0, len(lines), max(1, len(lines) // hovers)):
            report.value_at(number + 1, len(lines[number]) // 2 + 1)
        for finding in report.findings:
            for fix in finding.fixes:
                apply_edits(text, fix.edits)

    return watched(everything, limit)


def watched(run: Any, limit: float) -> dict[str, Any] | None:
    """Run it for at most `limit` seconds of the processor's time; what went wrong, with the seconds, or None."""

    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit)
    started = time.process_time()
    try:
        run()
    except TooLong:
        where = traceback.format_exc(limit=-4)
        return {"kind": "slow", "seconds": round(time.process_time() - started, 2), "detail": where}
    except Exception as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        last = traceback.extract_tb(error.__traceback__)[-3:]
        where = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(last))
        return {"kind": "raises", "seconds": 0.0, "detail": f"{type(error).__name__}: {str(error)[:200]} | {where}"}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return None


def serve() -> None:
    """Read orders (a path and the options) as JSON lines; answer for each text, then for the whole file."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from gradsight.analysis.check import collect_if_due
    from gradsight.analysis.names.workspace import read_source

    for line in sys.stdin:
        order = json.loads(line)
        path = order["path"]
        try:
            whole = read_source(path)
        except OSError:
            whole = ""
        slowest, texts, place, cut_short = 0.0, 0, None, False
        memory(reset=True)
        for cut in [None, *cut_places(whole, order["cuts"], f"{order['seed']}:{order['name']}")]:
            if cut is not None and time.time() > order["until"]:
                cut_short = True
                break
            print(json.dumps({"cut": cut}), flush=True)
            text = whole[:cut] + (WORD if order["torch"] else "")
            started = time.process_time()
            failure = examine(path, text, order["limit"], HOVERS if cut is None else HOVERS_IN_CUTS)
            texts += 1
            if (seconds := time.process_time() - started) > slowest:
                slowest, place = seconds, cut
            if failure is not None:
                print(json.dumps({"cut": cut, **failure}), flush=True)
            collect_if_due()  # As the command does between two files.
        held, peak = memory()
        done = {"texts": texts, "seconds": round(slowest, 3), "at": place, "peak": peak, "held": held}
        done |= {"stopped": True} if cut_short else {}
        print(json.dumps({"done": done}), flush=True)


def memory(*, reset: bool = False) -> tuple[int, int]:
    """MB of memory this process holds, and the most it held since `reset`; zeros where /proc does not tell.

    Source: proc_pid_clear_refs(5), the value 5.
    """
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0, 0
    pairs = [line.partition(":")[::2] for line in lines if line.startswith("Vm")]
    found = {name: int(amount.split()[0]) // 1024 for name, amount in pairs}
    return found.get("VmRSS", 0), found.get("VmHWM", 0)


# ---------------------------------------------------------------------- in the process that asks


@dataclass
class Worker:
    """The process that checks; started anew when it died or hung."""

    options: dict[str, Any]
    patience: float
    process: subprocess.Popen[str] | None = None
    answers: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    done: list[dict[str, Any]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[str]:
        """A fresh process; its lines come in over a queue, the empty one when it ends."""
        self.answers = answers = queue.SimpleQueue()
        self.process = process = subprocess.Popen(
            [sys.executable, "-X", "utf8", __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                answers.put(line)
            answers.put("")

        threading.Thread(target=listen, daemon=True).start()
        return process

    def failures(self, path: str, name: str) -> Iterator[dict[str, Any]]:
        """The failures of one file, whole and cut."""
        process = self.process or self.start()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"path": path, "name": name, **self.options}) + "\n")
        cut = None
        while True:
            kind = "dies"
            try:
                line = self.answers.get(timeout=self.patience)
            except queue.Empty:
                line, kind = "", "hangs"
            if not line:
                self.stop()
                yield {"path": path, "cut": cut, "kind": kind, "seconds": 0.0, "detail": ""}
                return
            answer = json.loads(line)
            if "done" in answer:
                self.done.append({"path": path, **answer["done"]})
                return
            cut = answer["cut"]
            if "kind" in answer:
                yield {"path": path, **answer}

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def examine_files(
    files: Iterable[tuple[str, str]], options: dict[str, Any], done: Path | None = None
) -> Iterator[dict[str, Any]]:
    """The failures of (path, name) pairs one after the other; `name` and the seed decide where a file is cut.

    A line of each file that was gone through is appended to `done`.
    """
    worker = Worker(options, HANGS + 4 * options["limit"])
    try:
        for path, name in files:
            before = len(worker.done)
            yield from worker.failures(path, name)
            if done is not None and len(worker.done) > before and "stopped" not in worker.done[-1]:
                known = {"torch": options["torch"], "cuts": options["cuts"], **worker.done[-1]}
                with done.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known) + "\n")
    finally:
        worker.stop()
        for one in sorted(worker.done, key=lambda one: -one["seconds"])[:5]:
            print(f"slowest: {one['seconds']:.2f} s {one['path']} cut at {one['at']}", file=sys.stderr)


def gone_through(done: Path, cuts: int, torch: bool) -> set[str]:
    """The paths that a file of `--done` has for as many cuts and the same `--torch`."""
    if not done.exists():
        return set()
    lines = [json.loads(line) for line in done.read_text(encoding="utf-8").splitlines()]
    return {line["path"] for line in lines if line["cuts"] >= cuts and line["torch"] == torch}


def main() -> int:
    """Choose the files, print the failures; status 1 when there are any."""
    arguments = argparse.ArgumentParser(description="No file, whole or cut anywhere, raises or takes more than 5 s.")
    arguments.add_argument("paths", nargs="*", default=[sysconfig.get_paths()["purelib"]])
    arguments.add_argument("--sample", type=int, help="so many files, chosen by the seed (default: all)")
    arguments.add_argument("--cuts", type=int, default=CUTS)
    arguments.add_argument("--seed", type=int, default=None)
    arguments.add_argument("--limit", type=float, default=LIMIT, help="seconds of processor time for one text")
    arguments.add_argument("--torch", action="store_true", help="run the engine on files that never mention torch too")
    arguments.add_argument("--seconds", type=float, default=float("inf"), help="start no further text after so long")
    arguments.add_argument("--json", type=Path, help="append the failures to this file as well")
    arguments.add_argument(
        "--done", type=Path, help="append what was gone through to this file, and leave out what was"
    )
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.serve:
        serve()
        return 0
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    files = python_files(options.paths)
    total = len(files)
    if options.sample is not None:
        files = random.Random(seed).sample(files, min(options.sample, total))
    else:
        files.sort(key=os.path.getsize)
    if options.done is not None:
        known = gone_through(options.done, options.cuts, options.torch)
        files = [path for path in files if path not in known]
    print(f"seed {seed}: {len(files)} of {total} files, whole and cut at {options.cuts} places", file=sys.stderr)
    root = os.path.commonpath(options.paths) if options.paths else ""
    until = time.time() + min(options.seconds, 10**9)
    order = {
        "cuts": options.cuts,
        "seed": seed,
        "limit": options.limit,
        "torch": options.torch,
        "until": until,
    }
    count = looked = 0

    def pairs() -> Iterator[tuple[str, str]]:
        nonlocal looked
        for path in files:
            if time.time() > until:
                return
            looked += 1
            yield path, os.path.relpath(path, root)

    for failure in examine_files(pairs(), order, options.done):
        count += 1
        line = json.dumps(failure)
        print(line, flush=True)
        if options.json is not None:
            with options.json.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
    print(f"{looked} files looked at: {count} failures", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
