"""`make demo`: what Gradsight says about the examples, in the terminal: `check`, then `verify --fix`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"

PROGRAMS = (
    ("ex1.py", "Nothing requires grad: `backward()` raises."),
    ("ex2.py", "A value computed under `no_grad`: `backward()` raises."),
    ("ex3.py", "An in-place change that looks bad and is right: a hint, which the run refutes as a danger."),
    ("train_small.py", "A model, a loop, an optimizer: no error anywhere, and the encoder never learns."),
)


def gradsight(*arguments: str) -> int:
    """Run the command line as a person would, in the folder of the examples; its exit status."""
    print(f"\n$ gradsight {' '.join(arguments)}\n", flush=True)
    command = [sys.executable, "-m", "gradsight", *arguments]
    return subprocess.call(command, cwd=EXAMPLES, stdin=subprocess.DEVNULL, timeout=600)


def main() -> int:
    """The tour; a status above 1 (something could not be done) ends the demo with 1."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    started = time.monotonic()
    failed = []
    for name, sentence in PROGRAMS:
        print(f"\n{'─' * 100}\n{name}: {sentence}\n", flush=True)
        for number, line in enumerate((EXAMPLES / name).read_text(encoding="utf-8").splitlines(), 1):
            if name != "train_small.py":
                print(f"  {number:2} | {line}")
        sys.stdout.flush()
        for arguments in (("check", name), ("verify", "--fix", name)):
            if gradsight(*arguments) > 1:
                failed.append(" ".join(arguments))
    print(f"\n{'─' * 100}")
    if failed:
        print(f"The demo is not as it should be: no answer from {', '.join(failed)}.")
        return 1
    print(
        f"Done in {time.monotonic() - started:.0f} s. The files on disk are as they were: fixes were tried in memory."
    )
    print(
        "The VS Code extension: `make vsix` builds client/gradsight.vsix (in VS Code: Extensions, Install from VSIX);\n"
        "`make editor` opens it in a browser on these examples."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
