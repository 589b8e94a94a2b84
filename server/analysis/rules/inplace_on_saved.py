"""`inplace-on-saved`: a tensor that backward needs is changed in place before backward runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import ALWAYS, Node
from ..autograd.outcome import Raise
from ..autograd.tensor import Tensor
from ..describe import operation_name
from ..events import Sink
from ..facts import Facts
from ..report import Confidence, Finding, Fix, Span
from ..source.edits import (
    assign_detached,
    clone_before,
    clone_reads,
    drop_inplace_argument,
    inplace_to_outofplace,
    without_data,
)
from .base import Rule
from .claims import CHANGED, Law

RULE = Rule(
    name="inplace-on-saved",
    summary="a tensor saved for the backward pass is changed in place before `backward()` needs it",
    family="in place",
    severity="error",
    fix="compute out of place, `clone()` before the change, or `inplace=False`",
    claim=Law("raises", CHANGED, passes=3),
    what="""\
Finds an in-place change (`y.add_(1)`, `y += 1`, `y[i] = v`, `nn.ReLU(inplace=True)`, a write through a view or through
`.detach()`, which shares memory) of a tensor that an earlier operation saved for its backward formula, when a later
`backward()` passes through that operation. The finding sits on the change; the trace shows which operation saved the
tensor and which `backward()` needs it. `detach_()` of a saved tensor is a change too: the history that backward would
look up is gone.

In a file that only defines a module, or only tries it out, what `forward` returns stands for the loss: a change that
spoils a backward through the module's own parameters is reported as *likely*.

In-place changes of tensors that nothing saved are legal and correct, and are not reported here.""",
    why="""\
Backward formulas need values from the forward pass. The derivative of `y = exp(x)` is `y` itself, so `exp` keeps its
result; `a * b` keeps `a` for the gradient of `b` and `b` for the gradient of `a` (each only if the other one requires
grad); `x * 2` and `x + y` keep nothing.

Every storage has a version counter that each in-place operation increases, also under `no_grad`. An operation notes
the version of what it saves, and `backward()` compares. If they differ, the saved number is no longer the one the
formula needs, and PyTorch raises *one of the variables needed for gradient computation has been modified by an inplace
operation*. The message names the operation that saved the tensor and a shape, not the line that changed it: this is
what the rule adds.

Which operation saves what decides everything: `relu_` after `sigmoid` raises (sigmoid saves its result), `relu_` after
a linear layer does not (it saves its input and weight). So "avoid in-place operations" is too broad, and "it worked
with the other activation" is no accident.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x.exp()
y.add_(1)
loss = y.sum()
loss.backward()  # RuntimeError: modified by an inplace operation
print(x.grad)
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x.exp()
y = y + 1
loss = y.sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
Rewriting the statement out of place (`y = y + 1`) is *safe* when `y` is the only name of the tensor: the same numbers,
in new memory. It is *unsafe* when another name, a container or a view shares the memory and relies on seeing the
change. For modules, `inplace=False` is *safe*. For `y[i] = v` in a loop the rewrite is a *suggestion*
(collect in a list, then `torch.stack`).""",
    blind_spots="""\
- For some operations what is saved depends on values, shapes or the backend (`matmul`, `einsum`, attention kernels,
  cuDNN); where it is not certain that the changed tensor was saved, the rule stays silent or says *likely*.
- Changes through `.data` or a numpy array do not increase the version counter. PyTorch does not notice and the gradient
  is silently wrong: `data-mutation`. Updates of parameters between a forward and its backward: `step-before-backward`.
- Code that the analysis cannot read may save or change tensors.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Backwards that meet a saved tensor at another version than it was saved at, unless an update step changed it."""
    for sink, raised, confidence in changes(facts):
        if not is_update(facts, sink, raised):
            yield from _finding(facts, sink, raised, confidence)
    for sink in facts.events.sinks:
        if sink.outcome.raises is not None and sink.outcome.raises.kind == "saved-detached" and not sink.after_error:
            yield from _finding(facts, sink, sink.outcome.raises, facts.confidence(sink))
    told: set[Span] = set()
    for sink in facts.events.weak:
        # A module that cannot be trained: of a file that only defines it, or calls it and has no backward.
        spoilt = sink.outcome.raises
        span = spoilt.culprit.span if spoilt is not None and spoilt.culprit is not None else None
        if spoilt is not None and span is not None and span not in told and not sink.after_error and facts.here(span):
            told.add(span)
            yield from _finding(facts, sink, spoilt, "likely")


def changes(facts: Facts) -> Iterator[tuple[Sink, Raise, Confidence]]:
    """(sink, what raises, confidence) of every backward that meets a saved tensor at another version."""
    for sink in facts.events.sinks:
        if sink.after_error:
            continue
        raised = sink.outcome.raises
        if raised is not None:
            if raised.kind == "saved-modified":
                yield sink, raised, facts.confidence(sink)
            continue
        doubts = [each for each in sink.outcome.doubts if each.kind == "saved-modified" and _believable(each)]
        # A doubt may only be about which branch ran, not about unknown code or tensors of unknown kind.
        if not doubts or any(node.opaque for node in sink.outcome.reach.nodes):
            continue
        if sink.outcome.roots[0].requires_grad.yes:
            for doubt in doubts:
                yield sink, doubt, "likely"


def is_update(facts: Facts, sink: Sink, raised: Raise) -> bool:
    """Whether the change is an update of a parameter: an optimizer's step, or a write by hand after a gradient came.

    `step-before-backward` speaks of those.
    """
    if raised.culprit is None or raised.saved is None:
        return False
    if raised.culprit.what == "optimizer.step":
        return True
    leaf = raised.saved.tensor.base
    if not (leaf.is_leaf.yes and leaf.requires_grad.yes):
        return False
    earlier = facts.events.sinks[: facts.events.sinks.index(sink)]
    return any(leaf in before.outcome.reach.leaves for before in earlier)


def _believable(doubt: Raise) -> bool:
    """A doubt about a tensor that was saved for certain, and changed at a known place."""
    if doubt.saved is None or not doubt.saved.sure:
        return False
    return doubt.node is not None and doubt.culprit is not None and doubt.node.tracked.yes


def _finding(facts: Facts, sink: Sink, raised: Raise, confidence: Confidence) -> Iterator[Finding]:
    node, saved, culprit = raised.node, raised.saved, raised.culprit
    if node is None or saved is None or culprit is None or culprit.span is None:
        return
    if culprit.path != ALWAYS and confidence == "certain":
        confidence = "likely"
    span = facts.innermost_here(culprit)
    if span is None and facts.here(sink.site.span):
        span = sink.site.span
    if span is None:
        return
    # The tensor may have other names where it was saved; the one on the line is what its reader sees.
    name = _written(facts, span, saved.tensor) or facts.name_of(saved.tensor)
    subject = f"`{name}`" if name else "a tensor"
    operation, ends = operation_name(node), f"{facts.backward_name(sink)} raises"
    if sink.kind in ("forward", "call"):
        ends = "a backward from what `forward` returns raises"
    what = "its result" if saved.operand.startswith("result") else f"its operand {subject}" if name else "an operand"
    message = f"{subject} is changed in place after `{operation}` saved it for backward: {ends}"
    if not name and saved.operand.startswith("result"):
        message = f"the result of `{operation}`, saved for backward, is changed in place: {ends}"
    error = "one of the variables needed for gradient computation has been modified by an inplace operation"
    if raised.kind == "saved-detached":
        message = f"{subject} is detached in place after `{operation}` saved it for backward: {ends}"
        error = "trying to use a saved tensor that has been detached in-place"
    trace = [
        *facts.source_steps(leaves_below(facts, node), 1),
        facts.step(facts.innermost_here(node), "saved", f"`{operation}` saves {what} for backward"),
        facts.step(culprit.span, "mutation", "changed here, before backward has used it"),
        facts.sink_step(sink, f"raises: {error}"),
    ]
    yield facts.finding(RULE.name, confidence, message, facts.marked(span), trace, _fixes(facts, sink, span, node))


def _writes_items(node: ast.Assign | ast.AugAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(each, ast.Subscript) for each in targets)


def _written(facts: Facts, span: Span, saved: Tensor) -> str:
    """The name that the statement of a write writes to: `states` of `states[t] = h`, `out` of `self.act(out)`."""
    statement, node = facts.statement_at(span), facts.node_at(span)
    target: ast.AST | None = None
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
        target = statement.targets[0].value
    elif isinstance(statement, ast.AugAssign):
        target = statement.target.value if isinstance(statement.target, ast.Subscript) else statement.target
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
        target = node.func.value
    elif isinstance(node, ast.Call) and node.args:
        # What a `Sequential` is called with is not what its third module changes.
        seen = facts.machine.recorded.get(node.args[0], ())
        if not seen or any(each[0].memory is saved.memory for each in seen):
            target = node.args[0]
    while isinstance(target, ast.Subscript):
        target = target.value
    return facts.text(target, 30) if isinstance(target, (ast.Name, ast.Attribute)) else ""


def leaves_below(facts: Facts, node: Node) -> list[Tensor]:
    """The trainable leaves that the gradient of an operation goes to, those of this file."""
    found: dict[Tensor, None] = {}
    todo, seen = [node], {node}
    while todo:
        for edge in todo.pop(0).edges:
            if edge.node is not None and edge.node.tracked.possible:
                if edge.node not in seen:
                    seen.add(edge.node)
                    todo.append(edge.node)
            elif edge.tensor is not None and edge.tensor.requires_grad.yes and facts.here(edge.tensor.origin):
                found[edge.tensor] = None
    return list(found)


def _savers(sink: Sink, saver: Node) -> list[Node]:
    """All operations on the way to a loss that keep something of the memory that one of them keeps."""
    kept = {id(saved.memory) for saved in saver.saved if saved.memory is not None}
    todo = [root.node for root in sink.outcome.roots if root.node is not None]
    seen = set(todo)
    for node in todo:
        for edge in node.edges:
            if edge.node is not None and edge.node not in seen:
                seen.add(edge.node)
                todo.append(edge.node)
    return [node for node in todo if any(id(saved.memory) in kept for saved in node.saved)]


def _fixes(facts: Facts, sink: Sink, span: Span, saver: Node) -> list[Fix | None]:
    node = facts.node_at(span)
    statement = facts.statement_at(span)
    into = statement if isinstance(statement, ast.Assign) else node
    if isinstance(into, (ast.Assign, ast.AugAssign)) and _writes_items(into):
        # What the statement itself reads was saved in it: a copy of the whole tensor in front would not help.
        own = all(
            any(facts.statement_at(each) is into for each in (node.span, *(site.span for site in node.stack)))
            for node in _savers(sink, saver)
        )
        edits = clone_reads(facts.parsed, into, before=not own)
        if edits is not None:
            return [facts.fix("read from a clone" if own else "write into a clone", "unsafe", edits)]
    detached = assign_detached(facts.parsed, statement)
    if detached is not None:
        return [facts.fix("write it out of place", "safe", detached)]
    if isinstance(statement, ast.Assign) and any(isinstance(t, ast.Subscript) for t in statement.targets):
        return [facts.fix("write into a clone", "unsafe", clone_before(facts.parsed, statement))]
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
        return [facts.fix("write into a clone", "unsafe", clone_before(facts.parsed, node))]
    if isinstance(node, ast.Call) and any(k.arg == "inplace" for k in node.keywords):
        return [facts.fix("drop `inplace=True`", "safe", drop_inplace_argument(facts.parsed, node))]
    hidden = without_data(facts.parsed, statement) if isinstance(statement, ast.Expr) else None
    if hidden is not None:  # `y.detach().mul_(m)`: out of place it would cut the gradient.
        return [facts.fix("write it out of place", "unsafe", hidden)]
    target = statement if isinstance(statement, (ast.AugAssign, ast.Expr)) else node
    if target is None:
        return []
    return [facts.fix("write it out of place", "safe", inplace_to_outofplace(facts.parsed, target))]
