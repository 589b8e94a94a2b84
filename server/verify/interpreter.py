"""Which Python runs the user's code: the one they chose, else the one their project points to."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path


class InterpreterNotFound(Exception):
    """No interpreter can be started; the message is a sentence for the user."""


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _candidates(path_hint: str | None, env: Mapping[str, str]) -> Iterator[Path]:
    if env.get("VIRTUAL_ENV"):
        yield _python_of(Path(env["VIRTUAL_ENV"]))
    if path_hint:
        hint = Path(path_hint).absolute()
        for folder in (hint, *hint.parents):
            for name in (".venv", "venv"):
                yield _python_of(folder / name)
    for name in ("python3", "python"):
        found = shutil.which(name, path=env.get("PATH"))
        if found:
            yield Path(found)
    if sys.executable:
        yield Path(sys.executable)


def find_interpreter(
    path_hint: str | None = None, explicit: str | None = None, env: Mapping[str, str] | None = None
) -> str:
    """The interpreter to run the file at `path_hint` with, as an absolute path; nothing is started.

    `explicit` (a path or a command name) wins; then `$VIRTUAL_ENV`, a `.venv` or `venv` in the file's folder or one
    above it, `python3` on the PATH, and last the interpreter of this process. Symbolic links are kept: a virtual
    environment's python is one. Raises InterpreterNotFound when `explicit` names nothing that can be run.
    """
    env = os.environ if env is None else env
    if explicit:
        chosen = Path(explicit).expanduser()
        if _executable(chosen):
            return str(chosen.absolute())
        found = shutil.which(explicit, path=env.get("PATH"))
        if found:
            return os.path.abspath(found)
        if chosen.is_dir():
            if _executable(_python_of(chosen)):
                return str(_python_of(chosen).absolute())
            raise InterpreterNotFound(f"`{explicit}` is a directory, not a Python interpreter.")
        if chosen.exists():
            raise InterpreterNotFound(f"`{explicit}` is not an executable Python interpreter.")
        raise InterpreterNotFound(f"The Python interpreter `{explicit}` does not exist.")
    for candidate in _candidates(path_hint, env):
        if _executable(candidate):
            return str(candidate.absolute())
    raise InterpreterNotFound("No Python interpreter was found: choose one with `--python`.")
