"""The torch side: a process that runs many programs, one after the other, and says what each did to gradients.

Protocol: one JSON object per line on standard input, `{"id": …, "text": …}`, and one per line on standard output:

    {"id": …, "error": null | {"line": int, "type": str, "message": str, "in_backward": bool, "lines": [int, …],
                             "changed": [int, …]},
     "grads": {name: "none" | "present" | "partial"}, "frozen": [names of leaves that do not require grad]}

`error.line` is the line of the deepest frame of the program, except that a frame which the backward engine called (a
custom `backward`, a hook) is not entered: the sink is what a person sees. `error.changed` are the statements that may
have changed a saved tensor. "partial" is a gradient which a *failing* backward left behind: torch promises nothing
about it. Imports nothing but the standard library, torch, and `culprit` beside it.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import sys
import traceback
import warnings
from types import FrameType
from typing import Any

import torch
import torch.autograd
import torch.autograd.graph
from culprit import lines_that_changed

FILENAME = "<program>"
LIMIT_SECONDS = 5


class TimeUp(BaseException):
    """The program ran too long; derives from BaseException so that no `except Exception` of a program swallows it."""


class Watch:
    """Sees every call of the backward engine, to tell what was there before one that fails."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}
        self.before: dict[str, str] | None = None
        original = torch.autograd.graph._engine_run_backward

        def _engine_run_backward(*args: Any, **kwargs: Any) -> Any:
            before = grads_of(self.namespace)[0]
            try:
                return original(*args, **kwargs)
            except BaseException:
                self.before = before
                raise

        torch.autograd.graph._engine_run_backward = _engine_run_backward
        torch.autograd._engine_run_backward = _engine_run_backward  # the module binds the name when it is imported

    def run(self, text: str) -> dict[str, Any]:
        """Run one program in a fresh namespace and say what happened."""
        self.namespace = {"__name__": "__main__", "__builtins__": __builtins__}
        self.before = None
        error: dict[str, Any] | None = None
        torch.manual_seed(0)
        signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
        try:
            code = compile(text, FILENAME, "exec")
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                exec(code, self.namespace)
        except TimeUp:
            error = describe(TimeUp("time is up"))
        except (Exception, SystemExit) as exception:
            error = describe(exception)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            restore()
        grads, frozen = grads_of(self.namespace)
        if error is not None and "modified by an inplace operation" in error["message"]:
            error["changed"] = lines_that_changed(text, FILENAME, error["message"])
            restore()
        if error is not None and self.before is not None and error["in_backward"]:
            for name, state in grads.items():
                if state == "present" and self.before.get(name) != "present":
                    grads[name] = "partial"
        return {"error": error, "grads": grads, "frozen": frozen}


def restore() -> None:
    """Put torch's process-wide switches back to where a fresh interpreter has them."""
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.autograd.set_detect_anomaly(False)


def describe(exception: BaseException) -> dict[str, Any]:
    lines: list[int] = []
    in_backward = False
    for frame in traceback.extract_tb(exception.__traceback__):
        if frame.name == "_engine_run_backward":
            in_backward = True
            break
        if frame.filename == FILENAME and frame.lineno is not None:
            lines.append(frame.lineno)
    line = lines[-1] if lines else getattr(exception, "lineno", None) or 0
    before = exception.__context__
    if before is not None and str(before) == str(exception):
        # Raised again on the way out, by a `finally`: where it was raised first is as good a place.
        lines = [*describe(before)["lines"], *lines]
    return {
        "line": line,
        "lines": lines,
        "type": type(exception).__name__,
        "message": str(exception)[:600],
        "in_backward": in_backward,
    }


def grads_of(namespace: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """What `.grad` is for each leaf tensor that a module-level name holds, and for each parameter of a module there."""
    grads: dict[str, str] = {}
    frozen: list[str] = []

    def add(name: str, tensor: torch.Tensor) -> None:
        try:
            if not tensor.is_leaf:
                return
        except RuntimeError:  # a view that autograd has forbidden says so when it is asked for its graph
            return
        grads[name] = "none" if tensor.grad is None else "present"
        if not tensor.requires_grad:
            frozen.append(name)

    for name, value in list(namespace.items()):
        if name.startswith("__"):
            continue
        if isinstance(value, torch.Tensor):
            add(name, value)
        elif isinstance(value, torch.nn.Module):
            # a class that forgot super().__init__() has none to name
            with contextlib.suppress(AttributeError):
                for inner, parameter in value.named_parameters():
                    add(f"{name}.{inner}", parameter)
    return grads, frozen


def time_is_up(_signal: int, _frame: FrameType | None) -> None:
    raise TimeUp


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, time_is_up)
    # the first optimizer makes torch import a good part of itself; not in the time of a program
    torch.optim.SGD([torch.ones(1, requires_grad=True)]).step()
    watch = Watch()
    out = sys.stdout
    for line in sys.stdin:
        request = json.loads(line)
        answer = watch.run(request["text"])
        answer["id"] = request["id"]
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
