"""`freed-graph`: a second backward through a graph that the first one freed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import takewhile
from weakref import WeakKeyDictionary

from ..autograd.graph import Node
from ..autograd.tensor import Tensor
from ..events import Sink
from ..facts import Facts
from ..report import Confidence, Finding, Fix, Span, TraceStep
from ..source.edits import append_call, checked, edit, set_keyword
from . import carrying
from .base import Rule
from .claims import FREED, Law
from .forgetting import carried_name, forget, is_before_the_loop
from .inplace_on_saved import changes, is_update

RULE = Rule(
    name="freed-graph",
    summary="`backward()` goes through a part of the graph that an earlier `backward()` freed",
    family="life of the graph",
    severity="error",
    fix="`retain_graph=True` on the first call where both are meant, `detach()` for a state carried over",
    claim=Law("raises", FREED, passes=3),
    what="""\
Finds a `backward()` (or `torch.autograd.grad`) that walks through nodes whose saved tensors an earlier one has freed:
two losses over a shared part of the graph, `backward()` called twice on the same loss, and, over the iterations of a
loop, a value computed in one iteration that is used in the next (a hidden state, a running baseline, a forward pass
left outside the loop). The finding sits where something can be done about it: on the first `backward()` of two that are
written one after the other, on the statement whose value carries the graph from one iteration into the next, or on
the one that takes a value of the first graph into a second loss whose optimizer holds nothing of that graph (the
samples of a generator that has learned from them already), or on a `state.detach()` whose result nothing takes; the
trace shows the `backward()` that raises.

`retain_graph=True` (or `create_graph=True`) on the earlier call is respected, and so is a `detach()` between two
iterations.""",
    why="""\
A graph holds on to the tensors its backward formulas need, which is most of the memory of a training step. So
`backward()` frees them on its way, and a second walk through the same nodes raises *Trying to backward through the
graph a second time*.

Over a loop this is rarely about `retain_graph`. A hidden state that is carried from one iteration into the next
carries its graph along: the second `backward()` would walk through the first iteration again. What is meant is
nearly always that the state's *value* goes on and its history ends: `hidden = hidden.detach()`. With
`retain_graph=True` instead, every iteration walks through all earlier ones, gets slower and slower, and after an
optimizer step meets parameters that have changed in between.

Two losses over one forward pass are best added and sent backward once; `retain_graph=True` on the first call
gives the same gradients at the cost of a second walk.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=True)
hidden = x.exp()
first = hidden.sum()
second = hidden.mean()
first.backward()
second.backward()  # RuntimeError: backward through the graph a second time
print(x.grad)
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
hidden = x.exp()
first = hidden.sum()
second = hidden.mean()
first.backward(retain_graph=True)
second.backward()
print(x.grad)
""",
    fix_safety="""\
`detach()` of what is carried over an iteration is *unsafe*: it is what is usually meant (truncated back-propagation
through time), but it does shorten the history. It is written where the pass has no more use for the graph: behind its
`backward()`, or where the next pass picks the state up. `retain_graph=True` on the first of two calls that stand one
after the other is a *suggestion*: gradients add up, as two calls on two graphs would, at the cost of a second walk. It
is not offered where an optimizer steps in between and changes what the second walk needs.""",
    blind_spots="""\
- Some nodes save nothing (`x + y`, `-x`, `x.sum()`), and a second walk through only such nodes does not raise; the
  rule follows the op table in this, and is silent where the table is not sure.
- A loop is run twice; a graph that is only met again after more iterations than that is not seen.
- `backward()` in a library (a trainer, an accelerator) is known for the usual ones only.""",
)


_CARRIED: WeakKeyDictionary[Facts, dict[tuple[int, int], Node | None]] = WeakKeyDictionary()
"""What carries an old graph into a backward, by the numbers of that backward and of the one that freed the graph."""


def check(facts: Facts) -> Iterator[Finding]:
    """Backwards through nodes whose saved tensors an earlier backward has freed.

    The damage is done by what brings the old graph to the second backward: over the passes of a loop, the statement
    that carried it; a value of the first graph that the second loss has no use for; otherwise the first backward, which
    did not keep it.
    """
    told: set[object] = set()
    for sink, node, confidence in _met_again(facts):
        # A node for each pass of a loop inside, and a sink for each pass around: one place, to be told once.
        place = (sink.site.span, node.span, tuple(site.span for site in node.stack), confidence)
        if place in told:
            continue
        first = first_through(facts, sink, node)
        if first is None:
            continue
        told.add(place)
        again = first.site.span == sink.site.span
        name, strayed, idle = facts.sink_name(sink), None, None
        shared, carried, what, once = brought(facts, sink, first)
        picks = again and _picks(facts, sink)
        if picks:
            span, once = sink.site.span, False
            message = f"each pass goes back through the graph of {name}, which the first one frees"
        elif again:
            span = carried or sink.site.span
            message = f"{what} carries the graph of an earlier pass into {name}, whose backward has already freed it"
            if once:
                message = f"{what} is computed before the loop, and the first pass's backward frees its graph"
            idle = _idle_detach(facts, first) if not once and not picks else None
            if idle is not None:
                carried = span = facts.source.span(idle)
                what = facts.brief(idle.value)
                message = f"`{what}` gives a new tensor, which nothing takes: the graph goes on into the next pass"
        else:
            strayed = _strayed(facts, sink, first)
            span = (_beside(facts, strayed, sink) if strayed is not None else None) or first.site.span
            message = f"this backward frees the graph that a second one, of {name}, still needs"
            if strayed is not None:
                message = f"{name} goes back into a graph that an earlier backward has freed, and of which its "
                message += "optimizer holds nothing: detach what is used here"
        if not facts.here(span):
            continue
        if again:
            kept = "is computed once" if once or picks else "takes its graph along into the next pass"
            kept = "changes nothing: what it is called on keeps its graph" if idle is not None else kept
            story = (f"`{what}` {kept}" if idle is not None else f"{what} {kept}", "the first pass frees the graph")
        else:
            story = ("both backwards go through this", "frees the graph")
        raises = "raises: Trying to backward through the graph a second time"
        trace: list[TraceStep | None] = [
            *facts.source_steps(_leaves(sink, node), 1),
            facts.step(facts.marked(carried) if carried is not None else None, "note", story[0]),
            facts.step(first.site.span, "mutation", story[1]),
            facts.sink_step(sink, f"the next pass {raises}" if again else raises),
        ]
        if idle is not None:
            fix = _taken(facts, idle)
        elif again:
            fix = forget(facts, shared, span, first) if shared is not None and not picks else None
            if (picks or once) and not _updated(facts, first, sink):
                fix = _retain(facts, first, "in each")
        else:
            use = _borrowed(facts, first, sink) if strayed is None else None
            fix = use or (_retain(facts, first) if strayed is None and not _updated(facts, first, sink) else None)
        yield facts.finding(RULE.name, confidence, message, facts.marked(span), trace, [fix])


def brought(facts: Facts, sink: Sink, first: Sink) -> tuple[Node | None, Span | None, str, bool]:
    """What brings the graph of an earlier pass of a loop to its next backward: (node, place, name, computed once).

    The node and the place are None where they are not known. `once` is said of what stands before the loop.
    """
    shared = _carried(facts, sink, first)
    carried = facts.innermost_here(shared) if shared is not None else None
    what, once = "a value", False
    if first.site.span != sink.site.span or shared is None or carried is None:
        return shared, carried, what, once
    carried, what = carrying.place(facts, shared, carried, sink.site.span)
    what = carried_name(facts, carried) or what
    once = is_before_the_loop(facts, carried, sink)
    made = facts.statement_at(carried)
    local = isinstance(made, ast.Assign) and all(isinstance(each, ast.Name) for each in made.targets)
    called = _beside(facts, shared, sink) if local and not once else None
    if called is not None and is_before_the_loop(facts, called, sink):
        # What a helper computes is as old as its call.
        carried, once = called, True
        what = carried_name(facts, called) or facts.value_name(called)
    return shared, carried, what, once


def _idle_detach(facts: Facts, first: Sink) -> ast.Expr | None:
    """`state.detach()` as a statement, of a value with the freed graph behind it: it is to forget, and does not."""
    freed = first.outcome.reach.nodes
    for statement in ast.walk(facts.parsed.tree):
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(statement, ast.Expr) or not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Attribute) and call.func.attr == "detach" and not call.args:
            nodes = [each[1] for each in facts.machine.recorded.get(call.func.value, ())]
            if any(below in freed for node in nodes if node is not None for below in _below(node)):
                return statement
    return None


def _taken(facts: Facts, idle: ast.Expr) -> Fix | None:
    """`state = state.detach()` for a `state.detach()` that nothing takes."""
    called = idle.value.func if isinstance(idle.value, ast.Call) else None
    value = called.value if isinstance(called, ast.Attribute) else None
    if not isinstance(value, (ast.Name, ast.Attribute)):
        return None
    text, start = facts.source.segment(value), facts.source.offsets(idle)[0]
    edits = checked(facts.parsed, [edit(facts.parsed, start, start, f"{text} = ")])
    return facts.fix(f"keep what it gives: `{text} = ...`", "unsafe", edits)


def _met_again(facts: Facts) -> Iterator[tuple[Sink, Node, Confidence]]:
    """Backwards that raise for a freed graph, each with a node of it.

    And those that meet parameters as they were before an earlier backward, where a branch decides if the graph is met:
    that it is an old graph is the cause, that the optimizer has stepped since is not.
    """
    for sink in facts.events.sinks:
        raised = sink.outcome.raises
        if not sink.after_error and raised is not None and raised.kind == "freed" and raised.node is not None:
            sure = _known_to_lead(sink, raised.node)
            yield sink, raised.node, facts.confidence_on(sink.path, sure)
    for sink, changed, _ in changes(facts):
        if changed.node is not None and is_update(facts, sink, changed) and is_old(facts, sink, changed.node):
            yield sink, changed.node, "likely"


def _known_to_lead(sink: Sink, node: Node) -> bool:
    """Whether a loss goes back to a node without the help of code that may have cut it off.

    A network that nobody sees may detach the state it is given, and still have a gradient for its own parameters.
    """
    queue = [root.node for root in sink.outcome.roots if root.node is not None]
    seen = set(queue)
    for each in queue:
        if each is node:
            return True
        if each.opaque and sum(edge.live.yes and edge.flows for edge in each.edges) > 1:
            continue
        below = [edge.node for edge in each.edges if edge.node is not None and edge.live.possible]
        queue += [n for n in dict.fromkeys(below) if n not in seen]
        seen.update(below)
    return False


def is_old(facts: Facts, sink: Sink, node: Node) -> bool:
    """Whether a node is of a graph that an earlier backward may have freed, in this pass or the one before.

    What it saved is then gone, and nobody looks at which version it was.
    """
    first = first_through(facts, sink, node) if node in sink.outcome.freed_before else None
    return first is not None and (first.site.span != sink.site.span or _carried(facts, sink, first) is not None)


def _carried(facts: Facts, sink: Sink, first: Sink) -> Node | None:
    """The same for each of thousands of nodes that two backwards have in common; found once."""
    found = _CARRIED.setdefault(facts, {})
    key = id(sink), id(first)
    if key not in found:
        found[key] = _find_carried(sink, first)
    return found[key]


def _find_carried(sink: Sink, first: Sink) -> Node | None:
    """The newest node on the way from the loss that is older than this pass and leads into the freed graph.

    One that surely has a graph before one that may have: numbers from an unknown place are no old graph.
    """
    freed = first.outcome.reach.nodes
    queue = [root.node for root in sink.outcome.roots if root.node is not None]
    seen = set(queue)
    perhaps: Node | None = None
    for node in queue:
        old = node in freed and not node.is_join
        if not old and node.order < sink.pass_start and not node.is_join:
            # Made in an earlier pass, and not of the freed graph itself: `0.9 * baseline + 0.1 * cost`.
            if not any(below in freed for below in _below(node)):
                continue
            old = True
        if old and node.tracked.yes:
            return node
        if old:
            perhaps = perhaps or node
            continue
        for edge in node.edges:
            if edge.node is not None and edge.live.possible and edge.node not in seen:
                seen.add(edge.node)
                queue.append(edge.node)
    return perhaps


def _strayed(facts: Facts, sink: Sink, first: Sink) -> Node | None:
    """What takes a value from before an earlier backward, of a graph that is none of this one's business.

    The generator has learned from its samples; the discriminator's loss is then computed on the same samples. That is
    known by the optimizers that step after the two: the first holds what is behind the value, the second does not.
    """
    freed = first.outcome.reach.nodes
    used = [node for root in sink.outcome.roots if root.node is not None for node in _below(root.node)]
    entries = [
        (node, edge.node)
        for node in dict.fromkeys(used)
        for edge in node.edges
        if node.order > first.order and edge.node is not None and edge.node in freed and edge.node.order < first.order
    ]
    behind = {id(e.tensor) for _, below in entries for n in _below(below) for e in n.edges if e.tensor is not None}
    mine, others = _stepped_after(facts, sink), _stepped_after(facts, first)
    if mine is None or others is None or mine & behind or not others & behind:
        return None
    return entries[0][0]


def _picks(facts: Facts, sink: Sink) -> bool:
    """Whether each pass of a loop asks for another part of one result: `y[i].backward()`, a row of a Jacobian."""
    call = sink.site.node
    if not isinstance(call, ast.Call) or not facts.here(sink.site.span):
        return False
    root = call.func.value if isinstance(call.func, ast.Attribute) and sink.kind == "backward" else None
    root = root or (call.args[0] if call.args else call)
    loop = facts.parsed.parents.get(call)
    while loop is not None and not isinstance(loop, (ast.For, ast.FunctionDef, ast.AsyncFunctionDef)):
        loop = facts.parsed.parents.get(loop)
    counted = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)} if isinstance(loop, ast.For) else set()
    indices = (n.slice for n in ast.walk(root) if isinstance(n, ast.Subscript))
    return any(isinstance(n, ast.Name) and n.id in counted for index in indices for n in ast.walk(index))


def _borrowed(facts: Facts, first: Sink, second: Sink) -> Fix | None:
    """`fake.detach()` where the first loss uses what only the second one's optimizer trains."""
    kept = {node for root in second.outcome.roots if root.node is not None for node in _below(root.node)}
    entries = [
        (node, edge.node)
        for node in first.outcome.reach.nodes
        if node not in kept
        for edge in node.edges
        if edge.node in kept and edge.node is not None
    ]
    mine = _stepped_after(facts, first)
    behind = {id(e.tensor) for _, below in entries for n in _below(below) for e in n.edges if e.tensor is not None}
    if not mine or mine & behind:
        return None
    uses: dict[ast.expr, None] = {}
    for node, below in entries:
        sites = [facts.node_at(span) for span in (node.span, *(site.span for site in node.stack))]
        for argument in (a for call in sites if isinstance(call, ast.Call) for a in call.args):
            recorded = facts.machine.recorded.get(argument, ())
            if isinstance(argument, (ast.Name, ast.Attribute)) and any(each[1] is below for each in recorded):
                uses[argument] = None
    if len(uses) != 1:
        return None
    (use,) = uses
    title = f"use `{facts.text(use, 30)}.detach()` here: this loss is not to train what made it"
    return facts.fix(title, "unsafe", append_call(facts.parsed, use, ".detach()"))


def _beside(facts: Facts, node: Node, sink: Sink) -> Span | None:
    """The statement that made a node, where it can be the one in the function that goes backward."""
    here = facts.enclosing_function(facts.statement_at(sink.site.span))
    spans = [each.span for each in node.stack if facts.here(each.span)]
    mine = (span for span in spans if facts.enclosing_function(facts.statement_at(span)) is here)
    return next(mine, None) or facts.innermost_here(node)


def _stepped_after(facts: Facts, sink: Sink) -> set[int] | None:
    """What the optimizer holds that steps next after a backward; None if that is not known."""
    index = next(i for i, each in enumerate(facts.events.sinks) if each is sink)
    step = next((each for each in facts.events.steps if each.sinks_before > index), None)
    return {id(tensor) for tensor, _ in step.grads} if step is not None and not step.open else None


def _below(node: Node) -> list[Node]:
    found, seen = [node], {node}
    for each in found:
        for edge in each.edges:
            if edge.node is not None and edge.node not in seen:
                seen.add(edge.node)
                found.append(edge.node)
    return found


def first_through(facts: Facts, sink: Sink, node: Node) -> Sink | None:
    """The first backward before this one that went through a node."""
    earlier = takewhile(lambda each: each is not sink, facts.events.sinks)
    return next((s for s in earlier if node in s.outcome.reach.nodes), None)


def _leaves(sink: Sink, node: Node) -> list[Tensor]:
    """The trainable leaves at the end of a node's edges."""
    ends = [
        edge.tensor for each in _below(node) for edge in each.edges if edge.node is None and edge.tensor is not None
    ]
    return [leaf for leaf in dict.fromkeys(ends) if leaf.requires_grad.yes]


def _updated(facts: Facts, first: Sink, second: Sink) -> bool:
    """Whether a step comes between two backwards and changes what the second one would find saved in the graph."""
    sinks = facts.events.sinks
    between = range(sinks.index(first) + 1, sinks.index(second) + 1)
    moved = {
        id(tensor.base.memory)
        for step in facts.events.steps
        if step.sinks_before in between
        for tensor, _ in step.grads
    }
    walk = [node for root in second.outcome.roots if root.node is not None for node in _below(root.node)]
    kept = [node for node in walk if node in first.outcome.reach.nodes]
    return any(id(saved.tensor.base.memory) in moved for node in kept for saved in node.saved)


def _retain(facts: Facts, first: Sink, where: str = "in the first") -> Fix | None:
    node = first.site.node
    if not isinstance(node, ast.Call) or not facts.here(first.site.span):
        return None
    edits = set_keyword(facts.parsed, node, "retain_graph", "True")
    return facts.fix(f"keep the graph: `retain_graph=True` {where} backward", "suggestion", edits)
