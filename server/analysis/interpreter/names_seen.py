"""What a piece of a program can see: the names it mentions, and what can be reached from a value."""

from __future__ import annotations

import ast
import gc
import types
from collections.abc import Iterable
from typing import Any

from ..autograd.engine import Autograd
from ..autograd.graph import Version
from ..autograd.heap import Heap
from ..autograd.tensor import Device, Form
from ..autograd.truth import Truth
from ..report import Span
from ..source.text import SourceText
from ..torch_model.model import TorchModel
from ..torch_model.table import ModuleOp, Op, Overload
from ..values import Builtin, External, FunctionValue, ModuleValue, Site, TorchName, Value
from .imports import Importer
from .machine import Machine
from .scope import Scope

_MOST = 100_000
_ENDS = (
    *(str, bytes, int, float, complex, type(None), Span, Truth),
    *(type, types.ModuleType, ast.AST, Machine, TorchModel, Autograd, Heap, SourceText, ModuleValue, Importer),
    *(Site, Version, Form, Device, TorchName, External, Builtin, Op, ModuleOp, Overload),
)
"""Nothing of the program's state is behind these, or what is there is seen by name. (Of the conditions that a version
holds only the identity counts.)"""
_HOW: dict[type, str] = {}
"""How a kind of object is followed."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def names_of(statement: ast.stmt) -> frozenset[str]:
    """The names a statement mentions when it runs; not those in the bodies of functions, which run when called, nor a
    plain target, whose value nobody asks for."""
    known: frozenset[str] | None = getattr(statement, "gradsight_names", None)
    if known is None:
        parts: list[ast.AST] = list(ast.iter_child_nodes(statement))
        if isinstance(statement, ast.Assign):
            targets = [e for t in statement.targets for e in (t.elts if isinstance(t, ast.Tuple) else [t])]
            parts = [statement.value, *(target for target in targets if not isinstance(target, ast.Name))]
        elif isinstance(statement, _FUNCTIONS):
            parts = [*statement.decorator_list, statement.args]
        known = statement.gradsight_names = _mentioned(parts)  # type: ignore[attr-defined]
    return known


def names_inside(function: Any) -> frozenset[str]:
    """The names that the body of a function mentions, without those in the bodies of functions within."""
    known: frozenset[str] | None = getattr(function, "gradsight_names_inside", None)
    if known is None:
        body = [function.body] if isinstance(function, ast.Lambda) else function.body
        known = function.gradsight_names_inside = _mentioned(body)
    return known


def holds_functions(function: Any) -> bool:
    """Whether there are functions, classes or lambdas inside a function."""
    known: bool | None = getattr(function, "gradsight_holds_functions", None)
    if known is None:
        inner = (node for part in function.body for node in ast.walk(part))
        known = function.gradsight_holds_functions = any(isinstance(n, (*_FUNCTIONS, ast.ClassDef)) for n in inner)
    return known


def _mentioned(parts: Iterable[ast.AST]) -> frozenset[str]:
    found: set[str] = set()
    todo = list(parts)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
            continue
        if isinstance(node, ast.Constant):
            continue
        if isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
        for name in ("name", "rest"):  # def, class, except, match
            text = getattr(node, name, None)
            if type(text) is str:
                found.add(text)
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            found.update(node.names)
        if isinstance(node, ast.Lambda):
            todo.append(node.args)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            todo += [*node.decorator_list, node.args]
        else:
            todo += ast.iter_child_nodes(node)
    return frozenset(found)


def _how(kind: type) -> str:
    if issubclass(kind, _ENDS):
        return "end"
    return {types.FunctionType: "code", Scope: "scope", FunctionValue: "function"}.get(kind, "plain")


def reaches(values: Iterable[Value], targets: set[int], known: dict[int, Any]) -> bool:
    """Whether one of the objects with these ids can be reached from the values (or there is too much to tell).

    Follows everything Python objects hold, which is more than the program can; names of modules it does not, and what
    is only in the machine itself. `known` are objects, by their ids, that lead to none of them; it grows if these do
    not.
    """
    seen: dict[int, Any] = {}
    todo = list(values)
    while todo:
        plain: list[Any] = []
        fresh: list[Any] = []
        for value in todo:
            kind = type(value)
            how = _HOW.get(kind)
            if how is None:
                how = _HOW[kind] = _how(kind)
            if how == "end":
                continue
            key = id(value)
            if key in known or key in seen:
                continue
            if key in targets or len(seen) > _MOST:
                return True
            seen[key] = value
            if how == "plain":
                plain.append(value)
            elif how == "code":
                fresh += [cell.cell_contents for cell in value.__closure__ or ()]
                fresh += value.__defaults__ or ()
            elif how == "scope":
                fresh += [] if value.is_module else [value.names, value.parent]
            else:
                fresh += [value.scope, value.defaults, value.kw_defaults, value.contexts, value.owner, value.cache]
        todo = fresh + gc.get_referents(*plain)
    known.update(seen)
    return False
