"""Shared by the tests of the execution check: findings built by hand, real subprocesses, no orphans afterwards."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from gradsight.verify import CheckReport, CheckRequest, run_check

from .build import Story

os.environ.setdefault("OMP_NUM_THREADS", "1")


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gpu: needs a CUDA device")


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """check(story, **request) -> CheckReport, in a scratch folder; afterwards no process of the check is left."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)

    def run(story: Story, **options) -> CheckReport:
        path = tmp_path / "program.py"
        options.setdefault("interpreter", sys.executable)
        options.setdefault("timeout", 60.0)
        request = CheckRequest(str(path), story.text, tuple(story.findings(str(path))), **options)
        return run_check(request)

    yield run
    assert not strays(str(tmp_path)), "a process of the check is still running"


def strays(folder: str, patience: float = 3.0) -> list[psutil.Process]:
    """Processes whose working directory is `folder`, or which carry a check's marker and are children of nobody."""
    deadline = time.monotonic() + patience
    while True:
        left = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == folder:
                    left.append(process)
            except (psutil.Error, OSError):
                continue
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)
