"""`detached-value`: `.detach()`, `.data` or `detach_()` cuts the only way from a trainable tensor to a loss."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..facts import Cause, Facts
from ..late import flags_between, without_flags
from ..report import Finding, Span
from ..source.edits import set_keyword
from ..story import cut_story, elsewhere, lost_value
from .base import Rule
from .claims import CUT
from .remedies import without_cuts

RULE = Rule(
    name="detached-value",
    summary="`.detach()`, `.data` or `detach_()` cuts the only way from a trainable tensor to a loss",
    family="the path is cut",
    severity="error",
    fix="drop the call",
    claim=CUT,
    what="""\
Finds `.detach()`, `torch.detach(...)`, `.detach_()` and `.data` on a value that feeds a loss, when a tensor that should
learn reaches that loss only through the detached value.

Finds as well gradients that are differentiated again, or made part of a loss, and were taken without
`create_graph=True`: a derivative of a derivative, a residual of a differential equation, a gradient penalty.

The idioms that detach on purpose are not reported, because the gradient has another way, or because nobody waits for
it: the straight-through estimator `x + (q - x).detach()`, targets from a second network, advantages in policy
gradients, `fake.detach()` in a discriminator step while the generator has its own step, stop-gradient in siamese
networks, a hidden state that is detached between two windows of a sequence.""",
    why="""\
`y.detach()` is `y` without history: the same numbers in the same memory, `requires_grad=False`, no `grad_fn`. To
autograd it is a constant, and no gradient crosses it. What lies behind it (often a whole encoder) learns nothing from
this loss.

PyTorch says nothing as long as something else in the loss is tracked. Then the head trains on random features, the
loss goes down, and only the result is worse than it should be. If nothing else is tracked, `backward()` raises
*element 0 of tensors does not require grad and does not have a grad_fn*.

The cut often comes from an innocent place: a `.detach()` needed for `.numpy()` or for a plot, applied to the variable
that the loss uses as well.""",
    example="""\
import torch
from torch import nn

encoder, head = nn.Linear(8, 4), nn.Linear(4, 1)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)

x = torch.randn(16, 8)
features = encoder(x).detach()
loss = head(features).pow(2).mean()
loss.backward()  # no error: `head` has a gradient, `encoder` has none
optimizer.step()
print(head.weight.grad, encoder.weight.grad)
""",
    instead="""\
import torch
from torch import nn

encoder, head = nn.Linear(8, 4), nn.Linear(4, 1)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)

x = torch.randn(16, 8)
features = encoder(x)
loss = head(features).pow(2).mean()
loss.backward()
optimizer.step()
print(head.weight.grad, encoder.weight.grad)
""",
    fix_safety="""\
`create_graph=True` is *unsafe*: the graph of the gradient is kept, with the memory it needs. Dropping the call is
*safe* when the detached value is used for the loss only. It is *unsafe* when the same value is
also converted (`.numpy()` refuses a tensor that requires grad), changed in place (what was hidden from autograd is now
checked by it) or kept across iterations (the graph stays alive with it): then detach at that other use instead.""",
    blind_spots="""\
- Whether an optimizer is meant to train what lies behind the cut is read from what it holds. An encoder frozen by
  `.detach()` whose parameters were handed to the optimizer all the same is reported.
- Code behind an unknown call may detach; the rule stays silent there and the hover names the call.
- `.data` used to change a tensor (`p.data.mul_(0.9)`) is another mistake, which this rule does not report.""",
)


def _gradient(facts: Facts, cause: Cause, span: Span) -> Finding:
    """A gradient that is differentiated, or a part of a loss, and was made without a graph."""
    sink, call = facts.sink_name(cause.sink), f"`{cause.why.detail}`"
    message = f"this gradient carries no gradient to {sink}: {call} without `create_graph=True` keeps no graph of it"
    trace = cut_story(facts, cause, f"cut: {call} gives gradients without grad_fn")
    node, keyword = facts.node_at(span), "create_graph"
    chosen = _chosen_by(facts, cause, node)
    if chosen is not None:
        span, node, keyword = chosen
    fixes = []
    if isinstance(node, ast.Call):
        edits = set_keyword(facts.parsed, node, keyword, "True")
        fixes.append(facts.fix(f"set `{keyword}=True`", "unsafe", edits))
    return facts.finding(RULE.name, cause.confidence, message, facts.marked(span), trace, fixes)


def _chosen_by(facts: Facts, cause: Cause, node: ast.AST | None) -> tuple[Span, ast.Call, str] | None:
    """The call of a helper that hands its own parameter on as `create_graph`, and the parameter: the caller chooses."""
    flags = [k.value for k in node.keywords if k.arg == "create_graph"] if isinstance(node, ast.Call) else []
    flag = flags[0] if flags else None
    helper = facts.enclosing_function(node)
    if not isinstance(flag, ast.Name) or not isinstance(helper, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    if flag.id not in {a.arg for a in (*helper.args.posonlyargs, *helper.args.args, *helper.args.kwonlyargs)}:
        return None
    for site in reversed(cause.cut.stack):
        caller = facts.node_at(site.span) if facts.here(site.span) else None
        if isinstance(caller, ast.Call) and facts.enclosing_function(caller) is not helper:
            return site.span, caller, flag.id
    return None


def check(facts: Facts) -> Iterator[Finding]:
    """Cuts made by `.detach()`, `.detach_()` and `.data`."""
    for cause, span in facts.cuts("detach", "data", "no-create-graph"):
        cut = cause.why
        if cut.kind == "no-create-graph":
            yield _gradient(facts, cause, span)
            continue
        sink = facts.sink_name(cause.sink)
        place = elsewhere(facts, cause.cut.span)
        message = f"{lost_value(facts, span, cause.sink)} carries no gradient to {sink}: cut by `{cut.detail}`{place}"
        trace = cut_story(facts, cause, f"cut: `{cut.detail}` gives a tensor without grad_fn")
        fixes = [without_cuts(facts, cause, "unsafe" if cut.kind == "data" else "safe")]
        fixes = [without_flags(facts, fix, flags_between(facts, cause)) for fix in fixes]
        yield facts.finding(RULE.name, cause.confidence, message, facts.marked(span), trace, fixes)
