"""The rooms of the house: imports go down the table of ARCHITECTURE.md only, read from every file's syntax tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SERVER = Path(__file__).resolve().parents[2] / "server"

ROOMS = ("cli", "lsp", "session", "features", "verify", "analysis")
"""From the top down; a room imports itself and the rooms after it."""

DATA = {"report", "settings", "check_types", "made_often"}
"""Plain data, for every room of the analysis."""

ANALYSIS: dict[str, set[str]] = {
    # What a room inside the analysis may import besides itself and plain data. `values` and `events` are what a run is
    # made of and what it leaves behind; the room that makes them and the rules that read them share them.
    "report": set(),
    "settings": set(),
    "check_types": set(),
    "made_often": set(),
    "source": set(),
    "autograd": set(),
    "names": {"source"},
    "values": {"autograd", "events"},
    "events": {"autograd", "values"},
    "torch_model": {"autograd", "values", "events"},
    "interpreter": {"names", "source", "torch_model", "values", "events", "autograd"},
    "predict": {"interpreter", "torch_model", "source", "values", "events", "autograd"},
    "wording": {"torch_model", "source", "values", "events", "autograd"},
    "wanted": {"wording", "source", "events", "autograd"},
    "causes": {"wanted", "torch_model", "values", "events", "autograd"},
    "facts": {"causes", "wording", "torch_model", "source", "values", "events", "autograd"},
    "describe": {"facts", "torch_model", "source", "values", "events", "autograd"},
    "dump": {"describe", "interpreter", "names", "torch_model", "source", "values", "events", "autograd"},
    "rules": {"facts", "late", "story", "describe", "torch_model", "values", "events", "autograd", "source"},
    "late": {"facts", "events", "source"},
    "story": {"facts", "late", "autograd", "events"},
}
ANALYSIS["check"] = {*ANALYSIS} - {"predict", "dump"}
ANALYSIS["tried"] = {"check", "names", "source"}
ANALYSIS["recheck"] = {"check", "interpreter", "source"}

ONLY_IN = {"pygls": ("lsp",), "lsprotocol": ("lsp",), "rich": ("cli",), "torch": ("verify/probe",)}
"""Third-party packages and the only rooms that may import them; jedi has a test of its own."""


def modules() -> list[str]:
    return sorted(str(path.relative_to(SERVER)) for path in SERVER.rglob("*.py"))


@cache
def imports(relative: str) -> list[tuple[int, str]]:
    """Every import as (line, dotted name); one of ours as "gradsight.room.module", relative ones resolved."""
    return list(_imports(relative))


def _imports(relative: str) -> Iterator[tuple[int, str]]:
    package = ["gradsight", *Path(relative).parent.parts]
    for node in ast.walk(ast.parse((SERVER / relative).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"


def room_of(relative: str) -> str:
    parts = Path(relative).parts
    return parts[0] if len(parts) > 1 else ""


def ours(name: str) -> list[str]:
    parts = name.split(".")
    return parts[1:] if parts[0] == "gradsight" else []


@pytest.mark.parametrize("relative", modules())
def test_rooms_import_downwards_only(relative: str) -> None:
    room = room_of(relative)
    if not room:  # __init__ and __main__ stand above the rooms
        return
    below = ROOMS[ROOMS.index(room) :]
    for line, name in imports(relative):
        target = ours(name)
        if target and target[0] in ROOMS:
            assert target[0] in below, f"server/{relative}:{line}: {room} may not import {target[0]} ({name})"


@pytest.mark.parametrize("relative", [name for name in modules() if name.startswith("analysis/")])
def test_rooms_of_the_analysis_import_downwards_only(relative: str) -> None:
    room = Path(relative).parts[1].removesuffix(".py")
    if room == "__init__":
        return
    assert room in ANALYSIS, f"server/{relative}: `{room}` is no room of the table; add it with what it may import"
    for line, name in imports(relative):
        target = ours(name)
        if len(target) > 1 and target[0] == "analysis" and target[1] != room:
            assert target[1] in ANALYSIS[room] | DATA, (
                f"server/{relative}:{line}: {room} may not import {target[1]} ({name})"
            )


def test_no_file_imports_itself_in_a_circle() -> None:
    """What is imported when a file is loaded; parts of the interpreter that need each other meet in the machine."""
    files = {tuple(Path(name).with_suffix("").parts): name for name in modules()}
    below: dict[str, set[str]] = {}
    for relative in files.values():
        tree = ast.parse((SERVER / relative).read_text(encoding="utf-8"))
        when_loaded = {node.lineno for node in tree.body}
        below[relative] = set()
        for line, name in imports(relative):
            parts = tuple(ours(name))
            found = files.get(parts) or files.get(parts[:-1])
            if line in when_loaded and found is not None:
                below[relative].add(found)
    while leaves := {name for name, needed in below.items() if not needed & below.keys()}:
        for name in leaves:
            del below[name]
    assert not below, f"in a circle, or above one: {sorted(below)}"


@pytest.mark.parametrize("relative", modules())
def test_third_party_packages_stay_in_their_room(relative: str) -> None:
    for line, name in imports(relative):
        top = name.split(".")[0]
        allowed = ONLY_IN.get(top)
        if allowed is not None:
            assert relative.startswith(tuple(f"{room}/" for room in allowed)), (
                f"server/{relative}:{line}: `{top}` may be imported in {', '.join(allowed)} only"
            )


def test_jedi_is_imported_in_one_place() -> None:
    places = {relative for relative in modules() for _, name in imports(relative) if name.split(".")[0] == "jedi"}
    assert len(places) <= 1, f"jedi is imported in {sorted(places)}"
    assert all(place.startswith("analysis/names/") for place in places), places


@pytest.mark.parametrize("relative", [name for name in modules() if name.startswith("verify/probe/")])
def test_the_probe_stands_alone(relative: str) -> None:
    """It runs in the user's interpreter: standard library and torch; numpy, NVML and pytest where it has them."""
    allowed = {*sys.stdlib_module_names, "torch", "numpy", "pynvml", "pytest"}
    for line, name in imports(relative):
        parts = name.split(".")
        if parts[:3] == ["gradsight", "verify", "probe"]:  # one of its own files beside it
            continue
        assert parts[0] in allowed or (SERVER / "verify/probe" / f"{parts[0]}.py").exists(), (
            f"server/{relative}:{line}: the probe may not import `{name}`"
        )


LOADED = "import sys; {}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"


def loaded_after(statement: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", LOADED.format(statement)], capture_output=True, text=True, timeout=60, check=True
    )
    return set(result.stdout.split("\n")[-2].split())


def test_checking_a_file_loads_neither_torch_nor_the_language_server(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("import torch\nx = torch.randn(3, requires_grad=True)\n(x * 2).sum().backward()\n")
    loaded = loaded_after(f"from gradsight.cli import main; main(['check', {str(file)!r}])")
    assert not loaded & {"torch", "numpy", "pygls", "lsprotocol", "jedi", "rich", "asyncio"}


def test_the_language_server_loads_no_torch() -> None:
    assert not loaded_after("import gradsight.lsp") & {"torch", "numpy"}


def test_every_package_is_shipped() -> None:
    """The wheel holds what pyproject.toml lists: a room that is not listed would be missing after an install."""
    text = (SERVER.parent / "pyproject.toml").read_text(encoding="utf-8")
    listed = set(re.findall(r'"(gradsight[\w.]*)"', text.split("packages = [")[1].split("]")[0]))
    folders = {path.parent.relative_to(SERVER) for path in SERVER.rglob("__init__.py")}
    assert {".".join(["gradsight", *folder.parts]) for folder in folders} == listed
