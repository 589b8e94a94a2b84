"""The process that asks jedi. A script of its own: nothing imports it, and it imports nothing of the package.

JSON lines in on stdin, one answer line each on stdout, in order; the end of stdin ends the process.

    {"id": 1, "op": "goto", "path": "/w/a.py", "version": 3, "text": "…", "line": 4, "column": 9}
    {"id": 1, "definitions": [{"full_name": "pkg.Net", "module_path": "/w/pkg.py", "line": 2, "kind": "class"}]}

`text` may be left out for a (path, version) this process has seen last. `column` is 1-based, in characters.

jedi imports modules that have no Python source, and with them everything they import (a question about torch imports
torch). Here only the standard library's own may be imported, from its own directory, so no code of the user or of an
installed package ever runs; such modules answer nothing instead.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from collections import OrderedDict
from typing import Any

_SCRIPTS_KEPT = 4
_DEFINITIONS_MAX = 20
_MEMORY_LIMIT = 3 << 30


def main() -> None:
    """Serve requests until stdin ends. The arguments are one JSON object: `library`, `roots`, `search`, `closed`."""
    options = json.loads(sys.argv[1])
    sys.path[:] = [*options["library"], *_standard_library()]
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What jedi or a module prints must not end up between the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _limit_memory()
    asker = _Asker(options)
    requests = os.fdopen(0, "r", encoding="utf-8", errors="replace")
    for line in requests:
        try:
            reply = asker.answer(json.loads(line))
        except (Exception, RecursionError) as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:300]}
        reply["id"] = json.loads(line).get("id")
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _standard_library() -> list[str]:
    paths = sysconfig.get_paths()
    dynload = [path for path in sys.path if path.endswith("lib-dynload")]
    return list(dict.fromkeys([paths["stdlib"], paths["platstdlib"], *dynload]))


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
    except (ImportError, ValueError, OSError):
        pass  # Not on this system; the client's time limit remains.


class _Asker:
    def __init__(self, options: dict[str, Any]) -> None:
        import jedi  # type: ignore[import-untyped]
        from jedi.api.environment import InterpreterEnvironment  # type: ignore[import-untyped]

        self.jedi = jedi
        jedi.settings.dynamic_params = False
        jedi.settings.dynamic_params_for_other_modules = False
        jedi.settings.auto_import_modules = []
        _refuse_compiled(tuple(options["closed"]))
        self.environment = InterpreterEnvironment()
        roots = options["roots"]
        self.project = jedi.Project(
            roots[0] if roots else os.getcwd(),
            sys_path=[*roots, *options["search"], *_standard_library()],
            smart_sys_path=True,
        )
        self.scripts: OrderedDict[str, tuple[Any, Any]] = OrderedDict()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        operation = request["op"]
        if operation == "modules":
            return {"modules": sorted(name for name in request["names"] if name in sys.modules)}
        script = self._script(request)
        if script is None:
            return {"need_text": True}
        line, column = request["line"], request["column"] - 1
        try:
            if operation == "goto":
                names = script.goto(line, column, follow_imports=True)
            else:
                names = script.infer(line, column)
        except ValueError:
            return {"definitions": []}  # The position is outside the text.
        return {"definitions": [self._definition(name) for name in names[:_DEFINITIONS_MAX]]}

    def _script(self, request: dict[str, Any]) -> Any:
        path, version, text = request["path"], request["version"], request.get("text")
        known = self.scripts.get(path)
        if known is not None and known[0] == version:
            return known[1]
        if text is None:
            return None
        script = self.jedi.Script(text, path=path, environment=self.environment, project=self.project)
        self.scripts[path] = (version, script)
        self.scripts.move_to_end(path)
        while len(self.scripts) > _SCRIPTS_KEPT:
            self.scripts.popitem(last=False)
        return script

    @staticmethod
    def _definition(name: Any) -> dict[str, Any]:
        return {
            "full_name": name.full_name or name.name,
            "module_path": None if name.module_path is None else str(name.module_path),
            "line": name.line,
            "kind": name.type,
        }


def _refuse_compiled(closed: tuple[str, ...]) -> None:
    """Keep jedi from importing anything but the standard library, and from reading the packages in `closed`."""
    from jedi.inference.compiled import access  # type: ignore[import-untyped]
    from jedi.inference.compiled.subprocess import functions  # type: ignore[import-untyped]

    load_module = access.load_module
    standard = _standard_library()

    def load_standard_module(inference_state: Any, dotted_name: str, sys_path: Any) -> Any:
        if dotted_name.partition(".")[0] not in sys.stdlib_module_names:
            return None
        return load_module(inference_state, dotted_name, standard)

    access.load_module = load_standard_module
    get_module_info = functions.get_module_info

    def get_open_module_info(inference_state: Any, sys_path: Any = None, full_name: Any = None, **rest: Any) -> Any:
        if (full_name or rest.get("string") or "").partition(".")[0] in closed:
            return None, None
        return get_module_info(inference_state, sys_path=sys_path, full_name=full_name, **rest)

    functions.get_module_info = get_open_module_info


if __name__ == "__main__":
    main()
