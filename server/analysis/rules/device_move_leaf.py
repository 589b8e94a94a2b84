"""`device-move-leaf`: the name holds a moved copy of the leaf, and the gradient arrives at the nameless original."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import ALWAYS, Node
from ..autograd.tensor import Tensor
from ..events import GradRead
from ..facts import Facts
from ..report import Confidence, Finding, Fix, Span
from ..source.edits import append_call, checked, edit, remove_keyword, set_keyword
from .base import Rule
from .claims import NON_LEAF, Law

RULE = Rule(
    name="device-move-leaf",
    summary="a tensor is moved or converted right after `requires_grad=True`: the name holds a copy, not the leaf",
    family="reading the gradient",
    severity="warning",
    fix="create the tensor on the device, or move first and call `requires_grad_()` afterwards",
    claim=Law("unread", NON_LEAF),
    what="""\
Finds a tensor that is created with `requires_grad=True` (or gets `requires_grad_()`) and is moved or converted in the
same breath (`.cuda()`, `.to(device)`, `.half()`, `.double()`, `.to(dtype)`) so that the name holds the result
of the move, when that name's `.grad` is read later or it is handed to an optimizer. The finding sits on the statement
with the move.

It is an error where the move always makes a copy (`.cuda()`, `.half()`), and a warning where that depends on the
machine (`device = "cuda" if torch.cuda.is_available() else "cpu"`).

`module.to(device)` is fine: it moves parameters in place and they stay leaves. So is moving first:
`torch.randn(10).to(device).requires_grad_()`.""",
    why="""\
`.to(device)` is an operation like any other: when it has to copy, its result has a `grad_fn`, and the gradient flows
*through* it to the tensor that was created with `requires_grad=True`. That tensor is the leaf and gets the `.grad`,
but no name refers to it. The name on the left holds the copy on the GPU, and its `.grad` is `None`; an optimizer
refuses it with *can't optimize a non-leaf Tensor*.

When nothing has to be copied (the tensor is already on that device, in that dtype), `.to()` returns the tensor
itself, which is a leaf. This is why the very same line works on a laptop without a GPU and fails on the server with
one: there is nothing wrong with CUDA, the copy is the difference.""",
    example="""\
import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
x = torch.randn(10, requires_grad=True).to(device)
loss = (x * 2).sum()
loss.backward()
print(x.grad)  # a gradient on the CPU, None on a GPU
""",
    instead="""\
import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
x = torch.randn(10, device=device, requires_grad=True)
loss = (x * 2).sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
Creating the tensor on the device (`torch.randn(10, device=device, requires_grad=True)`) is *safe* for the gradient;
note that random numbers drawn on a GPU are not those drawn on the CPU with the same seed. Moving first and calling
`requires_grad_()` last keeps the numbers and is *safe* where nobody holds the original.""",
    blind_spots="""\
- Where the target device is unknown (a parameter of a function, a configuration value), the rule assumes that it may be
  a GPU only if something in the program says so.
- A move in a helper function that the analysis cannot read is not seen.
- `non_blocking`, pinned memory and multi-device modules make no difference to leaves and are not looked at.""",
)


def moved_leaf(node: Node | None) -> Tensor | None:
    """The leaf at the other end of a chain of moves and casts; None if something else was computed on the way."""
    while node is not None and node.name == "to" and node.edges:
        edge = node.edges[0]
        if edge.tensor is not None and (edge.node is None or edge.node.tracked.no):
            return edge.tensor if edge.live.possible else None
        node = edge.node
    return None


def only_asked(facts: Facts, event: GradRead) -> bool:
    """Whether the program only asks if `.grad` is there (`if x.grad is not None`), or resets it."""
    node = event.site.node
    parent = facts.parsed.parents.get(node) if node is not None else None
    if isinstance(parent, ast.Compare):
        return any(isinstance(op, (ast.Is, ast.IsNot)) for op in parent.ops)
    if isinstance(parent, (ast.If, ast.BoolOp, ast.UnaryOp, ast.Assert)) or isinstance(node, ast.Call):
        return True
    if isinstance(parent, ast.Attribute) and parent.attr == "data":
        parent = facts.parsed.parents.get(parent)
    return isinstance(parent, ast.Attribute) and parent.attr in ("zero_", "detach_")


def in_vain(facts: Facts, event: GradRead) -> bool:
    """Whether a test of `.grad` keeps a use of it from ever running: `if x.grad is not None: x -= x.grad`.

    Or `if x.grad is None: break` before the use. In another pass, or another call, the test may find a gradient.
    """
    node = event.site.node
    test = facts.parsed.parents.get(node) if node is not None else None
    place = facts.parsed.parents.get(test) if test is not None else None
    if not isinstance(test, ast.Compare) or not isinstance(place, ast.If) or place.test is not test:
        return False
    others = [r for r in facts.events.reads if r.site.span == event.site.span and r.present.possible]
    if any(r.tensor.name == event.tensor.name for r in others):
        return False
    asked, kept = ast.dump(node), place.body  # type: ignore[arg-type]
    if isinstance(test.ops[0], ast.Is):
        kept = place.orelse
        if place.body and isinstance(place.body[-1], (ast.Break, ast.Continue, ast.Return, ast.Raise)):
            block = getattr(facts.parsed.parents.get(place), "body", [])
            kept = kept + (block[block.index(place) + 1 :] if place in block else [])
    found = [each for statement in kept for each in ast.walk(statement) if isinstance(each, ast.Attribute)]
    uses = [each for each in found if isinstance(each.ctx, ast.Load) and ast.dump(each) == asked]
    parents = [facts.parsed.parents.get(each) for each in uses]
    return any(isinstance(parent, (ast.BinOp, ast.AugAssign)) or _is_step(parent) for parent in parents)


def _is_step(parent: ast.AST | None) -> bool:
    """`grad.sign()`, `grad.detach()`: what an update is made of; and not `grad.zero_()`, `grad.data`."""
    return isinstance(parent, ast.Attribute) and not parent.attr.endswith("_") and parent.attr != "data"


def check(facts: Facts) -> Iterator[Finding]:
    """Reads of `.grad`, and optimizers, that get the moved copy instead of the leaf."""
    said: set[Span] = set()
    for event in facts.events.reads:
        leaf = moved_leaf(event.node)
        if leaf is None or event.leaf.yes or not event.requires_grad.possible or event.retained or event.node is None:
            continue
        if not event.present.no or event.node.span in said:
            continue
        if only_asked(facts, event) and not in_vain(facts, event):
            continue
        span = facts.innermost_here(event.node)
        if span is None or not leaf.requires_grad.yes:
            continue
        said.add(event.node.span) if event.node.span else None
        yield _finding(
            facts,
            event.tensor,
            leaf,
            event.node,
            span,
            event.site.span,
            "`.grad` is None here",
            event.path == ALWAYS and event.sure,
        )
    for held in facts.events.held:
        leaf = moved_leaf(held.node)
        span = facts.innermost_here(held.node) if held.node is not None else None
        if leaf is None or held.node is None or span is None or held.node.span in said or not leaf.requires_grad.yes:
            continue
        said.add(held.node.span) if held.node.span else None
        yield _finding(
            facts, held.tensor, leaf, held.node, span, held.site.span, "raises: can't optimize a non-leaf Tensor", True
        )


def _finding(
    facts: Facts, tensor: Tensor, leaf: Tensor, node: Node, span: Span, used: Span, end: str, always: bool
) -> Finding:
    name = facts.name_of(tensor)
    subject = f"`{name}`" if name else facts.value_name(span)
    if node.note.startswith("cast"):
        message = f"{subject} is not the leaf: it is a copy, {node.note}, and its `.grad` stays None"
    else:
        message = (
            f"{subject} is not the leaf: it is a copy, {node.note}; the gradient goes to the tensor it was made from"
        )
    confidence: Confidence = (
        "certain" if always and "where there is" not in node.note and "`" not in node.note else "likely"
    )
    trace = [
        facts.step(facts.marked(leaf.origin), "source", "the leaf is made here") if leaf.origin else None,
        facts.step(span, "cut", f"a copy, {node.note}: not a leaf any more"),
        facts.step(used, "sink", end),
    ]
    fix = _fix(facts, leaf, node, span) or flag_last(facts, leaf)
    return facts.finding(RULE.name, confidence, message, facts.marked(span), trace, [fix])


def _fix(facts: Facts, leaf: Tensor, node: Node, span: Span) -> Fix | None:
    """`f(..., requires_grad=True).to(d)` becomes `f(..., device=d, requires_grad=True)`; `.to(dtype)` likewise."""
    keyword, where = ("dtype", "in that dtype") if node.note.startswith("cast") else ("device", "on the device")
    move = facts.node_at(span)
    make = facts.node_at(leaf.origin)
    if not isinstance(move, ast.Call) or not isinstance(move.func, ast.Attribute):
        return None
    if isinstance(make, ast.Call) and move.func.value is make and any(k.arg == "requires_grad" for k in make.keywords):
        value = '"cuda"' if move.func.attr == "cuda" and not move.args else None
        if move.func.attr == "to" and len(move.args) == 1 and not move.keywords:
            value = facts.source.segment(move.args[0])
        if value is None or any(k.arg == keyword for k in make.keywords):
            return None
        given = set_keyword(facts.parsed, make, keyword, value)
        if given is None:
            return None
        start = facts.source.offset_at(facts.source.span(make).end)
        end = facts.source.offset_at(facts.source.span(move).end)
        statement = facts.parsed.statement_of(move)
        drop = edit(facts.parsed, start, end, "")
        edits = checked(facts.parsed, [*given, drop], [statement] if statement is not None else [])
        return facts.fix(f"create it {where}: `{keyword}={value}`", "safe", edits)
    return None


def flag_last(facts: Facts, leaf: Tensor) -> Fix | None:
    """`f(..., requires_grad=True).double()` becomes `f(...).double().requires_grad_()`: the name is the leaf."""
    make = facts.node_at(leaf.origin)
    flag = [each for each in make.keywords if each.arg == "requires_grad"] if isinstance(make, ast.Call) else []
    if not isinstance(make, ast.Call) or not flag or not isinstance(flag[0].value, ast.Constant):
        return None
    whole: ast.expr = make
    parent = facts.parsed.parents.get(whole)
    while isinstance(parent, (ast.Attribute, ast.BinOp, ast.UnaryOp)) or (
        isinstance(parent, ast.Call)
        and (parent.func is whole or len(parent.args) == 1)
        and (parent.func is whole or _is_torch(facts, parent))
    ):
        whole, parent = parent, facts.parsed.parents.get(parent)
    if whole is make or isinstance(whole, ast.Attribute):
        return None
    flagged = append_call(facts.parsed, whole, ".requires_grad_()")
    bare = remove_keyword(facts.parsed, make, "requires_grad")
    if flagged is None or bare is None:
        return None
    statement = facts.parsed.statement_of(make)
    edits = checked(facts.parsed, [*bare, *flagged], [statement] if statement is not None else [])
    return facts.fix("ask for the gradient last: `.requires_grad_()` on the result", "unsafe", edits)


def _is_torch(facts: Facts, call: ast.Call) -> bool:
    """Whether a function of torch or `Variable` is called, not one that keeps its argument (`list.append`)."""
    return facts.source.segment(call.func).startswith(("torch.", "F.")) or facts.source.segment(call.func) == "Variable"
