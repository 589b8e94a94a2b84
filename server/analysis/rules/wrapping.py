"""A function that a decorator of the program itself calls in a block with tracking off."""

from __future__ import annotations

import ast

from ..facts import Cause, Facts

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def wrapped(facts: Facts, cause: Cause) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ast.expr] | None:
    """The function of this file whose calls a block in its decorator leaves untracked, with that decorator.

    The block is right for the others that are decorated with it; where there are none, the block itself is told.
    """
    outer = _decorating(facts, cause)
    if outer is None or sum(outer in _names_of(each) for each in ast.walk(facts.parsed.tree)) < 2:
        return None
    for place in (cause.cut.span, *(site.span for site in reversed(cause.cut.stack))):
        node = facts.node_at(place) if facts.here(place) else None
        function = facts.enclosing_function(node)
        while function is not None:
            if isinstance(function, _FUNCTIONS) and outer in _names_of(function):
                return function, function.decorator_list[_names_of(function).index(outer)]
            function = facts.enclosing_function(function)
    return None


def _names_of(node: ast.AST) -> list[str]:
    """What the decorators of a function are called; "" for those without a plain name."""
    decorators = node.decorator_list if isinstance(node, _FUNCTIONS) else []
    called = [each.func if isinstance(each, ast.Call) else each for each in decorators]
    return [each.id if isinstance(each, ast.Name) else "" for each in called]


def _decorating(facts: Facts, cause: Cause) -> str | None:
    """The name of the function around a wrapper with the block of a cut, which calls what that function is given."""
    block = facts.node_at(cause.why.span)
    wrapper = facts.enclosing_function(block)
    around = facts.enclosing_function(wrapper)
    given: set[str] = set()
    name = None
    while isinstance(around, _FUNCTIONS):
        given |= {each.arg for each in (*around.args.posonlyargs, *around.args.args)}
        name, around = around.name, facts.enclosing_function(around)
    for site in cause.cut.stack:
        node = site.node
        called = node.func if isinstance(node, ast.Call) and facts.here(site.span) else None
        if isinstance(called, ast.Name) and called.id in given and facts.enclosing_function(called) is wrapper:
            return name
    return None
