"""What the engine is asked to do: an operation with its operands, under a mode; and how it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..made_often import made_often
from ..report import Span
from .graph import Cut, Node
from .tensor import Tensor
from .truth import YES, Truth


class AutogradError(Exception):
    """PyTorch raises here. `kind` names the error as the oracle test does; `tensor` is what it is about."""

    def __init__(self, kind: str, message: str, tensor: Tensor | None = None, certain: bool = True) -> None:
        super().__init__(message)
        self.kind, self.message, self.tensor, self.certain = kind, message, tensor, certain


@made_often
@dataclass(frozen=True, slots=True)
class Operand:
    """An input of an operation: a tensor, or a Python number or array that remembers where it came from (`node`).

    `defined` is False where a custom function's backward gives None for it.
    """

    name: str
    tensor: Tensor | None = None
    node: Node | None = None
    differentiable: bool = True
    defined: bool = True


@made_often
@dataclass(frozen=True, slots=True)
class Save:
    """What an operation keeps for backward: an operand's name or "result", if any operand in `when` requires grad."""

    what: str
    when: frozenset[str]
    sure: bool = True


@made_often
@dataclass(frozen=True, slots=True)
class Operation:
    """One call of one operation, in autograd's terms.

    `outputs` holds "grad", "nograd" (integers, comparisons: never differentiable) or "zero" (the gradient is
    identically zero) for each tensor that comes back. `view` is "", "view" or "multi"; `view_of` names the operand.
    `derivative` tells on what its gradient depends (for a second derivative): "" on all that it saved, "linear" not on
    the operand it is taken for, "quotient" so for the first operand alone, "constant" on nothing, "inside" on all that
    went in, whatever it saved; "whole", "norm" and "refused" are told in `torch_model/keeps.py`.
    `holds_numbers`: it keeps something for backward that no one can modify (sizes aside), which a freed graph lacks.
    `untracked`: it goes past autograd, whatever its operands require. `reshapes`: in place it writes no elements, and
    the base of a view keeps its history (tagged inplace_view in native_functions.yaml).
    """

    name: str
    span: Span
    operands: tuple[Operand, ...]
    outputs: tuple[str, ...] = ("grad",)
    saves: tuple[Save, ...] = ()
    view: str = ""
    view_of: str = ""
    holds_numbers: bool = False
    implemented: bool = True
    opaque: str = ""
    note: str = ""
    derivative: str = ""
    reshapes: bool = False
    untracked: bool = False


@dataclass(frozen=True, slots=True)
class Mode:
    """Grad mode as it is now, and who set it so (`cut` is what an operation's result gets when it is off).

    `casts`: under autocast. `cache`: what is computed once as long as this mode lasts. `packs`: copies are
    kept for backward, or what the program makes of what is to be kept.
    """

    enabled: Truth = YES
    cut: Cut | None = None
    inference: bool = False
    casts: bool = False
    cache: dict[Any, Any] | None = None
    packs: bool = False
