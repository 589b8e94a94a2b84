"""Which statement changed a saved tensor, asked of torch: the lines at which a version counter passes the saved one.

Torch names the versions ("is at version 2; expected version 1"), the shape and the operation that made the tensor, not
the statement. The program is run again, under a mode that looks after each call of torch at the version counter of
every tensor that any call so far took or gave. Imports nothing but the standard library and torch: it runs in the
torch process.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_SAYS = re.compile(r"operation: \[([\w.]+) (\[[\d, ]*\])\].* is at version (\d+); expected version (\d+) instead")
_MADE_BY = re.compile(r"which is output \d+ of (\w[\w:]*), is at version")
_DEPTH = 3


@dataclass
class Seen:
    """A tensor, its version when it was last looked at, what made it in the course of time, and the lines that took
    its version past the one that was saved."""

    tensor: torch.Tensor
    version: int
    names: set[str]
    lines: set[int] = field(default_factory=set)


class Watcher(TorchFunctionMode):
    """The versions of all tensors of one run, and the lines of `filename` that took one past `expected`."""

    def __init__(self, filename: str, expected: int) -> None:
        super().__init__()
        self.filename, self.expected = filename, expected
        self.seen: dict[int, Seen] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for value in (args, kwargs):
            self.see(value, _DEPTH)
        result = func(*args, **(kwargs or {}))
        self.see(result, _DEPTH)
        self.compare(line_in(sys._getframe(1), self.filename))
        return result

    def see(self, value: Any, depth: int) -> None:
        """Remember the tensors in a value; the reference keeps their identity from being used again."""
        if isinstance(value, torch.Tensor):
            if id(value) not in self.seen:
                with contextlib.suppress(RuntimeError):  # an inference tensor has no version, a forbidden view no graph
                    self.seen[id(value)] = Seen(value, value._version, {name_of(value)})
        elif depth and isinstance(value, (list, tuple, dict)):
            for each in [*(value.values() if isinstance(value, dict) else value)][:20]:
                self.see(each, depth - 1)

    def compare(self, line: int) -> None:
        """Attribute the changes since the last call to a line."""
        for each in self.seen.values():
            with contextlib.suppress(RuntimeError):
                version = each.tensor._version
                if version != each.version:
                    if each.version <= self.expected < version:
                        each.lines.add(line)
                    each.version = version
                each.names.add(name_of(each.tensor))


def line_in(frame: FrameType | None, filename: str) -> int:
    """The line of the innermost frame of the program."""
    while frame is not None and frame.f_code.co_filename != filename:
        frame = frame.f_back
    return frame.f_lineno if frame is not None else 0


def name_of(tensor: torch.Tensor) -> str:
    """What made a tensor, as torch's message has it."""
    return plain(tensor.grad_fn.name()) if tensor.grad_fn is not None else ""


def plain(name: str) -> str:
    return name.replace("Backward0", "").replace("Backward", "")


def lines_that_changed(text: str, filename: str, message: str) -> list[int]:
    """The lines of the program that may have changed the saved tensor; empty when torch's message says no version."""
    found = _SAYS.search(message)
    if found is None:
        return []
    kind, shape, present, expected = found[1], found[2], int(found[3]), int(found[4])
    made = _MADE_BY.search(message)
    made_by = plain(made[1]) if made else ""
    # The grad_fn of a view whose base has been changed is made anew, whatever made the view
    # (torch/csrc/autograd/variable.cpp).
    anyone = made_by == "AsStrided"
    watcher = Watcher(filename, expected)
    torch.manual_seed(0)
    namespace = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception), watcher:
        exec(compile(text, filename, "exec"), namespace)
    return sorted(
        {
            line
            for each in watcher.seen.values()
            if each.version == present and (anyone or made_by in each.names)
            # a view of what was saved is saved in its place by some operations, another shape with the same counter
            if each.tensor.type() == kind and (str([*each.tensor.shape]) == shape or each.tensor._is_view())
            for line in each.lines
        }
    )
