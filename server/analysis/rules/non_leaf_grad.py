"""`non-leaf-grad`: `.grad` of a tensor that autograd passes through but does not store a gradient on."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import Node
from ..autograd.tensor import Tensor
from ..describe import operation_name
from ..events import GradRead
from ..facts import Facts
from ..report import Finding, Fix, Span
from ..source.edits import insert_line_after
from .base import Rule
from .claims import NON_LEAF, Law
from .device_move_leaf import flag_last, in_vain, moved_leaf, only_asked

RULE = Rule(
    name="non-leaf-grad",
    summary="`.grad` is read on a tensor that is not a leaf and did not call `retain_grad()`: it is `None`",
    family="reading the gradient",
    severity="error",
    fix="insert `retain_grad()` before `backward()`, or read the leaf",
    claim=Law("unread", NON_LEAF),
    what="""\
Finds a read of `y.grad` after `backward()`, where `y` is the result of an operation (it has a `grad_fn`), the loss
was computed from it, and nobody called `y.retain_grad()` before. The finding sits on the read, or, where a statement
leaves the leaf without a name (`x = torch.randn(3, requires_grad=True) * 0.1`, `x = normalise(x)`), on that statement.

When the operation that made it a non-leaf is a move to a device or a conversion (`.cuda()`, `.half()`), or any other
step applied to a tensor right where it is created with `requires_grad=True`, `device-move-leaf` has more to say about
moves and reports those.""",
    why="""\
The gradient does pass through `y`: backward computes it in order to go on to `y`'s inputs, hands it over and drops it.
Only leaves (tensors created by the user with `requires_grad=True`, and parameters) keep it in `.grad`. For everything
else `.grad` stays `None`, and PyTorch prints a warning on the read, once, which is easy to miss.

A tensor can be a non-leaf without looking like one. `torch.randn(3, 3, requires_grad=True).reshape(9)` and
`torch.randn(9, requires_grad=True) * 0.1` name the *result*; the leaf that gets the gradient has no name and is gone.
The order `(torch.randn(9) * 0.1).requires_grad_()` names the leaf. In the same way `x = normalize(x)` after
`x.requires_grad_()` makes `x` a result.

`y.retain_grad()` before `backward()` asks autograd to keep the gradient of `y` too.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
loss = y.pow(2).sum()
loss.backward()
print(y.grad)  # None, and a UserWarning: `y` is not a leaf
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
y.retain_grad()
loss = y.pow(2).sum()
loss.backward()
print(y.grad)
""",
    fix_safety="""\
Inserting `y.retain_grad()` after the statement that computes `y` changes nothing but `y.grad`, and keeps the memory of
one gradient. It is *unsafe* all the same: what was meant may be the gradient of the leaf, which is another one. Where a
statement leaves the leaf without a name, `requires_grad=True` moves to its end (`(torch.randn(9) * 0.1)
.requires_grad_()`): *unsafe*, as the gradient is now that of the result.""",
    blind_spots="""\
- Reads of `.grad` in loops over unknown collections of tensors are not judged.
- A hook (`y.register_hook(save)`) is the other right way to see such a gradient; a hook that the analysis
  cannot follow counts as one.
- Whether a tensor from an unknown call is a leaf is not known; the rule stays silent.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Tensors that are no leaves, in an optimizer, which raises; and reads of their `.grad`, unless they keep it."""
    yield from _held(facts)
    for event in facts.events.reads:
        if not event.leaf.no or not event.requires_grad.yes or not event.present.no:
            continue
        if event.retained and not event.sinks_before:
            continue
        if event.node is None or event.tensor.note or not facts.here(event.site.span):
            continue
        if moved_leaf(event.node) is not None:
            continue
        born = _anonymous(facts, event)
        if only_asked(facts, event) and (born is None or not in_vain(facts, event)):
            continue
        name = facts.name_of(event.tensor)
        subject = f"`{name}`" if name else facts.value_name(event.site.span)
        span = born or event.site.span
        message = f"`.grad` of {subject} is None: it is not a leaf (made by `{event.node.name.strip('_')}`)"
        if born is not None:
            made_by = operation_name(event.node)
            message = f"{subject} is not the leaf: `{made_by}` makes a new tensor, whose `.grad` stays None"
        trace = [
            facts.step(
                facts.innermost_here(event.node), "source", f"{subject} gets a grad_fn here, so it is not a leaf"
            ),
            facts.step(event.site.span, "sink", "`.grad` is None: only leaves keep their gradient"),
        ]
        confidence = facts.confidence_on(event.path, event.sure)
        yield facts.finding(RULE.name, confidence, message, facts.marked(span), trace, _fixes(facts, event, born))


def _held(facts: Facts) -> Iterator[Finding]:
    for held in facts.events.held:
        # A tensor that was cut off afterwards (`detach_()`) is a leaf by now.
        computed = held.tensor.is_leaf.no or held.tensor.node is not held.node
        if held.tensor.retains_grad:
            continue  # optimizers take what keeps its gradient
        if computed and held.node is not None and moved_leaf(held.node) is None and not held.tensor.note:
            if not held.node.tracked.yes or not facts.here(held.site.span):
                continue
            name = facts.name_of(held.tensor)
            subject = f"`{name}`" if name else facts.value_name(held.node.span)
            span = lost_leaf(facts, held.tensor, held.node) or held.site.span
            trace = [
                facts.step(
                    facts.innermost_here(held.node), "source", f"{subject} gets a grad_fn here, so it is not a leaf"
                ),
                facts.step(held.site.span, "sink", "raises: can't optimize a non-leaf Tensor"),
            ]
            message = f"{subject} is not a leaf (made by `{held.node.name.strip('_')}`): an optimizer cannot hold it"
            fix = _flag_last(facts, held.node) if span is not held.site.span else None
            yield facts.finding(RULE.name, "certain", message, facts.marked(span), trace, [fix])


def _anonymous(facts: Facts, event: GradRead) -> Span | None:
    """Where the name stopped meaning the leaf: the leaf was made in the same statement, or had the same name.

    Or the same read has found a leaf in an earlier pass of a loop: `delta = delta + step` before the next pass.
    """
    born = lost_leaf(facts, event.tensor, event.node)
    reads = facts.events.reads if born is None and event.node is not None else ()
    if event.node is not None and any(r.leaf.yes and r.site.span == event.site.span for r in reads):
        return facts.innermost_here(event.node)
    return born


def lost_leaf(facts: Facts, result: Tensor, node: Node | None) -> Span | None:
    """The operation that made `result` out of a leaf nobody can reach by its name any more; None otherwise."""
    assert node is not None
    place = facts.statement_at(node.span)
    if place is None:
        return None
    todo, seen = [node], {node}
    while todo:
        for edge in todo.pop().edges:
            tensor = edge.tensor
            untracked = edge.node is None or (edge.node.tracked.no and not edge.node.is_join)
            is_leaf = tensor is not None and untracked and tensor.requires_grad.yes
            if tensor is not None and is_leaf and not tensor.is_parameter:
                same_name = bool(tensor.name) and tensor.name == result.name
                if same_name or facts.statement_at(tensor.origin) is place:
                    return node.span
            if edge.node is not None and edge.node not in seen and facts.statement_at(edge.node.span) is place:
                seen.add(edge.node)
                todo.append(edge.node)
    return None


def _fixes(facts: Facts, event: GradRead, born: Span | None) -> list[Fix | None]:
    """The flag set last where the leaf has no name; the gradient kept where the result is what is asked about."""
    assert event.node is not None
    if born is None:
        return [_retain(facts, event)]
    fix = _flag_last(facts, event.node)
    # What an update is written for has to be a leaf: a kept gradient would only let the first pass through.
    return [fix] if fix is not None else [] if _in_loop(facts, event.site.node) else [_retain(facts, event)]


def _in_loop(facts: Facts, node: ast.AST | None) -> bool:
    around = facts.parsed.parents.get(node) if node is not None else None
    while around is not None and not isinstance(around, (ast.For, ast.While)):
        around = facts.parsed.parents.get(around)
    return around is not None


def _flag_last(facts: Facts, node: Node) -> Fix | None:
    """The same statement with the flag at its end, for the leaf that is made in it."""
    place = facts.statement_at(node.span)
    todo, seen = [node], {node}
    while todo:
        for edge in todo.pop().edges:
            if edge.node is None and edge.tensor is not None and facts.statement_at(edge.tensor.origin) is place:
                return flag_last(facts, edge.tensor)
            if edge.node is not None and edge.node not in seen:
                seen.add(edge.node)
                todo.append(edge.node)
    return None


def _retain(facts: Facts, event: GradRead) -> Fix | None:
    """`retain_grad()` right after the value is made, if that is a plain assignment."""
    assert event.node is not None
    statement = facts.statement_at(event.node.span)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target = statement.targets[0]
    if not isinstance(target, (ast.Name, ast.Attribute)):
        return None
    kept = facts.machine.recorded.get(target, [])
    if not any(tensor is event.tensor for tensor, _, _ in kept):
        return None  # The call made it on the way to what it gives back, or it is in a list.
    text = facts.text(target)
    edits = insert_line_after(facts.parsed, statement, f"{text}.retain_grad()")
    return facts.fix(f"insert `{text}.retain_grad()`", "unsafe", edits)
