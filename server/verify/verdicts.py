"""What the execution check hands out: plain, frozen data that mirrors `verify --output-format json` field by field.

`CheckReport.to_json()` is that document. What only the editor shows (program output, the trace with predicted and
observed side by side, what a harness invented) is held besides and comes along with `to_json(details=True)`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from ..analysis.report import Finding, SinkFacts
from ..analysis.source.notebook import FILE, Lines

Verdict = Literal[
    "confirmed",
    "refuted",
    "not-reached",
    "inconclusive",
    "failed",
    "timeout",
    "out-of-memory",
    "no-torch",
    "could-not-start",
]
FixVerdict = Literal["verified", "rejected", "not-tried"]
GradState = Literal["none", "zero", "present", "wrong"]
Device = Literal["auto", "cuda", "cpu"]


class CheckCancelled(Exception):
    """The check was cancelled; every process it had started is gone."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What to check. `text` is run in place of the file at `path`, which is never written.

    `findings` are judged (an empty tuple judges nothing); `sinks` are the analysis' own, used where a finding's trace
    names none. `interpreter` is what the user chose, or None to look for one. `timeout` counts seconds of one run;
    `memory` is the address-space limit in bytes of a run on the CPU (None: three quarters of the machine's).
    `launcher` is put before the command ("srun --gres=gpu:1"); `cwd` defaults to the file's directory. `entry` is what
    runs instead of the file itself (see `entry.py`); the file is then checked where that imports it.
    `lines` says what sentences call the lines of `text`.
    """

    path: str
    text: str
    findings: tuple[Finding, ...] = ()
    sinks: tuple[SinkFacts, ...] = ()
    interpreter: str | None = None
    device: Device = "auto"
    timeout: float = 60.0
    fix: bool = False
    launcher: tuple[str, ...] = ()
    cwd: str | None = None
    memory: int | None = None
    entry: str | None = None
    lines: Lines = FILE


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception of the user's program; `line` is the deepest line of the checked file, None outside of it."""

    type: str
    message: str
    line: int | None

    def to_json(self) -> dict[str, Any]:
        """Its part of the document."""
        return {"type": self.type, "message": self.message, "line": self.line}


@dataclass(frozen=True, slots=True)
class LeafGrad:
    """The gradient of one tensor after the sink. `norm` is its 2-norm, None when there is none or it is not finite."""

    name: str
    line: int | None
    grad: GradState
    norm: float | None = None

    def __str__(self) -> str:
        return f"{self.name}.grad is {'None' if self.grad == 'none' else self.grad}"

    def to_json(self) -> dict[str, Any]:
        """Its part of the document."""
        return {"name": self.name, "line": self.line, "grad": self.grad, "norm": self.norm}


@dataclass(frozen=True, slots=True)
class FixResult:
    """What the same check says about the text after the fix. `edited` is that text, None when nothing was tried."""

    title: str
    verdict: FixVerdict
    reason: str = ""
    leaves: tuple[LeafGrad, ...] = ()
    edited: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Its part of the document, without the edited text."""
        return {
            "title": self.title,
            "verdict": self.verdict,
            "reason": self.reason,
            "leaves": [leaf.to_json() for leaf in self.leaves],
        }


@dataclass(frozen=True, slots=True)
class Observation:
    """One step of a finding's trace: what was predicted (its sentence), what was seen, and whether they agree.

    `agrees` is None where the run could not see the step or the step claims nothing that can be seen.
    """

    line: int
    role: str
    predicted: str
    observed: str
    agrees: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Its part of the document."""
        return {
            "line": self.line,
            "role": self.role,
            "predicted": self.predicted,
            "observed": self.observed,
            "agrees": self.agrees,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one finding. `summary` is one sentence for a status line or a diagnostic."""

    rule: str
    line: int
    verdict: Verdict
    reason: str
    summary: str = ""
    raised: Raised | None = None
    leaves: tuple[LeafGrad, ...] = ()
    fix: FixResult | None = None
    observations: tuple[Observation, ...] = ()
    finding: Finding | None = None

    def to_json(self, details: bool = False) -> dict[str, Any]:
        """Its part of the document; with `details` also what only the editor shows."""
        out: dict[str, Any] = {
            "rule": self.rule,
            "line": self.line,
            "verdict": self.verdict,
            "reason": self.reason,
            "raised": self.raised.to_json() if self.raised else None,
            "leaves": [leaf.to_json() for leaf in self.leaves],
            "fix": self.fix.to_json() if self.fix else None,
        }
        if details:
            out["summary"] = self.summary
            out["observations"] = [step.to_json() for step in self.observations]
        return out

    def with_fix(self, fix: FixResult | None) -> Result:
        """The result together with what became of its fix."""
        return replace(self, fix=fix)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All that one check saw. `results` has one entry per finding of the request, in its order.

    `stdout` is the tail of what the program printed (both streams); `invented` lists what a harness made up to run
    a function nobody calls; `driver` is the CUDA driver's version on a real device; `notes` are sentences on how the
    run differed from a plain one.
    """

    path: str
    device: str
    torch: str | None
    seconds: float
    results: tuple[Result, ...] = ()
    interpreter: str | None = None
    stdout: str = ""
    invented: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    driver: str | None = None

    def to_json(self, details: bool = False) -> dict[str, Any]:
        """The document of product.md; with `details` also what only the editor's report page shows."""
        out: dict[str, Any] = {
            "path": self.path,
            "device": self.device,
            "torch": self.torch,
            "seconds": round(self.seconds, 2),
            "results": [result.to_json(details) for result in self.results],
        }
        if details:
            out["interpreter"] = self.interpreter
            out["stdout"] = self.stdout
            out["invented"] = list(self.invented)
            out["notes"] = list(self.notes)
            out["driver"] = self.driver
        return out
