"""`inplace-on-leaf`: an in-place operation on a leaf that requires grad, or on a view of one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.reach import reach
from ..autograd.tensor import Tensor
from ..events import Sink
from ..facts import Facts
from ..report import Finding, Fix
from ..source.edits import inplace_to_outofplace, put_under
from .base import Rule
from .claims import LEAF, Law

RULE = Rule(
    name="inplace-on-leaf",
    summary="an in-place operation on a leaf tensor that requires grad, or on a view of one, raises",
    family="in place",
    severity="error",
    fix="put an update under `torch.no_grad()`, or compute out of place",
    claim=Law("raises-at", LEAF),
    what="""\
Finds in-place operations (`w.add_(1)`, `w += 1`, `w[0] = 0`, `w[0].zero_()`, `F.relu(w, inplace=True)`) on a leaf
tensor that requires grad, or on a view of such a leaf, while tracking is on. Parameters of modules are leaves. Where
the flag was taken away for the write, a graph from before still has a gradient for the leaf: reported as well, if a
`backward()` through it follows.

Updates under `torch.no_grad()`, `optimizer.step()`, and the functions of `nn.init` (which use `no_grad` themselves) are
the right way and not reported.""",
    why="""\
A leaf is where a gradient is delivered: `w.grad` is the gradient with respect to the value `w` had in the forward pass.
If an in-place operation could be recorded on `w`, `w` would become a result of that operation; the original leaf would
be gone, and there would be no tensor left to hold the gradient. So PyTorch refuses at once: *a leaf Variable that
requires grad is being used in an in-place operation* (for a view: *a view of a leaf Variable that requires grad is
being used in an in-place operation*).

Two different things are usually meant. An *update* (a step of gradient descent, an initialisation, a projection back
into a range) is not part of the function to differentiate, and belongs under `torch.no_grad()`. A *computation* (mask
some entries, then go on) is part of it, and needs a new tensor: `y = w + 1`, `torch.where(mask, value, w)`,
`w.masked_fill(mask, 0)`, or `y = w.clone()` before the assignment.""",
    example="""\
import torch

weight = torch.randn(3, requires_grad=True)
loss = weight.pow(2).sum()
loss.backward()
weight -= 0.1 * weight.grad  # RuntimeError: a leaf Variable that requires grad
print(weight.grad)
""",
    instead="""\
import torch

weight = torch.randn(3, requires_grad=True)
loss = weight.pow(2).sum()
loss.backward()
with torch.no_grad():
    weight -= 0.1 * weight.grad
print(weight.grad)
""",
    fix_safety="""\
Putting an update (a statement that reads the leaf's own `.grad`, or comes before any use in a loss) under
`torch.no_grad()` is *safe*: it raised before, and now changes the numbers and nothing else. Rewriting a computation
out of place (`w += 1` to `w = w + 1`) is *unsafe*: `w` now names a result, so a later `w.grad` reads another tensor
than the leaf.""",
    blind_spots="""\
- Whether `requires_grad` is set depends on the run for tensors from unknown calls, and for parameters that some branch
  froze; the rule stays silent then.
- `w.data += 1` does not raise, and is not reported here; it hides the change from autograd's version check, which is
  harmless between steps and silently wrong between a forward and its backward pass.
- In-place writes through a numpy array that shares memory are not seen.""",
)


WRITE_OUT_OF_PLACE = "write it out of place"


def check(facts: Facts) -> Iterator[Finding]:
    """In-place writes that autograd forbids: on a leaf that requires grad, or on a view of one."""
    for event in facts.refused("leaf-inplace"):
        tensor = event.tensor
        base = tensor.base if tensor is not None else None
        name = facts.name_of(base) if base is not None else ""
        subject = f"`{name}`" if name else facts.value_name(event.site.span, "a leaf")
        if base is not None and base.group and name:
            if _kept_flag(facts, base):
                continue
            subject = f"a parameter of {subject}"
        view = tensor is not None and tensor.view_of is not None
        message = (
            f"in-place write to {'a view of ' if view else ''}{_as_written(facts, event.site.node, name) or subject}"
            ", a leaf that requires grad: PyTorch raises"
        )
        origin = base.origin if base is not None else None
        trace = [
            facts.step(facts.marked(origin), "source", f"{subject} is a leaf that requires grad") if origin else None,
            facts.step(event.site.span, "mutation", f"raises: {event.message}"),
        ]
        confidence = facts.confidence_on(event.path)
        yield facts.finding(
            RULE.name, confidence, message, facts.marked(event.site.span), trace, _fixes(facts, event.site.node, base)
        )
    for sink in facts.events.sinks:
        raised = sink.outcome.raises
        if raised is not None and raised.kind == "leaf-moved" and not sink.after_error:
            yield from _moved(facts, sink)


def _moved(facts: Facts, sink: Sink) -> Iterator[Finding]:
    """A leaf that a write made a result, while a graph from before still wants to deliver its gradient there."""
    for leaf in sink.outcome.reach.leaves:
        span = facts.innermost_here(leaf.node) if leaf.node is not None and leaf.node.tracked.yes else None
        if span is None:
            continue
        name = facts.name_of(leaf)
        subject = f"`{name}`" if name else "a leaf"
        message = (
            f"in-place write makes {subject} a result before {facts.backward_name(sink)} brings the leaf its gradient:"
            " PyTorch raises"
        )
        trace = [
            facts.step(facts.marked(leaf.origin), "source", f"{subject} is a leaf") if leaf.origin else None,
            facts.step(span, "mutation", f"{subject} is no leaf from here on"),
            facts.sink_step(sink, "raises: leaf variable has been moved into the graph interior"),
        ]
        yield facts.finding(RULE.name, facts.confidence(sink), message, facts.marked(span), trace)


def _kept_flag(facts: Facts, parameters: Tensor) -> bool:
    """Whether the program keeps the flag of an unknown module's parameters to set it again: it may as well be off."""
    for site, tensor in facts.events.asked:
        if tensor is not parameters and not any(each is parameters for each in tensor.either):
            continue
        parent = facts.parsed.parents.get(site.node) if site.node is not None else None
        if isinstance(parent, (ast.Assign, ast.Call)):
            return True
    return False


def _as_written(facts: Facts, node: ast.AST | None, name: str) -> str:
    """What the line calls the leaf, and what that is, where it has another name: "`q` (`net.weight`)"."""
    target = facts.text(_target(node), 30)
    return f"`{target}` (`{name}`)" if target and name and target != name else ""


def _target(node: ast.AST | None) -> ast.expr | None:
    """The name or attribute that an in-place operation is written on: `w` of `w[0] = 1`, of `w.add_(1)`."""
    target: ast.AST | None = None
    if isinstance(node, ast.AugAssign):
        target = node.target
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        target = node.targets[0]
    elif isinstance(node, ast.Subscript):
        target = node.value
    else:
        target = node
        while (
            isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute) and target.func.attr.endswith("_")
        ):
            target = target.func.value
        if target is node:
            return None
    while isinstance(target, ast.Subscript):
        target = target.value
    return target if isinstance(target, (ast.Name, ast.Attribute)) else None


def _fixes(facts: Facts, node: ast.AST | None, leaf: Tensor | None) -> list[Fix | None]:
    """An update goes under `no_grad`; a computation, which a new tensor can hold, is written out of place.

    A parameter of a module cannot be replaced by a result, a loop variable would only name it, and who reads the
    leaf's `.grad` wants the leaf.
    """
    statement = facts.parsed.statement_of(node) if node is not None else None
    if not isinstance(statement, (ast.AugAssign, ast.Expr, ast.Assign)):
        edits = inplace_to_outofplace(facts.parsed, node) if isinstance(node, ast.Call) else None
        return [facts.fix(WRITE_OUT_OF_PLACE, "unsafe", edits)]
    target = _target(statement.value if isinstance(statement, ast.Expr) else statement)
    if target is None:
        edits = inplace_to_outofplace(facts.parsed, node) if isinstance(node, ast.Call) else None
        return [facts.fix(WRITE_OUT_OF_PLACE, "unsafe", edits)]
    steps = any(isinstance(each, ast.Attribute) and each.attr == "grad" for each in ast.walk(statement))
    is_name = isinstance(target, ast.Name)
    parameter = leaf is not None and (leaf.is_parameter or leaf.group)
    whole = not isinstance(statement, ast.Assign)
    alias = whole and is_name and parameter and not steps and not _is_loop_variable(facts, target)
    fixes: list[Fix | None] = []
    if not alias and not _loses(facts, statement):
        title = "put the update under `torch.no_grad()`" if steps or parameter else "write it under `torch.no_grad()`"
        under = put_under(facts.parsed, statement, "with torch.no_grad():")
        fixes.append(facts.fix(title, "safe" if steps else "unsafe", under))
    replaceable = not (steps or parameter or _is_loop_variable(facts, target)) and id(leaf) not in facts.read
    if alias or replaceable:
        fixes.append(facts.fix(WRITE_OUT_OF_PLACE, "unsafe", inplace_to_outofplace(facts.parsed, statement)))
    return fixes


def _loses(facts: Facts, statement: ast.AugAssign | ast.Expr | ast.Assign) -> bool:
    """Whether what is written is the only way to something trainable, which `no_grad` would cut."""
    value = statement.value
    if isinstance(value, ast.Call) and isinstance(statement, ast.Expr) and value.args:
        value = value.args[0]
    recorded = facts.machine.recorded.get(value)
    if not recorded:
        return False
    tensor, node, requires_grad = recorded[-1]
    if not requires_grad.yes or node is None:
        return False
    return any(facts.is_wanted(leaf) and id(leaf) not in facts.reached for leaf in reach([tensor]).leaves)


def _is_loop_variable(facts: Facts, target: ast.expr) -> bool:
    """Whether a name is what a loop around it binds: to bind it anew leaves what was looped over as it is."""
    around = facts.parsed.parents.get(target)
    while around is not None:
        bound = ast.walk(around.target) if isinstance(around, (ast.For, ast.AsyncFor)) else ()
        if isinstance(target, ast.Name) and any(isinstance(e, ast.Name) and e.id == target.id for e in bound):
            return True
        around = facts.parsed.parents.get(around)
    return False
