"""`unregistered-parameters` in a file that only defines modules: what `forward` uses and `parameters()` lacks."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..facts import Facts
from ..report import Finding, Span

_GIVING = ("param", "optim", "weights")
_USUAL = ("__init__", "forward", "reset_parameters", "__repr__", "extra_repr")
_REGISTERING = ("setattr", "__setattr__", "add_module", "register_module", "register_parameter")


def in_definitions(facts: Facts, rule: str) -> Iterator[Finding]:
    """Attributes that a module which nobody calls here learns by, and that no optimizer finds when it asks for all
    parameters.

    Whoever means to hand them over by hand writes so: in a method that gives them away, or past the object.
    """
    if facts.events.held or facts.machine.exhausted:
        return
    told: set[Span] = set()
    for sink in facts.events.weak:
        if sink.kind != "forward" or not sink.aside or not sink.registered:
            continue
        name, _, _ = sink.entry.partition(".")
        classes = _with_bases(facts.parsed.tree, name)
        if any(map(_hands_over, classes)):
            continue
        for attribute, tensors in sink.aside:
            used = any(each in sink.outcome.reach.leaves for each in tensors)
            made = next((found for cls in classes if (found := _made(cls, attribute)) is not None), None)
            several = len(tensors) > 1 or tensors[0].is_parameter
            if not used or made is None or not _stays_inside(facts.parsed.tree, classes, attribute):
                continue
            if not several and not _only_forward(classes, attribute):
                continue
            span = facts.source.span(made)
            if span in told:
                continue
            told.add(span)
            what = "what is in the plain container" if several else "the plain tensor"
            message = f"{what} `self.{attribute}` is no parameter of `{name}`: `parameters()` does not list it"
            trace = [
                facts.step(span, "source", "requires grad, and is not registered"),
                facts.step(sink.site.span, "sink", "its gradient comes to what no optimizer holds"),
            ]
            yield facts.finding(rule, "likely", message, span, trace)


def _with_bases(tree: ast.Module, name: str) -> list[ast.ClassDef]:
    """A class of the file and those of its bases that the file defines."""
    defined = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    found = [defined[name]] if name in defined else []
    for cls in found:
        bases = [defined.get(base.id) for base in cls.bases if isinstance(base, ast.Name)]
        found += [base for base in bases if base is not None and base not in found]
    return found


def _hands_over(cls: ast.ClassDef) -> bool:
    """Whether a class has a way of its own to list parameters."""
    names = [each.name for each in cls.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return any(word in name for name in names for word in _GIVING if name != "reset_parameters") or any(
        _registers(node) for node in ast.walk(cls)
    )


def _registers(node: ast.AST) -> bool:
    """Whether a piece of a class registers something under a name that is computed, or reaches for the registries."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("_modules", "_parameters", "__dict__")
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    names = node.args[1:2] if called == "setattr" else node.args[:1]
    return called in _REGISTERING and not all(isinstance(each, ast.Constant) for each in names)


def _made(cls: ast.ClassDef, attribute: str) -> ast.Assign | None:
    """The assignment of `self.attribute` in `__init__`."""
    for function in cls.body:
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            for node in ast.walk(function):
                if isinstance(node, ast.Assign) and any(
                    isinstance(each, ast.Attribute) and each.attr == attribute for each in node.targets
                ):
                    return node
    return None


def _only_forward(classes: list[ast.ClassDef], attribute: str) -> bool:
    """Whether no other method of a class replaces an attribute or hands it to a call: it may ask for its gradient."""
    for cls in classes:
        for function in cls.body:
            if not isinstance(function, ast.FunctionDef) or function.name in _USUAL:
                continue
            for node in ast.walk(function):
                given = [*node.args, *(each.value for each in node.keywords)] if isinstance(node, ast.Call) else [node]
                for each in given:
                    if not isinstance(each, ast.Attribute) or each.attr != attribute:
                        continue
                    if each is not node or not isinstance(each.ctx, ast.Load):
                        return False
    return True


def _stays_inside(tree: ast.Module, classes: list[ast.ClassDef], attribute: str) -> bool:
    """Whether only `self` is asked for an attribute, by these classes, and nothing gives it away as it is."""
    mine = {id(node) for cls in classes for node in ast.walk(cls)}
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.Attribute) or child.attr != attribute:
                continue
            inside = id(child) in mine and isinstance(child.value, ast.Name) and child.value.id == "self"
            if not inside or isinstance(node, (ast.Return, ast.Yield, ast.List, ast.Tuple, ast.Dict, ast.Starred)):
                return False
    return True
