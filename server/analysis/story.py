"""The story of a cut, as a trace: the leaf, what becomes of it, the cut, how it goes on without gradient, the loss.

Statements in between are told where they help: at most four, nearest to the cut, never the one that makes the loss. A
cut in another file is shown there, after the call that leads to it.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence

from .autograd.graph import Node
from .events import Sink
from .facts import Cause, Facts
from .late import flags_between
from .report import Span, TraceStep

_BETWEEN = 4


def cut_story(
    facts: Facts, cause: Cause, message: str, *, place: Span | None = None, lead: Sequence[TraceStep | None] = ()
) -> list[TraceStep | None]:
    """The trace of a cause. `message` tells the cut; `place` is where it is seen, if not at the operation itself;
    `lead` are steps right before it."""
    before, after = _between(facts, cause, place)
    seen = place or facts.innermost_here(cause.cut)
    cut: list[TraceStep | None] = [facts.step(seen, "cut", message)]
    if cause.cut.span is not None and not facts.here(cause.cut.span):
        cut = [facts.step(seen, "note", "this call leads to the cut"), facts.step(cause.cut.span, "cut", message)]
    end = facts.sink_step(cause.sink, facts.end_of(cause))
    flags = [
        facts.step(facts.marked(each.site.span), "note", "a new leaf: the gradient ends here")
        for each in flags_between(facts, cause)
    ]
    return [*facts.source_steps(cause.leaves), *before, *lead, *cut, *after, *flags, end]


def lost_value(facts: Facts, span: Span, sink: Sink, part: int | None = None) -> str:
    """What loses its gradient: the name it is assigned to, or the expression where that name is the loss itself.

    `part` is which of several results it is.
    """
    name = facts.value_name(span, part=part)
    node = facts.node_at(span)
    return f"`{facts.brief(node)}`" if name == facts.sink_name(sink) and node is not None else name


def elsewhere(facts: Facts, span: Span | None) -> str:
    """ " in nets.py" for a place in another file, "" for one in this file."""
    return "" if span is None or facts.here(span) else f" in {os.path.basename(span.path)}"


def _between(facts: Facts, cause: Cause, place: Span | None) -> tuple[list[TraceStep], list[TraceStep]]:
    """The steps from the leaf to the cut, and from the cut to the loss."""
    path = cause.leaves[0].path
    if cause.cut not in path:
        return [], []
    cut = path.index(cause.cut)
    told = {_place(facts, cause.cut), _place(facts, path[0]), cause.sink.site.span, place}
    told |= {facts.marked(leaf.leaf.origin) for leaf in cause.leaves if leaf.leaf.origin is not None}
    # A statement whose call leads to the cut is no step before or after it.
    told |= {facts.marked(site.span) for site in cause.cut.stack if facts.here(site.span)}
    skip = facts.sink_name(cause.sink)
    before = _steps(facts, path[:cut:-1], told, skip, "`{}` still has a gradient", "`{}` still has a gradient")
    after = _steps(
        facts,
        path[:cut][::-1],
        told,
        skip,
        "`{}` is made of it: no gradient",
        "`{}` has a gradient, but none from here",
    )
    room_after = max(_BETWEEN // 2, _BETWEEN - len(before))
    after = after[:room_after]
    return before[max(0, len(before) - (_BETWEEN - len(after))) :], after


def _place(facts: Facts, node: Node) -> Span | None:
    span = facts.innermost_here(node)
    return facts.marked(span) if span is not None else None


def _steps(
    facts: Facts, nodes: Sequence[Node], told: set[Span | None], skip: str, untracked: str, tracked: str
) -> list[TraceStep]:
    """A step for each assignment that made one of the nodes, but not for the loss (`skip`) or what was `told`."""
    steps: list[TraceStep] = []
    for node in nodes:
        span = _place(facts, node)
        statement = facts.statement_at(facts.innermost_here(node))
        if span in told or span is None:
            continue
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target: ast.expr = statement.targets[0]
        elif isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
            target = statement.target
        else:
            continue
        told.add(span)
        while isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Constant):
            target = target.value  # `out[i]` is told as `out`; `losses["mse"]` has that name.
        message = (tracked if node.tracked.yes else untracked).format(facts.text(target, 30))
        if isinstance(target, ast.Tuple):
            message = (
                message.replace(" is made ", " are made ")
                .replace(" has a ", " have a ")
                .replace(" still has ", " still have ")
            )
        if f"`{facts.text(target, 30)}`" != skip:
            steps.append(TraceStep(span, "note", message))
    return steps
