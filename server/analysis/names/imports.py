"""What the names bound by imports mean, read from the syntax tree alone.

    import torch.nn.functional as F       F      torch.nn.functional
    import torch.nn                       torch  torch
    from torch import nn as N             N      torch.nn
    from .layers import Block             Block  pkg.layers.Block      (in the package pkg)
    from torch.nn import *                stars: torch.nn

Imports inside functions are listed with the others: which of two bindings of one name holds at a place is the
interpreter's business. Of alternatives (`try: import a as m / except ImportError: import b as m`) the first is the
binding, the others stay in `all_bindings`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Binding:
    """One name bound by an import.

    `module` is the absolute dotted module that is imported; `attribute` what is taken from it, or None where the name
    is the module itself. `target` is the dotted name of what is bound. `node` is the import statement.
    """

    local: str
    module: str
    attribute: str | None
    node: ast.Import | ast.ImportFrom
    conditional: bool = False

    @property
    def target(self) -> str:
        """The dotted name that it stands for."""
        return self.module if self.attribute is None else f"{self.module}.{self.attribute}"


@dataclass(frozen=True)
class ImportTable:
    """The imports of one module, in the order of the text."""

    all_bindings: tuple[Binding, ...]
    stars: tuple[str, ...]
    modules: tuple[str, ...]

    @classmethod
    def of(cls, tree: ast.AST, package: str = "") -> ImportTable:
        """Read the imports below a node. `package` is the dotted package the module is in ("" for a script).

        A relative import that leaves the package keeps its leading dots and resolves nowhere.
        """
        bindings: list[Binding] = []
        stars: list[str] = []
        modules: list[str] = []
        for node, conditional in _imports(tree, False):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    modules.append(alias.name)
                    if alias.asname:
                        bindings.append(Binding(alias.asname, alias.name, None, node, conditional))
                    else:
                        top = alias.name.partition(".")[0]
                        bindings.append(Binding(top, top, None, node, conditional))
                continue
            module = absolute_module(node.module or "", node.level, package)
            modules.append(module)
            for alias in node.names:
                if alias.name == "*":
                    stars.append(module)
                else:
                    bindings.append(Binding(alias.asname or alias.name, module, alias.name, node, conditional))
        return cls(tuple(bindings), tuple(dict.fromkeys(stars)), tuple(dict.fromkeys(modules)))

    @cached_property
    def bindings(self) -> dict[str, Binding]:
        """The first binding of each name."""
        found: dict[str, Binding] = {}
        for binding in self.all_bindings:
            found.setdefault(binding.local, binding)
        return found

    def resolve(self, dotted: str) -> str | None:
        """The absolute dotted name of `F.relu` or `nn.Linear`; None when its first name is no import's."""
        first, _, rest = dotted.partition(".")
        binding = self.bindings.get(first)
        if binding is None:
            return None
        return f"{binding.target}.{rest}" if rest else binding.target

    def spelling(self, target: str) -> str | None:
        """How the file would write an absolute dotted name (`torch.exp` as `T.exp`), the shortest way.

        None when no import of the file reaches it: then an import would have to be added.
        """
        found = []
        for local, binding in self.bindings.items():
            if target == binding.target:
                found.append(local)
            elif target.startswith(binding.target + "."):
                found.append(local + target[len(binding.target) :])
        return min(found, key=lambda one: (one.count("."), len(one)), default=None)

    def reaches(self, top: str) -> bool:
        """Whether any import names the top-level package `top` or something in it."""
        return any(module == top or module.startswith(top + ".") for module in self.modules)


def _imports(node: ast.AST, conditional: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    stack = [(node, conditional)]
    while stack:
        current, inside = stack.pop()
        if isinstance(current, (ast.Import, ast.ImportFrom)):
            yield current, inside
            continue
        inside = inside or isinstance(current, (ast.If, ast.Try, ast.FunctionDef, ast.AsyncFunctionDef))
        children = [child for child in ast.iter_child_nodes(current) if not isinstance(child, ast.expr)]
        stack.extend((child, inside) for child in reversed(children))


def absolute_module(module: str, level: int, package: str) -> str:
    """The absolute name of `from {level dots}module import …` in a package, as importlib resolves it.

    With more dots than the package has parts, the name keeps its dots.
    """
    if level == 0:
        return module
    parts = package.split(".") if package else []
    if level > len(parts):
        return "." * level + module
    base = ".".join(parts[: len(parts) - level + 1])
    return f"{base}.{module}" if module else base


def dotted_name(node: ast.AST) -> str | None:
    """`a.b.c` of a chain of attributes on a name; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])
