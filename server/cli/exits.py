"""Exit statuses, the same for every command."""

from __future__ import annotations

CLEAN = 0
"""The work was done and nothing calls for attention."""

FINDINGS = 1
"""`check`: something at or above the failing level; `verify`: a finding was confirmed."""

COULD_NOT = 2
"""Part of the work could not be done: an unreadable path, a syntax error, a bad option, a check without an answer."""
