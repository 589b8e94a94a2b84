"""Types at the front door that the engine needs too."""

from __future__ import annotations

from typing import Protocol


class Cancelled(Exception):
    """Raised inside an analysis whose token was cancelled."""


class Token(Protocol):
    """Polled while the analysis runs; `threading.Event` fits."""

    def is_set(self) -> bool: ...
