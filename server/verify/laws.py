"""The law by which a finding is judged: what its rule claims (`analysis/rules/claims.py`)."""

from __future__ import annotations

from ..analysis.rules import ALL_RULES
from ..analysis.rules.claims import CUT, Law


def law_of(rule: str) -> Law:
    """The law of a rule."""
    return ALL_RULES[rule].claim if rule in ALL_RULES else CUT
