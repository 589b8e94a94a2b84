"""The backward of a custom function that differentiates on its own: run once, as autograd runs it.

Autograd calls a backward with tracking off, unless the caller asks for a graph of it (`create_graph=True`): what is
computed in it has no graph to differentiate before `torch.enable_grad()` is around it. Any other backward is only read
(`custom_backward`). Source: torch/csrc/autograd/python_function.cpp, PyNode::apply; engine.cpp, call_function.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from ..autograd.graph import Cut
from ..autograd.operation import Mode
from ..autograd.tensor import Tensor
from ..autograd.truth import NO
from ..values import Call, ClassValue, Runtime, Site, Value
from .custom_backward import backward_of


def run(rt: Runtime, cls: ClassValue, ctx: Value, results: Sequence[Tensor], site: Site) -> None:
    """Run the backward of `cls` for a `ctx` and gradients of the results, once in a run; its effects are taken back."""
    function = backward_of(cls)
    machine: Any = rt
    if function is None or machine.stop_at_error or machine.has_entered(function.node):
        return
    if not any(tensor.requires_grad.possible for tensor in results) or not _differentiates(function.node):
        return
    span = getattr(function.node, "gradsight_span", None)
    if span is None:
        span = function.node.gradsight_span = function.module.source.span(function.node)
    off = Mode(NO, Cut("grad-mode", span, f"the backward of `{cls.name}`"))
    given = Call([ctx, *(Tensor(origin=site.span) for _ in results)], {}, site)
    machine.aside(off, lambda: rt.call(function, given))


def _differentiates(function: ast.AST) -> bool:
    """Whether a function calls `torch.autograd.grad`, `torch.autograd.backward` or a `backward()`; found once."""
    known: bool | None = getattr(function, "gradsight_differentiates", None)
    if known is None:
        called = (each.func for each in ast.walk(function) if isinstance(each, ast.Call))
        known = any(isinstance(each, ast.Attribute) and each.attr in ("grad", "backward") for each in called)
        function.gradsight_differentiates = known  # type: ignore[attr-defined]
    return known
