"""`no-grad-function`: a function that runs with tracking off produces a value that feeds a loss."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..facts import Cause, Facts
from ..late import flags_between, without_flags
from ..report import Finding
from ..source.edits import drop_decorator
from ..story import cut_story
from .base import Rule
from .claims import CUT
from .wrapping import wrapped

RULE = Rule(
    name="no-grad-function",
    summary="a function decorated with `@torch.no_grad()` or its kin is all that links a trainable tensor to a loss",
    family="the path is cut",
    severity="error",
    fix="drop the decorator",
    claim=CUT,
    what="""\
Finds a function or method decorated with `@torch.no_grad()`, `@torch.inference_mode()` or
`@torch.set_grad_enabled(False)` whose result feeds a loss, when a tensor that should learn reaches that loss only
through calls of this function.

The finding sits on the decorator when the function is in the same file, and on the call when it is in another one;
the trace shows the other end.

Decorated functions whose results are only printed, stored, compared or used as targets are not reported.""",
    why="""\
The decorator switches recording off for the whole body and for everything the body calls, on every call. Whoever
reads the training loop sees an innocent `features(x)`; the decorator may be a hundred lines up, or in a file that was
written for inference (`encode`, `predict`, `embed`) and is now used in training.

The result carries no `grad_fn`. `backward()` either raises *element 0 of tensors does not require grad and does not
have a grad_fn*, or, where another operand of the loss is tracked, quietly leaves everything behind the call without
a gradient.

The bare form `@torch.no_grad` (without parentheses) does the same as `@torch.no_grad()`.""",
    example="""\
import torch


@torch.no_grad()
def features(x):
    return x.exp()


x = torch.randn(10, requires_grad=True)
loss = features(x).sum()
loss.backward()  # RuntimeError: element 0 of tensors does not require grad
print(x.grad)
""",
    instead="""\
import torch


def features(x):
    return x.exp()


x = torch.randn(10, requires_grad=True)
loss = features(x).sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
Dropping the decorator is *unsafe*: every other caller of the function is tracked from then on as well. Inference code
that relied on it builds graphs (memory), and operations that are only allowed with tracking off (in-place updates of
leaves) raise. The numbers stay the same. Where only one caller trains, split the function and decorate the wrapper
that the others call.""",
    blind_spots="""\
- Decorators that switch tracking off under another name are followed only when their source can be read; where that is
  in another file, the call is told.
- A function that is chosen at run time (`getattr(module, name)`, a registry filled elsewhere) is unknown, and the rule
  stays silent.
- `@torch.no_grad()` on a generator applies to the generator's own frames; what its caller does between two values
  keeps the caller's mode.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Cuts made inside a function that a decorator runs with tracking off."""
    for cause in facts.causes:
        cut = cause.why
        if cut.kind == "grad-mode" and cut.function is None:
            yield from _wrapped(facts, cause)
        if cut.kind != "grad-mode" or cut.function is None:
            continue
        function = cut.function
        call = facts.innermost_here(cause.cut)
        for site in cause.cut.stack:
            if facts.here(site.span):
                call = site.span
        decorator = facts.node_at(cut.span) if facts.here(cut.span) else None
        span = cut.span if decorator is not None else call
        if span is None:
            continue
        written = cut.detail.rstrip("()") if isinstance(decorator, (ast.Attribute, ast.Name)) else cut.detail
        sink = facts.sink_name(cause.sink)
        message = f"`{function.name}()` gives no gradient to {sink}: it is decorated with `@{written}`"
        called = facts.step(call, "note", f"`{function.name}` is called here") if call != cause.cut.span else None
        lead = [called, facts.step(cut.span, "note", f"tracking is off in `{function.name}`")]
        trace = cut_story(facts, cause, "cut: the result has no grad_fn", place=cause.cut.span, lead=lead)
        fixes = []
        if decorator is not None and isinstance(function.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            used = next((d for d in function.node.decorator_list if d is decorator), None)
            if used is not None:
                edits = drop_decorator(facts.parsed, function.node, used)
                fixes.append(facts.fix(f"drop `@{written}` from `{function.name}`", "unsafe", edits))
        fixes = [without_flags(facts, fix, flags_between(facts, cause)) for fix in fixes]
        yield facts.finding(RULE.name, cause.confidence, message, span, trace, fixes)


def _wrapped(facts: Facts, cause: Cause) -> Iterator[Finding]:
    """A function whose decorator, one of the program's own, calls it in a block with tracking off."""
    found = wrapped(facts, cause)
    if found is None:
        return
    function, decorator = found
    written, sink = facts.text(decorator), facts.sink_name(cause.sink)
    message = f"`{function.name}()` gives no gradient to {sink}: `@{written}` calls it under `{cause.why.detail}`"
    lead = [facts.step(cause.why.span, "note", f"`@{written}` switches tracking off")]
    trace = cut_story(facts, cause, "cut: the result has no grad_fn", place=cause.cut.span, lead=lead)
    edits = drop_decorator(facts.parsed, function, decorator)
    fix = without_flags(
        facts,
        facts.fix(f"drop `@{written}` from `{function.name}`", "unsafe", edits),
        flags_between(facts, cause),
    )
    span = facts.source.span(decorator)
    yield facts.finding(RULE.name, cause.confidence, message, span, trace, [fix])
