"""Which files of a folder are the user's own Python."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

SKIPPED_FOLDERS = frozenset({"__pycache__", "__pypackages__", "node_modules", "site-packages", "dist-packages"})
PYTHON = ".py"
NOTEBOOK = ".ipynb"


def walk(
    folder: str, suffixes: tuple[str, ...] = (PYTHON,), refused: Callable[[OSError], None] | None = None
) -> Iterator[str]:
    """The files with these suffixes below a folder, in sorted order.

    Hidden folders and files, virtual environments (known by their `pyvenv.cfg`), folders of installed or generated
    code, and pipes, sockets and devices are left out. `refused` is told about folders that cannot be listed.
    """
    for here, folders, names in os.walk(folder, onerror=refused):
        folders[:] = sorted(name for name in folders if not _is_skipped(here, name))
        for name in sorted(names):
            path = os.path.join(here, name)
            if name.endswith(suffixes) and not name.startswith(".") and not _would_block(path):
                yield path


def _is_skipped(parent: str, name: str) -> bool:
    return name.startswith(".") or name in SKIPPED_FOLDERS or os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))


def _would_block(path: str) -> bool:
    """Pipes, sockets and devices: whatever they are called, a folder's sources they are not."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False  # reading it says what is wrong
