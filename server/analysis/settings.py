"""What a user may choose about the analysis, as plain data (`[tool.gradsight]` and the editor's settings end here)."""

from __future__ import annotations

from dataclasses import dataclass

from .report import Confidence


@dataclass(frozen=True, slots=True)
class Settings:
    """Rule selection, the least confidence shown, and extra names.

    `select`/`ignore` hold rule names; an empty `select` means all. `sinks` are dotted names of user functions whose
    first tensor argument is a loss ("my_lib.step"). `loss_path_hints` turns `inplace-on-loss-path` on.
    """

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    min_confidence: Confidence = "possible"
    sinks: tuple[str, ...] = ()
    loss_path_hints: bool = True

    def shows(self, rule: str) -> bool:
        """Whether findings of the rule are wanted."""
        if rule in self.ignore or (rule == "inplace-on-loss-path" and not self.loss_path_hints):
            return False
        return not self.select or rule in self.select
