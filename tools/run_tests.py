"""Run the parts of the test suite one after the other and close with one summary, as pytest does for its own.

    python tools/run_tests.py all|fast [PART ...]

Output is passed on as it comes; where `CI` is set, only the end of what most parts that pass printed, so that a
failure is not lost in it. A part that fails, finds no tests, hangs or is missing fails the whole run; the others
are run all the same. What was skipped is named at the end with its reason, a missing GPU above all.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / ".cache" / "tests"
PY = sys.executable
WIDTH = 100
BRIEF = bool(os.environ.get("CI"))
LAST_LINES = 12
"""How many lines of a part that passes are shown where `CI` is set."""

SKIPPED_STATUS = 77
"""The exit status by which a script says that it could not run here (its last line tells why), as Automake has it."""

NODE_COUNT = re.compile(r"^[ℹ#] (pass|fail|skipped) (\d+)$")
"""What `node --test` closes with."""

CLOSING = re.compile(r"^=*\s*(\d+ \w+(, )?)+ in [\d.]+s( \([\d:]+\))?\s*=*$|^no tests ran in ")


@dataclass(frozen=True)
class Part:
    """One step: a command, or a folder of tests for pytest. `limit` is in seconds."""

    name: str
    command: tuple[str, ...] = ()
    tests: str = ""
    limit: float = 1800
    fast: bool = False
    needs: str = ""
    whole: bool = False
    """Whether what it prints is a result to be read also where it passes."""


PARTS = (
    Part("lint", (PY, "-m", "ruff", "check", "."), fast=True),
    Part("format", (PY, "-m", "ruff", "format", "--check", "."), fast=True),
    Part("types", (PY, "-m", "mypy"), fast=True),
    Part("op table", (PY, "-m", "tools.optable", "--check"), needs="tools/optable/__main__.py"),
    Part("unit", tests="tests/unit", fast=True),
    Part("corpus tool", tests="tests/corpus", fast=True),
    Part("literate", tests="tests/literate", fast=True),
    Part("oracle", tests="tests/oracle", whole=True),
    Part("verify", tests="tests/verify"),
    Part("lsp", tests="tests/lsp"),
    Part("robustness", tests="tests/robustness", limit=600),
    Part("corpus", (PY, "tools/corpus.py", "--skip-if-missing"), limit=600),
    Part("demo", (PY, "tools/demo.py"), limit=600),
    Part("benchmark", (PY, "benchmarks/run.py", "--edits", "6"), limit=300),
    Part("extension", ("npm", "--prefix", "client", "run", "--silent", "check"), needs="client/package.json"),
    Part("end to end", ("bash", "client/e2e/run.sh"), needs="client/e2e/run.sh", limit=2400),
)


@dataclass
class Outcome:
    """What a part came to: `counts` by passed, failed, error, skipped; `skips` are (test, reason)."""

    part: Part
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    skips: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return bool(self.counts["failed"] or self.counts["error"])


def run(part: Part) -> Outcome:
    """Run a part to its end or its time limit."""
    print(f"\n{f' {part.name} ':-^{WIDTH}}", flush=True)
    outcome = Outcome(part)
    report = REPORTS / f"{part.name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    command = part.command or (PY, "-m", "pytest", "-q", part.tests, f"--junitxml={report}", "--durations=3")
    started = time.monotonic()
    needed = part.needs or part.tests
    if needed and not (ROOT / needed).exists():
        status, last = 1, f"{needed} is missing"
    else:
        status, last = execute(command, part.limit, outcome.counts, BRIEF and not part.whole)
    outcome.seconds = time.monotonic() - started
    if report.exists():
        read_junit(report, outcome)
    if status == SKIPPED_STATUS and not part.tests:
        outcome.counts["skipped"] += 1
        outcome.skips.append((part.name, last))
    elif status and not outcome.failed:  # includes pytest's status 5: no tests were collected
        outcome.counts["failed"] += 1
        outcome.failures.append(f"{part.name}: exit status {status}: {last}")
    elif outcome.failed and not outcome.failures:
        outcome.failures.append(f"{part.name}: its own report above says which")
    elif not status and not outcome.counts:
        outcome.counts["passed"] += 1
    return outcome


def execute(command: tuple[str, ...], limit: float, counts: Counter[str], brief: bool) -> tuple[int, str]:
    """Run a command in a process group of its own; (exit status, last line).

    Its output is passed on, or where `brief` its end when it passes and all of it when it does not.
    Tests that Node counted are added to `counts`.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return 127, f"{command[0]} could not be started: {error.strerror}"

    def stop() -> None:
        with_limit.append(True)
        os.killpg(process.pid, signal.SIGKILL)

    with_limit: list[bool] = []
    timer = threading.Timer(limit, stop)
    timer.start()
    last, held = "", list[str]()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if CLOSING.match(line.strip()):  # one closing summary is enough: ours
                continue
            if counted := NODE_COUNT.match(line.strip()):
                kind = {"pass": "passed", "fail": "failed", "skipped": "skipped"}[counted[1]]
                counts[kind] += int(counted[2])
                counts += Counter()  # forgets the zeros
            last = line.strip() or last
            if brief:
                held.append(line)
            else:
                print(line, end="", flush=True)
        status = process.wait()
        if brief and not status:
            held = [line if len(line) <= 2 * WIDTH else f"{line[: 2 * WIDTH]}...\n" for line in held[-LAST_LINES:]]
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        timer.cancel()
        print("".join(held), end="", flush=True)
    return (124, f"did not end within {limit:.0f} s") if with_limit else (status, last)


def read_junit(report: Path, outcome: Outcome) -> None:
    """Counts, failures and reasons for skips from a JUnit file."""
    try:
        cases = ET.parse(report).getroot().iter("testcase")
    except ET.ParseError:
        return
    for case in cases:
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        child = next((c for kind in ("error", "failure", "skipped") if (c := case.find(kind)) is not None), None)
        if child is None:
            outcome.counts["passed"] += 1
        elif child.tag == "skipped":
            expected = "xfail" in (child.get("type") or "")
            outcome.counts["xfailed" if expected else "skipped"] += 1
            if not expected:
                outcome.skips.append((name, child.get("message", "")))
        else:
            outcome.counts["error" if child.tag == "error" else "failed"] += 1
            message = (child.get("message") or "").strip().split("\n")[0]
            outcome.failures.append(f"{name} - {message}"[: WIDTH * 2])


def gpu() -> str:
    """The CUDA device torch sees here, or "" when it sees none."""
    code = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"
    try:
        found = subprocess.run([PY, "-c", code], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()


def summarise(outcomes: list[Outcome], seconds: float) -> bool:
    """Print the closing summary; whether everything passed."""
    print(f"\n{' summary ':=^{WIDTH}}")
    for outcome in outcomes:
        counts = ", ".join(f"{number} {kind}" for kind, number in sorted(outcome.counts.items()))
        verdict = "FAILED" if outcome.failed else "skipped" if not outcome.counts["passed"] else "passed"
        print(f"{outcome.part.name:<12} {verdict:<8} {outcome.seconds:7.1f} s   {counts}")
    for outcome in outcomes:
        for failure in outcome.failures:
            print(f"FAILED {failure}")
    skips: dict[str, list[str]] = {}
    for outcome in outcomes:
        for name, reason in outcome.skips:
            skips.setdefault(reason, []).append(name)
    for reason, names in skips.items():
        print(f"SKIPPED [{len(names)}] {reason} ({names[0]}{', ...' if len(names) > 1 else ''})")
    if any(outcome.part.name == "verify" for outcome in outcomes):
        device = gpu()
        if device:
            print(f"GPU: {device}: the execution check ran on it")
        else:
            print("NO GPU ON THIS MACHINE: every execution check ran on the CPU with simulated CUDA placement;")
            print("                        nothing above says what a real CUDA device does.")
    total: Counter[str] = sum((outcome.counts for outcome in outcomes), Counter())
    order = ("failed", "error", "passed", "skipped", "xfailed")
    line = ", ".join(f"{total[kind]} {kind}" for kind in order if total[kind])
    clock = f" ({int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02})" if seconds >= 60 else ""
    print(f"{f' {line} in {seconds:.2f}s{clock} ':=^{WIDTH}}", flush=True)
    return not (total["failed"] or total["error"])


def main() -> int:
    """Exit status 0 if all passed, else 1."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    arguments.add_argument("which", choices=("all", "fast"))
    arguments.add_argument("parts", nargs="*", help="only these parts: " + ", ".join(part.name for part in PARTS))
    options = arguments.parse_args()
    chosen = [part for part in PARTS if options.which == "all" or part.fast]
    unknown = set(options.parts) - {part.name for part in chosen}
    if unknown:
        arguments.error(f"no such part: {', '.join(sorted(unknown))}")
    if options.parts:
        chosen = [part for part in chosen if part.name in options.parts]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    REPORTS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    outcomes = [run(part) for part in chosen]
    return 0 if summarise(outcomes, time.monotonic() - started) else 1


if __name__ == "__main__":
    sys.exit(main())
