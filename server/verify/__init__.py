"""The execution check: run the user's code in the user's interpreter and say what really happened to the gradient.

    request = CheckRequest(path, text, findings=report.findings, sinks=report.sinks, fix=True)
    report = run_check(request, progress=print, cancel=threading.Event())

This side starts, limits, watches, reads and judges; it never imports torch. What runs in the child is `probe/`.
"""

from __future__ import annotations

from .check import run_check
from .interpreter import InterpreterNotFound, find_interpreter
from .verdicts import (
    CheckCancelled,
    CheckReport,
    CheckRequest,
    Device,
    FixResult,
    FixVerdict,
    GradState,
    LeafGrad,
    Observation,
    Raised,
    Result,
    Verdict,
)

__all__ = [
    "CheckCancelled",
    "CheckReport",
    "CheckRequest",
    "Device",
    "FixResult",
    "FixVerdict",
    "GradState",
    "InterpreterNotFound",
    "LeafGrad",
    "Observation",
    "Raised",
    "Result",
    "Verdict",
    "find_interpreter",
    "run_check",
]
