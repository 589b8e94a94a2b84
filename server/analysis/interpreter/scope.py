"""Scopes: where names live."""

from __future__ import annotations

from ..autograd.heap import MISSING, Heap, Table
from ..values import ModuleValue, Value


class Scope:
    """The names of one function call or of a module; `parent` is the enclosing function scope (never a class)."""

    __slots__ = ("declared_global", "declared_nonlocal", "function", "is_module", "module", "names", "parent")

    def __init__(self, module: ModuleValue, parent: Scope | None, names: dict[str, Value] | None = None) -> None:
        self.module, self.parent = module, parent
        self.names: dict[str, Value] = Table() if names is None else names
        self.is_module = parent is None and names is not None
        self.declared_global: set[str] = set()
        self.declared_nonlocal: set[str] = set()
        self.function: Value = None

    def lookup(self, name: str) -> Value:
        """The value of a name, innermost first; MISSING if it is not bound."""
        if name in self.declared_global:
            return self.module.namespace.get(name, MISSING)
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return self.module.namespace.get(name, MISSING)

    def table_holding(self, name: str) -> dict[str, Value] | None:
        """The dict that holds a name of an enclosing function or of the module; None if it is not bound."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names
            scope = scope.parent
        return self.module.namespace if name in self.module.namespace else None

    def table_for(self, name: str) -> dict[str, Value]:
        """The dict a store to this name goes to."""
        if name in self.declared_global:
            return self.module.namespace
        if name in self.declared_nonlocal:
            scope = self.parent
            while scope is not None:
                if name in scope.names:
                    return scope.names
                scope = scope.parent
        return self.names

    def store(self, heap: Heap, name: str, value: Value) -> None:
        """Bind a name."""
        heap.put(self.table_for(name), name, value)
