"""When an expression needs brackets: how tightly it binds, and how tightly its place wants it bound."""

from __future__ import annotations

import ast

from .parse import Parsed

_PRIMARY = (
    ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.List, ast.Dict, ast.Set, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
_BINARY: dict[type[ast.AST], int] = {
    ast.BitOr: 7, ast.BitXor: 8, ast.BitAnd: 9, ast.LShift: 10, ast.RShift: 10, ast.Add: 11, ast.Sub: 11,
    ast.Mult: 12, ast.Div: 12, ast.FloorDiv: 12, ast.Mod: 12, ast.MatMult: 12, ast.Pow: 14,
}  # fmt: skip
_PRIMARY_LEVEL = 16


def precedence(node: ast.expr) -> int:
    """How tightly an expression binds: 16 for a primary, less for operators, 0 for what always needs brackets.

    https://docs.python.org/3/reference/expressions.html#operator-precedence
    """
    if isinstance(node, _PRIMARY):
        return _PRIMARY_LEVEL
    if isinstance(node, ast.Constant):
        # `1 .real` and `"a" "b"` need care in front of a dot or an operator; plain names of constants do not.
        return _PRIMARY_LEVEL if not isinstance(node.value, (str, bytes, int, float)) or node.value is True else 15
    if isinstance(node, ast.JoinedStr):
        return 15
    if isinstance(node, ast.Await):
        return 15
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)]
    if isinstance(node, ast.UnaryOp):
        return 4 if isinstance(node.op, ast.Not) else 13
    if isinstance(node, ast.Compare):
        return 5
    if isinstance(node, ast.BoolOp):
        return 3 if isinstance(node.op, ast.And) else 2
    return 1 if isinstance(node, (ast.IfExp, ast.Lambda)) else 0


def operand_text(parsed: Parsed, node: ast.expr, above: int) -> str:
    """The source of an expression, in brackets unless it binds tighter than `above` and stays on one line."""
    text = parsed.source.segment(node)
    level = precedence(node)
    if level > above and ("\n" not in text or level == _PRIMARY_LEVEL):
        return text
    return f"({text})"


def level_needed(parsed: Parsed, node: ast.expr) -> int:
    """The precedence an expression must exceed to stand where `node` stands without brackets."""
    parent = parsed.parents.get(node)
    if _bracketed(parsed, node):
        return 0
    if isinstance(parent, (ast.Attribute, ast.Await)) or (isinstance(parent, ast.Call) and parent.func is node):
        return _PRIMARY_LEVEL - 1
    if isinstance(parent, ast.Subscript):
        return _PRIMARY_LEVEL - 1 if parent.value is node else 0
    if isinstance(parent, ast.BinOp):
        level = _BINARY[type(parent.op)]
        if isinstance(parent.op, ast.Pow):
            return level if parent.left is node else level - 2
        return level - 1 if parent.left is node else level
    if isinstance(parent, ast.UnaryOp):
        return 3 if isinstance(parent.op, ast.Not) else 12
    if isinstance(parent, (ast.Compare, ast.BoolOp)):
        return 5 if isinstance(parent, ast.Compare) else 4
    if isinstance(parent, (ast.IfExp, ast.Starred)):
        return 2 if isinstance(parent, ast.IfExp) else 6
    return 0


def _bracketed(parsed: Parsed, node: ast.expr) -> bool:
    """Whether a pair of brackets surrounds exactly this expression and is not its parent's own."""
    source = parsed.source
    start, end = source.offsets(node)
    text = source.text
    before, after = start - 1, end
    while before >= 0 and text[before] in " \t":
        before -= 1
    while after < len(text) and text[after] in " \t":
        after += 1
    if before < 0 or after >= len(text) or text[before] != "(" or text[after] != ")":
        return False
    parent = parsed.parents.get(node)
    if isinstance(parent, ast.Call) and parent.func is not node:
        return True
    if parent is None or not hasattr(parent, "lineno"):
        return True
    first, last = source.offsets(parent)
    return (first <= before and after < last) or isinstance(parent, ast.stmt)
