"""`non-leaf-flag`: `requires_grad` of a tensor that autograd computed is set."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..events import Forbidden
from ..facts import Facts
from ..report import Finding, Fix
from ..source.edits import checked, delete_statement, edit
from .base import Rule
from .claims import Law

RULE = Rule(
    name="non-leaf-flag",
    summary="`requires_grad` is set on a computed tensor, whose flag follows from its inputs: it raises",
    family="reading the gradient",
    severity="error",
    fix="drop the statement, or `retain_grad()` where its `.grad` is read; `detach()` instead of False",
    claim=Law("raises-at", (r"can only change requires_grad flags of leaf variables",)),
    what="""\
Finds `y.requires_grad = True`, `y.requires_grad = False` and `y.requires_grad_(False)` where `y` surely is the result
of a tracked operation.

`y.requires_grad_()` is allowed on such a tensor (it does nothing), and all of them on a leaf: an input, a parameter, a
tensor computed under `torch.no_grad()`. None of these is reported.""",
    why="""\
The flag of a leaf is a wish: autograd shall track what is computed from it. The flag of a result is a consequence: it
is set because something that went in requires grad, and the graph behind it exists already. So there is nothing to
wish for, and PyTorch raises: *you can only change requires_grad flags of leaf variables*.

Three things are meant. Somebody wants `y.grad`: a result does not keep its gradient unless `y.retain_grad()` says so.
Somebody wants the gradient to stop at `y`: that is `y.detach()`. Or the tensor was a leaf once, and a `.to(device)`
or a `* scale` was added between its creation and the flag: then the flag belongs before that.""",
    example="""\
import torch

x = torch.randn(3, requires_grad=True)
y = x * 2
y.requires_grad = True  # raises: you can only change requires_grad flags of leaf variables
y.sum().backward()
print(x.grad)
""",
    instead="""\
import torch

x = torch.randn(3, requires_grad=True)
y = x * 2
y.retain_grad()
y.sum().backward()
print(x.grad, y.grad)
""",
    fix_safety="""\
The program raised, so nothing that worked is changed. Dropping `y.requires_grad = True`, or writing `y.retain_grad()`
in its place where `y.grad` is read afterwards, is *safe*: `y` requires grad already. `y = y.detach()` for a flag that
is set to False is *unsafe*: no gradient comes past `y` from there on.""",
    blind_spots="A tensor that may be a leaf, because a branch or unknown code decides: the rule stays silent.",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Flags that are set on tensors which surely are no leaves."""
    for event in facts.refused("non-leaf-flag"):
        if event.entry != "module" and not (facts.events.sinks or facts.events.held):
            # A function of a file that trains nothing may be called under `no_grad`, where its results are leaves.
            continue
        tensor = event.tensor
        name = facts.name_of(tensor) if tensor is not None else ""
        subject = f"`{name}`" if name else "a computed tensor"
        made = facts.innermost_here(tensor.node) if tensor is not None and tensor.node is not None else None
        message = f"`requires_grad` of {subject} is set, but it is no leaf: PyTorch raises"
        trace = [
            facts.step(made, "source", f"{subject} gets a grad_fn here, so its flag follows from its inputs"),
            facts.step(event.site.span, "sink", f"raises: {event.message}"),
        ]
        span = facts.marked(event.site.span)
        yield facts.finding(RULE.name, facts.confidence_on(event.path), message, span, trace, [_fix(facts, event)])


def _fix(facts: Facts, event: Forbidden) -> Fix | None:
    statement = facts.statement_at(event.site.span)
    owner, flag = _written(statement)
    if statement is None or owner is None or event.tensor is None:
        return None
    text = facts.text(owner, 80)
    if flag is False:
        return _instead(facts, statement, f"{text} = {text}.detach()", "unsafe")
    if flag is True and any(read.used for read in facts.reads_of(event.tensor)):
        return _instead(facts, statement, f"{text}.retain_grad()", "safe")
    if flag is True:
        edits = checked(facts.parsed, delete_statement(facts.parsed, statement), [statement])
        return facts.fix(f"drop the statement: `{text}` requires grad already", "safe", edits)
    return None


def _written(statement: ast.stmt | None) -> tuple[ast.expr | None, object]:
    """What the flag is set on, and to what, in a statement that does nothing else; a name or an attribute only."""
    owner: ast.expr | None = None
    value: ast.expr | None = None
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Attribute) and target.attr == "requires_grad":
            owner, value = target.value, statement.value
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "requires_grad_":
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            owner, value = call.func.value, given[0] if given else None
    if isinstance(owner, (ast.Name, ast.Attribute)) and isinstance(value, ast.Constant):
        return owner, value.value
    return None, None


def _instead(facts: Facts, statement: ast.stmt, text: str, applicability: str) -> Fix | None:
    start, end = facts.source.offsets(statement)
    edits = checked(facts.parsed, [edit(facts.parsed, start, end, text)], [statement])
    return facts.fix(f"write `{text}`", applicability, edits)
