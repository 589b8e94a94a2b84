"""The probe's own side of the locked room: what a process can only do to itself."""

from __future__ import annotations

import os
import sys


def before_torch():
    """No core dumps, a readable stack on a crash, and an end when the parent ends (Linux)."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass
    try:
        import faulthandler

        faulthandler.enable(file=2, all_threads=False)
    except (ImportError, RuntimeError, OSError, ValueError):
        pass
    if sys.platform.startswith("linux"):
        try:
            import ctypes

            ctypes.CDLL(None, use_errno=True).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
        except (ImportError, OSError, AttributeError):
            pass


def address_space(limit):
    """Limits the address space to `limit` bytes. Not with CUDA, which reserves far more than it uses."""
    try:
        import resource

        _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (ImportError, ValueError, OSError):
        pass


def close_stdin():
    """Reading standard input meets its end at once."""
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    except OSError:
        pass
