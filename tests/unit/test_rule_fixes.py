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
TRAINED = NET.replace("for _", "optimizer = torch.optim.SGD(net.parameters(), 0.1)\nfor _")
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
    "a deep copy of a result": (
        LEAF + "import copy\ny = x * 2\nz = copy.deepcopy(y)\n",
        "non-leaf-copy",
        ("copy.deepcopy(y)", "y.detach().clone()"),
    ),
    "a deep copy of two results": (LEAF + "import copy\nz = copy.deepcopy([x * 2, x])\n", "non-leaf-copy", None),
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
    "an update by hand": (
        LEAF + "x.pow(2).sum().backward()\nx -= 0.1 * x.grad\n",
        "inplace-on-leaf",
        ("x -= 0.1 * x.grad\n", "with torch.no_grad():\n    x -= 0.1 * x.grad\n"),
    ),
    "a parameter of a module cannot be replaced": (
        "import torch\nfrom torch import nn\nfc = nn.Linear(2, 2)\nfc.weight.mul_(2)\n",
        "inplace-on-leaf",
        ("fc.weight.mul_(2)\n", "with torch.no_grad():\n    fc.weight.mul_(2)\n"),
    ),
    "a parameter by another name, in a forward": (
        "import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.prompt = nn.Parameter(torch.ones(4))\n"
        "    def forward(self, x):\n        p = self.prompt\n        p+=x\n        return p * x\n"
        "Net()(torch.ones(4)).sum().backward()\n",
        "inplace-on-leaf",
        ("p+=x", "p = p + x"),
    ),
    "a state that is carried over": (
        LEAF + "cell, h = nn.GRUCell(3, 3), torch.zeros(1, 3)\nfor _ in range(3):\n    h = cell(x[None], h)\n"
        "    loss = h.sum()\n    loss.backward()\n",
        "freed-graph",
        ("    loss.backward()\n", "    loss.backward()\n    h = h.detach()\n"),
    ),
    "the pair of states of an LSTM": (
        LEAF + "rnn, h = nn.LSTM(3, 3), None\nfor _ in range(3):\n    out, h = rnn(x[None], h)\n"
        "    loss = out.sum()\n    loss.backward()\n",
        "freed-graph",
        ("    loss.backward()\n", "    loss.backward()\n    h = tuple(each.detach() for each in h)\n"),
    ),
    "a memory that is filled after the backward": (
        NET.replace("for _", "bank = []\nfor _")
        + "    loss = loss + sum(bank)\n    loss.backward()\n    out = net(torch.ones(3)).exp()\n"
        + "    bank.append(out)\n",
        "freed-graph",
        ("bank.append(out)", "bank.append(out.detach())"),
    ),
    "two backwards over one graph": (
        LEAF + "y = x.exp()\ny.sum().backward()\ny.mean().backward()\n",
        "freed-graph",
        ("y.sum().backward()", "y.sum().backward(retain_graph=True)"),
    ),
    "a number that becomes a tensor again": (
        TRAINED
        + "    total = torch.tensor(loss.detach().item(), requires_grad=True)\n    total.backward()\n"
        + "    optimizer.step()\n",
        "left-torch",
        ("torch.tensor(loss.detach().item(), requires_grad=True)", "loss"),
    ),
    "numbers in a list that becomes a tensor": (
        TRAINED
        + "    losses = []\n    losses.append(loss.item())\n"
        + "    torch.tensor(losses, requires_grad=True).sum().backward()\n    optimizer.step()\n",
        "left-torch",
        (
            "losses.append(loss.item())\n    torch.tensor(losses, requires_grad=True)",
            "losses.append(loss)\n    torch.stack(losses)",
        ),
    ),
    "rows of a tensor that are numbers and tensors": (
        LEAF + "y = torch.tensor([[x[0], 0.0], [0.0, x[1]]])\ny.sum().backward()\n",
        "rewrapped-tensor",
        None,
    ),
    "an index": (
        LEAF + "i = int(x[0])\n(torch.arange(9.)[i] * torch.tensor(float(i))).backward()\n",
        "left-torch",
        None,
    ),
    "a leaf that is scaled where it is made": (
        "import torch\nw = torch.randn(3, requires_grad=True) * 0.1\nw.sum().backward()\nprint(w.grad)\n",
        "non-leaf-grad",
        ("torch.randn(3, requires_grad=True) * 0.1", "(torch.randn(3) * 0.1).requires_grad_()"),
    ),
    "a leaf that is cast where it is made": (
        "import torch\nw = torch.ones(3, requires_grad=True).double()\nw.sum().backward()\nprint(w.grad)\n",
        "device-move-leaf",
        ("torch.ones(3, requires_grad=True).double()", "torch.ones(3).double().requires_grad_()"),
    ),
    "every tensor that an update goes through": (
        "import torch\nw, b = torch.ones(3), torch.zeros(3)\nparameters = [w, b]\nloss = (w * 2 + b).sum()\n"
        "loss.backward()\nfor p in parameters:\n    p.data -= 0.1 * p.grad\n",
        "nothing-requires-grad",
        (
            "torch.ones(3), torch.zeros(3)",
            "torch.ones(3, requires_grad=True), torch.zeros(3, requires_grad=True)",
        ),
    ),
    "a reentrant checkpoint of data": (
        TRAINED.replace(
            "loss = net(torch.ones(3)).mean()", "y = checkpoint(net, torch.ones(3), use_reentrant=True)"
        ).replace("import torch\n", "import torch\nfrom torch.utils.checkpoint import checkpoint\n")
        + "    y.sum().backward()\n    optimizer.step()\n",
        "no-grad-block",
        ("use_reentrant=True", "use_reentrant=False"),
    ),
    "inference mode for frozen features": (
        LEAF + "with torch.inference_mode():\n    y = x * 2\n(y * x).sum().backward()\n",
        "inference-tensor",
        ("torch.inference_mode()", "torch.no_grad()"),
    ),
    "a value that the block computes on with": (
        LEAF + "with torch.no_grad():\n    y = x * 2\n    z = y + 1\nz.sum().backward()\n",
        "no-grad-block",
        ("with torch.no_grad():\n    y = x * 2\n    z = y + 1\n", "y = x * 2\nz = y + 1\n"),
    ),
    "a row that is made of the row before": (
        LEAF + "h = torch.zeros(4, 3)\nfor t in range(3):\n    h[t + 1] = (h[t] * x).tanh()\nh.sum().backward()\n",
        "inplace-on-saved",
        ("h[t] * x", "h[t].clone() * x"),
    ),
    "a change behind a detach": (
        LEAF + "y = x.exp()\ny.detach().mul_(3)\ny.sum().backward()\n",
        "inplace-on-saved",
        ("y.detach().mul_(3)", "y = y.mul(3)"),
    ),
    "a leaf that is cast by an argument": (
        "import torch\nw = torch.ones(3, requires_grad=True).to(torch.float64)\nw.sum().backward()\nprint(w.grad)\n",
        "device-move-leaf",
        (
            "torch.ones(3, requires_grad=True).to(torch.float64)",
            "torch.ones(3, requires_grad=True, dtype=torch.float64)",
        ),
    ),
    "numbers that are unzipped": (
        TRAINED
        + "    pairs = [(loss.item(), 1.0)]\n    losses, weights = zip(*pairs)\n"
        + "    (torch.tensor(losses) * torch.tensor(weights)).sum().backward()\n    optimizer.step()\n",
        "left-torch",
        (
            "loss.item(), 1.0)]\n    losses, weights = zip(*pairs)\n    (torch.tensor(losses)",
            "loss, 1.0)]\n    losses, weights = zip(*pairs)\n    (torch.stack(losses)",
        ),
    ),
    "two lists made in one statement": (
        LEAF + "terms, names = [], []\nfor i in range(3):\n    terms.append(x[i] * 2)\n"
        "torch.tensor(terms, requires_grad=True).sum().backward()\nprint(x.grad)\n",
        "rewrapped-tensor",
        ("torch.tensor(terms, requires_grad=True)", "torch.stack(terms)"),
    ),
    "a number that a factory asks for": (
        LEAF + "y = x * torch.full((3,), x[0].item())\n(torch.full((3,), x[1].item()) * 2).sum().backward()\n",
        "left-torch",
        None,
    ),
    "a result in a list": (
        LEAF + "both = [x, x * 2]\ntorch.stack(both).sum().backward()\nprint(both[1].grad)\n",
        "non-leaf-grad",
        None,
    ),
    "a loss or a number": (
        NET.replace("for _ in range(9)", "total = 0.0\nfor _ in range(99)")
        + "    loss.backward()\n    total += loss if hasattr(loss, 'item') else 0\nprint(total)\n",
        "graph-hoarding",
        ("loss if", "loss.item() if"),
    ),
    "what a custom function keeps is changed": (
        "import torch\nclass F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n"
        "        ctx.x = x\n        return x * x\n    @staticmethod\n    def backward(ctx, grad):\n"
        "        return 2 * ctx.x * grad\nw = torch.ones(3, requires_grad=True)\nx = w * 1\n"
        "loss = F.apply(x).sum()\nx.mul_(3)\nloss.backward()\n",
        "function-saved",
        ("ctx.x = x\n", "ctx.x = x.clone()\n"),
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
