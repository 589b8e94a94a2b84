"""`data-mutation`: what backward needs is changed where autograd does not look, and the gradient is silently wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import ALWAYS, Version
from ..autograd.outcome import Raise
from ..describe import operation_name
from ..events import Sink
from ..facts import Facts
from ..report import Confidence, Finding, Fix, Span
from ..source.edits import move_behind, without_data
from .base import Rule
from .claims import Law
from .inplace_on_saved import leaves_below

RULE = Rule(
    name="data-mutation",
    summary="a tensor saved for backward is changed through `.data` or an array: no error, and a wrong gradient",
    family="in place",
    severity="error",
    fix="compute out of place, or change it after `backward()`",
    claim=Law("wrong", passes=3),
    what="""\
Finds a change that autograd cannot see (through `.data`, through a numpy array that shares memory, `t.data = v`, or by
the step of an optimizer made with `fused=True`) of a tensor that an operation has saved, when a `backward()` that is
still to come computes with it. The finding sits on the change.

A change between steps is not reported: clipping weights after `step()`, averages of weights, updates by hand after
`backward()`, initialisation. No operation that is still to be differentiated has saved what it changes.""",
    why="""\
Backward formulas use values of the forward pass. Every in-place operation raises the version of a tensor, so that
`backward()` notices when such a value was changed, and raises. `.data` shares the memory but has a version of its own,
and numpy knows nothing of versions: backward computes with the changed numbers, raises nothing, and gives the gradient
of some other function.

`.detach()` shares memory *and* version, and a write under `torch.no_grad()` raises the version too. With either of them
PyTorch raises where `.data` is silent.""",
    example="""\
import torch

x = torch.tensor([0.5, 1.0], requires_grad=True)
y = x.exp()
y.data.mul_(3)
loss = y.sum()
loss.backward()
print(x.grad)  # 3 * exp(x): not the gradient of anything that was computed
""",
    instead="""\
import torch

x = torch.tensor([0.5, 1.0], requires_grad=True)
y = x.exp()
y = y.mul(3)
loss = y.sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
Writing the change out of place (`y = y.mul(3)`) is *unsafe*: autograd then sees it, so the gradient becomes that of the
changed value, and other names of the memory do not see it any more. Where a parameter is updated before a `backward()`
that still needs it, moving the update, or the loop of updates, behind that `backward()` is a *suggestion*. For changes
through arrays there is no automatic fix.""",
    blind_spots="""\
- Whether a write really changes numbers is not known for `clamp_`, `masked_fill_` and their like, nor whether the
  formula minds (`relu` asks only for the sign of its result): such findings are *likely*.
- A parameter that every forward sets anew at one place (`weight.data = quantize(org)`) is taken to be given the same
  values each time.
- `t.data = v` puts other memory under `t`. Operations that saved a view of `t` (`linear`) do not see that; it is
  reported for those that are known to save `t` itself.
- Arrays that code out of sight writes to (an environment that reuses its buffers) are not followed.
- The check runs the program twice with the same seeds, once keeping what forward saved; a program whose loss differs
  between the two runs comes to no verdict.""",
)

_MAY_KEEP = frozenset(
    "clamp clamp_min clamp_max clip relu abs round floor ceil trunc sign masked_fill nan_to_num renorm".split()
)
_ONLY_COMPARE = frozenset(
    "relu leaky_relu relu6 prelu hardtanh abs clamp clamp_min clamp_max threshold rpow max min amax amin"
    " maximum minimum smooth_l1_loss huber_loss l1_loss".split()
)
"""Operations whose formula asks of what they saved for a sign or for which is larger, and for nothing else."""


def check(facts: Facts) -> Iterator[Finding]:
    """Backwards that compute with a saved tensor whose contents have changed unseen; one finding per change."""
    told: set[Span] = set()
    for sink in facts.events.sinks:
        if sink.after_error or sink.outcome.raises is not None:
            continue
        for change in sorted(sink.outcome.silent, key=lambda c: not c.certain):
            for finding in _finding(facts, sink, change):
                if finding.span not in told:
                    told.add(finding.span)
                    yield finding


def _finding(facts: Facts, sink: Sink, change: Raise) -> Iterator[Finding]:
    node, saved, culprit = change.node, change.saved, change.culprit
    if node is None or saved is None or culprit is None or _set_anew(change) or not _believable(change, sink):
        return
    span = facts.innermost_here(culprit)
    if span is None:
        return
    subject = f"`{facts.name_of(saved.tensor)}`" if facts.name_of(saved.tensor) else "a tensor"
    operation = operation_name(node)
    how = _how(facts, culprit, span)
    message = f"{subject} is changed {how} after `{operation}` saved it for backward: the gradient is silently wrong"
    trace = [
        *facts.source_steps(leaves_below(facts, node), 1),
        facts.step(facts.innermost_here(node), "saved", f"`{operation}` saves {subject} for backward"),
        facts.step(span, "mutation", "changed here, and no version counter sees it"),
        facts.sink_step(sink, "raises nothing, and computes with the changed values"),
    ]
    confidence, fixes = _confidence(facts, sink, change), _fixes(facts, sink, change, span)
    yield facts.finding(RULE.name, confidence, message, facts.marked(span), trace, fixes)


def _beside(facts: Facts, statement: ast.stmt | None, backward: ast.stmt | None) -> ast.stmt | None:
    """The statement, or the loop or `with` of nothing but writes around it, in the same block as the backward."""
    while statement is not None and backward is not None:
        around = facts.parsed.parents.get(statement)
        if around is facts.parsed.parents.get(backward) or not isinstance(around, (ast.For, ast.With)):
            return statement
        if not all(isinstance(each, (ast.Expr, ast.AugAssign, ast.For, ast.With)) for each in around.body):
            return None
        statement = around
    return None


def _how(facts: Facts, culprit: Version, span: Span) -> str:
    if culprit.what.startswith("numpy "):
        return "through an array that shares its memory"
    if culprit.what == "optimizer.step":
        node = facts.node_at(span)
        text = facts.text(node, 30) if isinstance(node, ast.Call) else "an optimizer's step"
        return f"by `{text}` (fused: no version is raised)"
    return "through `.data`"


def _set_anew(change: Raise) -> bool:
    """A parameter that one place sets before each use: most likely to the same values."""
    saved, culprit = change.saved, change.culprit
    assert saved is not None and culprit is not None
    base = saved.tensor.base
    if not (base.is_parameter or base.requires_grad.possible or culprit.what == "data"):
        return False
    before = culprit.previous if culprit.what == "data" else saved.contents
    return before is not None and before.span is not None and before.span == culprit.span


def _believable(change: Raise, sink: Sink) -> bool:
    """Certain, or open only for a branch: not for unknown code or what an operation may have saved."""
    if change.certain:
        return True
    if change.saved is None or not change.saved.sure or change.node is None or not change.node.tracked.yes:
        return False
    return not any(node.opaque for node in sink.outcome.reach.nodes) and sink.outcome.roots[0].requires_grad.yes


def _confidence(facts: Facts, sink: Sink, change: Raise) -> Confidence:
    assert change.node is not None and change.culprit is not None
    minds = change.node.name.strip("_") not in _ONLY_COMPARE
    changes = change.culprit.what.removeprefix("numpy ").strip("_") not in _MAY_KEEP
    sure = change.certain and minds and changes and change.culprit.path == ALWAYS
    return facts.confidence_on(sink.path, sure)


def _fixes(facts: Facts, sink: Sink, change: Raise, span: Span) -> list[Fix | None]:
    assert change.saved is not None
    statement, backward = facts.statement_at(span), facts.statement_at(sink.site.span)
    if change.saved.tensor.is_leaf.yes:
        update = _beside(facts, statement, backward)
        if not isinstance(update, (ast.Expr, ast.AugAssign, ast.For, ast.With)) or not isinstance(backward, ast.Expr):
            return []
        edits = move_behind(facts.parsed, update, backward)
        title = f"move `{facts.source.segment(update).splitlines()[0]}` after `{facts.text(backward)}`"
        return [facts.fix(title, "suggestion", edits)]
    return [facts.fix("write it out of place", "unsafe", without_data(facts.parsed, statement))]
