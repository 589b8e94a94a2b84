"""The probe and its plan as one program text, for machines reached through a launcher (`srun`, `ssh`, `docker run`).

`<launcher> python3 -` reads it from standard input, so no argument needs quoting and nothing is copied beforehand.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

PROBE = Path(__file__).parent / "probe"

_BOOT = """
import base64, importlib.abc, importlib.util, json, os, sys
payload = json.loads(base64.b64decode(PAYLOAD))
sources, plan = payload["sources"], payload["plan"]
PACKAGE = "_gradsight_probe"

class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        part = name[len(PACKAGE) + 1:] or "__init__"
        if (name == PACKAGE or name.startswith(PACKAGE + ".")) and part in sources:
            return importlib.util.spec_from_loader(name, self, is_package=name == PACKAGE)
        return None
    def exec_module(self, module):
        part = module.__name__[len(PACKAGE) + 1:] or "__init__"
        exec(compile(sources[part], "<gradsight probe>/" + part + ".py", "exec"), module.__dict__)

sys.meta_path.insert(0, Finder())
if plan.get("cwd") and os.path.isdir(plan["cwd"]):
    os.chdir(plan["cwd"])
# Results take standard output; what the program prints goes where errors go.
plan["fd"] = os.dup(1)
os.dup2(2, 1)
importlib.import_module(PACKAGE + ".session").main(plan)
"""


def bundle(plan: dict[str, Any]) -> bytes:
    """The program text that carries out `plan`."""
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted(PROBE.glob("*.py"))}
    del sources["main"]
    payload = base64.b64encode(json.dumps({"sources": sources, "plan": plan}).encode("utf-8")).decode("ascii")
    return f"PAYLOAD = {payload!r}\n{_BOOT}".encode("ascii")
