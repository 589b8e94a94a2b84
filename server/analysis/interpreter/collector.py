"""Pausing the cyclic garbage collector while a run allocates: what a run makes lives until its end anyway.

After a pause everything that was made is young, and the collector would walk over all of it at the next allocation: a
tenth of the time a check takes, for nothing. So it is made old at once. A full collection is due when earlier runs,
whose reports may be gone by now, made enough: a set amount, or half of what lives. It takes as long as a check of many
files, so it is left to `collect_if_due`, which is called when nobody waits for an answer; a check collects only where
that was not done for long.
Source: docs.python.org/3/library/gc.html (`freeze`, `set_threshold`).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LEAST = 400_000
"""Objects made since the last collection that may call for the next one; a check of 1,000 lines makes about 80,000."""
MOST = 1_500_000
"""Objects made that call for a collection however many live."""
OVERDUE = 3
"""So many times what calls for a collection, and a check collects itself."""

_lock = threading.Lock()
_pauses = 0
_was_enabled = False
_made = 0
_limit = LEAST


@contextmanager
def collector_paused() -> Iterator[None]:
    """No automatic collection inside; the state before comes back when the last of several overlapping pauses ends."""
    global _pauses, _was_enabled
    with _lock:
        if not _pauses:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if not _pauses and _was_enabled:
                _resume()


def collect_if_due() -> None:
    """Free what earlier checks made, if it is much. For the time between two checks, when nobody waits."""
    with _lock:
        if not _pauses and _made > _limit:
            _collect()


def _resume() -> None:
    """Make what is young old without looking at it, or collect when there is too much; then let the collector go on."""
    global _made
    young = gc.get_count()[0]
    if _made > OVERDUE * _limit or gc.get_freeze_count():
        _collect()
    else:
        gc.freeze()
        gc.unfreeze()
        _made += young
    gc.enable()


def _collect() -> None:
    global _made, _limit
    gc.collect()
    _made, _limit = 0, min(max(LEAST, len(gc.get_objects()) // 2), MOST)
