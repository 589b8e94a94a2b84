"""`function-saved`: a custom function keeps its input or result on `ctx` instead of in `save_for_backward`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..events import Applied, Outdated
from ..facts import Facts
from ..report import Confidence, Finding, Fix, Span, TraceStep
from ..source.edits import append_call, checked, edit
from ..torch_model.arguments import as_tensor
from ..torch_model.custom_backward import backward_of
from ..values import FunctionValue
from .base import Rule
from .claims import Law

_ABOUT = frozenset({"shape", "dtype", "device", "ndim", "layout", "requires_grad", "is_cuda", "size", "dim", "numel"})

RULE = Rule(
    name="function-saved",
    summary="a custom function keeps an input or result as an attribute of `ctx`",
    family="custom functions",
    severity="warning",
    fix="`ctx.save_for_backward(x)`, or a copy where the tensor is changed in between",
    claim=Law("wrong", passes=3),
    what="""\
Finds a `torch.autograd.Function` whose `forward` puts an input that has a gradient to pass on, or its own result, on
`ctx` as an attribute (`ctx.x = x`) and whose `backward` computes with it.

Usually that is information. It is a warning when the program changes the tensor in place before the backward: the
gradient is computed with the new contents, and wrong. Numbers, flags, shapes and what forward computes on the way (a
mask, a norm) belong on `ctx` and are not reported.""",
    why="""\
`save_for_backward` notes the version of a tensor, and `backward()` compares: a tensor that was changed raises
*modified by an inplace operation*. An attribute is not compared, so the same program goes on with a gradient of another
function.

A result kept on `ctx` also makes a circle (the result holds its `grad_fn`, which is `ctx`, which holds the result): its
memory is not given back when the last name of it goes, but when Python's collector next looks for circles, which on a
GPU may be after it has run out of memory. And what `save_for_backward` holds is let go after the backward; an attribute
stays as long as the graph.""",
    example="""\
import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.x * grad


w = torch.ones(3, requires_grad=True)
x = w * 1
loss = Square.apply(x).sum()
x.mul_(3)  # `ctx.x` is this tensor
loss.backward()
print(w.grad)  # 6, and should be 2
""",
    instead="""\
import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x * grad


w = torch.ones(3, requires_grad=True)
x = w * 1
loss = Square.apply(x).sum()
x = x * 3
loss.backward()
print(w.grad)
""",
    fix_safety="""\
Saving is *unsafe*: with saved tensors a second `backward()` through the same graph needs `retain_graph=True`, and a
change in between raises, which is the point. It is offered where forward keeps one tensor so and saves none. Where the
program does change the tensor in between, keeping a copy (`.clone()`) is *safe*: the gradient is that of the contents
that forward computed with.""",
    blind_spots="""\
- Tensors kept in lists or objects on `ctx` are not looked into.
- The execution check compares with a run in which the attribute is a copy. Where nothing changes the tensor there is
  nothing to see, and it says so.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Inputs and results kept on `ctx` that the backward reads; those that were changed in between first."""
    told: set[Span] = set()
    for outdated in facts.events.outdated:
        yield from _finding(facts, outdated.applied, outdated.name, outdated, told)
    for applied in facts.events.applied:
        for name, _, _ in applied.kept:
            yield from _finding(facts, applied, name, None, told)


def _finding(
    facts: Facts, applied: Applied, name: str, outdated: Outdated | None, told: set[Span]
) -> Iterator[Finding]:
    kind = _kind(applied, name)
    keeping, reads = _keeping(facts, applied, name), _reads(applied, name)
    if not kind or keeping is None or not reads:
        return
    span = facts.source.span(keeping)
    if span in told:
        return
    told.add(span)
    text = facts.text(keeping.targets[0])
    trace: list[TraceStep | None] = [
        facts.step(applied.site.span, "source", "applied here"),
        facts.step(span, "saved", f"`{text}` is {kind}, kept without its version"),
    ]
    confidence: Confidence = "possible"
    message = f"`{text}` keeps {kind} without its version: `save_for_backward` would notice a change in place"
    changed = facts.innermost_here(outdated.write) if outdated is not None else None
    if outdated is not None and changed is not None:
        confidence = "likely"
        message = f"`{text}` is changed before the backward that computes with it: the gradient is silently wrong"
        trace.append(facts.step(changed, "mutation", "changed here, and nothing notices"))
        trace.append(facts.sink_step(outdated.sink, "computes with the new contents"))
    fix = _copied(facts, keeping) if confidence == "likely" else _fix(facts, applied, name, keeping, reads)
    yield facts.finding(RULE.name, confidence, message, span, trace, [fix])


def _kind(applied: Applied, name: str) -> str:
    """What an attribute holds: "an input", "the result"; "" for what forward computed on the way and for constants."""
    tensor = next(tensor for each, tensor, _ in applied.kept if each == name)
    results = applied.result if isinstance(applied.result, tuple) else (applied.result,)
    if any(as_tensor(each) is tensor for each in results):
        return "the result"
    given = any(as_tensor(each) is tensor for each in applied.inputs)
    return "an input" if given and tensor.requires_grad.possible else ""


def _keeping(facts: Facts, applied: Applied, name: str) -> ast.Assign | None:
    """The only statement `ctx.name = ...` of forward or setup_context, in the file that is checked."""
    found = [
        node
        for function in map(applied.cls.find, ("forward", "setup_context"))
        if function is not None and isinstance(function[0], FunctionValue) and function[0].module.path == facts.path
        for node in ast.walk(function[0].node)
        if isinstance(node, ast.Assign) and any(_is_read(each, name) for each in node.targets)
    ]
    return found[0] if len(found) == 1 and len(found[0].targets) == 1 else None


def _is_read(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.value, ast.Name)


def _reads(applied: Applied, name: str) -> list[ast.Attribute]:
    """Where backward computes with the attribute; empty where it only asks for a shape."""
    function = backward_of(applied.cls)
    if function is None:
        return []
    about = {
        id(each.value) for each in ast.walk(function.node) if isinstance(each, ast.Attribute) and each.attr in _ABOUT
    }
    context = function.node.args.args[0].arg if function.node.args.args else ""
    reads = [
        each
        for each in ast.walk(function.node)
        if isinstance(each, ast.Attribute)
        and each.attr == name
        and isinstance(each.value, ast.Name)
        and each.value.id == context
    ]
    if any(not isinstance(each.ctx, ast.Load) for each in reads) or all(id(each) in about for each in reads):
        return []
    return reads


def _copied(facts: Facts, keeping: ast.Assign) -> Fix | None:
    """Where a change is known to come, the backward gets what was there before it."""
    edits = append_call(facts.parsed, keeping.value, ".clone()")
    return facts.fix(f"keep a copy: `{facts.text(keeping.value, 30)}.clone()`", "safe", edits)


def _fix(facts: Facts, applied: Applied, name: str, keeping: ast.Assign, reads: list[ast.Attribute]) -> Fix | None:
    saves = any(
        isinstance(each, ast.Attribute) and each.attr == "save_for_backward" for each in ast.walk(applied.cls.node)
    )
    alone = sum(bool(_kind(applied, each)) for each, _, _ in applied.kept) == 1
    target = keeping.targets[0]
    function = backward_of(applied.cls)
    if saves or not alone or not isinstance(target, ast.Attribute) or function is None:
        return None
    if function.module.path != facts.path:
        return None
    context = facts.source.segment(target.value)
    kept = f"{context}.save_for_backward({facts.source.segment(keeping.value)})"
    edits = [edit(facts.parsed, *facts.source.offsets(keeping), kept)]
    if checked(facts.parsed, edits, [keeping]) is None:
        return None
    for each in reads:
        text = f"{facts.source.segment(each.value)}.saved_tensors[0]"
        edits.append(edit(facts.parsed, *facts.source.offsets(each), text))
    return facts.fix(f"save it: `{kept}`", "unsafe", tuple(edits))
