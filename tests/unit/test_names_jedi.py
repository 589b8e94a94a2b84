"""jedi answers about the workspace from a worker that imports nobody's code, and losing the worker loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradsight.analysis.names import JediClient

LAYERS = """\
import torch
from torch import nn

class Block(nn.Module):
    def helper(self):
        return self

def make():
    return Block()
"""
TRAIN = """\
import torch
from pkg import PublicBlock
from pkg.layers import make
net = make()
out = net.helper()
t = torch.randn(3)
b = PublicBlock()
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("ws")
    (root / "pkg").mkdir()
    (root / "pkg/__init__.py").write_text("from .layers import Block as PublicBlock\n")
    (root / "pkg/layers.py").write_text(LAYERS)
    (root / "train.py").write_text(TRAIN)
    (root / "boom.py").write_text(f"open({str(root / 'ran')!r}, 'w')\n")
    return root


@pytest.fixture(scope="module")
def client(root):
    site = str(Path(pytest.__file__).parent.parent)
    with JediClient([str(root)], search=[site], limit=30, first_limit=60) as client:
        yield client


def test_workspace_names(client, root):
    path = str(root / "train.py")
    layers = str(root / "pkg/layers.py")

    def first(answer):
        assert answer.problem is None
        return [(one.full_name, one.module_path, one.line, one.kind) for one in answer.definitions]

    assert first(client.goto(path, TRAIN, 2, 18, 1)) == [("pkg.layers.Block", layers, 4, "class")]
    assert first(client.goto(path, TRAIN, 4, 8, 1)) == [("pkg.layers.make", layers, 8, "function")]
    assert first(client.infer(path, TRAIN, 4, 1, 1)) == [("pkg.layers.Block", layers, 4, "instance")]
    assert first(client.goto(path, TRAIN, 5, 12, 1)) == [("pkg.layers.Block.helper", layers, 5, "function")]
    assert first(client.infer(path, TRAIN, 7, 1, 1)) == [("pkg.layers.Block", layers, 4, "instance")]
    assert first(client.goto(path, TRAIN, 99, 1, 1)) == []


def test_a_new_version_is_a_new_text(client, root):
    path = str(root / "train.py")
    changed = "x = 1\n" + TRAIN
    answer = client.goto(path, changed, 3, 18, 2)
    assert [one.full_name for one in answer.definitions] == ["pkg.layers.Block"]
    old = client.goto(path, TRAIN, 2, 18, 1)
    assert old.definitions == () and "newer version" in old.problem


def test_characters_outside_ascii(client, root):
    text = 's = "é😀"; from pkg.layers import make\n'
    column = text.index("make") + 1
    answer = client.goto(str(root / "other.py"), text, 1, column, 1)
    assert [one.full_name for one in answer.definitions] == ["pkg.layers.make"]


def test_torch_is_never_imported(client, root):
    path = str(root / "torch_user.py")
    text = "import torch\nfrom torch import nn\nt = torch.randn(3)\nl = nn.Linear(1, 2)\nl.weight\n"
    for line, column in [(1, 8), (2, 19), (3, 1), (3, 11), (4, 9), (5, 4)]:
        for ask in (client.goto, client.infer):
            assert ask(path, text, line, column, 1).problem is None
    assert client.loaded_modules(["torch", "numpy", "jedi", "torch._C"]) == ("jedi",)


def test_torch_is_not_imported_even_when_looked_at(root):
    site = str(Path(pytest.__file__).parent.parent)
    with JediClient([str(root)], search=[site], closed=[], limit=60, first_limit=60) as client:
        text = "import torch\nt = torch.randn(3)\n"
        client.infer(str(root / "look.py"), text, 2, 1, 1)
        assert client.loaded_modules(["torch", "torch._C", "jedi"]) == ("jedi",)


def test_user_code_is_not_run(client, root):
    text = "import boom\nboom.x\n"
    client.infer(str(root / "ask.py"), text, 2, 6, 1)
    client.goto(str(root / "ask.py"), text, 1, 8, 1)
    assert not (root / "ran").exists()


def test_this_process_imports_neither_jedi_nor_torch(root):
    code = (
        "import sys\n"
        "from gradsight.analysis.names import JediClient\n"
        "assert 'jedi' not in sys.modules\n"
        f"client = JediClient([{str(root)!r}])\n"
        "assert client.pid is None\n"
        f"answer = client.goto({str(root / 'train.py')!r}, {TRAIN!r}, 2, 18, 1)\n"
        "assert answer.definitions, answer\n"
        "assert 'jedi' not in sys.modules and 'torch' not in sys.modules\n"
        "client.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")
def test_a_hung_worker_is_replaced(root):
    path = str(root / "train.py")
    with JediClient([str(root)], limit=1.0, first_limit=30) as client:
        assert client.goto(path, TRAIN, 2, 18, 1).definitions
        pid = client.pid
        os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
        answer = client.goto(path, TRAIN * 20000, 2, 18, 2)
        assert answer.problem == "jedi did not answer within 1 s"
        assert time.monotonic() - start < 4
        assert client.goto(path, TRAIN, 2, 18, 3).definitions
        assert client.pid != pid
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_crashed_worker_is_replaced(root):
    path = str(root / "train.py")
    with JediClient([str(root)], first_limit=30) as client:
        assert client.goto(path, TRAIN, 2, 18, 1).definitions
        pid = client.pid
        os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        # The death may be noticed before the question (a new worker answers) or by it (a problem, then a new worker).
        answer = client.goto(path, TRAIN, 2, 18, 2)
        if answer.problem:
            answer = client.goto(path, TRAIN, 2, 18, 3)
        assert answer.definitions and client.pid != pid


def test_a_closed_client_says_so(root):
    client = JediClient([str(root)])
    client.close()
    assert client.goto(str(root / "train.py"), TRAIN, 2, 18).problem == "jedi was shut down"
