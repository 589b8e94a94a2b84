"""`graph-hoarding`: a sum or list that is only looked at keeps the graph of every iteration alive."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..autograd.graph import Edge, Node, contradicts
from ..autograd.reach import constants, reach
from ..events import Grown, Sink
from ..facts import Facts
from ..report import Finding, Fix, Span, TraceStep
from ..source.edits import replace_expr
from .base import Rule
from .claims import Law

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


@dataclass(frozen=True, slots=True)
class Growth:
    """The statement that adds: the name it adds to, what it adds, and the loop it stands in."""

    statement: ast.stmt
    name: str
    term: ast.expr
    loop: ast.For | ast.AsyncFor | ast.While
    is_list: bool


class _Once:
    """What is asked again for each pass, found out once: of the text, and of what each backward surely went through."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._used: dict[int, bool] = {}
        self._scopes: dict[Span, str] = {}
        self._sure: dict[int, set[Node]] = {}
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
            self._used[id(growth)] = _returned(self._facts, growth) or _trained_on(self._facts, growth, self)
        return self._used[id(growth)]

    @cached_property
    def calls(self) -> list[tuple[str, set[str]]]:
        """The functions of the file by name, with the last names of what they call."""
        functions = (
            n for n in ast.walk(self._facts.parsed.tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
        )
        return [(each.name, _called(each)) for each in functions]

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
        """`_in_loop`, once for each place of a backward."""
        key = (id(growth), sink.site.span)
        if key not in self._inside:
            self._inside[key] = _in_loop(self._facts, sink, growth, self)
        return self._inside[key]

    def sure(self, sink: Sink) -> set[Node]:
        """The nodes a backward has surely gone through."""
        if id(sink) not in self._sure:
            self._sure[id(sink)] = {*sink.outcome.reach.sure_nodes, *_spine(sink)}
        return self._sure[id(sink)]


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
            growth = _growth(facts, event)
            written[place] = growth if growth is not None and _only_collects(facts, growth) else None
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


def _growth(facts: Facts, event: Grown) -> Growth | None:
    """What an event's statement adds to what; None if it is of another form."""
    statement = facts.statement_at(event.site.span)
    loop = _loop(facts, statement)
    if statement is None or loop is None:
        return None
    if isinstance(statement, ast.AugAssign):
        return Growth(statement, facts.text(statement.target), statement.value, loop, False)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.value, ast.BinOp):
        name, value = facts.text(statement.targets[0]), statement.value
        for old, term in ((value.left, value.right), (value.right, value.left)):
            if _is_name(facts, old, name):
                return Growth(statement, name, term, loop, False)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "append" and len(call.args) == 1:
            return Growth(statement, facts.text(call.func.value), call.args[0], loop, True)
    return None


def _loop(facts: Facts, node: ast.AST | None) -> ast.For | ast.AsyncFor | ast.While | None:
    """The innermost loop around a statement, in the same function."""
    while node is not None and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
        node = facts.parsed.parents.get(node)
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            return node
    return None


def _only_collects(facts: Facts, growth: Growth) -> bool:
    """Whether the loop only adds to the name: it is not begun anew in each pass, nor used but to look at it."""
    if _mentions(facts, growth.term, growth.name):
        return False
    for statement in growth.loop.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement is not growth.statement:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(_mentions(facts, each, growth.name) for each in targets):
                return False
    if growth.is_list and not _starts_as_list(facts, growth):
        return False
    for node in ast.walk(growth.loop):
        if _is_name(facts, node, growth.name) and isinstance(getattr(node, "ctx", None), ast.Load):
            around = facts.parsed.statement_of(node)
            if around is growth.statement or isinstance(around, ast.Expr):
                continue
            return False
    return True


def _is_name(facts: Facts, node: ast.AST, name: str) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and facts.text(node) == name


def _mentions(facts: Facts, node: ast.AST, name: str) -> bool:
    return any(_is_name(facts, each, name) for each in ast.walk(node))


def _starts_as_list(facts: Facts, growth: Growth) -> bool:
    """Whether the name is given an empty list somewhere outside of the loop, and nothing else."""
    values = _starts(facts, growth)
    return bool(values) and all(
        (isinstance(each, ast.List) and not each.elts)
        or (isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "list" and not each.args)
        for each in values
    )


def _starts(facts: Facts, growth: Growth) -> list[ast.expr]:
    """What the name is given by assignments in the same function; for an attribute, anywhere in the file."""
    scope = facts.enclosing_function(growth.statement) if growth.name.isidentifier() else None
    found: list[ast.expr] = []
    for node in ast.walk(scope or facts.parsed.tree):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node is growth.statement or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            found += [value for each, value in pairs if _is_name(facts, each, growth.name)]
    return found


def _keeps_values(node: Node) -> bool:
    """Whether the graph behind a node keeps more than sizes: views of leaves (`noise[i]`) keep nothing alive."""
    return any(each.has_saved or each.opaque for each in _below(node))


def _grows_by_values(pair: Sequence[Grown]) -> bool:
    """Whether a pass adds nodes that keep values: rows of what was computed before the loop are there anyway."""
    if len(pair) < 2:
        return True
    before = _below(pair[0].node)
    return any(each not in before and (each.has_saved or each.opaque) for each in _below(pair[1].node))


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
    around = _loop(facts, loop)
    while around is not None and not _begins(facts, around, growth):
        loop, around = around, _loop(facts, around)
    statement = facts.statement_at(sink.site.span)
    if statement is None or any(each is statement for each in ast.walk(loop)):
        return True
    return once.runs(_called(loop), sink)


def _trained_on(facts: Facts, growth: Growth, once: _Once) -> bool:
    """Whether the list is given to a function that runs a backward: values of a rollout, used without their history."""
    scope = facts.enclosing_function(growth.statement) or facts.parsed.tree
    takers = [
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.Call)
        and any(_is_name(facts, each, growth.name) for each in (*node.args, *(each.value for each in node.keywords)))
    ]
    names = {
        each.func.id if isinstance(each.func, ast.Name) else each.func.attr
        for each in takers
        if isinstance(each.func, (ast.Name, ast.Attribute))
    }
    return bool(names) and any(once.runs(names, sink) for sink in facts.events.sinks)


def _begins(facts: Facts, loop: ast.AST, growth: Growth) -> bool:
    """Whether a loop sets the name that is added to."""
    for node in ast.walk(loop):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node is not growth.statement:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_mentions(facts, each, growth.name) for each in targets):
                return True
    return False


def _called(node: ast.AST) -> set[str]:
    """The last names of what is called below a node."""
    calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    return {f.id if isinstance(f, ast.Name) else f.attr for f in calls if isinstance(f, (ast.Name, ast.Attribute))}


def _joins(event: Grown, sink: Sink, once: _Once) -> bool:
    """Whether what is added leads, through operations that are known, to a node a backward has surely gone through.

    `hits += accuracy(out, y)` with an unknown function is a number for all we know.
    """
    if contradicts(event.path, sink.path):
        return False
    sure = once.sure(sink)
    found, todo = {event.node}, [event.node]
    for each in todo:
        if each in sure:
            return any(n.opaque or (n.has_saved and n.freed.possible) for n in _below(each))
        if each.opaque or (each.tracked.no and not each.is_join):
            continue
        for edge in _where_it_ran(each, sink) if each.is_join else each.edges:
            if edge.node is not None and edge.node not in found and edge.live.possible and edge.flows:
                found.add(edge.node)
                todo.append(edge.node)
    return False


def _where_it_ran(join: Node, sink: Sink) -> Sequence[Edge]:
    """The alternatives there are where a backward ran: those made under its conditions, if there are any
    (`if train: loss.backward(); loss = loss.detach()`), as the others are of the other branch."""
    made = [edge for edge in join.edges if edge.node is not None and edge.node.path >= sink.path]
    return made if made and sink.path else join.edges


def _spine(sink: Sink) -> list[Node]:
    """The roots of a backward and what is below them without a choice: tracked, or the backward would have raised."""
    found: list[Node] = []
    for root in sink.outcome.roots:
        node = root.node
        while node is not None and node not in found and not node.is_join:
            found.append(node)
            live = [edge for edge in node.edges if edge.live.possible and edge.flows]
            node = live[0].node if len(live) == 1 else None
    return found


def _frees(sink: Sink) -> bool:
    """Whether a backward frees its graph, as far as one can see from the call."""
    node = sink.site.node
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return sink.kind == "backward" and all(each.arg in ("gradient", "inputs") for each in keywords)


def _below(node: Node) -> dict[Node, None]:
    """A node and everything gradient flows to from it."""
    found: dict[Node, None] = {node: None}
    todo = [node]
    for each in todo:
        for edge in each.edges:
            if edge.node is not None and edge.node not in found and edge.live.possible and edge.flows:
                found[edge.node] = None
                todo.append(edge.node)
    return found


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


def _returned(facts: Facts, growth: Growth) -> bool:
    """Whether the function around hands the sum out, or something that it went into."""
    scope = facts.enclosing_function(growth.statement)
    if scope is None:
        return False
    names = {growth.name}
    for _ in range(8):  # A name further in each round; longer chains are told.
        known = len(names)
        for node in ast.walk(scope):
            value, targets = _goes_into(node)
            if value is not None and any(_mentions(facts, value, name) for name in names):
                names |= {base.id for each in targets if (base := _base(each)) is not None}
        if len(names) == known:
            break
    return any(
        isinstance(node, (ast.Return, ast.Yield))
        and node.value is not None
        and any(_mentions(facts, node.value, name) for name in names)
        for node in ast.walk(scope)
    )


def _goes_into(node: ast.AST) -> tuple[ast.expr | None, list[ast.expr]]:
    """What a statement puts where: an assignment, a loop's elements."""
    if isinstance(node, ast.Assign):
        return node.value, node.targets
    if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        return node.value, [node.target]
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return node.iter, [node.target]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("append", "extend"):
        return (node.args[0] if node.args else None), [node.func.value]
    return None, []


def _base(target: ast.expr) -> ast.Name | None:
    while isinstance(target, (ast.Subscript, ast.Attribute, ast.Starred)):
        target = target.value
    return target if isinstance(target, ast.Name) else None


def _fix(facts: Facts, growth: Growth) -> Fix | None:
    name = ".item()" if _only_numbers(facts, growth) else ".detach()"
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


def _only_numbers(facts: Facts, growth: Growth) -> bool:
    """Whether the name starts as a number and is used in a way in which a number does as well as a tensor."""
    starts = _starts(facts, growth)
    numbers = [isinstance(each, ast.Constant) and isinstance(each.value, (int, float)) for each in starts]
    if growth.is_list or not starts or not all(numbers) or not growth.name.isidentifier() or _returned(facts, growth):
        return False
    scope = facts.enclosing_function(growth.statement) or facts.parsed.tree
    for node in ast.walk(scope):
        if not _is_name(facts, node, growth.name) or facts.parsed.statement_of(node) is growth.statement:
            continue
        if isinstance(getattr(node, "ctx", None), ast.Load) and not _printed(facts, node):
            return False
    return True


def _printed(facts: Facts, node: ast.AST) -> bool:
    """Whether a value goes through arithmetic into `print`, a formatted string or `float` at most."""
    above = facts.parsed.parents.get(node)
    while isinstance(above, (ast.BinOp, ast.UnaryOp)):
        above = facts.parsed.parents.get(above)
    if isinstance(above, ast.Call) and isinstance(above.func, ast.Name):
        return above.func.id in ("print", "float", "round", "str")
    return isinstance(above, ast.FormattedValue)
