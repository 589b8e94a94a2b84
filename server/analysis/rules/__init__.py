"""The rules, one file each, and their registry."""

from __future__ import annotations

import importlib
import pkgutil

from .base import Rule


def _load() -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for module in pkgutil.iter_modules(__path__):
        rule = getattr(importlib.import_module(f"{__name__}.{module.name}"), "RULE", None)
        if isinstance(rule, Rule):
            found[rule.name] = rule
    return dict(sorted(found.items()))


ALL_RULES: dict[str, Rule] = _load()

__all__ = ["ALL_RULES", "Rule"]
