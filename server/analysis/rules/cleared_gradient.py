"""`cleared-gradient`: gradients are set to None between `backward()` and the step that should use them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..events import Sink, Step
from ..facts import Facts
from ..report import Finding, Fix, Span
from ..source.edit_base import body_of
from ..source.edits import move_behind, move_into
from . import unseen_steps
from .base import Rule
from .claims import Law

RULE = Rule(
    name="cleared-gradient",
    summary="`zero_grad()` stands between `backward()` and `step()`: the step finds no gradient",
    family="the training step",
    severity="error",
    fix="move `zero_grad()` after the step",
    claim=Law("unseen"),
    what="""\
Finds an `optimizer.step()` none of whose parameters has a gradient, because `zero_grad()` (of the optimizer or of a
module) or `p.grad = None` has cleared what a `backward()` had left there. The finding sits on the clearing.

Of an optimizer that is handed in nobody knows what it holds; its own `zero_grad()` right before its step, behind a
backward, all three statements of one block, is reported as *likely*.

And a clearing in every pass of a loop whose step comes in every n-th pass only (`if (i + 1) % n == 0:
optimizer.step()`): what the passes without a step have accumulated is thrown away.

Clearing before the backward, or after the step, is not reported otherwise; nor is a step that finds at least one
gradient. A step that a branch leaves out for another reason (a loss that is no number) is left alone.""",
    why="""\
A training step is *clear, backward, step*. In any other order nothing raises: `zero_grad()` sets `.grad` to None,
`step()` skips every parameter whose `.grad` is None, and the loss stays where it is.""",
    example="""\
import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    loss = model(torch.randn(2, 4)).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()  # changes nothing
""",
    instead="""\
import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(2, 4)).mean()
    loss.backward()
    optimizer.step()
""",
    fix_safety="""\
Moving `zero_grad()` behind the step is *unsafe*: the program computes something else afterwards, namely what a training
step is for. It is offered where both are statements of one block, and for a step in every n-th pass.""",
    blind_spots="""\
- `zero_grad(set_to_none=False)` leaves zeros, which a step with momentum or weight decay still uses; not reported.
- Where a branch decides whether gradients were cleared, or unknown code runs between clearing and step, the rule is
  silent.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Steps that find no gradient at all although a backward had left some; one finding per place of clearing."""
    useful = {step.site.span for step in facts.events.steps if any(grad.present.possible for _, grad in step.grads)}
    told: set[Span] = set()
    for step in facts.events.steps:
        place = _cleared_at(facts, step)
        if place is None or place in told or step.site.span in useful:
            continue
        told.add(place)
        text = facts.text(facts.node_at(place)) or "this"
        message = f"`{text}` clears the gradients that the next `step()` should use: the step changes nothing"
        wanted = {id(tensor) for tensor, _ in step.grads}
        sinks = [
            sink
            for sink in facts.events.sinks[: step.sinks_before]
            if sink.kind == "backward" and any(id(leaf) in wanted for leaf in sink.outcome.reach.leaves)
        ]
        trace = [
            facts.step(sinks[-1].site.span, "note", "leaves gradients") if sinks else None,
            facts.step(place, "cut", "cleared here"),
            facts.step(step.site.span, "sink", "finds no gradient and changes nothing"),
        ]
        confidence = facts.confidence_on(step.path, not any(tensor.group for tensor, _ in step.grads))
        yield facts.finding(RULE.name, confidence, message, facts.marked(place), trace, [_move(facts, place, step)])
    yield from _of_unknown(facts, told, useful)
    yield from _every_pass(facts, told)


def _of_unknown(facts: Facts, told: set[Span], useful: set[Span]) -> Iterator[Finding]:
    """The same where nobody knows what the optimizer holds, and its own `zero_grad()` stands right before its step."""
    for idle in unseen_steps.cleared_before_step(facts):
        place = facts.marked(idle.cleared.site.span)
        if place in told or idle.cleared.site.span in told or idle.stepped.site.span in useful:
            continue
        told.add(place)
        text, step = facts.text(idle.clearing), facts.text(idle.step)
        message = f"`{text}` clears the gradients that the next `step()` should use: the step changes nothing"
        trace = [
            facts.step(idle.sink.site.span, "note", "leaves gradients"),
            facts.step(place, "cut", "cleared here"),
            facts.step(idle.stepped.site.span, "sink", "finds no gradient and changes nothing"),
        ]
        edits = move_behind(facts.parsed, idle.clearing, idle.step)
        fix = facts.fix(f"move `{text}` after `{step}`", "unsafe", edits)
        yield facts.finding(RULE.name, "likely", message, place, trace, [fix])


def _every_pass(facts: Facts, told: set[Span]) -> Iterator[Finding]:
    """Clearings in each pass of a loop whose step, in every n-th pass, is for the gradients of n of them."""
    for step in facts.events.steps:
        now_and_then = _counted(facts, step)
        if now_and_then is None:
            continue
        block = body_of(facts.parsed, now_and_then)
        wanted = {id(tensor) for tensor, _ in step.grads if not tensor.group}
        sinks = [
            sink
            for sink in facts.events.sinks
            if sink.kind == "backward" and any(id(leaf) in wanted for leaf in sink.outcome.reach.leaves)
        ]
        before = [s for s in sinks if _stands_in(facts, s.site.span, block[: block.index(now_and_then)])]
        if not before or any(_stands_in(facts, sink.site.span, [now_and_then]) for sink in facts.events.sinks):
            continue
        if wanted & facts.read or _serves_another(facts, step, before[-1], block, now_and_then):
            continue
        for (place, _), had in facts.events.cleared.items():
            clearing = facts.statement_at(place) if facts.here(place) else None
            if place in told or not isinstance(clearing, ast.Expr) or clearing not in block or not had & wanted:
                continue
            told.add(place)
            text = facts.text(clearing)
            message = (
                f"`{text}` also clears what the passes without a `step()` have accumulated: only the last one counts"
            )
            trace = [
                facts.step(before[-1].site.span, "note", "leaves gradients in every pass"),
                facts.step(place, "cut", "cleared in every pass"),
                facts.step(step.site.span, "sink", "in every n-th pass only"),
            ]
            yield facts.finding(
                RULE.name, "likely", message, facts.marked(place), trace, [_into(facts, clearing, step)]
            )


def _counted(facts: Facts, step: Step) -> ast.If | None:
    """The `if` around a step that counts passes, with a `%` in its test; None if there is none in the loop."""
    if step.after_error or not facts.here(step.site.span):
        return None
    inner: ast.AST | None = facts.statement_at(step.site.span)
    while inner is not None:
        outer = facts.parsed.parents.get(inner)
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef, ast.For, ast.While)):
            return None
        if isinstance(outer, ast.If) and inner in outer.body:
            counts = (isinstance(each, ast.BinOp) and isinstance(each.op, ast.Mod) for each in ast.walk(outer.test))
            if any(counts):
                return outer
        inner = outer
    return None


def _serves_another(facts: Facts, step: Step, sink: Sink, block: list[ast.stmt], now_and_then: ast.If) -> bool:
    """Whether another optimizer steps in every pass with what the same backward leaves: then this one is a slow one."""
    for other in facts.events.steps:
        reached = any(tensor in sink.outcome.reach.leaves for tensor, _ in other.grads)
        in_the_pass = _stands_in(facts, other.site.span, block) and not _stands_in(
            facts, other.site.span, [now_and_then]
        )
        if other.site.span != step.site.span and reached and in_the_pass:
            return True
    return False


def _stands_in(facts: Facts, span: Span, statements: Sequence[ast.stmt]) -> bool:
    if not facts.here(span):
        return False
    return any(each.lineno <= span.start.line <= (each.end_lineno or each.lineno) for each in statements)


def _into(facts: Facts, clearing: ast.Expr, step: Step) -> Fix | None:
    stepping = facts.statement_at(step.site.span)
    if not isinstance(stepping, ast.Expr):
        return None
    edits = move_into(facts.parsed, clearing, stepping)
    return facts.fix(f"move `{facts.text(clearing)}` after `{facts.text(stepping)}`", "unsafe", edits)


def _cleared_at(facts: Facts, step: Step) -> Span | None:
    """Where all gradients of a step were cleared, in this file, with nothing unknown in between; else None."""
    if step.after_error or not step.grads or any(not grad.present.no for _, grad in step.grads):
        return None
    for tensor, grad in step.grads:
        if grad.by is None or not facts.here(grad.by):
            continue
        had = facts.events.cleared.get((grad.by, step.unknown_before), frozenset())
        # What else an optimizer may hold has kept its gradient, unless its own `zero_grad` it was.
        if id(tensor) in had and (not step.open or step.optimizer in had):
            return grad.by
    return None


def _move(facts: Facts, place: Span, step: Step) -> Fix | None:
    clearing, stepping = facts.statement_at(place), facts.statement_at(step.site.span)
    if not isinstance(clearing, ast.Expr) or not isinstance(stepping, ast.Expr):
        return None
    edits = move_behind(facts.parsed, clearing, stepping)
    return facts.fix(f"move `{facts.text(clearing)}` after `{facts.text(stepping)}`", "unsafe", edits)
