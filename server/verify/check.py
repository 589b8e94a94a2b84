"""The front door of the execution check (see the package docstring)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .verdicts import CheckReport, CheckRequest

Progress = Callable[[str], None]


def run_check(
    request: CheckRequest, *, progress: Progress | None = None, cancel: threading.Event | None = None
) -> CheckReport:
    """Run the text of the request up to the sinks of its findings and judge each finding by what was seen.

    Returns a report whatever the program does; raises only CheckCancelled, when `cancel` was set. `progress` is
    called from the calling thread with short sentences.
    """
    raise NotImplementedError
