"""Modules of the workspace are found as Python would find them, and parsed once per content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gradsight.analysis.names import WorkspaceModules, mentions_torch, read_source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "train.py": "from pkg import Net\n",
        "helpers.py": "import torch\n",
        "pkg/__init__.py": "from .net import Net\n",
        "pkg/net.py": "class Net: ...\n",
        "pkg/sub/__init__.py": "",
        "pkg/sub/deep.py": "from ..net import Net\n",
        "src/lib/__init__.py": "",
        "src/lib/core.py": "x = 1\n",
        "scripts/run.py": "import util\n",
        "scripts/util.py": "y = 1\n",
        "space/part.py": "z = 1\n",
        ".venv/lib/site-packages/foreign.py": "",
        "tests/__init__.py": "",
        "tests/test_a.py": "from .common import x\n",
        "tests/common.py": "x = 1\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("dotted", "asker", "found"),
    [
        ("pkg", "train.py", "pkg/__init__.py"),
        ("pkg.net", "train.py", "pkg/net.py"),
        ("pkg.net", "scripts/run.py", "pkg/net.py"),
        ("lib.core", "train.py", "src/lib/core.py"),
        ("util", "scripts/run.py", "scripts/util.py"),
        ("util", "train.py", None),
        ("space.part", "train.py", "space/part.py"),
        ("space", "train.py", None),
        ("foreign", "train.py", None),
        (".venv.lib", "train.py", None),
        ("torch", "train.py", None),
        ("helpers", "pkg/sub/deep.py", "helpers.py"),
        ("pkg.nothing", "train.py", None),
    ],
)
def test_find(root, dotted, asker, found):
    modules = WorkspaceModules([str(root)])
    got = modules.find(dotted, str(root / asker))
    assert got == (None if found is None else str(root / found))


@pytest.mark.parametrize(
    ("asker", "module", "level", "found"),
    [
        ("pkg/sub/deep.py", "net", 2, "pkg/net.py"),
        ("pkg/sub/deep.py", "", 2, "pkg/__init__.py"),
        ("pkg/__init__.py", "net", 1, "pkg/net.py"),
        ("tests/test_a.py", "common", 1, "tests/common.py"),
        ("pkg/sub/deep.py", "net", 1, None),
    ],
)
def test_relative(root, asker, module, level, found):
    got = WorkspaceModules([str(root)]).find_import(str(root / asker), module, level)
    assert got == (None if found is None else str(root / found))


def test_member_that_is_a_module(root):
    modules = WorkspaceModules([str(root)])
    assert modules.find_member(str(root / "train.py"), "pkg", "net") == str(root / "pkg/net.py")
    assert modules.find_member(str(root / "train.py"), "pkg", "Net") is None
    assert modules.find_member(str(root / "pkg/sub/deep.py"), "", "net", 2) == str(root / "pkg/net.py")


def test_names_and_packages(root):
    modules = WorkspaceModules([str(root)])
    assert modules.module_name(str(root / "pkg/sub/deep.py")) == "pkg.sub.deep"
    assert modules.package_of(str(root / "pkg/sub/deep.py")) == "pkg.sub"
    assert modules.package_of(str(root / "pkg/__init__.py")) == "pkg"
    assert modules.package_of(str(root / "train.py")) == ""
    assert modules.package_of(str(root / "space/part.py")) == "space"
    assert modules.absolute(str(root / "pkg/sub/deep.py"), "net", 2) == "pkg.net"


def test_a_file_is_parsed_once_per_content(root):
    modules = WorkspaceModules([str(root)])
    path = str(root / "helpers.py")
    first = modules.load(path)
    assert first is not None and modules.load(path) is first
    Path(path).write_text("import torch\nx = 1\n")
    second = modules.load(path)
    assert second is not first and len(second.tree.body) == 2


def test_an_open_text_wins_over_the_disk(root):
    opened: dict[str, str] = {}
    modules = WorkspaceModules([str(root)], opened)
    path = str(root / "helpers.py")
    assert len(modules.load(path).tree.body) == 1
    opened[path] = "a = 1\nb = 2\n"
    assert len(modules.load(path).tree.body) == 2
    opened[str(root / "unsaved.py")] = "c = 3\n"
    assert modules.find("unsaved", str(root / "train.py")) == str(root / "unsaved.py")


def test_an_installed_package_sees_only_itself(tmp_path):
    site = tmp_path / "site-packages"
    for name in ("one/__init__.py", "one/a.py", "two/__init__.py"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("")
    modules = WorkspaceModules()
    assert modules.find("one.a", str(site / "one/__init__.py")) == str(site / "one/a.py")
    assert modules.find("two", str(site / "one/a.py")) is None


def test_unreadable_and_oddly_encoded_files(tmp_path):
    modules = WorkspaceModules([str(tmp_path)])
    assert modules.load(str(tmp_path / "missing.py")) is None
    odd = tmp_path / "odd.py"
    odd.write_bytes(b"\xef\xbb\xbfx = '\xc3\xa9'\n")
    assert read_source(str(odd)) == "x = 'é'\n"
    odd.write_bytes(b"# -*- coding: latin-1 -*-\nx = '\xe9'\n")
    assert read_source(str(odd)).endswith("x = 'é'\n")
    odd.write_bytes(b"# coding: no-such\nx = '\xff'\r\n")
    assert read_source(str(odd)) == "# coding: no-such\nx = '\ufffd'\r\n"
    assert modules.load(str(odd)) is not None
    os.remove(odd)
    assert modules.load(str(odd)) is None


def test_mentions_torch():
    assert mentions_torch("import torch\n")
    assert mentions_torch("from torch.nn import Linear")
    assert not mentions_torch("import pytorch_lightning_like\n")
    assert not mentions_torch("x = 1")


def test_a_file_reaches_torch_through_its_imports(root: Path) -> None:
    (root / "plain.py").write_text("import os\n")
    (root / "chain.py").write_text("from scripts.run import x\nimport plain, helpers\n")
    (root / "inside.py").write_text("def f():\n    from helpers import (\n        y)\n")
    (root / "pkg" / "other.py").write_text("from . import net\n")
    modules = WorkspaceModules([str(root)])

    def reaches(name: str) -> bool:
        return modules.reaches_torch(str(root / name), (root / name).read_text())

    assert [name for name in ("plain.py", "chain.py", "inside.py", "pkg/other.py") if reaches(name)] == [
        "chain.py",
        "inside.py",
    ]


def test_whether_a_file_mentions_torch_follows_its_text(root: Path) -> None:
    modules, path = WorkspaceModules([str(root)]), root / "later.py"
    assert not modules.mentions(str(path)), "there is no such file"
    path.write_text("import os\n")
    assert not modules.mentions(str(path))
    assert modules.seeing({str(path): "import torch\n"}).mentions(str(path))
    path.write_text("import os, torch\n")
    assert modules.mentions(str(path))


def test_open_texts_are_seen_and_trees_are_shared(root: Path) -> None:
    modules = WorkspaceModules([str(root)])
    path = str(root / "helpers.py")
    first = modules.load(path)
    assert modules.seeing({}).load(path) is first
    edited = modules.seeing({path: "import torch\nx = 1\n"}).load(path)
    assert edited is not None and len(edited.tree.body) == 2
    assert len(modules.load(path).tree.body) == 1  # type: ignore[union-attr]
