"""Types at the front door that the engine needs too."""

from __future__ import annotations

from typing import Protocol


class Cancelled(Exception):
    """Raised inside an analysis whose token was cancelled."""


class StartOver(Cancelled):
    """Raised inside an analysis that took up an older run and cannot go on so: it has to be made from the start."""


class Token(Protocol):
    """Polled while the analysis runs; `threading.Event` fits."""

    def is_set(self) -> bool:
        """Whether the caller has lost interest."""
