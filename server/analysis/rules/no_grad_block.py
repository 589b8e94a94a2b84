"""`no-grad-block`: a value computed while tracking was off feeds a loss."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import ALWAYS, Node
from ..describe import mode_words
from ..facts import Cause, Facts
from ..late import flags_between, without_flags
from ..report import Finding, Fix, Span
from ..source.edits import drop_with, move_out_of_with, replace_expr, set_keyword
from ..story import cut_story, elsewhere, lost_value
from .base import Rule
from .claims import CUT
from .wrapping import wrapped

RULE = Rule(
    name="no-grad-block",
    summary="a value computed under `torch.no_grad()` and its kin is all that links a trainable tensor to a loss",
    family="the path is cut",
    severity="error",
    fix="move the statement out of the block, or drop the block",
    claim=CUT,
    what="""\
Finds a value that is computed inside `with torch.no_grad():`, `with torch.inference_mode():` or under
`set_grad_enabled(False)` and later feeds a loss, when a tensor that should learn reaches that loss through this value
only. Should learn means: it requires grad and its `.grad` is read, an optimizer holds it, or it is the only trainable
tensor there is.

The finding sits on the statement inside the block, not on `backward()`: `backward()` is where PyTorch notices, the
statement is where the link was lost.

A block whose values never reach a loss (validation, weight initialisation, a target network, a running average) is
what `no_grad` is for, and is not reported. Nor is a value that has a second, tracked way to the loss.""",
    why="""\
Autograd records while the forward pass runs. Each operation on a tensor that requires grad leaves a node behind
(`grad_fn`), and `backward()` walks these nodes from the loss to the leaves. Under `no_grad` no node is recorded: the
result is an ordinary tensor of numbers with `requires_grad=False`, whatever it was computed from. Nothing done with it
later can bring the link back.

If no other operand of the loss is tracked, `backward()` raises *element 0 of tensors does not require grad and does
not have a grad_fn*. If another one is, there is no error at all: the loss goes down a little, thanks to the parameters
behind the tracked operand, and those behind the block never move.

`loss.requires_grad_()` makes the error go away without bringing the gradient back: it turns the loss into a new leaf
that has no history.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=True)
with torch.no_grad():
    y = x * 2
loss = y.sum()
loss.backward()  # RuntimeError: element 0 of tensors does not require grad
print(x.grad)
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
loss = y.sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
Moving the statement out of the block is *safe* when it is the block's last statement or nothing after it in the block
depends on its place: it computes the same numbers, and now leaves a node behind. Where the whole block has to go, the
rewrite is *unsafe*: the other statements in it are tracked from then on as well, which costs memory and may meet
operations that autograd refuses (an update in place of a leaf, for one).""",
    blind_spots="""\
- A grad mode chosen at run time (`with torch.set_grad_enabled(train):` where `train` is not known) may be on or off;
  the rule stays silent.
- A block that is entered in a library the analysis cannot read is not seen.
- Whether the cut was meant is judged by what reaches the loss. A frozen part whose parameters the optimizer holds
  nevertheless is reported, although the author may not mind; a part that the optimizer does not hold is not reported,
  although the author may have forgotten to hand it over.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Cuts made by a grad-mode block or call (decorated functions have their own rule)."""
    told: set[Span] = set()
    for cause in facts.causes:
        cut = cause.why
        if cut.kind != "grad-mode" or cut.function is not None or wrapped(facts, cause) is not None:
            continue
        if cause.raises and _trains_elsewhere(facts, cause):
            continue
        block = facts.node_at(cut.span)
        with_node = with_of(facts, block)
        span = place_in(facts, cause.cut, with_node)
        if span is None:
            continue
        marked = facts.marked(span)
        sink = facts.sink_name(cause.sink)
        if with_node is None and facts.here(cut.span) and isinstance(facts.statement_at(cut.span), ast.Expr):
            # `torch.set_grad_enabled(False)`: the call itself does the damage, to all that follows.
            marked = facts.marked(cut.span) if not cut.detail.startswith("checkpoint") else marked
        lost, place = lost_value(facts, span, cause.sink), elsewhere(facts, cause.cut.span)
        message = f"{lost} carries no gradient to {sink}: computed under {mode_words(cut.detail)}{place}"
        lead = [facts.step(cut.span, "note", "tracking is off from here")]
        recomputed = cut.detail.startswith("checkpoint")
        if recomputed:
            message = f"{lost} carries no gradient to {sink}: no input of this reentrant checkpoint requires grad"
            lead = [facts.step(cut.span, "note", "`use_reentrant=True` computes without tracking")]
        if isinstance(block, (ast.FunctionDef, ast.AsyncFunctionDef)) and facts.here(cause.sink.site.span):
            # Tracking is off in all that evaluates, and rightly: what asks for a gradient there is what cannot work.
            marked = facts.marked(cause.sink.site.span)
            if marked in told:
                continue
            told.add(marked)
            part = f"`{cut.detail}`" if cut.detail.endswith(".apply") else cut.detail
            message = f"{sink} has no graph here: `{block.name}` runs with tracking off, as part of {part}"
        line = f"cut: {lost} has no grad_fn" if not place else "cut: the result has no grad_fn"
        trace = cut_story(facts, cause, line, place=facts.marked(span), lead=lead)
        flags = flags_between(facts, cause)
        alone = with_node is None or not _goes_on(facts, cause, with_node, span)
        found = block_fixes(facts, with_node, span, cut.detail, alone)
        if recomputed:
            found = [_not_reentrant(facts, cut.span)]
        fixes = [without_flags(facts, fix, flags) for fix in found]
        yield facts.finding(RULE.name, cause.confidence, message, marked, trace, fixes)


def _trains_elsewhere(facts: Facts, cause: Cause) -> bool:
    """Whether the same backward goes through when it is met with tracking on, and here runs under conditions only that
    nobody knows: a method that trains and evaluates, with a switch for it (`if not self.in_train: return`)."""
    sink = cause.sink
    return sink.path != ALWAYS and any(
        each.site.span == sink.site.span and each.outcome.raises is None and not each.after_error
        for each in facts.events.sinks
    )


def _not_reentrant(facts: Facts, span: Span | None) -> Fix | None:
    """The form of checkpointing that PyTorch recommends: its graph does not hang on the inputs."""
    call = facts.node_at(span)
    if not isinstance(call, ast.Call):
        return None
    flag = next((each.value for each in call.keywords if each.arg == "use_reentrant"), None)
    edits = replace_expr(facts.parsed, flag, "False") if flag is not None else None
    edits = edits or set_keyword(facts.parsed, call, "use_reentrant", "False")
    return facts.fix("set `use_reentrant=False`", "unsafe", edits)


def with_of(facts: Facts, manager: ast.AST | None) -> ast.With | ast.AsyncWith | None:
    """The `with` that a context manager's expression stands in."""
    item = facts.parsed.parents.get(manager) if manager is not None else None
    owner = facts.parsed.parents.get(item) if isinstance(item, ast.withitem) else None
    return owner if isinstance(owner, (ast.With, ast.AsyncWith)) else None


def place_in(facts: Facts, node: Node, with_node: ast.With | ast.AsyncWith | None) -> Span | None:
    """The statement of the block whose value loses its link, also when the operation runs in a called function."""
    spans = [s.span for s in node.stack] + ([node.span] if node.span else [])
    if with_node is not None and with_node.body:
        first, last = with_node.body[0].lineno, with_node.end_lineno or with_node.body[-1].lineno
        for span in spans:
            if facts.here(span) and first <= span.start.line <= last and facts.node_at(span) is not None:
                return span
    return facts.innermost_here(node)


def _goes_on(facts: Facts, cause: Cause, with_node: ast.With | ast.AsyncWith, span: Span) -> bool:
    """Whether another statement of the block computes on with the value: out of the block it has to come as well."""
    path = cause.leaves[0].path
    mine = facts.statement_at(span)
    first, last = with_node.body[0].lineno, with_node.end_lineno or with_node.body[-1].lineno
    for node in path[: path.index(cause.cut)] if cause.cut in path else ():
        for place in (node.span, *(site.span for site in node.stack)):
            if place is not None and facts.here(place) and first <= place.start.line <= last:
                statement = facts.statement_at(place)
                if statement is not None and statement is not mine:
                    return True
    return False


def block_fixes(
    facts: Facts, with_node: ast.With | ast.AsyncWith | None, span: Span, text: str, alone: bool = True
) -> list[Fix | None]:
    """Moving the statement at a span out of a `with`, if that is enough (`alone`), and dropping the `with`."""
    if with_node is None:
        return []
    statement = facts.statement_at(span)
    while statement is not None and statement not in with_node.body:
        parent = facts.parsed.parents.get(statement)
        while parent is not None and not isinstance(parent, ast.stmt):
            parent = facts.parsed.parents.get(parent)
        statement = parent
    if statement is None:
        return []
    simple = not hasattr(statement, "body")
    written = facts.text(statement, 50) if simple else facts.source.line_text(statement.lineno).strip()
    trust = "safe" if len(with_node.body) == 1 and simple else "unsafe"
    edits = move_out_of_with(facts.parsed, with_node, statement) if alone or len(with_node.body) == 1 else None
    moved = facts.fix(f"move `{written}` out of `{text}`", trust, edits)
    dropped = None
    if len(with_node.body) > 1:
        dropped = facts.fix(f"drop the `{text}` block", "unsafe", drop_with(facts.parsed, with_node))
    return [moved, dropped]
