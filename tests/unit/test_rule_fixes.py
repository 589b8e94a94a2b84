"""What the quick fixes of single findings write, from program to program."""

from __future__ import annotations

import pytest

from gradsight.analysis.check import Snapshot, check
from gradsight.analysis.report import apply_edits

LEAF = "import torch\nfrom torch import nn\nx = torch.randn(3, requires_grad=True)\n"
NET = (
    "import torch\nfrom torch import nn\nnet = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))\n"
    "for _ in range(9):\n    loss = net(torch.ones(3)).mean()\n"
)
CLASS = """import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.{name} = nn.Parameter(torch.ones(4)) * 0.5
        self.head = nn.Linear(4, 1)
    def forward(self, x):
        return self.head(x * self.{name})
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
net(torch.randn(2, 4)).sum().backward()
optimizer.step()
"""

#: (program, rule, (what the fix replaces, by what)); None where there is no fix
CASES = {
    "a flag that is set already goes": (
        LEAF + "y = x * 2\ny.requires_grad = True\ny.sum().backward()\n",
        "non-leaf-flag",
        ("y.requires_grad = True\n", ""),
    ),
    "a flag for the sake of .grad": (
        LEAF + "y = x * 2\ny.requires_grad = True\ny.sum().backward()\nprint(y.grad)\n",
        "non-leaf-flag",
        ("y.requires_grad = True", "y.retain_grad()"),
    ),
    "a flag to stop the gradient": (
        LEAF + "y = x * 2\ny.requires_grad_(False)\n(y * x).sum().backward()\n",
        "non-leaf-flag",
        ("y.requires_grad_(False)", "y = y.detach()"),
    ),
    "a flag that is computed": (
        LEAF + "y = x * 2\ny.requires_grad = 1 > 2\ny.sum().backward()\n",
        "non-leaf-flag",
        None,
    ),
    "a hook on plain data": (
        "import torch\nx = torch.randn(3)\nx.register_hook(print)\n",
        "hook-without-grad",
        ("torch.randn(3)", "torch.randn(3, requires_grad=True)"),
    ),
    "a hook on a result": ("import torch\nx = torch.randn(3) * 2\nx.register_hook(print)\n", "hook-without-grad", None),
    "detach_ of a view": (
        LEAF + "y = x * 2\nz = y[0]\nz.detach_()\n",
        "inplace-on-view",
        ("z.detach_()", "z = z.detach()"),
    ),
    "detach_ of a saved tensor": (
        LEAF + "y = x * 2\nz = y * x\ny.detach_()\nz.sum().backward()\n",
        "inplace-on-saved",
        ("y.detach_()", "y = y.detach()"),
    ),
    "the first of several writes": (
        LEAF + "y = x.exp()\ny.data.mul_(2)\ny.data.add_(1)\ny.sum().backward()\n",
        "data-mutation",
        ("y.data.mul_(2)", "y = y.mul(2)"),
    ),
    "a loop of writes": (
        NET + "    for p in net.parameters():\n        p.data.mul_(0.9)\n    loss.backward()\n",
        "data-mutation",
        (
            "    for p in net.parameters():\n        p.data.mul_(0.9)\n    loss.backward()\n",
            "    loss.backward()\n    for p in net.parameters():\n        p.data.mul_(0.9)\n",
        ),
    ),
    "a loop that does more than write": (
        NET
        + "    for p in net.parameters():\n        size = p.norm()\n        p.data.mul_(0.9)\n    loss.backward()\n",
        "data-mutation",
        None,
    ),
    "a parameter that is computed with": (
        CLASS.format(name="scale"),
        "unregistered-parameters",
        ("nn.Parameter(torch.ones(4)) * 0.5", "nn.Parameter(torch.ones(4) * 0.5)"),
    ),
    "a parameter by the name of a method": (CLASS.format(name="type"), "unregistered-parameters", None),
}


@pytest.mark.parametrize("name", CASES)
def test_fix(name: str) -> None:
    text, rule, change = CASES[name]
    (finding,) = [f for f in check(Snapshot("program.py", text)).findings if f.rule == rule]
    if change is None:
        assert not finding.fixes
        return
    after = apply_edits(text, finding.fixes[0].edits)
    assert after == text.replace(*change)
    assert not [f for f in check(Snapshot("program.py", after)).findings if f.rule == rule]
