"""The history of a view at the moment somebody asks for it: after a write to its memory it is made anew.

`Views` is the ground of the engine (`engine.py`): the mode and the path it is in, and tensors as they are now.
Source: torch/csrc/autograd/variable.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import truth
from .graph import ALWAYS, Edge, Node, Path
from .heap import Heap
from .operation import AutogradError, Mode
from .tensor import Tensor
from .truth import NO

MADE = {
    "multi": "it is an output of a function that returns multiple views",
    "no_grad": "it is a view that was created in no_grad mode",
    "inference": "it is a view that was created in inference mode",
    "custom": "it is a view that was created inside a custom function",
}
"""How a view came about that may not be brought up to date."""


class Views:
    """What is global in a run, and the histories of views."""

    def __init__(self, heap: Heap) -> None:
        self.heap = heap
        self.mode = Mode()
        self.path: Path = ALWAYS
        self.stack: tuple[Any, ...] = ()
        self.asked: Callable[[Any, Tensor], tuple[bool, tuple[Edge, ...]]] | None = None
        """Asks a hook what it makes of a gradient: whether that depends on what it was given, and on what else."""

    def set_mode(self, mode: Mode) -> None:
        """Change grad mode (remembered for branches)."""
        self.heap.write(self, "mode", mode)

    def refresh(self, tensor: Tensor, asked: bool = True) -> Tensor:
        """Bring a view's history up to date: after a write to its memory its grad_fn is made anew from its base.

        That happens only when the grad_fn is `asked` for: by a tracked operation that is differentiable in it, by
        `.grad_fn`, `.is_leaf`, `register_hook` and backward; not by `.detach()`, `.requires_grad`, `.item()` or an
        untracked operation (measured on torch 2.13).
        Source: `VariableHooks::grad_fn` in torch/csrc/autograd/variable.cpp. A view that may not be brought up to date
        stays as it is; `require_current` raises for it.
        """
        base = tensor.view_of
        if base is None:
            return tensor
        if tensor.idle and tensor.requires_grad is not base.requires_grad and tensor.floating.possible:
            self.heap.write(tensor, "requires_grad", base.requires_grad)
        if not asked or tensor.seen is tensor.counter.version or tensor.view_kind != "view":
            return tensor
        own = NO if tensor.node is None else tensor.node.tracked
        if tensor.floating.no or (own.no and base.requires_grad.no):
            return tensor
        tracked = truth.either((own, base.requires_grad))
        node = Node("view", tensor.origin, (base.edge(),), tracked=tracked, path=self.path)
        node.stack = self.stack
        self.heap.write(tensor, "node", node)
        self.heap.write(tensor, "requires_grad", tracked)
        self.heap.write(tensor, "idle", False)
        self.heap.write(tensor, "seen", tensor.counter.version)
        return tensor

    def behind(self, tensor: Tensor) -> tuple[Edge, ...]:
        """What a tensor's contents come from, for explanation: for a view that is not up to date its base as well."""
        base = tensor.view_of
        if base is None or tensor.seen is tensor.counter.version:
            return (tensor.edge(),)
        return tensor.edge(), base.edge()

    def require_current(self, tensor: Tensor) -> None:
        """Raise AutogradError when PyTorch cannot say what the grad_fn of a view is: its memory was written since.

        Source: `handle_view_on_rebase` in torch/csrc/autograd/variable.cpp (it asks how the view was made).
        """
        self.refresh(tensor)
        base = tensor.view_of
        if base is None or tensor.view_kind == "view" or tensor.floating.no:
            return
        own = tensor.node is not None and tensor.node.tracked.yes
        if not own and not base.requires_grad.yes:
            return
        if tensor.seen not in tensor.counter.version.outcomes():
            raise AutogradError(
                "view-inplace", f"{MADE[tensor.view_kind]} and its base or another view of it was modified", tensor
            )

    def make_view(self, result: Tensor, base: Tensor, kind: str) -> None:
        """Make `result` a view of `base` (`as_view` in torch/csrc/autograd/variable.cpp)."""
        result.counter, result.memory = base.counter, base.memory
        differentiable = result.floating.possible
        result.floating = base.floating if differentiable else NO
        result.inference = result.uncounted = base.inference
        result.seen = result.counter.version
        if base.floating.no:
            result.requires_grad = NO
        if base.inference:
            return
        result.view_of = base.base
        if self.mode.inference:
            result.view_kind = "inference"
        elif self.mode.enabled.no:
            result.view_kind = "no_grad"
        elif kind == "multi":
            result.view_kind = "multi"
        else:
            result.view_kind = base.view_kind or "view"
        if result.node is not None and result.node.tracked.no and result.floating.possible:
            result.idle, result.requires_grad = True, result.view_of.requires_grad
