"""What the text says of a sum or list that a loop adds to: the statement, where it starts, and what becomes of it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..events import Grown
from ..facts import Facts


@dataclass(frozen=True, slots=True)
class Growth:
    """The statement that adds: the name it adds to, what it adds, and the loop it stands in."""

    statement: ast.stmt
    name: str
    term: ast.expr
    loop: ast.For | ast.AsyncFor | ast.While
    is_list: bool


def growth_of(facts: Facts, event: Grown) -> Growth | None:
    """What an event's statement adds to what; None if it is of another form."""
    statement = facts.statement_at(event.site.span)
    loop = loop_around(facts, statement)
    if statement is None or loop is None:
        return None
    if isinstance(statement, ast.AugAssign):
        return Growth(statement, facts.text(statement.target), statement.value, loop, False)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.value, ast.BinOp):
        name, value = facts.text(statement.targets[0]), statement.value
        for old, term in ((value.left, value.right), (value.right, value.left)):
            if is_name(facts, old, name):
                return Growth(statement, name, term, loop, False)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "append" and len(call.args) == 1:
            return Growth(statement, facts.text(call.func.value), call.args[0], loop, True)
    return None


def loop_around(facts: Facts, node: ast.AST | None) -> ast.For | ast.AsyncFor | ast.While | None:
    """The innermost loop around a statement, in the same function."""
    while node is not None and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
        node = facts.parsed.parents.get(node)
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            return node
    return None


def only_collects(facts: Facts, growth: Growth) -> bool:
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
        if is_name(facts, node, growth.name) and isinstance(getattr(node, "ctx", None), ast.Load):
            around = facts.parsed.statement_of(node)
            if around is growth.statement or isinstance(around, ast.Expr):
                continue
            return False
    return True


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
            found += [value for each, value in pairs if is_name(facts, each, growth.name)]
    return found


def begins(facts: Facts, loop: ast.AST, growth: Growth) -> bool:
    """Whether a loop sets the name that is added to."""
    for node in ast.walk(loop):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node is not growth.statement:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_mentions(facts, each, growth.name) for each in targets):
                return True
    return False


def is_returned(facts: Facts, growth: Growth) -> bool:
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
                names |= {base.id for each in targets for base in _bases(each)}
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


def _bases(target: ast.expr) -> list[ast.Name]:
    """The names that a target puts something into: all of `image, _ = render(samples)`."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return [name for each in target.elts for name in _bases(each)]
    while isinstance(target, (ast.Subscript, ast.Attribute, ast.Starred)):
        target = target.value
    return [target] if isinstance(target, ast.Name) else []


def only_numbers(facts: Facts, growth: Growth) -> bool:
    """Whether the name starts as a number and is used in a way in which a number does as well as a tensor."""
    starts = _starts(facts, growth)
    numbers = [isinstance(each, ast.Constant) and isinstance(each.value, (int, float)) for each in starts]
    if growth.is_list or not starts or not all(numbers) or not growth.name.isidentifier() or is_returned(facts, growth):
        return False
    scope = facts.enclosing_function(growth.statement) or facts.parsed.tree
    for node in ast.walk(scope):
        if not is_name(facts, node, growth.name) or facts.parsed.statement_of(node) is growth.statement:
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


def called_in(node: ast.AST) -> set[str]:
    """The last names of what is called below a node."""
    calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    return {f.id if isinstance(f, ast.Name) else f.attr for f in calls if isinstance(f, (ast.Name, ast.Attribute))}


def is_name(facts: Facts, node: ast.AST, name: str) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and facts.text(node) == name


def _mentions(facts: Facts, node: ast.AST, name: str) -> bool:
    return any(is_name(facts, each, name) for each in ast.walk(node))
