"""Programs of several profiles, spread over the cores: each piece of the work has a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Part = TypeVar("Part")


def on_all_cores(
    work: Callable[[str, range], Part], first: int, count: int, profiles: Iterable[str], processes: int | None = None
) -> Iterator[Part]:
    """What `work` (a function of a module) gives for the seeds `first` to `first + count` of each profile, in pieces.

    A process for each core, four at most.
    """
    workers = processes or min(os.cpu_count() or 1, 4)
    size = -(-count // workers)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = [
            pool.submit(work, profile, range(start, min(start + size, first + count)))
            for profile in profiles
            for start in range(first, first + count, size)
        ]
        for part in parts:
            yield part.result()
