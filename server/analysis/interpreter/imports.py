"""Imports: torch by name, modules of the workspace by running them, everything else as an external name.

A module of the workspace is run once per run of the program, under its file's path, so that two names for one file are
one module. It goes in before its body runs: a module that takes part in a cycle is seen half-filled, as Python sees it,
and a name that is not there yet is looked up when it is used.

What the checked file imports is run at once. Further away, a file that never mentions torch, or any file once many were
run, is run when something of it is used: a large package must not cost what nobody asks of it.
"""

from __future__ import annotations

import ast
import math
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ..autograd.heap import remember
from ..source.text import SourceText
from ..values import Call, External, ListValue, ModuleValue, Site, TorchName, Unknown, Value
from . import torch_names
from .budget import IMPORTS_STEPS
from .machine import Machine

MAX_MODULES = 200
"""Files of the workspace that one run may run; further ones are external names."""
MAX_EAGER_MODULES = 40
"""Files that are run although nothing of theirs was used yet (they may register something)."""
MAX_CHARACTERS = 800_000
"""Text of other files that one run may read; to parse that much takes a third of a second."""

STAR = "*"
"""The name that holds a module which any name may come from, as nobody knows what is in it."""
HALF = "*half"
"""The name that holds the modules whose names were taken by a star before they had run to their end."""
CONSTANTS: dict[str, Value] = {
    "typing.TYPE_CHECKING": False,
    "typing_extensions.TYPE_CHECKING": False,
    **{f"{module}.{name}": getattr(math, name) for module in ("math", "numpy") for name in ("inf", "pi", "e")},
}
"""Names of other libraries whose value decides what the program does."""


class Workspace(Protocol):
    """What the importer asks of `names.WorkspaceModules`."""

    def find(self, dotted: str, from_path: str | None = None) -> str | None:
        """The file of an absolute dotted name as an import in `from_path` would find it; None if there is none."""

    def find_import(self, from_path: str, module: str, level: int = 0) -> str | None:
        """The file of the module that `from ... import` in a file names, with so many dots; None if there is none."""

    def absolute(self, from_path: str, module: str, level: int) -> str:
        """The absolute dotted name of a relative import."""

    def mentions(self, path: str) -> bool:
        """Whether the text of a file mentions torch; it is not parsed for that."""

    def load(self, path: str) -> Any:
        """The parsed file; None if it cannot be read."""


class LazyImport:
    """A name of another file that is looked up when it is used."""

    __slots__ = ("member", "name", "path", "site", "stack", "value")

    def __init__(self, path: str, name: str, member: str | None, site: Site, stack: tuple[Site, ...]) -> None:
        self.path, self.name, self.member, self.site, self.stack = path, name, member, site, stack
        self.value: Value = self

    def __repr__(self) -> str:
        return f"<import {self.name}{'.' + self.member if self.member else ''}>"


RunModule = Callable[[Machine, Any, ModuleValue, Site, int], int]
"""Runs (machine, parsed, module, the import, most steps); gives the steps taken."""


class Importer:
    """Resolves the imports of one run."""

    def __init__(self, workspace: Workspace | None = None) -> None:
        self.workspace = workspace
        self.loaded: dict[str, ModuleValue] = {}
        self.running: set[str] = set()
        self.steps, self.characters_left = 0, MAX_CHARACTERS
        self.run_module: RunModule | None = None
        self._found: dict[tuple[str, str], str | None] = {}
        self._mentions: dict[str, bool] = {}
        self._since = 0
        self._spaces: dict[str, ModuleValue] = {}
        self.looks_back = False

    # ------------------------------------------------------------------ the statements

    def run(self, machine: Machine, node: ast.Import | ast.ImportFrom) -> None:
        """Bind the names of an import statement."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._import(machine, alias, machine.site(node))
        else:
            self._import_from(machine, node, machine.site(node))

    def _import(self, machine: Machine, alias: ast.alias, site: Site) -> None:
        module = self._module(machine, alias.name, site, lazy=alias.asname is not None)
        if alias.asname is not None:
            self._store(machine, alias.asname, module)
            return
        top = alias.name.partition(".")[0]
        self._store(machine, top, module if top == alias.name else self._module(machine, top, site))

    def _import_from(self, machine: Machine, node: ast.ImportFrom, site: Site) -> None:
        for alias in node.names:
            if alias.name == "*":
                self._star(machine, self._base(machine, node, site, lazy=False))
            else:
                self._store(machine, alias.asname or alias.name, self._from(machine, node, alias.name, site))

    def import_module(self, machine: Machine, call: Call) -> Value:
        """`importlib.import_module("…")`: the module itself, as far as its name is known."""
        name, package = call.argument(0, "name", None), call.argument(1, "package", None)
        if isinstance(name, str) and name.startswith(".") and isinstance(package, str):
            name = f"{package}{name}" if not name.startswith("..") else None
        if not isinstance(name, str) or not name or name.startswith("."):
            return Unknown("a module whose name is not known")
        return self._module(machine, name, call.site)

    @staticmethod
    def _store(machine: Machine, name: str, value: Value) -> None:
        machine.frame.scope.store(machine.heap, name, value)

    def _from(self, machine: Machine, node: ast.ImportFrom, name: str, site: Site) -> Value:
        base = self._base(machine, node, site, lazy=True)
        if isinstance(base, TorchName):
            return machine.torch.attribute(base, name, None)
        if isinstance(base, LazyImport):
            return LazyImport(base.path, base.name, name, site, base.stack)
        if isinstance(base, ModuleValue):
            return self.member(machine, base, name, site)
        dotted = f"{base.dotted}.{name}"
        if dotted in CONSTANTS:
            return CONSTANTS[dotted]
        # A directory without __init__.py: the package is no file, what is in it is.
        path = self._find_from(machine, node, name)
        return self._load(machine, path, dotted, site, lazy=True) if path is not None else External(dotted)

    def _base(self, machine: Machine, node: ast.ImportFrom, site: Site, *, lazy: bool) -> Value:
        """The module that `from … import` names."""
        if not node.level:
            return self._module(machine, node.module or "", site, lazy=lazy)
        if self.workspace is None:
            return External(node.module or "")
        importing = machine.module.path
        dotted = self.workspace.absolute(importing, node.module or "", node.level)
        if dotted.partition(".")[0] == "torch":
            return TorchName(dotted)  # A file of torch itself.
        path = self.workspace.find_import(importing, node.module or "", node.level)
        return External(dotted) if path is None else self._load(machine, path, dotted, site, lazy=lazy)

    def _find_from(self, machine: Machine, node: ast.ImportFrom, name: str) -> str | None:
        module = f"{node.module}.{name}" if node.module else name
        if node.level:
            return self.workspace.find_import(machine.module.path, module, node.level) if self.workspace else None
        return self._find(module, machine.module.path)

    # ------------------------------------------------------------------ modules

    def _module(self, machine: Machine, dotted: str, site: Site, *, lazy: bool = False) -> Value:
        """The module of an absolute dotted name, its packages first."""
        if dotted.partition(".")[0] == "torch":
            return TorchName(dotted)
        importing = machine.module.path
        path = self._find(dotted, importing)
        if path is None:
            return self._spaces.get(dotted) or External(dotted)
        parts = dotted.split(".")
        parent: Value = None
        for count in range(1, len(parts)):
            package = ".".join(parts[:count])
            package_path = self._find(package, importing)
            if package_path is not None:
                outer, parent = parent, self._load(machine, package_path, package, site, lazy=lazy)
            else:
                outer, parent = parent, self._space(package, path, len(parts) - count)
            _attach(outer, parts[count - 1], parent)
        module = self._load(machine, path, dotted, site, lazy=lazy)
        _attach(parent, parts[-1], module)
        return module

    def _space(self, dotted: str, path: str, levels: int) -> ModuleValue:
        """A package that is only a directory, above the file `path`."""
        if dotted not in self._spaces:
            directory = os.path.dirname(path) if os.path.basename(path) == "__init__.py" else path
            for _ in range(levels):
                directory = os.path.dirname(directory)
            place = os.path.join(directory, "__init__.py")
            self._spaces[dotted] = ModuleValue(dotted, place, SourceText(place, ""))
        return self._spaces[dotted]

    def _find(self, dotted: str, importing: str) -> str | None:
        if self.workspace is None:
            return None
        key = (dotted, os.path.dirname(importing))
        if key not in self._found:
            self._found[key] = self.workspace.find(dotted, importing)
        return self._found[key]

    def _load(self, machine: Machine, path: str, dotted: str, site: Site, *, lazy: bool = False) -> Value:
        """The module of a file: run now, or (`lazy`, and far from the checked file) when something of it is used."""
        if path in self.loaded:
            return self.loaded[path]
        if self.is_main(machine, path):
            return machine.main
        if len(self.loaded) >= MAX_MODULES or self.run_module is None or self.workspace is None:
            return External(dotted)
        if self.characters_left <= 0:
            return External(dotted)
        if lazy and machine.module is not machine.main and not self._eager(self.workspace, path):
            return LazyImport(path, dotted, None, site, machine.autograd.stack)
        parsed = self.workspace.load(path)
        if parsed is None:
            return External(dotted)
        module = self.loaded[path] = ModuleValue(dotted, parsed.source.path, parsed.source)
        self.characters_left -= len(parsed.source.text)
        if not self.running:
            self._since = machine.steps
        # The bodies that are under way have not been charged yet.
        most = IMPORTS_STEPS - self.steps - (machine.steps - self._since)
        if most > 0:
            self.running.add(path)
            try:
                taken = self.run_module(machine, parsed, module, site, most)
                self.steps += taken  # Not in one statement: what that body imports is charged meanwhile.
            finally:
                self.running.discard(path)
            if self.running:
                machine.max_steps = min(machine.max_steps, self._since + IMPORTS_STEPS - self.steps)
        return module

    def _eager(self, workspace: Workspace, path: str) -> bool:
        """Whether a file far from the checked one is run before anything of it is used. It is not parsed for that."""
        if len(self.loaded) >= MAX_EAGER_MODULES:
            return False
        found = self._mentions.get(path)
        if found is None:
            found = self._mentions[path] = workspace.mentions(path)
        return found

    @staticmethod
    def is_main(machine: Machine, path: str) -> bool:
        """Whether a file is the one that is checked: it is not run a second time."""
        return os.path.abspath(machine.main.path) == path

    # ------------------------------------------------------------------ what a module holds

    def settle(self, machine: Machine, value: Value) -> Value:
        """A name that waited to be looked up, looked up; any other value as it is."""
        if not isinstance(value, LazyImport):
            return value
        if value.value is value:
            stack, machine.autograd.stack = machine.autograd.stack, value.stack
            # A second look while this one is under way finds nothing rather than itself.
            circle = Unknown(f"`{value.member or value.name}`, imported in a circle", name=value.member or "")
            remember(value, "value", circle)
            try:
                found = self._load(machine, value.path, value.name, value.site)
                if value.member is not None and isinstance(found, ModuleValue):
                    found = self.member(machine, found, value.member, value.site)
                elif value.member is not None:
                    found = External(f"{value.name}.{value.member}")
            finally:
                machine.autograd.stack = stack
            if isinstance(found, LazyImport):
                waiting, value.value = value.value, value
                return waiting
            value.value = found
        return value.value

    def member(self, machine: Machine, module: ModuleValue, name: str, site: Site) -> Value:
        """`from module import name`."""
        if name in module.namespace:
            return self.settle(machine, module.namespace[name])
        found = self.from_star(machine, module, name) or self.submodule(machine, module, name, site)
        if found is not None:
            return found
        if module.path in self.running or module is machine.main:
            return LazyImport(module.path, module.name, name, site, machine.autograd.stack)
        return Unknown(f"`{name}` of module `{module.name}`", name=name)

    def from_star(self, machine: Machine, module: ModuleValue, name: str) -> Value | None:
        """A name that `from x import *` did not find in a module that had not run to its end, and that is there now."""
        for source in module.namespace.get(HALF, ()):
            if name in source.namespace and not name.startswith("_"):
                # A function of another file sees it without naming it: `package.name`.
                self.looks_back = self.looks_back or source is machine.main
                return self.settle(machine, source.namespace[name])
        return None

    def submodule(self, machine: Machine, module: ModuleValue, name: str, site: Site | None = None) -> Value | None:
        """`package.name` as a module of the workspace; None if there is none."""
        if self.workspace is None or os.path.basename(module.path) != "__init__.py":
            return None
        path = self.workspace.find_import(module.path, name, 1)
        if path is None:
            return None
        found = self._load(machine, path, f"{module.name}.{name}", site or Site(module.source.span_of_line(1)))
        return found if isinstance(found, ModuleValue) else None

    def _star(self, machine: Machine, module: Value) -> None:
        if isinstance(module, TorchName):
            for name in torch_names.public(module.dotted):
                self._store(machine, name, machine.torch.attribute(module, name, None))
        elif isinstance(module, ModuleValue):
            if module.path in self.running or module is machine.main:
                self._store(machine, HALF, (*machine.module.namespace.get(HALF, ()), module))
            for name in self._public(machine, module):
                if name in module.namespace:
                    self._store(machine, name, module.namespace[name])
                else:
                    self._store(machine, name, self.member(machine, module, name, machine.site(machine.statement)))  # type: ignore[arg-type]
        elif isinstance(module, External):
            self._store(machine, STAR, module)

    @staticmethod
    def _public(machine: Machine, module: ModuleValue) -> Iterator[str]:
        """`__all__` if it is there, else the names without an underscore."""
        listed = module.namespace.get("__all__")
        if isinstance(listed, (ListValue, tuple)):
            names = listed.items if isinstance(listed, ListValue) else listed
            yield from [name for name in names if isinstance(name, str)]
            return
        yield from [name for name in module.namespace if not name.startswith("_") and name != HALF]

    def cannot_fail(self, machine: Machine, node: ast.Try) -> bool:
        """Whether a `try` around imports finds all it imports, so that its handlers never run."""
        return all(
            isinstance(statement, (ast.Import, ast.ImportFrom)) and self._is_there(machine, statement)
            for statement in node.body
        )

    def _is_there(self, machine: Machine, node: ast.Import | ast.ImportFrom) -> bool:
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            value = machine.frame.scope.lookup(bound) if alias.name != "*" else None
            if not isinstance(value, (TorchName, ModuleValue, LazyImport)) and (
                isinstance(node, ast.Import) or isinstance(value, (External, Unknown)) or alias.name == "*"
            ):
                return False
        return True


def _attach(package: Value, name: str, module: Value) -> None:
    """An imported submodule is an attribute of its package. Not journaled: it holds on every branch."""
    if isinstance(package, ModuleValue) and isinstance(module, ModuleValue):
        package.namespace[name] = module
