"""One torch process for all the programs of a session."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from .oracle import TorchWorker


@pytest.fixture(scope="session")
def torch_worker() -> Iterator[TorchWorker]:
    """The process that runs programs under torch; skips where the environment has none."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    worker = TorchWorker()
    yield worker
    worker.close()
