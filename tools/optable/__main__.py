"""``python -m tools.optable [--check]``: write the op table, or say whether the shipped one is stale (exit code 1)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .build import build

TARGET = Path(__file__).parents[2] / "server/analysis/torch_model/optable.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.optable", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the shipped table, write nothing")
    parser.add_argument("--output", type=Path, default=TARGET, help="where to write (default: the shipped table)")
    options = parser.parse_args()
    text = build()
    if options.check:
        current = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
        stale = current != text
        print("optable.json is stale: run `python -m tools.optable`" if stale else "optable.json is up to date")
        return int(stale)
    options.output.write_text(text, encoding="utf-8")
    print(f"wrote {options.output} ({len(text) // 1024} KiB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
