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
    """Whether a function calls `autograd.grad`, `autograd.backward` or the `backward` of what it makes; found once.

    `extension.backward(grad, x)` is a kernel that has nothing to do with autograd.
    """
    known: bool | None = getattr(function, "gradsight_differentiates", None)
    if known is None:
        nodes = list(ast.walk(function))
        made = {each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        called = [each.func for each in nodes if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)]
        known = any(_starts_one(each, made) for each in called)
        function.gradsight_differentiates = known  # type: ignore[attr-defined]
    return known


def _starts_one(called: ast.Attribute, made: set[str]) -> bool:
    owner = called.value
    if (isinstance(owner, ast.Name) and owner.id == "autograd") or getattr(owner, "attr", "") == "autograd":
        return called.attr in ("grad", "backward")
    return called.attr == "backward" and isinstance(owner, ast.Name) and owner.id in made
