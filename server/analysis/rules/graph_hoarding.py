"""`graph-hoarding`: a sum or list that is only looked at keeps the graph of every iteration alive."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property

from ..autograd.graph import Edge, Node, contradicts
from ..autograd.reach import constants, reach
from ..events import Grown, Sink
from ..facts import Facts
from ..report import Finding, Fix, Span, TraceStep
from ..source.edits import replace_expr
from .base import Rule
from .claims import Law
from .growth import Growth, begins, called_in, growth_of, is_name, is_returned, loop_around, only_collects, only_numbers

RULE = Rule(
    name="graph-hoarding",
    summary="a loss is added up with its graph: the graph of every iteration stays alive",
    family="life of the graph",
    severity="warning",
    fix="`.item()` or `.detach()` on what is added",
    claim=Law("hoards"),
    what="""\
Finds `total += loss` (also `total = total + loss` and `losses.append(loss)`) in a loop of many iterations, where what
is added carries a graph that is of no use any more:

- a `backward()` has gone through it, and freed it: another one through the sum would raise; or
- the program is over and no `backward()` has gone through the sum (only where all uses are in sight: not in a function
  that returns it, not if it is handed to unknown code).

A sum that a loss is made of (gradient accumulation, losses over time steps or tasks), one made under `no_grad`, and one
of numbers or detached tensors is not reported.""",
    why="""\
A tensor holds its graph: `grad_fn`, the nodes behind it and, until a backward has freed them, the activations they
saved. `total += loss` makes a new node on top of the old sum, so the graphs of all iterations hang together and none is
released before `total` is. In a training loop memory grows slowly, by the nodes; in an evaluation loop without
`no_grad` every batch leaves all its activations behind, which ends in *CUDA out of memory*.

What one wants there is the number: `total += loss.item()`, or `loss.detach()`, which does not wait for the GPU.""",
    example="""\
import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
total = 0.0
for _ in range(100):
    optimizer.zero_grad()
    loss = model(torch.randn(8, 4)).pow(2).mean()
    loss.backward()
    optimizer.step()
    total += loss
print(total / 100)
""",
    instead="""\
import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
total = 0.0
for _ in range(100):
    optimizer.zero_grad()
    loss = model(torch.randn(8, 4)).pow(2).mean()
    loss.backward()
    optimizer.step()
    total += loss.item()
print(total / 100)
""",
    fix_safety="""\
`.detach()` is *safe*: the same tensor without the graph, which nothing goes back through. `.item()` is offered where
the sum starts as a number and is only printed and computed with; it is *safe*, and prints a number for a tensor.""",
    blind_spots="""\
- Loops of known length with up to 24 iterations are run exactly and not reported: what they keep is bounded.
- Sums inside helper objects (`meter.update(loss)`) and in files of other modules are not seen.
- How much memory is lost the rule cannot tell; the execution check looks whether what is added carries a graph.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Sums and lists whose graph nobody can use or nobody uses; one finding per statement."""
    if facts.machine.exhausted:
        return
    once = _Once(facts)
    told: set[Span] = set()
    # A statement is met once in each pass and each call; what its text says it says once.
    written: dict[Span, Growth | None] = {}
    for event in facts.events.grown:
        place = event.site.span
        if event.after_error or place in told:
            continue
        if place not in written:
            growth = growth_of(facts, event)
            written[place] = growth if growth is not None and only_collects(facts, growth) else None
        growth = written[place]
        if growth is None:
            continue
        if not _keeps_values(event.node) or not _grows_by_values(once.two_passes(event)):
            continue
        freed_by = _freed_by(facts, event, growth, once)
        if freed_by is None and not _never_used(facts, event, growth, once):
            continue
        told.add(event.site.span)
        span = facts.source.span(growth.statement)
        kept = facts.source.span(growth.term) if growth.is_list else span
        term = facts.text(growth.term, 30)
        message = f"`{growth.name}` keeps the graph of every iteration alive: `{term}` is added with its history"
        trace: list[TraceStep | None] = [
            facts.step(freed_by.site.span, "note", "has gone through this graph, and freed it") if freed_by else None,
            facts.step(kept, "mutation", f"`{growth.name}` holds on to the graph of `{term}`"),
        ]
        yield facts.finding(RULE.name, "likely", message, span, trace, [_fix(facts, growth)])


class _Once:
    """What is asked again for each pass, found out once: of the text, and of what each backward surely went through."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._used: dict[int, bool] = {}
        self._scopes: dict[Span, str] = {}
        self._sure: dict[int, set[Node]] = {}
        self._barren: dict[int, set[Node]] = {}
        self._inside: dict[tuple[int, Span], bool] = {}
        self._passes: dict[Span, list[Grown]] = {}
        self._place: dict[int, int] = {}
        for event in facts.events.grown:
            same = self._passes.setdefault(event.site.span, [])
            self._place[id(event)] = len(same)
            same.append(event)

    def two_passes(self, event: Grown) -> list[Grown]:
        """An event and the next one of its statement, or the one before; alone where there is one only."""
        same, at = self._passes[event.site.span], self._place[id(event)]
        return same[at : at + 2] if at + 1 < len(same) else same[max(at - 1, 0) : at + 1]

    def handed_on(self, growth: Growth) -> bool:
        """Whether what is collected is returned, or given to a function that trains on it."""
        if id(growth) not in self._used:
            self._used[id(growth)] = is_returned(self._facts, growth) or _trained_on(self._facts, growth, self)
        return self._used[id(growth)]

    @cached_property
    def calls(self) -> list[tuple[str, set[str]]]:
        """The functions of the file by name, with the last names of what they call."""
        functions = (
            n for n in ast.walk(self._facts.parsed.tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
        )
        return [(each.name, called_in(each)) for each in functions]

    def runs(self, names: set[str], sink: Sink) -> bool:
        """Whether a backward stands in one of the functions with these names, or in one that they call."""
        span = sink.site.span
        if span not in self._scopes:
            statement = self._facts.statement_at(span)
            scope = self._facts.enclosing_function(statement) if statement is not None else None
            self._scopes[span] = getattr(scope, "name", "")
        if not self._scopes[span]:
            return False
        names = set(names)
        for name, called in self.calls:
            if name in names:
                names |= called
        return self._scopes[span] in names

    def in_loop(self, growth: Growth, sink: Sink) -> bool:
        """Whether the loop that adds runs a backward; once for each place of one."""
        key = (id(growth), sink.site.span)
        if key not in self._inside:
            self._inside[key] = _in_loop(self._facts, sink, growth, self)
        return self._inside[key]

    def sure(self, sink: Sink) -> set[Node]:
        """The nodes a backward has surely gone through."""
        if id(sink) not in self._sure:
            self._sure[id(sink)] = {*sink.outcome.reach.sure_nodes, *_spine(sink)}
        return self._sure[id(sink)]

    def barren(self, sink: Sink) -> set[Node]:
        """The nodes from which no way leads to one of those, as far as anybody looked."""
        return self._barren.setdefault(id(sink), set())


def _freed_by(facts: Facts, event: Grown, growth: Growth, once: _Once) -> Sink | None:
    """The backward that has freed what is added, when no backward goes through what is collected."""
    sinks = facts.events.sinks
    if growth.is_list:
        mine = [sink for sink in sinks if event.node in sink.outcome.reach.nodes]
        inside = {id(node) for node in ast.walk(growth.loop)}
        if any(id(sink.site.node) not in inside for sink in mine):
            return None
    elif any(event.node in sink.outcome.reach.nodes for sink in sinks):
        return None
    # When a method that nobody calls is run, and how often, another one does not know.
    ran = (sink for sink in sinks if sink.entry == event.entry)
    return next((s for s in ran if _frees(s) and once.in_loop(growth, s) and _joins(event, s, once)), None)


def _in_loop(facts: Facts, sink: Sink, growth: Growth, once: _Once) -> bool:
    """Whether a backward is run by the loop that adds, not only by one around it that begins the name anew.

    `div += torch.autograd.grad(...)` over the columns of an output is one pass of the training loop around.
    """
    loop: ast.AST = growth.loop
    around = loop_around(facts, loop)
    while around is not None and not begins(facts, around, growth):
        loop, around = around, loop_around(facts, around)
    statement = facts.statement_at(sink.site.span)
    if statement is None or any(each is statement for each in ast.walk(loop)):
        return True
    return once.runs(called_in(loop), sink)


def _trained_on(facts: Facts, growth: Growth, once: _Once) -> bool:
    """Whether the list is given to a function that runs a backward: values of a rollout, used without their history."""
    scope = facts.enclosing_function(growth.statement) or facts.parsed.tree
    takers = [
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.Call)
        and any(is_name(facts, each, growth.name) for each in (*node.args, *(each.value for each in node.keywords)))
    ]
    names = {
        each.func.id if isinstance(each.func, ast.Name) else each.func.attr
        for each in takers
        if isinstance(each.func, (ast.Name, ast.Attribute))
    }
    return bool(names) and any(once.runs(names, sink) for sink in facts.events.sinks)


def _joins(event: Grown, sink: Sink, once: _Once) -> bool:
    """Whether what is added leads, through operations that are known, to a node a backward has surely gone through.

    `hits += accuracy(out, y)` with an unknown function is a number for all we know.
    """
    if contradicts(event.path, sink.path):
        return False
    sure, barren = once.sure(sink), once.barren(sink)
    found, todo = {event.node}, [event.node]
    for each in todo:
        if each in barren:
            continue
        if each in sure:
            return any(n.opaque or (n.has_saved and n.freed.possible) for n in _below(each))
        if each.opaque or (each.tracked.no and not each.is_join):
            continue
        for edge in _where_it_ran(each, sink) if each.is_join else each.edges:
            if edge.node is not None and edge.node not in found and edge.live.possible and edge.flows:
                found.add(edge.node)
                todo.append(edge.node)
    barren |= found
    return False


def _where_it_ran(join: Node, sink: Sink) -> Sequence[Edge]:
    """The alternatives there are where a backward ran: those made under its conditions, if there are any
    (`if train: loss.backward(); loss = loss.detach()`), as the others are of the other branch."""
    made = [edge for edge in join.edges if edge.node is not None and edge.node.path >= sink.path]
    return made if made and sink.path else join.edges


def _spine(sink: Sink) -> dict[Node, None]:
    """The roots of a backward and what is below them without a choice: tracked, or the backward would have raised."""
    found: dict[Node, None] = {}
    for root in sink.outcome.roots:
        node = root.node
        while node is not None and node not in found and not node.is_join:
            found[node] = None
            live = [edge for edge in node.edges if edge.live.possible and edge.flows]
            node = live[0].node if len(live) == 1 else None
    return found


def _frees(sink: Sink) -> bool:
    """Whether a backward frees its graph, as far as one can see from the call."""
    node = sink.site.node
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return sink.kind == "backward" and all(each.arg in ("gradient", "inputs") for each in keywords)


def _never_used(facts: Facts, event: Grown, growth: Growth, once: _Once) -> bool:
    """Whether a graph of data and parameters surely grows in the module's own run, and no backward goes through it."""
    if event.entry != "module" or not event.node.tracked.yes or not growth.name.isidentifier():
        return False
    if once.handed_on(growth) or not constants([event.value]):
        return False
    every = [*facts.events.sinks, *facts.events.weak]
    if any(_frees(sink) and _joins(event, sink, once) for sink in facts.events.sinks):
        return False  # A figure of one step: what it was made of went with the backward of that step.
    if any(event.node in sink.outcome.reach.nodes for sink in every):
        return False
    escaped = list(dict.fromkeys(facts.events.escaped))
    return not (escaped and event.node in reach(escaped[:400]).nodes) and len(escaped) <= 400


def _keeps_values(node: Node) -> bool:
    """Whether the graph behind a node keeps more than sizes: views of leaves (`noise[i]`) keep nothing alive."""
    return any(each.has_saved or each.opaque for each in _below(node))


def _grows_by_values(pair: Sequence[Grown]) -> bool:
    """Whether a pass adds nodes that keep values: rows of what was computed before the loop are there anyway."""
    if len(pair) < 2:
        return True
    before = set(_below(pair[0].node))
    return any(each not in before and (each.has_saved or each.opaque) for each in _below(pair[1].node))


def _below(node: Node) -> Iterator[Node]:
    """A node and everything gradient flows to from it, nearest first."""
    found, todo = {node}, [node]
    for each in todo:
        yield each
        for edge in each.edges:
            if edge.node is not None and edge.node not in found and edge.live.possible and edge.flows:
                found.add(edge.node)
                todo.append(edge.node)


def _fix(facts: Facts, growth: Growth) -> Fix | None:
    name = ".item()" if only_numbers(facts, growth) else ".detach()"
    tensor = growth.term
    while isinstance(tensor, ast.IfExp):  # `loss if flag else 0`: the arm that is no number
        arms = [each for each in (tensor.body, tensor.orelse) if not isinstance(each, ast.Constant)]
        if len(arms) != 1:
            return None
        (tensor,) = arms
    term = facts.source.segment(tensor)
    if not isinstance(tensor, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
        term = f"({term})"
    edits = replace_expr(facts.parsed, tensor, term + name)
    return facts.fix(f"add the {'number' if name == '.item()' else 'value'} only: `{name}`", "safe", edits)
