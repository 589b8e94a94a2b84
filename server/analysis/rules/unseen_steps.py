"""Steps of an optimizer of which nobody knows what it holds: when it clears and when it steps is plain all the same.

`optimizer.zero_grad()` and then `optimizer.step()`, without a backward between the two, finds no gradient whatever the
optimizer holds. Looked for where clearing, backward and step are statements of one block: what runs between two of
them is then in sight, and a call that may start a backward of its own keeps the rules silent.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..events import Order, Sink
from ..facts import Facts
from ..source.edit_base import body_of

_BESIDE = ("clip_grad", "unscale_", "print", "set_description", "add_scalar", "append", "update")


@dataclass(frozen=True, slots=True)
class Idle:
    """A step that finds nothing: where its optimizer cleared, the step, and the backward before or behind it."""

    clearing: ast.Expr
    step: ast.Expr
    sink: Sink
    cleared: Order
    stepped: Order


def cleared_before_step(facts: Facts) -> Iterator[Idle]:
    """`loss.backward()`, `optimizer.zero_grad()`, `optimizer.step()`: the gradients are gone when the step looks."""
    for cleared, stepped, clearing, step, block in _pairs(facts):
        between = block[block.index(clearing) + 1 : block.index(step)]
        if not all(isinstance(each, ast.Expr) and _is_beside(each) for each in between):
            continue
        sinks = [s for s in facts.events.sinks[: cleared.sinks_before] if s.entry == cleared.entry]
        earlier = block[: block.index(clearing)]
        sink = sinks[-1] if sinks else None
        if sink is None or sink.kind != "backward" or not _stands_in(facts, sink, earlier):
            continue
        # A step of the same optimizer behind that backward has used what is cleared.
        used = (o for o in facts.events.orders if o.owner == stepped.owner and o.name == "step" and o is not stepped)
        if not any(o.sinks_before == stepped.sinks_before and o.entry == stepped.entry for o in _before(used, cleared)):
            yield Idle(clearing, step, sink, cleared, stepped)


def step_before_backward(facts: Facts) -> Iterator[Idle]:
    """`optimizer.zero_grad()`, the forward, `optimizer.step()`, `loss.backward()`: the step is too early."""
    for cleared, stepped, clearing, step, block in _pairs(facts):
        first, last = block.index(clearing), block.index(step)
        between, behind = block[first + 1 : last], block[last + 1 : last + 2]
        made = {each.id for one in between for each in ast.walk(one) if isinstance(each, ast.Name) and _stored(each)}
        if not all(_is_plain(each) for each in between) or len(facts.events.sinks) <= stepped.sinks_before:
            continue
        sink = facts.events.sinks[stepped.sinks_before]
        calls = [each.value for each in behind if isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)]
        root = calls[0].func.value if calls and isinstance(calls[0].func, ast.Attribute) else None
        follows = sink.kind == "backward" and sink.entry == stepped.entry and _stands_in(facts, sink, behind)
        if follows and isinstance(root, ast.Name) and root.id in made:
            yield Idle(clearing, step, sink, cleared, stepped)


def _pairs(facts: Facts) -> Iterator[tuple[Order, Order, ast.Expr, ast.Expr, list[ast.stmt]]]:
    """A clearing and the next step of one optimizer, no backward between them, both statements of one block."""
    latest: dict[int, Order] = {}
    for order in facts.events.orders:
        if order.name != "step":
            latest[order.owner] = order
            continue
        cleared = latest.pop(order.owner, None)
        if cleared is None or cleared.entry != order.entry or cleared.sinks_before != order.sinks_before:
            continue
        if not (facts.here(cleared.site.span) and facts.here(order.site.span) and cleared.path <= order.path):
            continue
        clearing, step = facts.statement_at(cleared.site.span), facts.statement_at(order.site.span)
        if isinstance(clearing, ast.Expr) and isinstance(step, ast.Expr):
            block = body_of(facts.parsed, clearing)
            if step in block and block.index(clearing) < block.index(step) and _without_closure(step):
                yield cleared, order, clearing, step, block


def _before(orders: Iterator[Order], cleared: Order) -> Iterator[Order]:
    """The orders given before a clearing."""
    for order in orders:
        if (order.site.span.start.line, order.site.span.start.column) < (
            cleared.site.span.start.line,
            cleared.site.span.start.column,
        ):
            yield order


def _without_closure(step: ast.Expr) -> bool:
    """Whether a step is not handed code that runs a backward for it."""
    call = step.value
    if not isinstance(call, ast.Call) or len(call.args) + len(call.keywords) > 1:
        return False
    names = [each.id for each in ast.walk(call) if isinstance(each, ast.Name)]
    return not any("closure" in name for name in names) and not any(isinstance(a, ast.Lambda) for a in call.args)


def _is_beside(statement: ast.Expr) -> bool:
    """Whether a call between clearing and step is one of those that only look."""
    call = statement.value
    if not isinstance(call, ast.Call):
        return isinstance(call, ast.Constant)
    return any(word in ast.unparse(call.func) for word in _BESIDE)


def _is_plain(statement: ast.stmt) -> bool:
    """Whether a statement computes something, without any mention of a backward, of gradients or of a step."""
    if isinstance(statement, (ast.If, ast.With)):
        inner = [*statement.body, *(statement.orelse if isinstance(statement, ast.If) else [])]
        return all(map(_is_plain, inner))
    if isinstance(statement, ast.Expr):
        return _is_beside(statement)
    if not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Raise, ast.Continue, ast.Pass)):
        return False
    words = [each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in ast.walk(statement)]
    return not any(part in word for word in words for part in ("backward", "grad", "step", "optim", "closure"))


def _stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _stands_in(facts: Facts, sink: Sink, statements: Sequence[ast.stmt]) -> bool:
    if not facts.here(sink.site.span):
        return False
    line = sink.site.span.start.line
    return any(each.lineno <= line <= (each.end_lineno or each.lineno) for each in statements)
