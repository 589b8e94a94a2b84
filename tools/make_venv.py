"""Make the project's virtual environment with any Python 3.10 or newer: `python3 tools/make_venv.py .venv`.

Standard library only, and safe to run again. Debian ships `venv` without pip unless python3-venv is installed; then the
environment gets its pip from the system's, from virtualenv, or (as root) from apt.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TORCH = "torch==2.13.0"
"""Exactly this release, installed before everything else: the tests compare the analysis with its behaviour."""


def quiet(*command):
    """Whether the command succeeded; its output is not shown."""
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300) == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def has_pip(python):
    """Whether that interpreter exists and has pip."""
    return Path(python).exists() and quiet(python, "-m", "pip", "--version")


def make(folder):
    """A virtual environment with pip in `folder`, by the first way that works on this machine; its interpreter."""
    python = str(Path(folder) / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))

    def with_system_pip():
        # `pip --python` (pip 22.3 or newer) installs into another interpreter's environment.
        return quiet(sys.executable, "-m", "venv", "--without-pip", folder) and quiet(
            sys.executable, "-m", "pip", "--python", python, "install", "pip"
        )

    def with_apt():
        if not shutil.which("apt-get") or os.geteuid() != 0:
            return False
        quiet("apt-get", "update")
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        return quiet("apt-get", "install", "-y", "python3-venv") and quiet(sys.executable, "-m", "venv", folder)

    ways = (
        lambda: quiet(sys.executable, "-m", "venv", folder),
        with_system_pip,
        lambda: quiet(sys.executable, "-m", "virtualenv", folder),
        with_apt,
    )
    if has_pip(python):
        return python
    for way in ways:
        shutil.rmtree(folder, ignore_errors=True)
        if way() and has_pip(python):
            return python
    sys.exit(
        f"{sys.executable} can make no virtual environment with pip: "
        "install python3-venv (Debian: apt-get install python3-venv), or run `make setup PYTHON=/path/to/python3`"
    )


def main():
    if sys.version_info < (3, 10):  # noqa: UP036 - whoever runs this has not chosen a Python yet
        sys.exit(
            "Gradsight needs Python 3.10 or newer, this is {}.{}: run `make setup PYTHON=...`".format(*sys.version_info)
        )
    folder = sys.argv[1]
    python = make(folder)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    print(f"installing {TORCH} and the development tools into {folder} (some minutes the first time)", flush=True)
    for what in ([os.environ.get("TORCH") or TORCH], ["-e", ".[dev]"]):
        status = subprocess.call([*pip, *what])
        if status:
            sys.exit(f"pip could not install {' '.join(what)} (its message is above)")


if __name__ == "__main__":
    main()
