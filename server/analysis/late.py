"""Flags that were set too late: `requires_grad_()` on a value that had been computed without a graph.

Where a fix brings the graph back, the flag has to go too: PyTorch refuses `t.requires_grad = True` on a result.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .events import Flagged
from .facts import Cause, Facts
from .report import Edit, Fix, apply_edits
from .source.edit_base import delete_statement
from .source.edits import drop_method_call


def flags_between(facts: Facts, cause: Cause) -> list[Flagged]:
    """The flags on values between a cut and its loss whose own gradient nobody wants."""
    path = cause.leaves[0].path
    behind = set(path[: path.index(cause.cut) + 1]) if cause.cut in path else set()
    return [
        each
        for each in facts.events.flagged
        if each.node in behind and not facts.is_wanted(each.tensor) and facts.here(each.site.span)
    ]


def without_flags(facts: Facts, fix: Fix | None, flags: Sequence[Flagged]) -> Fix | None:
    """The fix with the flags taken away as well; as it was where that cannot be written."""
    if fix is None:
        return None
    edits = list(fix.edits)
    for each in flags:
        edits += _dropped(facts, each)
    unique = tuple(dict.fromkeys(edits))
    if unique == fix.edits:
        return fix
    try:
        ast.parse(apply_edits(facts.source.text, unique))
    except (ValueError, SyntaxError):
        return fix
    return Fix(fix.title, fix.applicability, unique)


def _dropped(facts: Facts, flagged: Flagged) -> list[Edit]:
    node = facts.node_at(flagged.site.span)
    statement = facts.statement_at(flagged.site.span)
    if isinstance(node, ast.Attribute) and isinstance(statement, ast.Assign):
        return list(delete_statement(facts.parsed, statement))
    if isinstance(node, ast.Call):
        return list(drop_method_call(facts.parsed, node) or ())
    return []
