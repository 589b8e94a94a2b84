"""`stale-gradient`: gradients that a step has used are still there when the next `backward()` adds to them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..autograd.tensor import Grad
from ..events import Step
from ..facts import Facts
from ..report import Finding, Fix, Span
from ..source.edits import insert_line_before
from .base import Rule
from .claims import Law

RULE = Rule(
    name="stale-gradient",
    summary="no `zero_grad()` between two steps: `backward()` adds to the gradients that were used already",
    family="the training step",
    severity="warning",
    fix="`optimizer.zero_grad()` in front of the backward",
    claim=Law("unseen"),
    what="""\
Finds a `backward()` that adds to gradients which an `optimizer.step()` has used before, in a loop or not, because
nothing clears them in between: no `zero_grad()` of the optimizer or of a module, no `p.grad = None`.

Where the optimizer is handed to the function, the same is told of a loop with a `backward()` and its `step()` in a file
that clears no gradient anywhere.

Several backwards before one step are not reported: that is what accumulating is for. Nor is a step in every n-th pass
with the clearing beside it.""",
    why="""\
`backward()` adds to `.grad`, it does not replace what is there. Without `zero_grad()` every step is taken along the sum
of all gradients so far. Nothing raises; the loss may fall for a while, and training is unstable.""",
    example="""\
import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    loss = model(torch.randn(2, 4)).pow(2).mean()
    loss.backward()  # adds to the gradients of the passes before
    optimizer.step()
""",
    instead="""\
import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    loss = model(torch.randn(2, 4)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    fix_safety="""\
Inserting `zero_grad()` is *unsafe*: the program computes something else afterwards, namely what a training step is
for.""",
    blind_spots="""\
- A file that changes `.grad` by hand, or calls something named like `zero_grad` that is not known, is left alone.
- Gradients that another loss leaves after the step, and that the next one finds, are not told apart from those that are
  accumulated on purpose.""",
)

_CLEARING = re.compile(r"(zero|clear|reset|clean)\w*grad|grad\w*(zero|clear|reset)", re.IGNORECASE)


def check(facts: Facts) -> Iterator[Finding]:
    """Steps with gradients that a former step had found already; and loops that take an optimizer from outside."""
    told: set[Span] = set()
    used: dict[int, Step] = {}
    for step in facts.events.steps:
        first = next((grad for _, grad in step.grads if grad.present.yes), None)
        if first is None:
            continue
        if first.over is not None and not step.after_error:
            yield from _finding(facts, step, first, used, told)
        used[id(first)] = step
    yield from _handed_in(facts, told)


def _finding(facts: Facts, step: Step, first: Grad, used: dict[int, Step], told: set[Span]) -> Iterator[Finding]:
    added = _added(first, set(used))
    before = used.get(id(added[-1].over))
    if before is None or before.optimizer != step.optimizer or not _all_added_to(step, before) or _by_hand(facts):
        return
    span = _first_in_the_pass(facts, added, step.site.span)
    if not facts.here(span) or span in told:
        return
    told.add(span)
    trace = [
        facts.step(before.site.span, "note", "has used the gradients, and nothing clears them"),
        facts.step(span, "mutation", "adds to them"),
        facts.step(step.site.span, "sink", "moves along the sum"),
    ]
    fixes = [_fix(facts, span, step.site.span)]
    yield facts.finding(RULE.name, "likely", _message(facts, span), facts.marked(span), trace, fixes)


def _message(facts: Facts, span: Span) -> str:
    text = facts.text(facts.node_at(span)) or "this"
    return f"`{text}` adds to gradients that a `step()` has used already: no `zero_grad()` comes between them"


def _added(grad: Grad, used: set[int]) -> list[Grad]:
    """A gradient and those it was added to, the newest first, down to what lies on one of `used`."""
    found = [grad]
    while found[-1].over is not None and id(found[-1].over) not in used:
        found.append(found[-1].over)
    return found


def _all_added_to(step: Step, before: Step) -> bool:
    """Whether everything that a step finds for certain lies on top of what a former one had found."""
    used = {id(grad) for _, grad in before.grads}
    return all(_added(grad, used)[-1].over is not None for _, grad in step.grads if grad.present.yes)


def _first_in_the_pass(facts: Facts, added: list[Grad], step: Span) -> Span:
    """The first of the backwards in front of a step; those behind it, of the pass before, are for other parameters."""
    spans = [grad.by for grad in added if grad.by is not None and facts.here(grad.by)]
    inside = facts.enclosing_function(facts.statement_at(step)) if facts.here(step) else None
    before = [
        each
        for each in spans
        if each.start.line < step.start.line and facts.enclosing_function(facts.statement_at(each)) is inside
    ]
    return min(before, key=lambda each: each.start.line) if before else spans[-1] if spans else step


def _by_hand(facts: Facts) -> bool:
    """Whether the file writes to `.grad`, or calls what may clear gradients and is not known to clear others.

    Known for that is the `zero_grad()` of an optimizer that steps in this run.
    """
    steps = {each.optimizer for each in facts.events.steps}
    known = {place for (place, _), had in facts.events.cleared.items() if had & steps}
    for node in ast.walk(facts.parsed.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("grad", "_grad") and _is_written(facts, node):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if _CLEARING.search(name) and facts.source.span(node) not in known:
                return True
    return False


def _is_written(facts: Facts, node: ast.expr) -> bool:
    """Whether an expression, an element of it or its `.data` is assigned, deleted, or changed by a method."""
    while True:
        if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            return True
        outer = facts.parsed.parents.get(node)
        if isinstance(outer, (ast.Attribute, ast.Subscript)) and outer.value is node:
            if isinstance(outer, ast.Attribute) and outer.attr.endswith("_"):
                return True
            node = outer
        else:
            return False


def _fix(facts: Facts, span: Span, step: Span) -> Fix | None:
    stepping, statement = facts.node_at(step), facts.statement_at(span)
    if not isinstance(stepping, ast.Call) or not isinstance(statement, ast.Expr):
        return None
    text = facts.text(_optimizer(stepping), 80)
    if not text or facts.enclosing_function(stepping) is not facts.enclosing_function(statement):
        return None
    edits = insert_line_before(facts.parsed, statement, f"{text}.zero_grad()")
    return facts.fix(f"insert `{text}.zero_grad()`", "unsafe", edits)


def _optimizer(stepping: ast.Call) -> ast.expr | None:
    """What steps: `optimizer` of `optimizer.step()` and of `scaler.step(optimizer)`."""
    if not isinstance(stepping.func, ast.Attribute) or stepping.func.attr != "step":
        return None
    given = stepping.args[0] if stepping.args else None
    if isinstance(given, (ast.Name, ast.Attribute)) and _is_optimizer(given):
        return given
    return stepping.func.value


def _is_optimizer(node: ast.expr) -> bool:
    return "opt" in ast.unparse(node).rpartition(".")[2].lower()


def _handed_in(facts: Facts, told: set[Span]) -> Iterator[Finding]:
    """Loops of functions that are given their optimizer, in a file that never clears a gradient."""
    if facts.events.emptied:
        return
    stepped = {step.site.span for step in facts.events.steps}
    for sink in facts.events.sinks:
        span = sink.site.span
        if sink.kind != "backward" or sink.after_error or sink.outcome.raises is not None or not facts.here(span):
            continue
        loop = _loop_around(facts, facts.statement_at(span))
        if span in told or loop is None or not isinstance(facts.enclosing_function(loop), ast.FunctionDef):
            continue
        place = next((each for each in _steps_in(facts, loop) if each not in stepped), None)
        if place is None or _by_hand(facts) or _CLEARING.search(" ".join(_names(facts))):
            continue
        told.add(span)
        trace = [
            facts.step(span, "mutation", "adds to what the pass before has left"),
            facts.step(place, "sink", "moves along the sum"),
        ]
        fixes = [_fix(facts, span, place)]
        yield facts.finding(RULE.name, "likely", _message(facts, span), facts.marked(span), trace, fixes)


def _steps_in(facts: Facts, loop: ast.For | ast.While) -> Iterator[Span]:
    """Where a loop steps with an optimizer that it has from outside."""
    for each in ast.walk(loop):
        optimizer = _optimizer(each) if isinstance(each, ast.Call) else None
        if isinstance(optimizer, ast.Name) and _is_optimizer(optimizer) and _comes_from_outside(loop, optimizer.id):
            yield facts.source.span(each)


def _names(facts: Facts) -> Iterator[str]:
    """Every name in the file that something is called, read or defined by."""
    for node in ast.walk(facts.parsed.tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name


def _loop_around(facts: Facts, statement: ast.stmt | None) -> ast.For | ast.While | None:
    """The loop whose every pass runs a statement, unless it ends with its first."""
    node: ast.AST | None = statement
    while node is not None and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        if isinstance(node, (ast.For, ast.While)):
            return None if isinstance(node.body[-1], (ast.Break, ast.Return, ast.Raise)) else node
        node = facts.parsed.parents.get(node)
    return None


def _comes_from_outside(loop: ast.For | ast.While, name: str) -> bool:
    """Whether a loop does nothing with a name but step: makes nothing new of it, and hands it to nobody."""
    for node in ast.walk(loop):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return False
        if isinstance(node, ast.Call):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            handed = any(isinstance(each, ast.Name) and each.id == name for each in given)
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if handed and method not in ("step", "unscale_"):
                return False
    return True
