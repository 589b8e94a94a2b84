"""The rules, one file each, and their registry.

A file that declares `RULE` is a rule; its `check(facts)` gives findings. Nothing else has to be edited to add one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

from .base import Rule

Check = Callable[[Any], Iterable[Any]]


def _load() -> tuple[dict[str, Rule], dict[str, Check]]:
    found: dict[str, Rule] = {}
    checks: dict[str, Check] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        rule = getattr(module, "RULE", None)
        if isinstance(rule, Rule):
            found[rule.name] = rule
            check = getattr(module, "check", None)
            if check is not None:
                checks[rule.name] = check
    return dict(sorted(found.items())), checks


ALL_RULES, CHECKS = _load()
"""Rules by name, in alphabetical order; and what each one runs."""

__all__ = ["ALL_RULES", "CHECKS", "Rule"]
