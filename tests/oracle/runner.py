"""Runs programs under torch in one long-lived process and gives their outcomes.

with Torch() as torch_side:
    outcomes = torch_side.run([program_text, …])
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from .kinds import classify

WORKER = Path(__file__).with_name("worker.py")
PATIENCE_SECONDS = 30.0  # beyond the worker's own limit per program: a hang in C++ or a crash
STARTING_SECONDS = 240.0  # importing torch on a busy machine


@dataclass(frozen=True, slots=True)
class Raised:
    """An error that ended a program: `kind` is None when autograd did not mean to raise it."""

    line: int
    kind: str | None
    also: tuple[str, ...]
    type: str
    message: str
    in_backward: bool = False
    lines: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"line {self.line}: {self.kind or 'unintended'} ({self.type}: {self.message.splitlines()[0][:110]})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What torch did: the error that ended the program, or None, and each leaf's `.grad`."""

    raised: Raised | None
    grads: dict[str, str] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()

    @property
    def valid(self) -> bool:
        """Whether the program ran to its end or to an error that autograd means to raise."""
        return self.raised is None or self.raised.kind is not None


class Torch:
    """A worker process; it is started on first use and again after a crash (RuntimeError when it never answers)."""

    def __init__(self, python: str = sys.executable) -> None:
        self.python = python
        self.process: subprocess.Popen[str] | None = None
        self.silent = 0

    def __enter__(self) -> Torch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
            self.process = None

    def run(self, texts: Iterable[str]) -> list[Outcome]:
        """The outcome of each program, in order."""
        return [self.run_one(text) for text in texts]

    def run_one(self, text: str) -> Outcome:
        """Run one program; a crash or a hang of the process is an outcome too (an unintended error on line 0)."""
        patience = PATIENCE_SECONDS if self.process is not None else STARTING_SECONDS
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({"id": 0, "text": text}) + "\n")
            process.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                ready = selector.select(patience)
            answer = process.stdout.readline() if ready else ""
        except BrokenPipeError:
            answer = ""
        if not answer:
            code = process.poll()
            self.close()
            self.silent += 1
            if self.silent > 5:
                raise RuntimeError("the torch process gave no answer to six programs in a row")
            return Outcome(Raised(0, None, (), "Crash", f"the torch process gave no answer (exit status {code})"))
        self.silent = 0
        return parse(json.loads(answer))

    def _started(self) -> subprocess.Popen[str]:
        if self.process is None:
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
            self.process = subprocess.Popen(
                [self.python, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        return self.process


def parse(answer: dict) -> Outcome:  # type: ignore[type-arg]
    """An outcome from the worker's JSON."""
    error = answer["error"]
    raised = None
    if error is not None:
        named = classify(error["message"])
        kind, also = named if named is not None else (None, ())
        raised = Raised(
            error["line"],
            kind,
            also,
            error["type"],
            error["message"],
            error["in_backward"],
            tuple(error["lines"]),
            tuple(error.get("changed", ())),
        )
    return Outcome(raised, answer["grads"], frozenset(answer["frozen"]))
