"""What a statement mentions, found once: rules ask for names in the whole file, and most of it outlives an edit."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from .parse import parents_in


@dataclass(slots=True)
class Index:
    """The names a top-level statement mentions: variables, attributes (with their nodes), keyword arguments, functions
    it defines, and the parts of dotted strings."""

    names: set[str] = field(default_factory=set)
    attributes: dict[str, list[ast.Attribute]] = field(default_factory=dict)
    keywords: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)


def index_of(statement: ast.stmt) -> Index:
    """The index of a statement; nodes in the order of `ast.walk`."""
    known: Index | None = getattr(statement, "gradsight_index", None)
    if known is None:
        known = Index()
        for node in (statement, *parents_in(statement)):
            kind = type(node)
            if kind is ast.Name:
                known.names.add(node.id)  # type: ignore[attr-defined]
            elif kind is ast.Attribute:
                known.attributes.setdefault(node.attr, []).append(node)  # type: ignore[attr-defined,arg-type]
            elif kind is ast.Constant:
                if isinstance(node.value, str):  # type: ignore[attr-defined]
                    known.words.update(node.value.split("."))  # type: ignore[attr-defined]
            elif kind is ast.keyword:
                known.keywords.add(node.arg or "")  # type: ignore[attr-defined]
            elif kind is ast.FunctionDef:
                known.functions.add(node.name)  # type: ignore[attr-defined]
        statement.gradsight_index = known  # type: ignore[attr-defined]
    return known
