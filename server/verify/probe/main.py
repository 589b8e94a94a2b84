"""Start of the probe: reads the plan from standard input, then runs the user's program as `__main__`.

Started as `python main.py`. The package is loaded under a private name, so that a user's module called `watch`
or `session` stays the user's, and its folder leaves `sys.path` before the user's code runs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys

PACKAGE = "_gradsight_probe"


def load(folder):
    """Loads the package in `folder` under its private name."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    # Python resolves links in the folder of a script, and not in `__file__`.
    real = os.path.realpath(here)
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or ".") != real]
    plan = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    load(here)
    importlib.import_module(PACKAGE + ".session").main(plan)
