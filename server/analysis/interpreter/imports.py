"""Imports: torch by name, modules of the workspace by running them, everything else as an external name."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from ..values import External, ModuleValue, TorchName, Value
from .machine import Machine

Finder = Callable[[str, str], Any]
"""(dotted name, importing file) -> a parsed module of the workspace, or None."""

MAX_MODULES = 200


class Importer:
    """Resolves imports of one run; a workspace module is run once."""

    def __init__(self, find: Finder | None = None, package_of: Callable[[str], str] | None = None) -> None:
        self.find = find
        self.package_of = package_of or (lambda path: "")
        self.loaded: dict[str, Value] = {}
        self.run_module: Callable[[Machine, Any, str], ModuleValue] | None = None

    def resolve(self, machine: Machine, dotted: str, importing: str) -> Value:
        """The value of a module by its absolute dotted name."""
        top = dotted.partition(".")[0]
        if top == "torch":
            return TorchName(dotted)
        key = dotted
        if key in self.loaded:
            return self.loaded[key]
        parsed = self.find(dotted, importing) if self.find is not None and len(self.loaded) < MAX_MODULES else None
        if parsed is None or self.run_module is None:
            return External(dotted)
        module = ModuleValue(dotted, parsed.source.path, parsed.source)
        self.loaded[key] = module
        self.run_module(machine, (parsed, module), dotted)
        return module

    def run(self, machine: Machine, node: ast.Import | ast.ImportFrom) -> None:
        """Bind the names of an import statement."""
        store = machine.frame.scope.store
        importing = machine.module.path
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname is not None:
                    store(machine.heap, alias.asname, self.resolve(machine, alias.name, importing))
                else:
                    top = alias.name.partition(".")[0]
                    self.resolve(machine, alias.name, importing)
                    store(machine.heap, top, self.resolve(machine, top, importing))
            return
        base = self._absolute(machine, node)
        module = self.resolve(machine, base, importing) if base else External("")
        for alias in node.names:
            if alias.name == "*":
                self._star(machine, module)
                continue
            store(machine.heap, alias.asname or alias.name, self._member(machine, module, base, alias.name, importing))

    def _absolute(self, machine: Machine, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = (
            machine.module.name
            if machine.module.path.endswith("__init__.py")
            else machine.module.name.rpartition(".")[0]
        )
        if machine.module.name == "__main__":
            package = self.package_of(machine.module.path)
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        return ".".join(part for part in (package, node.module) if part)

    def _member(self, machine: Machine, module: Value, base: str, name: str, importing: str) -> Value:
        if isinstance(module, TorchName):
            return machine.torch.attribute(module, name, None)
        if isinstance(module, ModuleValue):
            if name in module.namespace:
                return module.namespace[name]
            found = self.submodule(machine, module, name)
            if found is not None:
                return found
        return (
            self.resolve(machine, f"{base}.{name}", importing) if self.find is not None else External(f"{base}.{name}")
        )

    def submodule(self, machine: Machine, module: ModuleValue, name: str) -> Value | None:
        """`package.name` as a module of the workspace; None if there is none."""
        found = self.resolve(machine, f"{module.name}.{name}", module.path)
        return found if isinstance(found, ModuleValue) else None

    def _star(self, machine: Machine, module: Value) -> None:
        if isinstance(module, ModuleValue):
            for name, value in module.namespace.items():
                if not name.startswith("_"):
                    machine.frame.scope.store(machine.heap, name, value)
        elif isinstance(module, TorchName):
            for name in (
                "nn",
                "optim",
                "autograd",
                "no_grad",
                "tensor",
                "Tensor",
                "cat",
                "stack",
                "zeros",
                "ones",
                "randn",
            ):
                machine.frame.scope.store(machine.heap, name, machine.torch.attribute(module, name, None))
