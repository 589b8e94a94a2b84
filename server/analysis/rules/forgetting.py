"""How a value that outlives a pass of a loop forgets the pass: `detach()` where the pass has no more use for it."""

from __future__ import annotations

import ast

from ..autograd.graph import Node
from ..autograd.tensor import Tensor
from ..events import Sink
from ..facts import Facts
from ..report import Fix, Span
from ..source.edits import append_call, insert_line_after, insert_line_before

_STATES = frozenset({"LSTM", "LSTMCell"})
"""Modules whose state is a pair of tensors."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def forget(facts: Facts, node: Node, place: Span, first: Sink) -> Fix | None:
    """The fix for a value that `node` made and the statement at `place` carries into the next pass of `first`.

    None where no line is known to come after the last use in the pass, and before the first one in the next.
    """
    statement = facts.statement_at(place)
    if statement is None or _several(first, node):
        return None
    if isinstance(statement, ast.Expr):
        return _kept(facts, statement, first)
    if isinstance(statement, ast.AugAssign):
        return _after_backward(facts, statement, statement.target, node, first)
    if not isinstance(statement, ast.Assign):
        return None
    target = _carried(facts, statement, statement.targets[0])
    if isinstance(target, ast.Attribute):
        return _before_use(facts, statement, target, node)
    return _after_backward(facts, statement, target, node, first) if target is not None else None


def is_before_the_loop(facts: Facts, place: Span, sink: Sink) -> bool:
    """Whether what a place makes is made once, and a loop behind it goes backward through it again and again."""
    statement, backward = facts.statement_at(place), facts.statement_at(sink.site.span)
    if statement is None or backward is None or statement.lineno >= backward.lineno:
        return False
    same = facts.enclosing_function(statement) is facts.enclosing_function(backward)
    return same and not _share_a_loop(facts, statement, backward)


def carried_name(facts: Facts, place: Span) -> str:
    """Which of several targets of the statement at a place goes on into the next pass; "" if that is not told."""
    statement = facts.statement_at(place)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], (ast.Tuple, ast.Attribute)):
        return ""
    target = _carried(facts, statement, statement.targets[0])
    return f"`{facts.text(target)}`" if target is not None else ""


def _several(first: Sink, node: Node) -> bool:
    """Whether one pass goes through the place more than once: then a `detach()` there would cut the pass itself."""
    mine = [n for n in first.outcome.reach.nodes if n.span == node.span and n.stack == node.stack]
    return sum(each.order >= first.pass_start for each in mine) > 1


def _carried(facts: Facts, statement: ast.Assign, target: ast.expr) -> ast.expr | None:
    """What of the targets is read again: the only one, or the one that the value itself reads, or the loop."""
    targets = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
    plain = [each for each in targets if isinstance(each, (ast.Name, ast.Attribute))]
    if len(plain) == 1 and len(targets) == 1:
        return plain[0]
    read = {ast.unparse(each) for each in ast.walk(statement.value) if isinstance(each, (ast.Name, ast.Attribute))}
    again = [each for each in plain if ast.unparse(each) in read]
    return again[0] if len(again) == 1 else None


def _loads(facts: Facts, name: str, inside: ast.AST) -> list[ast.AST]:
    return [
        each
        for each in ast.walk(inside)
        if isinstance(each, (ast.Name, ast.Attribute))
        and isinstance(each.ctx, ast.Load)
        and facts.source.segment(each) == name
    ]


def _is_tensor(facts: Facts, name: str, inside: ast.AST) -> bool:
    return any(facts.machine.recorded.get(each) for each in _loads(facts, name, inside))


def _forgotten(facts: Facts, name: str, node: Node, inside: ast.AST) -> str:
    """The assignment that ends the history of a tensor, or of the pair of tensors that an LSTM hands on."""
    if _is_tensor(facts, name, inside):
        return f"{name} = {name}.detach()"
    return f"{name} = tuple(each.detach() for each in {name})" if node.name in _STATES else ""


def _after_backward(facts: Facts, statement: ast.stmt, target: ast.expr, node: Node, first: Sink) -> Fix | None:
    """`h = h.detach()` behind the backward of the pass; on the assignment itself, where that comes later."""
    name, backward = facts.source.segment(target), facts.statement_at(first.site.span)
    function = facts.enclosing_function(statement)
    if backward is None or facts.enclosing_function(backward) is not function or not isinstance(target, ast.Name):
        return None
    if not _share_a_loop(facts, statement, backward):
        return None
    inside = function or facts.parsed.tree
    asked = bool(_loads(facts, f"{name}.grad", inside))
    if statement.lineno > backward.lineno:
        if not isinstance(statement, ast.Assign) or not _is_tensor(facts, name, inside):
            return None
        if any(facts.name_of(held.tensor) == name or held.tensor.name == name for held in facts.events.held):
            return None  # The optimizer holds the tensor that had the name first.
        # Whose gradient is asked for has to be a leaf again.
        asked = asked or any(leaf.name == name for leaf in _leaves(node))
        call = ".detach().requires_grad_()" if asked else ".detach()"
        title = f"make `{name}` a new leaf: `{call[1:]}`" if asked else f"let `{name}` forget its history: `.detach()`"
        return facts.fix(title, "unsafe", append_call(facts.parsed, statement.value, call))
    text = _forgotten(facts, name, node, inside)
    if not text or asked or not isinstance(backward, ast.Expr):
        return None
    title = f"let `{name}` forget the pass: `{text}` after `{facts.text(backward, 30)}`"
    return facts.fix(title, "unsafe", insert_line_after(facts.parsed, backward, text))


def _share_a_loop(facts: Facts, statement: ast.stmt, backward: ast.stmt) -> bool:
    """Whether a loop goes through both."""
    around = facts.parsed.parents.get(backward)
    while around is not None and not isinstance(around, _FUNCTIONS):
        if isinstance(around, (ast.For, ast.While, ast.AsyncFor)) and any(
            each is statement for each in ast.walk(around)
        ):
            return True
        around = facts.parsed.parents.get(around)
    return False


def _leaves(node: Node) -> list[Tensor]:
    """The trainable leaves that a node was computed from."""
    todo, seen, found = [node], {node}, []
    for each in todo:
        for edge in each.edges:
            if edge.node is None and edge.tensor is not None and edge.tensor.requires_grad.yes:
                found.append(edge.tensor)
            elif edge.node is not None and edge.node not in seen:
                seen.add(edge.node)
                todo.append(edge.node)
    return found


def _before_use(facts: Facts, statement: ast.Assign, target: ast.Attribute, node: Node) -> Fix | None:
    """`self.hidden = self.hidden.detach()` in front of the statement that goes on from it."""
    name = facts.source.segment(target)
    if not _loads(facts, name, statement.value):
        return None
    if any(_sets_none(each, target.attr) for each in ast.walk(facts.parsed.tree)):
        return None
    text = _forgotten(facts, name, node, statement.value)
    edits = insert_line_before(facts.parsed, statement, text) if text else None
    return facts.fix(f"let `{name}` forget the pass before: `{text}`", "unsafe", edits)


def _sets_none(node: ast.AST, attribute: str) -> bool:
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and any(isinstance(each, ast.Attribute) and each.attr == attribute for each in node.targets)
    )


def _kept(facts: Facts, statement: ast.Expr, first: Sink) -> Fix | None:
    """`memory.append(v)` after the backward as `memory.append(v.detach())`."""
    call = statement.value
    backward = facts.statement_at(first.site.span)
    if not isinstance(call, ast.Call) or not call.args or backward is None:
        return None
    value = call.args[-1]
    same = facts.enclosing_function(statement) is facts.enclosing_function(backward)
    if not same or statement.lineno <= backward.lineno or not facts.machine.recorded.get(value):
        return None
    title = f"keep the value only: `{facts.text(value, 30)}.detach()`"
    return facts.fix(title, "unsafe", append_call(facts.parsed, value, ".detach()"))
