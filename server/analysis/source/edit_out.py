"""A result written into `out=` assigned instead.

torch.mm(x, w, out=y)               y = torch.mm(x, w)
torch.max(x, 0, out=(v, i))         v, i = torch.max(x, 0)
z = torch.mm(x, w, out=y)           z = y = torch.mm(x, w)
return torch.mm(x, w, out=y)        return torch.mm(x, w)
"""

from __future__ import annotations

import ast

from .edit_base import Edits, checked, edit
from .edit_calls import without_argument
from .parse import Parsed

_WRITES_THROUGH = frozenset(["data", "grad"])


def assign_out(parsed: Parsed, call: ast.Call) -> Edits | None:
    """Drop `out=` from a call; where it is a statement or the whole of an assignment, assign to what `out` was.

    None when the call has no `out=`, when `out` cannot be assigned to, and inside of other expressions, where what
    `out` named would be left as it was.
    """
    keyword = next((one for one in call.keywords if one.arg == "out"), None)
    stmt = parsed.parents.get(call)
    if keyword is None or not isinstance(stmt, (ast.Expr, ast.Assign, ast.Return)):
        return None
    source = parsed.source
    edits = [without_argument(parsed, call, keyword)]
    if not isinstance(stmt, ast.Return):
        if not _assignable(keyword.value):
            return None
        target = source.segment(keyword.value)
        if isinstance(keyword.value, (ast.Tuple, ast.List)):
            target = ", ".join(source.segment(one) for one in keyword.value.elts)
        known = [source.segment(one) for one in stmt.targets] if isinstance(stmt, ast.Assign) else []
        if target not in known:
            start = source.offsets(call)[0]
            edits.append(edit(parsed, start, start, f"{target} = "))
    return checked(parsed, edits, [stmt])


def _assignable(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return bool(node.elts) and all(_assignable(one) for one in node.elts)
    if isinstance(node, ast.Attribute):
        return node.attr not in _WRITES_THROUGH
    return isinstance(node, (ast.Name, ast.Subscript))
