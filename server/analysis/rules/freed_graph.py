"""`freed-graph`: a second backward through a graph that the first one freed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..events import Sink
from ..facts import Facts
from ..report import Finding, Fix, TraceStep
from ..source.edits import set_keyword
from .base import Rule

RULE = Rule(
    name="freed-graph",
    summary="`backward()` goes through a part of the graph that an earlier `backward()` freed",
    family="life of the graph",
    severity="error",
    fix="`retain_graph=True` on the first call where both are meant, `detach()` for a state carried over",
    what="""\
Finds a `backward()` (or `torch.autograd.grad`) that walks through nodes whose saved tensors an earlier one has freed:
two losses over a shared part of the graph, `backward()` called twice on the same loss, and, over the iterations of a
loop, a value computed in one iteration that is used in the next (a hidden state, a running baseline, a forward pass
left outside the loop). The finding sits on the `backward()` that raises; the trace shows the first one, and the value
that links the two.

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
`retain_graph=True` on the earlier call is *safe* where both calls are in straight-line code: gradients add up, as two
calls on two graphs would. `detach()` of a state carried over an iteration is *unsafe*: it is what is usually meant
(truncated back-propagation through time), but it does shorten the history. Calling `backward()` on the sum of two
losses is a *suggestion*.""",
    blind_spots="""\
- Some nodes save nothing (`x + y`, `-x`, `x.sum()`), and a second walk through only such nodes does not raise; the
  rule follows the op table in this, and is silent where the table is not sure.
- A loop is run twice; a graph that is only met again after more iterations than that is not seen.
- `backward()` in a library (a trainer, an accelerator) is known for the usual ones only.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Backwards through nodes whose saved tensors an earlier backward has freed."""
    for index, sink in enumerate(facts.events.sinks):
        raised = sink.outcome.raises
        if sink.after_error or raised is None or raised.kind != "freed" or not facts.here(sink.site.span):
            continue
        first = _first(facts.events.sinks[:index], raised.node)
        again = first is not None and first.site.span == sink.site.span
        name = facts.sink_name(sink)
        if again:
            message = f"{name} goes through a graph that the backward of the pass before has freed"
        else:
            message = f"second backward through the same graph: the first has freed what {name} needs"
        trace: list[TraceStep | None] = [
            facts.step(
                raised.node.span if raised.node and facts.here(raised.node.span) else None,
                "source",
                "this part of the graph is shared",
            ),
            facts.step(first.site.span, "mutation", "frees the graph") if first is not None else None,
            facts.sink_step(sink, "raises: Trying to backward through the graph a second time"),
        ]
        fixes = [_retain(facts, first)] if first is not None else []
        yield facts.finding(RULE.name, facts.confidence(sink), message, facts.marked(sink.site.span), trace, fixes)


def _first(earlier: list[Sink], node: object) -> Sink | None:
    return next((s for s in earlier if node in s.outcome.reach.nodes), None)


def _retain(facts: Facts, first: Sink) -> Fix | None:
    node = first.site.node
    if not isinstance(node, ast.Call) or not facts.here(first.site.span):
        return None
    edits = set_keyword(facts.parsed, node, "retain_graph", "True")
    return facts.fix("keep the graph: `retain_graph=True` in the first backward", "suggestion", edits)
