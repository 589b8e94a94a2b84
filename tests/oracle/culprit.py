"""Which statement changed a saved tensor, asked of torch: the lines at which a version counter passes the saved one.

Torch names the versions ("is at version 2; expected version 1") and the operation that made the tensor, not the
statement. The program is run again, under a trace that looks at the version counter of every tensor in reach after each
line. Imports nothing but the standard library and torch: it runs in the torch process.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from types import FrameType
from typing import Any

import torch

_EXPECTED = re.compile(r"is at version \d+; expected version (\d+) instead")
_MADE_BY = re.compile(r"which is output \d+ of (\w+), is at version")
_DEPTH = 3


class Watcher:
    """The versions of the tensors of one run, and the lines that took one past `expected`."""

    def __init__(self, filename: str, expected: int, made_by: str) -> None:
        self.filename, self.expected, self.made_by = filename, expected, made_by
        self.versions: dict[int, tuple[Any, int, str]] = {}
        self.line = 0
        self.lines: set[int] = set()

    def trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        """The trace function: torch's own frames are passed by."""
        if frame.f_code.co_filename != self.filename:
            return None
        self.look(frame)
        if event in ("line", "call"):
            self.line = frame.f_lineno
        return self.trace

    def look(self, frame: FrameType | None) -> None:
        """Compare the versions of everything in reach of the frames of the program."""
        while frame is not None:
            if frame.f_code.co_filename == self.filename:
                for value in [*frame.f_locals.values()]:
                    self.see(value, _DEPTH)
            frame = frame.f_back

    def see(self, value: Any, depth: int) -> None:
        if isinstance(value, torch.Tensor):
            try:
                version, name = value._version, name_of(value)
            except RuntimeError:  # an inference tensor has no version, a forbidden view no graph
                return
            _, before, made_by = self.versions.get(id(value), (value, version, name))
            if before <= self.expected < version and made_by == self.made_by:
                self.lines.add(self.line)
            self.versions[id(value)] = (value, version, name)
        elif depth and isinstance(value, torch.nn.Module):
            for each in [*value.__dict__.values()]:
                self.see(each, depth)
            for each in value.modules():
                for inner in (*each._parameters.values(), *each._buffers.values()):
                    self.see(inner, 0)
        elif depth and isinstance(value, (list, tuple, dict)):
            for each in [*(value.values() if isinstance(value, dict) else value)][:20]:
                self.see(each, depth - 1)


def name_of(tensor: torch.Tensor) -> str:
    """What made a tensor, as torch's message has it."""
    return plain(tensor.grad_fn.name()) if tensor.grad_fn is not None else ""


def plain(name: str) -> str:
    return name.replace("Backward0", "").replace("Backward", "")


def lines_that_changed(text: str, filename: str, message: str) -> list[int]:
    """The lines of the program that may have changed the saved tensor; empty when torch's message says no version."""
    found = _EXPECTED.search(message)
    if found is None:
        return []
    made_by = _MADE_BY.search(message)
    watcher = Watcher(filename, int(found.group(1)), plain(made_by.group(1)) if made_by else "")
    torch.manual_seed(0)
    namespace = {"__name__": "__main__"}
    sys.settrace(watcher.trace)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            exec(compile(text, filename, "exec"), namespace)
    finally:
        sys.settrace(None)
    return sorted(watcher.lines)
