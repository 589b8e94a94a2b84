"""A change through `.data` or `.detach()` written as an operation that autograd sees.

y.data.mul_(m)       y = y.mul(m)
y.detach().mul_(m)   y = y.mul(m)
y.data += 1          y = y + 1
y.data = y.data * m  y = y * m
"""

from __future__ import annotations

import ast

from .edit_base import Edits, checked, edit
from .edit_inplace import AUGMENTED, NO_NAMESAKE
from .edit_precedence import operand_text
from .parse import Parsed


def without_data(parsed: Parsed, stmt: ast.AST | None) -> Edits | None:
    """Rewrite one statement that writes to `T.data` as an assignment to `T`, which is a name or an attribute.

    None when the statement is none of the forms above, or the method has no namesake without the underscore.
    """
    if isinstance(stmt, ast.AugAssign):
        return _augmented(parsed, stmt)
    if isinstance(stmt, ast.Assign) and len(stmt.targets) == 1:
        return _assigned(parsed, stmt, stmt.targets[0])
    if isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Call):
        return _called(parsed, stmt, stmt.value)
    return None


def _owner(node: ast.AST) -> ast.expr | None:
    """`T` of `T.data` and `T.detach()`, where it can be assigned to."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "detach":
        node = node.func
    elif not isinstance(node, ast.Attribute) or node.attr != "data":
        return None
    inner: ast.expr = node.value
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return node.value if isinstance(inner, ast.Name) else None


def _augmented(parsed: Parsed, stmt: ast.AugAssign) -> Edits | None:
    owner = _owner(stmt.target)
    if owner is None:
        return None
    sign, level = AUGMENTED[type(stmt.op)]
    name = parsed.source.segment(owner)
    start = parsed.source.offsets(stmt)[0]
    value = operand_text(parsed, stmt.value, level)
    end = parsed.source.offsets(stmt)[1]
    return checked(parsed, [edit(parsed, start, end, f"{name} = {name} {sign} {value}")], [stmt])


def _assigned(parsed: Parsed, stmt: ast.Assign, target: ast.expr) -> Edits | None:
    owner = _owner(target)
    if owner is None:
        return None
    name = parsed.source.segment(owner)
    edits = []
    for node in ast.walk(stmt):
        inner = _owner(node)
        if inner is not None and parsed.source.segment(inner) == name:
            edits.append(edit(parsed, parsed.source.offsets(inner)[1], parsed.source.offsets(node)[1], ""))
    # Only the target: the new contents come from elsewhere, and the history of `T` would be lost.
    return checked(parsed, edits, [stmt]) if len(edits) > 1 else None


def _called(parsed: Parsed, stmt: ast.Expr, call: ast.Call) -> Edits | None:
    method = call.func
    if not isinstance(method, ast.Attribute) or not method.attr.endswith("_") or method.attr in NO_NAMESAKE:
        return None
    owner = _owner(method.value)
    if owner is None:
        return None
    source = parsed.source
    name, start, end = source.segment(owner), source.offsets(stmt)[0], source.offsets(method)[1]
    edits = [
        edit(parsed, start, start, f"{name} = "),
        edit(parsed, source.offsets(owner)[1], source.offsets(method.value)[1], ""),
        edit(parsed, end - 1, end, ""),
    ]
    return checked(parsed, edits, [stmt])
