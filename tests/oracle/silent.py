"""Gradients that are silently wrong: random programs that write behind autograd's back, run twice.

`python -m tests.oracle.silent PROFILE FIRST COUNT` prints how many gradients were wrong, and the programs of which the
engine did not know. The second time autograd saves copies: where a gradient differs, what backward needed was changed
after it was saved. (The other way round a change may leave the gradient as it was: zeros doubled.)

A process of its own, because writing behind its back can crash torch.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import sys
import warnings
from typing import Any

import torch

from gradsight.analysis.interpreter.machine import ProgramRaises
from gradsight.analysis.interpreter.run import run_file
from gradsight.analysis.source.parse import parse

from .generator import generate

# What autograd would notice, written so that it does not.
_SEEN = (
    (re.compile(r"\.detach\(\)(\.\w+_\(|\[)"), r".data\1"),
    (re.compile(r"^( *t\d+)(\.(?:add|sub|mul|div|exp|tanh|sigmoid|sin|zero|fill)_\()", re.M), r"\1.data\2"),
    (re.compile(r"^( *t\d+)( [-+*/]= )", re.M), r"\1.data\2"),
)


def gradients(text: str, copies: bool) -> dict[str, Any]:
    """The gradients of leaves that module-level names hold after a run."""
    random.seed(0)
    torch.manual_seed(0)
    torch.set_grad_enabled(True)
    names: dict[str, Any] = {"__name__": "__main__"}
    hooks: Any = contextlib.nullcontext()
    if copies:
        hooks = torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda kept: kept)
    with hooks, contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(text, "program.py", "exec"), names)
    leaves = {name: value for name, value in names.items() if isinstance(value, torch.Tensor) and value.is_leaf}
    return {name: leaf.grad.detach().double() for name, leaf in leaves.items() if leaf.grad is not None}


def differ(text: str) -> bool | None:
    """Whether a gradient depends on what changed after it was saved; None for a program that raises."""
    try:
        one, other = gradients(text, False), gradients(text, True)
    except Exception:  # what a random program raises is the other tests' business
        return None
    finally:
        torch.set_grad_enabled(True)
    return any(not torch.allclose(g, other[name], rtol=1e-4, atol=1e-7, equal_nan=True) for name, g in one.items())


def look(profile: str, seed: int) -> str | None:
    """A random program with a wrong gradient: "" if the engine foresaw it, else the program; None for all others."""
    text = generate(seed, profile).text
    for seen, unseen in _SEEN:
        text = seen.sub(unseen, text)
    if ".data" not in text or not differ(text):
        return None
    try:
        machine = run_file(parse("program.py", text), entries=False, stop_at_error=True)
    except ProgramRaises as error:
        return f"# the engine: {error.kind} at line {error.line}\n{text}"
    return "" if any(sink.outcome.silent for sink in machine.events.sinks) else text


if __name__ == "__main__":
    profile, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    found = [text for seed in range(first, first + count) if (text := look(profile, seed)) is not None]
    print(len(found), *(f"# profile {profile}\n{text}" for text in found if text), sep="\n")
