"""Who a name of another library is: whether calling it gives an `nn.Module`. Sources are read, nothing is imported.

    resolver = Resolver(roots=["/w"], search=["/w/.venv/lib/python3.11/site-packages"])
    resolver.answer(["tinynets.Backbone", "tinynets.build"], seconds=3.0)
    {"tinynets.Backbone": "module", "tinynets.build": "module"}

jedi, in its worker process, says which class the result of a call is; the bases of that class are read here, through
as many files as it takes, because jedi is never asked about torch. Answers are "module", "other" (surely not one, or a
library that never mentions torch) and "unknown"; a name there was no time for has no answer.
"""

from __future__ import annotations

import ast
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence

from ..source import Parsed
from .imports import ImportTable, dotted_name
from .jedi_client import Answer, Definition, JediClient
from .workspace import WorkspaceModules, mentions_torch, read_source

MODULE, OTHER, UNKNOWN = "module", "other", "unknown"

_DEPTH = 12
_FILES_LOOKED_AT = 60
_TORCH_BASES = ("torch.nn.", "torch.jit.ScriptModule")


class Resolver:
    """Answers by name and remembers them. Calls block and are safe from several threads; one question at a time."""

    def __init__(self, roots: Sequence[str] = (), search: Sequence[str] = (), client: JediClient | None = None) -> None:
        self._sources = WorkspaceModules([*search, *roots])
        self._search = [*search, *roots]
        self._place = os.path.join(os.path.abspath(roots[0]) if roots else os.getcwd(), "gradsight question.py")
        self._client = client or JediClient(roots, search)
        self._known: dict[str, str] = {}
        self._libraries: dict[str, bool | None] = {}
        self._lock = threading.Lock()

    def answer(self, names: Iterable[str], seconds: float, stop: threading.Event | None = None) -> dict[str, str]:
        """What calling each name gives, as far as found out in the time. Stops early when `stop` is set."""
        deadline = time.monotonic() + seconds
        answers: dict[str, str] = {}
        for name in _likely_first(names):
            known = self._known.get(name)
            if known is None:
                if time.monotonic() > deadline or (stop is not None and stop.is_set()):
                    continue
                with self._lock:
                    known = self._ask(name)
                self._known[name] = known
            answers[name] = known
        return answers

    @property
    def pid(self) -> int | None:
        """The process id of jedi's worker, None while none runs."""
        return self._client.pid

    def close(self) -> None:
        """End jedi's worker."""
        self._client.close()

    # ------------------------------------------------------------------ one name

    def _ask(self, dotted: str) -> str:
        uses_torch = self._library_uses_torch(dotted.partition(".")[0])
        if not uses_torch:
            return UNKNOWN if uses_torch is None else OTHER
        if self._class_of(dotted, 0) is not None:
            return MODULE if self._derives(dotted, 0) else OTHER
        answer = self._question("infer", dotted, call=True)
        found = {self._is_module(definition) for definition in answer.definitions}
        if found == {True}:
            return MODULE
        if not found:
            return self._annotated(dotted)
        return OTHER if found == {False} else UNKNOWN

    def _question(self, operation: str, dotted: str, *, call: bool) -> Answer:
        """Asks about `dotted`, or what calling it gives, in a text that imports it."""
        parts = dotted.split(".")
        for count in range(len(parts) - 1, 0, -1):
            module = ".".join(parts[:count])
            if self._sources.find(module) is not None:
                break
        first, rest = parts[count], "".join(f".{part}" for part in parts[count + 1 :])
        lines = [f"from {module} import {first} as thing_", f"result_ = thing_{rest}{'()' if call else ''}", "result_"]
        if operation == "goto":
            return self._client.goto(self._place, "\n".join(lines), 2, len(lines[1]) - (2 if call else 0))
        return self._client.infer(self._place, "\n".join(lines), 3, 1)

    def _is_module(self, definition: Definition) -> bool | None:
        """Whether jedi's answer is an instance of a module; None where its class cannot be read."""
        if definition.kind not in ("instance", "class") or definition.module_path is None:
            return None
        parsed = self._sources.load(definition.module_path)
        name = definition.full_name.rpartition(".")[2]
        node = _class_named(parsed, name) if parsed is not None else None
        return None if parsed is None or node is None else self._node_derives(parsed, node, 0)

    def _annotated(self, dotted: str) -> str:
        """What a function says it returns: `def build() -> nn.Module`."""
        for definition in self._question("goto", dotted, call=False).definitions:
            parsed = self._sources.load(definition.module_path) if definition.module_path else None
            if parsed is None or definition.line is None or definition.kind != "function":
                continue
            for node in ast.walk(parsed.tree):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.lineno == definition.line:
                    name = _annotation(node.returns)
                    if name is not None:
                        return MODULE if self._name_derives(parsed, name, 0) else UNKNOWN
        return UNKNOWN

    # ------------------------------------------------------------------ classes in sources

    def _class_of(self, dotted: str, depth: int) -> tuple[Parsed, ast.ClassDef] | None:
        """The class an absolute dotted name means, re-exports followed."""
        module, _, name = dotted.rpartition(".")
        path = self._sources.find(module) if module and depth < _DEPTH else None
        parsed = self._sources.load(path) if path is not None else None
        if parsed is None:
            return None
        node = _class_named(parsed, name)
        if node is not None:
            return parsed, node
        table = self._imports(parsed)
        target = table.resolve(name)
        for candidate in [target] if target is not None else [f"{star}.{name}" for star in table.stars]:
            if candidate is not None and candidate != dotted:
                found = self._class_of(candidate, depth + 1)
                if found is not None:
                    return found
        return None

    def _derives(self, dotted: str, depth: int) -> bool:
        if dotted.startswith(_TORCH_BASES):
            return dotted.rpartition(".")[2][:1].isupper()
        found = self._class_of(dotted, depth)
        return found is not None and depth < _DEPTH and self._node_derives(*found, depth + 1)

    def _node_derives(self, parsed: Parsed, node: ast.ClassDef, depth: int) -> bool:
        return any(self._name_derives(parsed, name, depth) for name in _names_of(node.bases))

    def _name_derives(self, parsed: Parsed, name: str, depth: int) -> bool:
        """Whether a class, as a file writes its name, derives from a module of torch."""
        if depth > _DEPTH:
            return False
        local = _class_named(parsed, name)
        if local is not None:
            return self._node_derives(parsed, local, depth + 1)
        table = self._imports(parsed)
        target = table.resolve(name)
        if target is not None:
            return self._derives(target, depth + 1)
        return any(self._derives(f"{star}.{name}", depth + 1) for star in table.stars)

    def _imports(self, parsed: Parsed) -> ImportTable:
        return ImportTable.of(parsed.tree, self._sources.package_of(parsed.path))

    # ------------------------------------------------------------------ libraries

    def _library_uses_torch(self, top: str) -> bool | None:
        """Whether a library mentions torch in the files one meets first in it; None if its sources are not there."""
        if top not in self._libraries:
            self._libraries[top] = next(
                (found for directory in self._search if (found := _uses_torch(directory, top)) is not None), None
            )
        return self._libraries[top]


def _likely_first(names: Iterable[str]) -> list[str]:
    """Names that look like classes before those that look like functions."""
    return sorted(dict.fromkeys(names), key=lambda name: not name.rpartition(".")[2][:1].isupper())


def _class_named(parsed: Parsed, name: str) -> ast.ClassDef | None:
    for node in _toplevel(parsed.tree.body):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    return None


def _toplevel(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, also those under `if` and `try`."""
    for node in body:
        yield node
        for inner in ("body", "orelse", "handlers", "finalbody"):
            if isinstance(node, (ast.If, ast.Try)):
                for each in getattr(node, inner, []):
                    yield from _toplevel(each.body if isinstance(each, ast.ExceptHandler) else [each])


def _names_of(bases: list[ast.expr]) -> Iterator[str]:
    for base in bases:
        name = dotted_name(base.value if isinstance(base, ast.Subscript) else base)
        if name is not None:
            yield name


def _annotation(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if node.value.replace(".", "").isidentifier() else None
    return dotted_name(node) if node is not None else None


def _uses_torch(directory: str, top: str) -> bool | None:
    single = os.path.join(directory, top + ".py")
    folder = os.path.join(directory, top)
    if os.path.isfile(single):
        return _file_uses_torch(single)
    if not os.path.isdir(folder):
        return None
    left = _FILES_LOOKED_AT
    for current, _, files in os.walk(folder):
        for file in sorted(files):
            if file.endswith((".py", ".pyi")):
                left -= 1
                if _file_uses_torch(os.path.join(current, file)):
                    return True
                if left <= 0:
                    return False
    return False


def _file_uses_torch(path: str) -> bool:
    try:
        return mentions_torch(read_source(path))
    except OSError:
        return False


def site_directories(interpreter: str) -> list[str]:
    """Where an interpreter's packages lie, by the layout of its directories; it is not started."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(interpreter)))
    found: list[str] = []
    for library in ("lib", "lib64", "Lib"):
        base = os.path.join(home, library)
        try:
            versions = sorted((name for name in os.listdir(base) if name.startswith("python")), reverse=True)
        except OSError:
            continue
        for place in [base, *(os.path.join(base, version) for version in versions)]:
            for packages in ("site-packages", "dist-packages"):
                directory = os.path.join(place, packages)
                if os.path.isdir(directory) and os.path.realpath(directory) not in map(os.path.realpath, found):
                    found.append(directory)
    return found
