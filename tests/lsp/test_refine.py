"""A second look: what an installed package holds is found out after the first report, which is then published again."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from .conftest import StartEditor

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(sys.platform == "win32", reason="the environment below is laid out as on Linux and macOS"),
]

NETS = """\
open(__file__ + ".ran", "w").close()
import torch
from torch import nn


class Backbone(nn.Module):
    def forward(self, x):
        return x


def build():
    net = Backbone()
    return net
"""
PROGRAM = """\
import torch
from tinynets import Backbone, build


class Net(Backbone):
    def __init__(self):
        super().__init__()
        self.code = torch.nn.Linear(3, 3)
        self.head = torch.nn.Linear(3, 1)

    def forward(self, x):
        hidden = self.code(x).detach()
        return self.head(hidden)


net, other = Net(), build()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
loss = net(torch.randn(2, 3)).sum()
loss.backward()
opt.step()
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment by its looks, with one package in it; its interpreter is never started."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "tinynets"
    site.mkdir(parents=True)
    (site / "__init__.py").write_text(NETS)
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    return python


def loads_torch(pid: int) -> bool:
    process = psutil.Process(pid)
    return any("libtorch" in item.path for each in [process, *process.children()] for item in each.memory_maps())


async def test_the_report_is_refined_and_torch_stays_out(start: StartEditor, environment: Path, tmp_path: Path) -> None:
    editor = await start(options={"settings": {"verify": {"python": str(environment)}}})
    uri = editor.open(tmp_path / "train.py", PROGRAM)
    first = await editor.diagnostics(uri)
    assert [d.code for d in first] == [], "the first report does not wait"

    await editor.until(lambda: bool(editor.published[uri].diagnostics), "a refined report")
    refined = editor.published[uri]
    assert [(d.code, d.range.start.line) for d in refined.diagnostics] == [("detached-value", 11)]
    assert refined.version == 1
    assert not list(tmp_path.rglob("*.ran"))
    if sys.platform == "linux":
        assert psutil.Process(editor.pid).children(), "jedi was asked"
        assert not loads_torch(editor.pid)

    editor.replace(uri, "\n" + PROGRAM)
    again = await editor.diagnostics(uri)
    assert [(d.code, d.range.start.line) for d in again] == [("detached-value", 12)], "the answer is remembered"


async def test_a_file_that_asks_nothing_starts_no_process(start: StartEditor, tmp_path: Path) -> None:
    editor = await start()
    uri = editor.open(tmp_path / "a.py", "import torch\nx = torch.randn(3)\n(x * 2).sum().backward()\n")
    assert await editor.diagnostics(uri)
    assert psutil.Process(editor.pid).children() == []
