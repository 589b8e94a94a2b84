"""What confirms and what refutes each rule, on programs whose truth is known."""

from __future__ import annotations

import pytest

from .build import Claim, Story, cut_before_backward

HEAD = "import torch\nfrom torch import nn\nx = torch.randn(3, requires_grad=True)\n"
X = ("source", "x = torch.randn(3, requires_grad=True)", "`x` is trainable")
SINK = ("sink", "loss.backward()", "the sink")

CASES = {
    "exp().add_() breaks its backward": (
        HEAD + "y = x.exp()\ny.add_(1)\nloss = y.sum()\nloss.backward()\n",
        Claim(
            "inplace-on-saved", "y.add_(1)", [X, ("mutation", "y.add_(1)", "changes"), SINK], ("y.add_(1)", "y = y + 1")
        ),
        "confirmed",
        "modified by an inplace operation",
        "verified",
    ),
    "mul by a number does not": (
        HEAD + "y = x * 2\ny.add_(1)\nloss = y.sum()\nloss.backward()\n",
        Claim("inplace-on-saved", "y.add_(1)", [X, ("mutation", "y.add_(1)", "changes"), SINK]),
        "refuted",
        "ran once and nothing was raised",
        None,
    ),
    "in place on a leaf": (
        HEAD + "x.add_(1)\nloss = x.sum()\nloss.backward()\n",
        Claim("inplace-on-leaf", "x.add_(1)", [X, ("mutation", "x.add_(1)", "raises")], ("x.add_(1)", "x = x + 1")),
        "confirmed",
        "a leaf Variable that requires grad",
        None,
    ),
    "in place on a leaf under no_grad": (
        HEAD + "with torch.no_grad():\n    x.add_(1)\nloss = x.sum()\nloss.backward()\n",
        Claim("inplace-on-leaf", "x.add_(1)", [X, ("mutation", "x.add_(1)", "raises")]),
        "refuted",
        "nothing was raised",
        None,
    ),
    "out= with a tensor that requires grad": (
        HEAD + "y = torch.empty(3)\ntorch.exp(x, out=y)\nloss = y.sum()\nloss.backward()\n",
        Claim(
            "out-argument",
            "torch.exp(x, out=y)",
            [X, ("mutation", "torch.exp(x, out=y)", "raises")],
            ("torch.exp(x, out=y)", "y = torch.exp(x)"),
        ),
        "confirmed",
        "don't support automatic differentiation",
        "verified",
    ),
    "a loss without a graph that is told to require grad": (
        HEAD + "y = (x * 2).detach()\nloss = y.sum()\nloss.requires_grad_()\nloss.backward()\n",
        Claim(
            "late-requires-grad",
            "loss.requires_grad_()",
            [X, ("cut", "y = (x * 2).detach()", "cut"), SINK],
            ("y = (x * 2).detach()", "y = x * 2"),
        ),
        "confirmed",
        "`x.grad` is None",
        "verified",
    ),
    "what backward needs is changed behind its back": (
        HEAD + "y = x.exp()\ny.data.mul_(3)\nloss = y.sum()\nloss.backward()\n",
        Claim(
            "data-mutation",
            "y.data.mul_(3)",
            [X, ("mutation", "y.data.mul_(3)", "changed"), SINK],
            ("y.data.mul_(3)", "y = y.mul(3)"),
        ),
        "confirmed",
        "`x.grad` is wrong: its norm is",
        "verified",
    ),
    "other memory under a weight": (
        HEAD + "w = torch.randn(3, requires_grad=True)\ny = w * x\nw.data = w.data * 2\n"
        "loss = y.sum()\nloss.backward()\n",
        Claim("data-mutation", "w.data = w.data * 2", [X, ("mutation", "w.data = w.data * 2", "changed"), SINK]),
        "confirmed",
        "`x.grad` is wrong",
        None,
    ),
    "a clipping that clips nothing": (
        HEAD + "y = x.sigmoid()\ny.data.clamp_(0, 1)\nloss = y.sum()\nloss.backward()\n",
        Claim("data-mutation", "y.data.clamp_(0, 1)", [X, ("mutation", "y.data.clamp_(0, 1)", "changed"), SINK]),
        "refuted",
        "is the same with the values that the forward pass saved",
        None,
    ),
    "the same graph twice": (
        HEAD + "loss = x.exp().sum()\nloss.backward()\nloss.backward(inputs=[x])\n",
        Claim(
            "freed-graph",
            "loss.backward(inputs=[x])",
            [X, ("sink", "loss.backward(inputs=[x])", "raises")],
            ("loss.backward()", "loss.backward(retain_graph=True)"),
        ),
        "confirmed",
        "a second time",
        "verified",
    ),
    "a hidden state over iterations": (
        HEAD
        + "h = torch.zeros(3)\nfor step in range(1000):\n"
        + "    h = torch.tanh(h + x)\n    loss = h.sum()\n    loss.backward()\n",
        Claim("freed-graph", "loss.backward()", [X, SINK], ("h = torch.tanh(h + x)", "h = torch.tanh(h.detach() + x)")),
        "confirmed",
        "a second time",
        "verified",
    ),
    "a loop that is fine is left after three passes": (
        HEAD + "for step in range(10 ** 9):\n    loss = torch.tanh(x).sum()\n    loss.backward()\n",
        Claim("freed-graph", "loss.backward()", [X, SINK]),
        "refuted",
        "ran 3 times",
        None,
    ),
    ".grad of a non-leaf": (
        HEAD + "y = x * 2\nloss = y.sum()\nloss.backward()\nprint(y.grad)\n",
        Claim(
            "non-leaf-grad",
            "y.grad",
            [("source", "y = x * 2", "`y` is no leaf"), SINK, ("sink", "y.grad", "None")],
            ("loss = y.sum()", "y.retain_grad()\nloss = y.sum()"),
        ),
        "confirmed",
        "`y.grad` is None: it is not a leaf",
        "verified",
    ),
    ".grad of a leaf no loss reaches": (
        HEAD + "w = torch.ones(3, requires_grad=True)\nloss = x.sum()\nloss.backward()\nprint(w.grad.norm())\n",
        Claim(
            "grad-without-path",
            "w.grad",
            [("source", "w = torch.ones(3, requires_grad=True)", "`w`"), ("sink", "w.grad", "")],
        ),
        "confirmed",
        "`w.grad` is None",
        None,
    ),
    "a gradient that is there": (
        HEAD + "loss = x.sum()\nloss.backward()\nprint(x.grad)\n",
        Claim("grad-without-path", "x.grad", [X, ("sink", "x.grad", "")]),
        "refuted",
        "`x.grad` is there",
        None,
    ),
    "one of two parameters is cut": (
        HEAD + "w = torch.ones(3, requires_grad=True)\nloss = (x.detach() * w).sum()\nloss.backward()\n",
        Claim("detached-value", "x.detach()", [X, ("cut", "x.detach()", "cut"), SINK], ("x.detach()", "x")),
        "confirmed",
        "`x.grad` is None",
        "verified",
    ),
    "a gradient from another loss does not hide it": (
        HEAD + "x.sum().backward()\nloss = (x.detach() * x.new_ones(3, requires_grad=True)).sum()\nloss.backward()\n",
        Claim("detached-value", "x.detach()", [X, ("cut", "x.detach()", "cut"), SINK]),
        "confirmed",
        "was not changed by this `backward()`",
        None,
    ),
    "a model's encoder": (
        HEAD + "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.encoder = nn.Linear(3, 3)\n        self.head = nn.Linear(3, 1)\n"
        "    def forward(self, x):\n        return self.head(self.encoder(x).detach())\n"
        "net = Net()\nopt = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "for epoch in range(10 ** 9):\n    opt.zero_grad()\n    loss = net(torch.randn(2, 3)).sum()\n"
        "    loss.backward()\n    opt.step()\n",
        Claim(
            "detached-value",
            "self.encoder(x).detach()",
            [
                ("source", "self.encoder = nn.Linear(3, 3)", "`encoder.weight` is held by `opt`"),
                ("cut", "self.encoder(x).detach()", "cut"),
                SINK,
            ],
            (".detach()", ""),
        ),
        "confirmed",
        "`net.encoder.weight.grad` is None",
        "verified",
    ),
    "left torch through numpy": (
        HEAD + "import numpy as np\ny = np.exp(x)\nloss = torch.tensor(y).sum()\nloss.backward()\n",
        Claim("left-torch", "np.exp(x)", [X, ("cut", "np.exp(x)", "leaves torch"), SINK]),
        "confirmed",
        "Can't call numpy()",
        None,
    ),
    "torch.autograd.grad, an unused input": (
        HEAD + "w = torch.ones(3, requires_grad=True)\nloss = x.sum()\ng = torch.autograd.grad(loss, [x, w])\n",
        Claim(
            "grad-without-path",
            "g = torch.autograd.grad(loss, [x, w])",
            [("sink", "torch.autograd.grad(loss, [x, w])", "")],
        ),
        "confirmed",
        "appears to not have been used in the graph",
        None,
    ),
    "torch.autograd.grad gives the gradient": (
        HEAD + "loss = (x * x).sum()\ng, = torch.autograd.grad(loss, x)\n",
        Claim("detached-value", "x * x", [X, ("cut", "x * x", ""), ("sink", "torch.autograd.grad(loss, x)", "")]),
        "refuted",
        "`x.grad` is there",
        None,
    ),
    "a sink in a function that is called": (
        HEAD
        + "def step(value):\n    with torch.no_grad():\n        y = value * 2\n"
        + "    loss = y.sum()\n    loss.backward()\nstep(x)\n",
        Claim(
            "no-grad-block",
            "y = value * 2",
            [X, ("cut", "y = value * 2", "cut"), SINK],
            ("with torch.no_grad():\n        y = value * 2", "y = value * 2"),
        ),
        "confirmed",
        "`x.grad` is None",
        "verified",
    ),
    "an error that is caught": (
        HEAD + "with torch.no_grad():\n    loss = x.sum()\ntry:\n    loss.backward()\nexcept RuntimeError:\n    pass\n",
        Claim("no-grad-block", "loss = x.sum()", [X, ("cut", "loss = x.sum()", "cut"), SINK]),
        "confirmed",
        "PyTorch raised at line 7",
        None,
    ),
    "an error of its own at the sink": (
        HEAD + "loss = x * 2\nloss.backward()\n",
        Claim("no-grad-block", "loss = x * 2", [X, SINK]),
        "failed",
        "grad can be implicitly created only for scalar outputs",
        None,
    ),
    "a sum that carries its graph": (
        HEAD + "total = 0.0\nfor _ in range(3):\n    loss = (x * 2).sum()\n    loss.backward()\n    total += loss\n",
        Claim(
            "graph-hoarding", "total += loss", [("mutation", "total += loss", "keeps")], ("+= loss", "+= loss.item()")
        ),
        "confirmed",
        "`total` carries a graph: it is made by AddBackward0",
        "verified",
    ),
    "a sum of numbers": (
        HEAD
        + "total = 0.0\nfor _ in range(3):\n    loss = (x * 2).sum()\n    loss.backward()\n    total += float(loss)\n",
        Claim("graph-hoarding", "total += float(loss)", [("mutation", "total += float(loss)", "keeps")]),
        "refuted",
        "`total` carries no graph",
        None,
    ),
    "a parameter computed with": (
        "import torch\nfrom torch import nn\nclass Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.scale = nn.Parameter(torch.ones(4)) * 0.5\nnet = Net()\nprint(len(list(net.parameters())))\n",
        Claim(
            "unregistered-parameters",
            "self.scale = nn.Parameter(torch.ones(4)) * 0.5",
            [("cut", "self.scale = nn.Parameter(torch.ones(4)) * 0.5", "no leaf")],
            ("nn.Parameter(torch.ones(4)) * 0.5", "nn.Parameter(torch.ones(4) * 0.5)"),
        ),
        "confirmed",
        "it is made by MulBackward0",
        "verified",
    ),
    "a list of results": (
        HEAD + "kept = []\nfor _ in range(3):\n    kept.append(x.exp())\nprint(len(kept))\n",
        Claim(
            "graph-hoarding",
            "kept.append(x.exp())",
            [("mutation", "x.exp()", "keeps")],
            ("x.exp()", "x.exp().detach()"),
        ),
        "confirmed",
        "`x.exp()` carries a graph",
        "verified",
    ),
    "a function with too few gradients": (
        "import torch\nclass F(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, x, k):\n        return x * k\n"
        "    @staticmethod\n    def backward(ctx, g):\n        return g\n"
        "x = torch.randn(3, requires_grad=True)\nloss = F.apply(x, 2.0).sum()\nloss.backward()\n",
        Claim("function-gradients", "return g", [X, SINK], ("return g", "return g, None")),
        "confirmed",
        "incorrect number of gradients",
        "verified",
    ),
    "a function that returns None": (
        "import torch\nclass F(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, x):\n        return x * 2\n"
        "    @staticmethod\n    def backward(ctx, g):\n        return None\n"
        "x = torch.randn(3, requires_grad=True)\nloss = F.apply(x).sum()\nloss.backward()\n",
        Claim("function-none-gradient", "return None", [X, SINK]),
        "confirmed",
        "`x.grad` is None",
        None,
    ),
    "é and 😀 on the line": (
        HEAD + 's = "é😀"; y = x.detach(); loss = y.sum()\nloss.backward()\n',
        Claim("detached-value", "x.detach()", [X, ("cut", "x.detach()", "cut"), SINK], ("x.detach()", "x")),
        "confirmed",
        "`x.grad` is None",
        "verified",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(check, name: str) -> None:
    text, claim, verdict, words, fix = CASES[name]
    (result,) = check(Story(text, claim), fix=fix is not None).results
    assert (result.verdict, words in result.reason) == (verdict, True), result.reason
    if fix is not None:
        assert result.fix is not None
        assert result.fix.verdict == fix, result.fix.reason


def test_several_findings_are_judged_by_one_run(check) -> None:
    story = Story(
        HEAD + "a = torch.ones(3, requires_grad=True)\nloss = (x.detach() * a).sum()\nloss.backward()\n"
        "loss2 = (a.data * x).sum()\nloss2.backward()\nprint('end')\n",
        Claim("detached-value", "x.detach()", [X, SINK]),
        Claim(
            "detached-value",
            "a.data",
            [("source", "a = torch.ones(3, requires_grad=True)", ""), ("sink", "loss2.backward()", "")],
        ),
        Claim("grad-without-path", "print('end')", [("sink", "print('end')", "")]),
    )
    report = check(story)
    first, second, _third = report.results
    assert (first.verdict, first.leaves[0].name) == ("confirmed", "x")
    assert (second.verdict, second.leaves[0].name) == ("confirmed", "a"), second.reason
    assert report.seconds < 30


def test_a_finding_behind_another_ones_error_is_not_reached(check) -> None:
    story = Story(
        "import torch\nloss = torch.randn(3).sum()\nloss.backward()\nother = torch.randn(3).sum()\nother.backward()\n",
        cut_before_backward(),
        Claim("no-grad-block", "other.backward()", [("sink", "other.backward()", "")]),
    )
    first, second = check(story).results
    assert first.verdict == "confirmed"
    assert second.verdict == "not-reached" and "line 3 raised" in second.reason


def test_nothing_to_judge_is_an_empty_report(check) -> None:
    report = check(Story("import torch\nprint('ran')\n"))
    assert report.results == ()
