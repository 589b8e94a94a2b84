"""The process that runs the suites' programs under real torch: one request per line on stdin, one answer on stdout.

Request (JSON): `directory` holding the program's files, `probes` (expressions to look at afterwards). Answer (JSON):
`raised` (type, message, file, line) or null, and one verdict per probe: "none", "zero", "present", or the error that
looking at it gave; `values` has the smallest and largest element of a probe that is a tensor. `leaves` has the verdict
on the gradient of every leaf with a global name.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import io
import json
import os
import random
import sys
import traceback
import types
import warnings
from pathlib import Path
from typing import Any

import numpy
import torch

MAIN = "main.py"


def _reset() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(0)
    numpy.random.seed(0)
    random.seed(0)


def _where(error: BaseException, directory: Path) -> tuple[str, int]:
    """File and line of the innermost frame that belongs to the program."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(directory)]
    if isinstance(error, SyntaxError) and not frames:
        return MAIN, error.lineno or 0
    if not frames:
        return MAIN, 0
    return str(Path(frames[-1].filename).relative_to(directory)), frames[-1].lineno or 0


def _look(value: Any) -> dict[str, Any]:
    if value is None:
        return {"verdict": "none"}
    if not isinstance(value, torch.Tensor):
        number = isinstance(value, (int, float))
        verdict = "zero" if number and value == 0 else "present"
        return {"verdict": verdict, "values": [value, value] if number else None}
    value = value.detach()
    if value.is_sparse:
        value = value.to_dense()
    low, high = float(value.min()), float(value.max())
    return {"verdict": "zero" if low == high == 0 else "present", "values": [low, high]}


def run(directory: Path, probes: list[str]) -> dict[str, Any]:
    """Run `main.py` of the directory as the main module, then look at the probes in its namespace."""
    _reset()
    module = types.ModuleType("__main__")
    path = directory / MAIN
    module.__file__ = str(path)
    before, old_main = set(sys.modules), sys.modules["__main__"]
    sys.modules["__main__"] = module
    sys.path.insert(0, str(directory))
    raised = None
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
        except Exception as error:
            file, line = _where(error, directory)
            raised = {"type": type(error).__name__, "message": str(error), "file": file, "line": line}
        finally:
            sys.path.remove(str(directory))
            sys.modules["__main__"] = old_main
            for name in set(sys.modules) - before:
                file_of = getattr(sys.modules[name], "__file__", None)
                if file_of and Path(file_of).is_relative_to(directory):
                    del sys.modules[name]
        torch.set_grad_enabled(True)
        seen = []
        for probe in probes:
            try:
                seen.append(_look(eval(probe, module.__dict__)))
            except Exception as error:
                seen.append({"verdict": f"{type(error).__name__}: {error}"})
    leaves = _leaves(module.__dict__)
    _forget(module, directory)
    return {"raised": raised, "probes": seen, "leaves": leaves}


def _leaves(names: dict[str, Any]) -> dict[str, str]:
    """The gradients of the leaves that the program has a global name for, alone, in a module or in a list."""
    found: dict[str, torch.Tensor] = {}
    for name, value in names.items():
        for index, each in enumerate(value) if isinstance(value, (list, tuple)) else [("", value)]:
            if isinstance(each, torch.Tensor):
                found[f"{name}{index}"] = each
            elif isinstance(each, torch.nn.Module):
                found.update((f"{name}{index}.{inner}", p) for inner, p in each.named_parameters())
    states = {}
    for name, tensor in found.items():
        with contextlib.suppress(RuntimeError):  # A view that autograd refuses to be asked about.
            if tensor.is_leaf and tensor.requires_grad:
                states[name] = _look(tensor.grad)["verdict"]
    return states


def _forget(module: types.ModuleType, directory: Path) -> None:
    """End what the program left suspended: a generator that waits inside `no_grad` sets the mode back when it is
    collected, and a later program would be the one that is surprised by it."""
    module.__dict__.clear()
    if any("yield" in path.read_text(encoding="utf-8") for path in directory.rglob("*.py")):
        gc.collect()


def main() -> None:
    """Answer requests until stdin closes."""
    sys.dont_write_bytecode = True
    builtins.reveal_grad = lambda value, *_: value  # type: ignore[attr-defined]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for request in sys.stdin:
        asked = json.loads(request)
        answers.write(json.dumps(run(Path(asked["directory"]), asked["probes"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
