"""Programs that misbehave: each ends with a verdict within the limit, and nothing is left running."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from gradsight.verify import CheckCancelled, CheckRequest, run_check

from .build import Story, cut_before_backward
from .conftest import strays

posix = pytest.mark.skipif(os.name != "posix", reason="forks and signals")

TAIL = """
x = torch.randn(3)
loss = x.sum()
loss.backward()
"""


def program(before: str) -> Story:
    return Story("import os, sys, time\nimport torch\n" + before + TAIL, cut_before_backward())


@pytest.mark.parametrize(
    ("before", "verdict", "words"),
    [
        ("os._exit(0)", "not-reached", "ended itself"),
        ("sys.exit(0)", "not-reached", "sys.exit(0)"),
        ("import ctypes; ctypes.string_at(0)", "failed", "SIGSEGV"),
        ("import no_such_module_at_all", "failed", "no_such_module_at_all"),
        ("input('name? ')", "failed", "EOFError"),
        ("if:\n    pass", "failed", "does not parse: line 3"),
        ("torch.zeros(2, 3) @ torch.zeros(2, 3)", "failed", "cannot be multiplied"),
        ("block = [bytearray(1 << 28) for _ in range(1000)]", "out-of-memory", "memory"),
        ("torch.empty(1 << 44)", "out-of-memory", "memory"),
    ],
    ids=["_exit", "sys.exit", "segfault", "missing module", "stdin", "syntax", "own error", "all memory", "one tensor"],
)
def test_ends_before_the_sink(check, before: str, verdict: str, words: str) -> None:
    report = check(program(before), memory=3 << 30)
    (result,) = report.results
    assert result.verdict == verdict, result.reason
    assert words in result.reason


@pytest.mark.parametrize(
    "before",
    [
        "os.closerange(3, 4096)",
        "os.closerange(0, 4096)",
        "for fd in range(3, 2000):\n"
        "    try:\n        os.write(fd, b'x' * 100 + b'\\n0123456789abcdef 12\\n{}')\n"
        "    except OSError:\n        pass",
        "os.closerange(3, 4096)\nkept = [open(os.devnull, 'w') for _ in range(900)]",
        "torch.Tensor.backward = lambda self, *a, **k: torch.autograd.backward(self, *a, **k)",
        "print('y' * (1 << 30))",
        "import threading; threading.Thread(target=time.sleep, args=(600,)).start()",
        "import atexit; atexit.register(time.sleep, 600)",
    ],
    ids=[
        "closes fds",
        "closes all fds",
        "writes to all fds",
        "reuses fds",
        "patches backward",
        "a gigabyte",
        "thread",
        "atexit",
    ],
)
def test_still_sees_the_sink(check, before: str) -> None:
    started = time.monotonic()
    report = check(program(before), timeout=50)
    (result,) = report.results
    assert result.verdict == "confirmed", result.reason
    assert result.raised is not None and "does not require grad" in result.raised.message
    assert len(report.stdout) < 1 << 20
    assert time.monotonic() - started < 50


def test_a_backward_patched_away_is_no_confirmation(check) -> None:
    (result,) = check(program("torch.Tensor.backward = lambda self, *a, **k: None")).results
    assert result.verdict == "inconclusive", result.reason


def test_endless_loop_meets_the_time_limit(check) -> None:
    started = time.monotonic()
    (result,) = check(program("while True: pass"), timeout=6).results
    assert result.verdict == "timeout"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "wrap",
    [
        "while True:\n    try:\n        loss.backward()\n    except BaseException:\n        pass\n",
        "import threading\ndef work():\n    loss.backward()\nthread = threading.Thread(target=work)\n"
        "thread.start()\nthread.join()\ntime.sleep(600)\n",
    ],
    ids=["swallows every exception", "runs the sink on a thread"],
)
def test_what_was_seen_counts_though_the_program_goes_on(check, wrap: str) -> None:
    started = time.monotonic()
    text = "import time\nimport torch\nloss = torch.randn(3).sum()\n" + wrap
    (result,) = check(Story(text, cut_before_backward()), timeout=50).results
    assert result.verdict == "confirmed", result.reason
    assert time.monotonic() - started < 40


def test_ignoring_every_signal_does_not_help(check) -> None:
    before = (
        "import signal\nfor s in (signal.SIGTERM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\ntime.sleep(600)"
    )
    (result,) = check(program(before), timeout=6).results
    assert result.verdict == "timeout"


@posix
@pytest.mark.parametrize("escape", ["", "os.setsid()"], ids=["same group", "own session"])
def test_a_fork_does_not_survive(check, tmp_path: Path, escape: str) -> None:
    before = f"if os.fork() == 0:\n    {escape or 'pass'}\n    time.sleep(600)\n    os._exit(0)"
    (result,) = check(program(before)).results
    assert result.verdict == "confirmed", result.reason
    assert not strays(str(tmp_path))


def test_cancel_ends_it_at_once(tmp_path: Path) -> None:
    story = program("import subprocess\nsubprocess.Popen(['sleep', '600'])\ntime.sleep(600)")
    path = str(tmp_path / "program.py")
    cancel, started = threading.Event(), time.monotonic()
    threading.Timer(5, cancel.set).start()
    request = CheckRequest(path, story.text, tuple(story.findings(path)), interpreter=sys.executable)
    with pytest.raises(CheckCancelled):
        run_check(request, cancel=cancel)
    assert time.monotonic() - started < 8
    assert not strays(str(tmp_path))


def test_output_is_kept_and_bounded(check) -> None:
    report = check(program("print('h\\u00e9llo'); print('to stderr', file=sys.stderr, flush=True)"))
    assert "h\u00e9llo" in report.stdout and "to stderr" in report.stdout


def test_a_scratch_folder_does_not_stay(check) -> None:
    import tempfile

    before = {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("gradsight-")}
    check(program(""))
    after = {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("gradsight-")}
    assert after <= before or len(after) <= len(before) + 1  # other tests run beside this one
