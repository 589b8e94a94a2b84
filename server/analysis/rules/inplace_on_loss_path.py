"""`inplace-on-loss-path`: a legal in-place operation on the way to a loss, explained."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..autograd.graph import Node
from ..autograd.tensor import Tensor
from ..events import InplaceWrite, Sink
from ..facts import Facts
from ..report import Finding, Span
from ..source.edits import inplace_to_outofplace
from .base import Rule
from .claims import CHANGED, Law

RULE = Rule(
    name="inplace-on-loss-path",
    summary="a legal in-place operation on the way to a loss; the hint says why the gradient is right here",
    family="in place",
    severity="hint",
    fix="`y = y + 1`: the out-of-place form",
    claim=Law("harmless", CHANGED),
    what="""\
Marks an in-place call or an augmented assignment that a person wrote on a value which goes into a loss in the same
function or module body, when it does *no* harm: nothing that `backward()` needs was overwritten. The hover says which
operation made the value and that it saved nothing which the change touches.

It is a hint, never a warning. It is given once per value, never for `nn.ReLU(inplace=True)` and its kin, and the
setting `loss_path_hints = false` turns it off.""",
    why="""\
Many texts call any in-place operation on the way to a loss unreliable. It is not: PyTorch either computes the right
gradient or raises. After `y = x * 2` the backward formula needs the number 2, not `y`, so `y.add_(1)` overwrites
nothing of value; autograd gives `y` a new `grad_fn` that continues the old one, and `x.grad` is 2, as it should be.

The line is worth a look all the same, because its safety hangs on the line above. Replace `x * 2` by `x.exp()`, or put
a `tanh` in between, and the same `add_` makes `backward()` raise (`inplace-on-saved`). The out-of-place form has no
such dependence and costs one temporary tensor.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
y.add_(1)  # safe: `x * 2` saves no tensor
loss = y.sum()
loss.backward()
print(x.grad)  # 2 everywhere, which is right
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
y = y + 1
loss = y.sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
`y = y + 1` is *safe* when `y` is the only name of the tensor. It is *unsafe* when a view, a container or the caller
shares its memory: they saw the change before and do not see it afterwards.""",
    blind_spots="""\
- Only values whose loss is in the same function or module body get the hint; elsewhere it would be noise.
- Item assignments (`y[0] = 1`) have no short out-of-place form and get no hint.
- The hint speaks about gradients. Whether another name of the same memory expected the old numbers is not its
  business.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Legal in-place operations a person wrote on the way to a loss of the same function: why they are safe."""
    said: set[int] = set()
    places: set[Span] = set()
    for event in facts.events.writes:
        node = event.site.node
        after = event.after
        if id(event.tensor) in said or event.site.span in places or after is None or not after.tracked.yes:
            continue
        before = event.before
        if before is None or not before.tracked.yes or not _written(node) or not facts.here(event.site.span):
            continue
        if any(each.opaque for each in _alternatives(before)):
            continue  # What an unknown call saves is unknown.
        if any(isinstance(each, ast.Attribute) and each.attr == "grad" for each in ast.walk(node or ast.Pass())):
            continue  # An update by hand is no step of the way.
        sink = _sink_of(facts, event, after)
        if sink is None:
            continue
        said.add(id(event.tensor))
        places.add(event.site.span)
        name = facts.name_of(event.tensor) or facts.value_name(event.site.span).strip("`")
        why = _why(before)
        message = f"`{name}` is changed in place on the way to {facts.backward_name(sink)}; safe here: {why}"
        trace = [
            *facts.source_steps(list(sink.outcome.reach.leaves), 1),
            facts.step(facts.innermost_here(before), "note", why),
            facts.step(event.site.span, "mutation", f"changes `{name}` in place and gives it a new grad_fn"),
            facts.sink_step(sink, "the gradient arrives"),
        ]
        statement = facts.parsed.statement_of(node) if node is not None else None
        fixes = []
        if isinstance(statement, (ast.AugAssign, ast.Expr)):
            edits = inplace_to_outofplace(facts.parsed, statement)
            fixes.append(facts.fix(_title(facts, statement), "safe", edits))
        yield facts.finding(RULE.name, "certain", message, facts.marked(event.site.span), trace, fixes, severity="hint")


def _title(facts: Facts, statement: ast.stmt) -> str:
    return "write it out of place"


def _written(node: ast.AST | None) -> bool:
    """An augmented assignment, or a call of a method whose name ends in an underscore."""
    if isinstance(node, ast.AugAssign):
        return isinstance(node.target, ast.Name)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_")


def _sink_of(facts: Facts, event: InplaceWrite, after: Node) -> Sink | None:
    for sink in facts.events.sinks:
        if sink.after_error or sink.outcome.raises is not None or after not in sink.outcome.reach.nodes:
            continue
        if facts.enclosing_function(sink.site.node) is facts.enclosing_function(event.site.node):
            return sink
    return None


def _alternatives(node: Node) -> list[Node]:
    """What may have made a value: the node, or what the branches of a join ended with."""
    found: list[Node] = []
    queue = [node]
    for each in queue:
        if each.is_join:
            queue += [edge.node for edge in each.edges if edge.node is not None and edge.node not in queue]
        else:
            found.append(each)
    return found


_WORDS = {
    "mul": "multiplication",
    "add": "addition",
    "sub": "subtraction",
    "truediv": "division",
    "div": "division",
    "neg": "negation",
}


def _why(before: Node) -> str:
    if before.is_join:
        return "what each branch saved is not changed"
    operation = before.name.strip("_")
    if before.name.startswith("__") and operation[1:] in _WORDS:
        operation = operation[1:]  # `1 - x` and `x -= 1` are subtractions.
    spoken = _WORDS.get(operation, f"`{operation}`")
    mine: list[Tensor] = [s.tensor for s in before.saved if s.operand.startswith("result")]
    if mine:
        return f"what {spoken} saved is not needed again"
    if before.saved:
        return f"{spoken} saves its operands, not its result"
    if operation == "mul":
        return "multiplication by a number saves no tensor"
    return f"{spoken} saves no tensor"
