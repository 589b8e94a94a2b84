"""What torch is said to do with a program, and whether it does.

The annotation of a program, parts separated by semicolons:

    ok                                      it ends without an exception
    raises at 7 "does not require grad"     the innermost frame of the program is line 7; substring of the message
    raises at pkg/mod.py:3 "..."            the same in another file of the program
    x.grad present                          any expression, looked at when the program has ended or raised:
    w.grad none                             none | present (a non-zero tensor) | zero
    x.grad all 2                            every element is that number
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_RAISES = re.compile(r'^raises at (?:(\S+):)?(\d+)(?: "(.*)")?$')
_PROBE = re.compile(r"^(.+?) (none|present|zero|all (-?[0-9.]+))$")
_TIME_LIMIT_S = 60.0


class OracleError(ValueError):
    """A torch annotation that cannot be read, or a worker that gave no answer."""


@dataclass(frozen=True, slots=True)
class Probe:
    """An expression and what torch should make of it; `number` for `all NUMBER`."""

    expression: str
    verdict: str
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A parsed annotation; `line` is None when the program is said to end well."""

    file: str
    line: int | None
    message: str
    probes: tuple[Probe, ...]


def parse_claim(text: str, main: str = "main.py") -> Claim:
    """The annotation as data. Raises OracleError with the part that cannot be read."""
    head, *rest = [part.strip() for part in text.split(";")]
    raises = _RAISES.match(head)
    if not raises and head != "ok":
        raise OracleError(f'a torch annotation starts with `ok` or `raises at LINE "text"`, not with `{head}`')
    probes: list[Probe] = []
    for part in rest:
        probe = _PROBE.match(part)
        if not probe:
            raise OracleError(f"write `EXPRESSION none|present|zero|all NUMBER`, not `{part}`")
        probes.append(Probe(probe[1], probe[2].split()[0], float(probe[3]) if probe[3] else None))
    if not raises:
        return Claim(main, None, "", tuple(probes))
    return Claim(raises[1] or main, int(raises[2]), raises[3] or "", tuple(probes))


def disagreements(claim: Claim, answer: dict[str, Any]) -> list[str]:
    """Where torch's answer differs from the claim, one sentence each."""
    complaints: list[str] = []
    raised = answer["raised"]
    told = f"{raised['type']} at {raised['file']}:{raised['line']}: {raised['message'][:160]}" if raised else "nothing"
    if claim.line is None:
        if raised:
            complaints.append(f"torch raised {told}")
    elif (
        not raised
        or (raised["file"], raised["line"]) != (claim.file, claim.line)
        or claim.message not in raised["message"]
    ):
        complaints.append(f'torch should raise at {claim.file}:{claim.line} "{claim.message}"; it raised {told}')
    for probe, seen in zip(claim.probes, answer["probes"], strict=True):
        if probe.number is not None:
            values = seen.get("values") or []
            agrees = bool(values) and all(abs(value - probe.number) < 1e-4 for value in values)
        else:
            agrees = seen["verdict"] == probe.verdict
        if not agrees:
            wanted = f"all {probe.number:g}" if probe.number is not None else probe.verdict
            complaints.append(f"torch: `{probe.expression}` should be {wanted}; it is {seen}")
    return complaints


class TorchWorker:
    """One torch process for all programs; started on first use, replaced when it dies or hangs."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        script = Path(__file__).with_name("torch_worker.py")
        return subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def run(self, directory: Path, probes: tuple[Probe, ...]) -> dict[str, Any]:
        """Torch's answer for the program in `directory`. Raises OracleError when there is none in time."""
        if self._process is None or self._process.poll() is not None:
            self._process = self._start()
        process = self._process
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps({"directory": str(directory), "probes": [p.expression for p in probes]}) + "\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(_TIME_LIMIT_S):
                self.close()
                raise OracleError(f"torch did not finish the program in {_TIME_LIMIT_S:.0f} s")
        line = process.stdout.readline()
        if not line:
            self.close()
            raise OracleError("the torch process died while it ran the program")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream:
                    stream.close()
