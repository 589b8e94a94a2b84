"""What surrounds a file that is checked from a terminal: its project's root, import roots and settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ..analysis.check import Project
from ..analysis.report import Confidence
from ..analysis.rules import ALL_RULES
from ..session.config import Config, load_config

ROOT_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")


class Projects:
    """Projects by folder, with the options of the command line laid over the settings of each.

    As elsewhere in Python tooling, `select` and `min_confidence` of the command line replace those of
    `pyproject.toml`, and `ignore` adds to it. `mistakes` gathers one sentence per mistake in the settings files met.
    """

    def __init__(
        self,
        select: frozenset[str] = frozenset(),
        ignore: frozenset[str] = frozenset(),
        min_confidence: Confidence | None = None,
    ) -> None:
        self._select = select
        self._ignore = ignore
        self._min_confidence = min_confidence
        self._by_folder: dict[Path, Project] = {}
        self.mistakes: dict[str, None] = {}

    def of(self, path: str) -> Project:
        """The project of a file, made once per folder."""
        folder = Path(path).absolute().parent
        if folder not in self._by_folder:
            self._by_folder[folder] = self._make(folder)
        return self._by_folder[folder]

    def config_of(self, path: str) -> Config:
        """All settings that hold for a file, the execution check's among them."""
        config = load_config(Path(path).absolute().parent)
        self.mistakes.update(dict.fromkeys(config.problems))
        return config

    def _make(self, folder: Path) -> Project:
        config = self.config_of(str(folder / "file.py"))
        settings = replace(
            config.settings,
            select=self._select or config.settings.select,
            ignore=self._ignore | config.settings.ignore,
            min_confidence=self._min_confidence or config.settings.min_confidence,
        )
        return Project(roots=import_roots(folder), settings=settings)


@lru_cache(maxsize=4096)
def import_roots(folder: Path) -> tuple[str, ...]:
    """Where Python would look for the imports of a file in `folder`: as a script, in a package, in its project."""
    roots = [folder]
    package = folder
    while (package / "__init__.py").is_file() and package.parent != package:
        package = package.parent
    roots.append(package)
    for above in (folder, *folder.parents):
        if any((above / marker).exists() for marker in ROOT_MARKERS):
            roots += [above, above / "src"] if (above / "src").is_dir() else [above]
            break
    return tuple(dict.fromkeys(map(str, roots)))


def unknown_rules(names: Iterable[str]) -> list[str]:
    """One sentence for each name that is no rule, with the nearest rule's name where there is one."""
    sentences = []
    for name in sorted(set(names) - set(ALL_RULES)):
        close = [rule for rule in ALL_RULES if name and name in rule] or difflib.get_close_matches(name, ALL_RULES, n=1)
        hint = f"; did you mean `{close[0]}`?" if close else "; `gradsight explain` lists the rules"
        sentences.append(f"unknown rule `{name}`{hint}")
    return sentences
