"""Runs an entry point in place of the checked file, which is imported on the way: rewritten, and as the editor has it.

The checked file's code is handed to Python's own loader, so that it does not matter who imports it, nor under which
name. Nothing is written: no byte code, no cache of pytest's.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import os
import runpy
import sys
import types


class EntryError(Exception):
    """The entry point itself could not be run; the message is one sentence."""


class Loaded:
    """The checked file's code at the loader; `names` are the modules that were made of it."""

    def __init__(self, filename, code):
        self.filename = os.path.realpath(filename)
        self.code = code
        self.names = []

    def is_it(self, path):
        """Whether a path names the checked file."""
        return os.path.realpath(path) == self.filename

    def install(self):
        """Stand at Python's loader from now on."""
        sys.dont_write_bytecode = True
        original = importlib.machinery.SourceFileLoader.get_code
        loaded = self

        def get_code(loader, fullname):
            if loaded.is_it(loader.get_filename(fullname)):
                loaded.names.append(fullname)
                return loaded.code
            return original(loader, fullname)

        importlib.machinery.SourceFileLoader.get_code = get_code

    def namespaces(self):
        """The names of the modules that were made of the file."""
        return [vars(sys.modules[name]) for name in dict.fromkeys(self.names) if name in sys.modules]


def run_entry(run, entry, loaded):
    """Runs the entry point; what the program raises comes out. Raises EntryError where there is nothing to run."""
    loaded.install()
    folder = os.getcwd()
    if entry["kind"] == "script":
        _script(run, os.path.join(folder, entry["name"]), entry["arguments"], loaded)
        return
    sys.path.insert(0, folder)
    if entry["kind"] == "pytest":
        _pytest(run, entry)
    elif entry["kind"] == "module":
        sys.argv = [entry["name"], *entry["arguments"]]
        try:
            found = importlib.util.find_spec(entry["name"])
        except ImportError:
            found = None
        if found is None:
            raise EntryError(f"there is no module `{entry['name']}` in {folder}")
        runpy.run_module(entry["name"], run_name="__main__", alter_sys=True)
    else:
        _function(entry)


def _script(run, path, arguments, loaded):
    sys.argv = [path, *arguments]
    sys.path.insert(0, os.path.dirname(path))
    code = loaded.code
    if loaded.is_it(path):
        loaded.names.append("__main__")
    else:
        try:
            with open(path, "rb") as stream:
                source = stream.read()
        except OSError as error:
            raise EntryError(f"`{path}` cannot be read: {error.strerror}") from None
        code = compile(source, path, "exec", dont_inherit=True)
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    exec(code, main.__dict__)


def _function(entry):
    module, _, dotted = entry["name"].partition(":")
    call = ast.parse(entry["call"].strip(), mode="eval").body
    called = isinstance(call, ast.Call)
    arguments = [ast.literal_eval(each) for each in call.args] if called else []
    keywords = {each.arg: ast.literal_eval(each.value) for each in call.keywords} if called else {}
    sys.argv = [module]
    try:
        value = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise EntryError(f"there is no module `{module}` in {os.getcwd()}") from None
        raise
    for name in dotted.split("."):
        if not hasattr(value, name):
            raise EntryError(f"`{module}` has no `{dotted}`")
        value = getattr(value, name)
    value(*arguments, **keywords)


def _pytest(run, entry):
    try:
        import pytest
    except ImportError:
        raise EntryError(f"there is no pytest in {sys.executable}") from None
    sys.argv = ["pytest", *entry["arguments"]]
    plugin = _Plugin(run, pytest)
    # Plain asserts: pytest's own rewriting of them would take a checked test file past the loader.
    status = pytest.main([*entry["arguments"], "--assert=plain", "-p", "no:cacheprovider"], plugins=[plugin])
    if plugin.failure is not None:
        raise plugin.failure
    if int(status) in (2, 3, 4, 5) and not run.stopping:
        raise EntryError(f"pytest ended with status {int(status)}, {_STATUS[int(status)]}")


_STATUS = {2: "interrupted", 3: "an internal error", 4: "a wrong command line", 5: "no test was found"}


class _Plugin:
    """Ends the session when the check has seen what it came for; keeps the first error of a test."""

    def __init__(self, run, pytest):
        self.run = run
        self.failure = None
        self.exit = pytest.exit

    def pytest_exception_interact(self, node, call, report):
        if self.failure is None and not self.run.stopping:
            self.failure = call.excinfo.value

    def pytest_runtest_logfinish(self, nodeid, location):
        if self.run.stopping:
            self.exit("the gradient check has seen what it came for", returncode=0)
