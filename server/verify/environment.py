"""The child's environment: the user's own, with what is ours taken out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

OWN_VARIABLES = ("GRADSIGHT_", "LS_IMPORT_STRATEGY", "LS_SHOW_NOTIFICATION", "USE_DEBUGPY", "DEBUGPY_PATH")


def _own_folders() -> set[str]:
    """Where our package and what is bundled with it are importable from."""
    package = Path(__file__).resolve().parents[1]
    folders = {str(package), str(package.parent)}
    for entry in ("libs", "tool"):
        folders.add(str(package.parent / entry))
        folders.add(str(package.parent.parent / entry))
    folders.discard(package.anchor)
    return folders


def clean_environment(env: Mapping[str, str], marker: str, device: str, cuda_blocking: bool = True) -> dict[str, str]:
    """`env` without our variables and without our folders on PYTHONPATH; `marker` lets stray children be found."""
    out = {key: value for key, value in env.items() if not key.startswith(OWN_VARIABLES)}
    own = _own_folders()
    path = [entry for entry in out.pop("PYTHONPATH", "").split(os.pathsep) if entry]
    kept = [entry for entry in path if os.path.realpath(entry) not in own]
    if kept:
        out["PYTHONPATH"] = os.pathsep.join(kept)
    for name in ("PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONHOME", "PYTHONSAFEPATH"):
        out.pop(name, None)
    out["PYTHONIOENCODING"] = out.get("PYTHONIOENCODING", "utf-8:replace")
    out["GRADSIGHT_RUN"] = marker
    if device == "cpu":
        out["CUDA_VISIBLE_DEVICES"] = ""
    elif cuda_blocking:
        out.setdefault("CUDA_LAUNCH_BLOCKING", "1")
    return out


def memory_limit() -> int | None:
    """Three quarters of the memory this machine (or its container) has, in bytes; None where it cannot be told."""
    sizes = []
    with contextlib.suppress(ValueError, OSError, AttributeError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            sizes.append(int(Path(name).read_text()))
        except (OSError, ValueError):
            continue
    sizes = [size for size in sizes if size > 0]
    return max(4 << 30, min(sizes) * 3 // 4) if sizes else None
