"""`rewrapped-tensor`: a new tensor is built from the numbers of another one and takes its place in a loss."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..facts import Facts
from ..report import Finding, Span
from ..story import cut_story, elsewhere, lost_value
from .base import Rule
from .claims import CUT
from .fresh_leaf import fresh_leaves
from .poured import poured
from .remedies import is_list, without_cuts

RULE = Rule(
    name="rewrapped-tensor",
    summary="`torch.tensor(t)`, `nn.Parameter(t)` and their kin build a new leaf from the numbers of a tracked tensor",
    family="the path is cut",
    severity="error",
    fix="use the tensor itself, or `torch.stack` for a list of them",
    claim=CUT,
    what="""\
Finds calls that build a new tensor out of the numbers of an existing one: `torch.tensor(t)`, `torch.tensor([a, b])`,
`torch.as_tensor([a, b])`, `torch.Tensor([a, b])`, `t.new_tensor(u)`, `nn.Parameter(t)`, `Variable(t.data)`, with or
without `requires_grad=True`, and the statements that put such numbers into another leaf (`p.data = t`,
`p.data.copy_(t)`, `p.copy_(t)` under `no_grad`, `load_state_dict`), when the new tensor feeds a loss and the tensors
that should learn reach the loss only through it.

`torch.as_tensor(t)` and `torch.asarray(t)` of one single tensor give the tensor itself back and are not reported; nor
are tensors built from numbers that never were tracked (targets, returns, weights of classes), nor an `nn.Parameter`
that is created to be trained itself.""",
    why="""\
`torch.tensor(...)` copies data. The copy is a leaf: it starts a new graph and knows nothing of the old one. A list of
losses, `torch.tensor([loss_a, loss_b]).sum()`, looks like their sum and has the right value, but its graph ends at the
copy.

Without `requires_grad`, `backward()` raises *element 0 of tensors does not require grad and does not have a grad_fn*.
That message tempts people to add `requires_grad=True`, which is worse: now `backward()` succeeds, the gradient arrives
at the copy, and the parameters get none, without a word. PyTorch prints a warning about copy-construction
in some of these cases; it does not say that the gradient is gone.""",
    example="""\
import torch

weight = torch.randn(3, requires_grad=True)
losses = [(weight * scale).sum() for scale in (1.0, 2.0, 3.0)]
total = torch.tensor(losses, requires_grad=True).sum()
total.backward()  # no error: the gradient ends at the new tensor
print(weight.grad)  # None
""",
    instead="""\
import torch

weight = torch.randn(3, requires_grad=True)
losses = [(weight * scale).sum() for scale in (1.0, 2.0, 3.0)]
total = torch.stack(losses).sum()
total.backward()
print(weight.grad)
""",
    fix_safety="""\
Replacing `torch.tensor(t)` by `t`, and `torch.tensor([a, b])` by `torch.stack([a, b])`, is *safe* when the elements are
tensors of one shape, dtype and device, and no other dtype or device is asked for in the call. It is *unsafe* when the
list also holds plain numbers (they need wrapping) or when the tensors have one element but more than zero
dimensions (`stack` keeps the dimension, `tensor` drops it). A re-wrapped `nn.Parameter` is a *suggestion*: whether
the new leaf was meant to be trained is for a person to say.""",
    blind_spots="""\
- A list that is filled in code the analysis cannot read may hold tensors or numbers; the rule stays silent.
- `copy.deepcopy` of a leaf and `load_state_dict` copy values too, but that is what they are for; not reported.
- The new leaf may be the tensor that is meant to learn (fine-tuning a computed initial value). The rule stays silent
  when an optimizer holds it or its `.grad` is read.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Cuts made by copying values into a new tensor."""
    for cause, span in facts.cuts("rewrap"):
        cut = cause.why
        sink = facts.sink_name(cause.sink)
        written = f"`{cut.detail}(...)`"
        lost, place = lost_value(facts, span, cause.sink), elsewhere(facts, cause.cut.span)
        message = f"{lost} carries no gradient to {sink}: {written} makes a new leaf without history{place}"
        trace = cut_story(facts, cause, f"cut: {written} copies the values and forgets where they come from")
        fixes = [] if place else [without_cuts(facts, cause, _trust(facts, span))]
        yield facts.finding(RULE.name, cause.confidence, message, facts.marked(span), trace, fixes)

    for found in poured(facts):
        whom = _filled(facts, found.span) or facts.leaf_text([found.leaf])
        message = (
            f"{whom} takes the values and forgets where they come from: no gradient to {facts.leaf_text(found.lost)}"
        )
        steps = [
            *facts.source_steps(found.lost),
            facts.step(facts.marked(found.span), "cut", f"{whom} stays a leaf, with other values and without history"),
            facts.sink_step(found.sink, f"ends at {whom}"),
        ]
        confidence = facts.confidence_on(found.copied.path, found.sure)
        yield facts.finding(RULE.name, confidence, message, facts.marked(found.span), steps)

    told = {cause.sink.site.span for cause in facts.causes}
    for fresh in fresh_leaves(facts):
        if fresh.leaf.origin is None or fresh.sink.site.span in told:
            continue
        sink = facts.sink_name(fresh.sink)
        message = f"{sink} ends at a tensor made here of numbers: its flag hides that no gradient reaches the optimizer"
        steps = [
            facts.step(facts.marked(fresh.leaf.origin), "cut", "a new leaf: numbers have no history"),
            facts.sink_step(fresh.sink, "raises nothing, and ends at the new leaf"),
            facts.step(fresh.step.site.span, "note", "finds no gradient"),
        ]
        yield facts.finding(RULE.name, "likely", message, facts.marked(fresh.leaf.origin), steps)


def _filled(facts: Facts, span: Span) -> str:
    """`p` in `p.data = v`: parameters that are given parts of one tensor share its memory."""
    statement = facts.statement_at(span)
    target = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
    if isinstance(target, ast.Attribute) and target.attr == "data":
        return f"`{facts.text(target.value)}`"
    return ""


def _trust(facts: Facts, span: Span) -> str:
    """`torch.tensor(t)` is `t` for every use; a dtype, a flag or a list leaves something to decide."""
    call = facts.node_at(span)
    if not isinstance(call, ast.Call) or len(call.args) != 1 or call.keywords:
        return "unsafe"
    data = call.args[0]
    return "safe" if isinstance(data, (ast.Name, ast.Attribute)) and not _listed(facts, data) else "unsafe"


def _listed(facts: Facts, data: ast.expr) -> bool:
    return isinstance(data, (ast.Name, ast.Attribute)) and is_list(facts, data)
