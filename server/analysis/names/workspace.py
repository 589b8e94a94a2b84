"""The modules of the workspace: which file a dotted name means, and its tree. Nothing is ever imported.

A name is looked up as a person's `python train.py` would find it: beside the file that asks (the directory above its
top package), then in the roots and their `src`. Installed packages are not the workspace's: a directory such as
`site-packages` or `.venv` below a root is never entered.
"""

from __future__ import annotations

import io
import os
import re
import threading
import tokenize
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..source import Parsed, parse
from ..source.parse import MAX_CHARACTERS
from .imports import absolute_module

_FOREIGN = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__", ".venv", "venv", ".tox", ".git"})
_TORCH = re.compile(r"\btorch\b")
_KEPT_CHARACTERS = 1_000_000
"""How much text the kept trees may have together: a tree takes about a hundred times the memory of its text."""
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+\(?([^\n#]*)|import[ \t]+([^\n#]+))", re.MULTILINE
)
_LOOKED_AT = 40
_KEPT_GLANCES = 20_000
"""Files of which it is kept whether they mention torch, and what they import: a kilobyte each."""


def mentions_torch(text: str) -> bool:
    """Whether the word `torch` stands anywhere in the text: one fast scan that decides if a file is worth parsing."""
    return "torch" in text and _TORCH.search(text) is not None


def read_source(path: str) -> str:
    """The text of a Python file, decoded as Python would; bytes that do not decode become U+FFFD.

    Line ends are kept, a byte order mark is not. Raises OSError when the file cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(4 * MAX_CHARACTERS + 4)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except (SyntaxError, LookupError, UnicodeError):
        encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        return data.decode(encoding, errors="replace")
    except LookupError:
        return data.decode("utf-8", errors="replace")


class _Trees:
    """The trees used last, of so much text together. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[object, Parsed]] = OrderedDict()
        self._characters = 0

    def get(self, path: str, stamp: object) -> Parsed | None:
        with self._lock:
            known = self._kept.get(path)
            if known is None or known[0] != stamp:
                return None
            self._kept.move_to_end(path)
            return known[1]

    def put(self, path: str, stamp: object, parsed: Parsed) -> None:
        with self._lock:
            old = self._kept.pop(path, None)
            self._characters += len(parsed.source.text) - (len(old[1].source.text) if old is not None else 0)
            self._kept[path] = (stamp, parsed)
            while self._characters > _KEPT_CHARACTERS and len(self._kept) > 1:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._characters -= len(dropped.source.text)


_TREES = _Trees()
"""One for the whole process: a folder that is looked into from several roots is kept once."""


_Glance = tuple[object, bool, tuple[tuple[int, str], ...]]
"""Of a file: its stamp, whether it mentions torch, and where it does not, what it may import."""
_GLANCES: dict[str, _Glance] = {}
"""For the whole process, like the trees: neighbouring folders import the same files."""


class WorkspaceModules:
    """Finds and parses modules below the roots. Safe to use from several threads.

    `open_texts` maps absolute paths to the texts of open editors, which win over the disk. The mapping is read at each
    question, so the caller may keep it up to date.
    """

    def __init__(self, roots: Sequence[str] = (), open_texts: Mapping[str, str] | None = None) -> None:
        self.roots = tuple(os.path.abspath(root) for root in roots)
        self.open_texts: Mapping[str, str] = open_texts if open_texts is not None else {}
        self._trees = _TREES

    def seeing(self, open_texts: Mapping[str, str]) -> WorkspaceModules:
        """The same files with other open editors; what was parsed is shared."""
        other = WorkspaceModules((), open_texts)
        other.roots = self.roots
        return other

    # -- names and paths ----------------------------------------------------------------------------------------

    def module_name(self, path: str) -> str:
        """The dotted name of a file, from the packages around it: `pkg.sub.mod`, `pkg` for `pkg/__init__.py`."""
        path = os.path.abspath(path)
        directory, file = os.path.split(path)
        stem = os.path.splitext(file)[0]
        parts = [] if stem == "__init__" else [stem]
        while self._is_file(os.path.join(directory, "__init__.py")):
            directory, name = os.path.split(directory)
            if not name:
                break
            parts.append(name)
        return ".".join(reversed(parts)) or stem

    def package_of(self, path: str) -> str:
        """The dotted package relative imports of a file start from; "" for a script outside packages.

        A directory without `__init__.py` below a root is a namespace package: `from .a import b` works in it too when
        it is run with `-m`, so its name counts.
        """
        name = self.module_name(path)
        if os.path.basename(path) == "__init__.py":
            return name
        package = name.rpartition(".")[0]
        if package:
            return package
        directory = os.path.dirname(os.path.abspath(path))
        for root in self._root_directories():
            relative = os.path.relpath(directory, root) if directory.startswith(root + os.sep) else ""
            if relative and all(part.isidentifier() for part in relative.split(os.sep)):
                return relative.replace(os.sep, ".")
        return ""

    def find(self, dotted: str, from_path: str | None = None) -> str | None:
        """The file of an absolute dotted module name, or None when the workspace has none."""
        return self._find_below(self._bases(from_path), dotted)

    def _find_below(self, bases: Iterable[tuple[str, str | None]], dotted: str) -> str | None:
        parts = dotted.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for base, only in bases:
            if only is not None and parts[0] != only:
                continue
            if found := self._module_file(os.path.join(base, *parts)):
                return found
        return None

    def find_import(self, from_path: str, module: str, level: int = 0) -> str | None:
        """The file that `from {level dots}module import …` in `from_path` reads."""
        if level == 0:
            return self.find(module, from_path)
        directory = os.path.dirname(os.path.abspath(from_path))
        for _ in range(level - 1):
            directory = os.path.dirname(directory)
        if not module:
            return self._module_file(directory)
        return self._module_file(os.path.join(directory, *module.split(".")))

    def find_member(self, from_path: str, module: str, name: str, level: int = 0) -> str | None:
        """The file of `name` where `from module import name` means a submodule; None where it is an attribute."""
        return self.find_import(from_path, f"{module}.{name}" if module else name, level)

    def absolute(self, from_path: str, module: str, level: int) -> str:
        """The absolute dotted name of a relative import in a file."""
        return absolute_module(module, level, self.package_of(from_path))

    def _root_directories(self) -> Iterator[str]:
        for root in self.roots:
            yield root
            yield os.path.join(root, "src")

    def _bases(self, from_path: str | None) -> Iterator[tuple[str, str | None]]:
        """Directories to look in, each with the only top-level name it may answer for (None: any)."""
        seen = set()
        if from_path is not None:
            directory = os.path.dirname(os.path.abspath(from_path))
            top = None
            while self._is_file(os.path.join(directory, "__init__.py")) and os.path.dirname(directory) != directory:
                directory, top = os.path.split(directory)
            # A file of an installed package sees its own package, not its neighbours.
            installed = os.path.basename(directory) in _FOREIGN
            seen.add(directory)
            if not installed or top is not None:
                yield directory, top if installed else None
            beside = os.path.dirname(os.path.abspath(from_path))
            if beside not in seen and not installed:
                seen.add(beside)
                yield beside, None
        for directory in self._root_directories():
            if directory not in seen:
                seen.add(directory)
                yield directory, None

    def _module_file(self, stem: str) -> str | None:
        if not self._allowed(stem):
            return None
        for candidate in (os.path.join(stem, "__init__.py"), stem + ".py"):
            if self._is_file(candidate):
                return candidate
        return None

    def _allowed(self, path: str) -> bool:
        for root in self.roots:
            if path.startswith(root + os.sep):
                return not _FOREIGN.intersection(path[len(root) + 1 :].split(os.sep))
        return True

    def _is_file(self, path: str) -> bool:
        return path in self.open_texts or os.path.isfile(path)

    # -- texts and trees ----------------------------------------------------------------------------------------

    def text(self, path: str) -> str | None:
        """The text of a file as the editor or the disk has it; None when it cannot be read."""
        path = os.path.abspath(path)
        opened = self.open_texts.get(path)
        if opened is not None:
            return opened
        try:
            return read_source(path)
        except OSError:
            return None

    def stamp(self, path: str) -> object | None:
        """What changes when the content of a file may have: the open text itself, or time and size on disk."""
        path = os.path.abspath(path)
        opened = self.open_texts.get(path)
        if opened is not None:
            return opened
        try:
            status = os.stat(path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def load(self, path: str) -> Parsed | None:
        """The tree of a file, parsed once per content; None when it cannot be read."""
        path = os.path.abspath(path)
        stamp = self.stamp(path)
        if stamp is None:
            return None
        known = self._trees.get(path, stamp)
        if known is not None:
            return known
        text = self.text(path)
        if text is None:
            return None
        parsed = parse(path, text)
        self._trees.put(path, stamp, parsed)
        return parsed

    def load_module(self, dotted: str, from_path: str | None = None) -> Parsed | None:
        """The tree of an absolute dotted module name; None when the workspace has no such module."""
        path = self.find(dotted, from_path)
        return None if path is None else self.load(path)

    # -- who reaches torch --------------------------------------------------------------------------------------

    def reaches_torch(self, path: str, text: str) -> bool:
        """Whether a file mentions torch, or imports a file of the workspace that does, over at most 40 files.

        Read from the text alone, once per content: nothing is parsed for it.
        """
        if mentions_torch(text):
            return True
        seen, queue = {os.path.abspath(path)}, [(path, _imports_in(text))]
        for importing, imports in queue:
            bases = list(self._bases(importing))
            for level, dotted in imports:
                found = self.find_import(importing, dotted, level) if level else self._find_below(bases, dotted)
                if found is None or found in seen:
                    continue
                if len(seen) > _LOOKED_AT:
                    return False
                seen.add(found)
                mentions, further = self._glance(found)
                if mentions:
                    return True
                queue.append((found, further))
        return False

    def mentions(self, path: str) -> bool:
        """Whether a file mentions torch, read from its text alone; no where it cannot be read."""
        return self._glance(path)[0]

    def _glance(self, path: str) -> tuple[bool, tuple[tuple[int, str], ...]]:
        path = os.path.abspath(path)
        stamp = self.stamp(path)
        known = _GLANCES.get(path)
        if known is None or known[0] != stamp:
            text = self.text(path) or ""
            mentions = mentions_torch(text)
            if len(_GLANCES) >= _KEPT_GLANCES:
                _GLANCES.clear()
            known = _GLANCES[path] = (stamp, mentions, () if mentions else _imports_in(text))
        return known[1], known[2]


def _imports_in(text: str) -> tuple[tuple[int, str], ...]:
    """(level, module) of what the import lines of a text may name; `from a import b` names `a` and perhaps `a.b`."""
    found: dict[tuple[int, str], None] = {}
    for dots, base, names, modules in _IMPORT.findall(text):
        for part in (modules or names).split(","):
            name = part.split()[0].strip("()\\;") if part.split() else ""
            if modules:
                found[(0, name)] = None
                continue
            if base:
                found[(len(dots), base)] = None
            if name.isidentifier():
                found[(len(dots), f"{base}.{name}" if base else name)] = None
    return tuple(key for key in found if key[1])
