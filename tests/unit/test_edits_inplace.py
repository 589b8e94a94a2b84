"""In-place operations are written out of place."""

from __future__ import annotations

import ast

import pytest
from test_edits_support import check

from gradsight.analysis.source import edits as E

CASES = [
    ("y.add_(1)\n", "y = y + 1\n"),
    ("y.sub_(a - b)  # c\n", "y = y - (a - b)  # c\n"),
    ("y.mul_(a + b)\n", "y = y * (a + b)\n"),
    ("y.div_(-a)\n", "y = y / -a\n"),
    ("y.add_(a if b else c)\n", "y = y + (a if b else c)\n"),
    ("y.add_(x, alpha=2)\n", "y = y.add(x, alpha=2)\n"),
    ("self.h.add_(1)\n", "self.h = self.h + 1\n"),
    ("y.clamp_(0, 1)\n", "y = y.clamp(0, 1)\n"),
    ("y.add_(1).mul_(2)\n", "y = y.add(1).mul(2)\n"),
    ("y.add_(\n    1  # one\n)\n", "y = y.add(\n    1  # one\n)\n"),
    ("y.zero_()\n", "y = torch.zeros_like(y)\n"),
    ("y.fill_(3)\n", "y = torch.full_like(y, 3)\n"),
    ("y.normal_(0, 1)\n", None),
    ("y.copy_(x)\n", None),
    ("f(x).add_(1)\n", None),
    ("x[0].add_(1)\n", None),
    ("z = y.exp_()\n", "z = y.exp()\n"),
    ("torch.relu_(x)\n", "x = torch.relu(x)\n"),
    ("z = F.relu_(x)\n", "z = F.relu(x)\n"),
    ("z = F.relu(x, inplace=True)\n", "z = F.relu(x)\n"),
    ("z = F.relu(x, True)\n", "z = F.relu(x)\n"),
    ("z = F.dropout(x, 0.5, True)\n", None),
    ("m = nn.ReLU(True)\n", "m = nn.ReLU()\n"),
    ("m = nn.ReLU(inplace=True)\n", "m = nn.ReLU()\n"),
    ("m = nn.LeakyReLU(0.1, True)\n", "m = nn.LeakyReLU(0.1)\n"),
    ("m = nn.Dropout(p=0.1, inplace=True)\n", "m = nn.Dropout(p=0.1)\n"),
    ("y += 1\n", "y = y + 1\n"),
    ("y -= a - b\n", "y = y - (a - b)\n"),
    ("y *= (a + b)\n", "y = y * (a + b)\n"),
    ("y *= (a) + b\n", "y = y * ((a) + b)\n"),
    ("y **= 2\n", "y = y ** 2\n"),
    ("y @= a @ b\n", "y = y @ (a @ b)\n"),
    ("y += x, 1\n", "y = y + (x, 1)\n"),
    ("y //= f(\n    1,  # one\n)\n", "y = y // f(\n    1,  # one\n)\n"),
    ("self.h += e\n", "self.h = self.h + e\n"),
    ("x[i] = v\n", "x = x.clone()\nx[i] = v\n"),
    ("if a:\n    self.x[i][j] += v\n", "if a:\n    self.x = self.x.clone()\n    self.x[i][j] += v\n"),
    ("f(x)[i] = v\n", None),
    ("y = 3\n", None),
]


@pytest.mark.parametrize(("before", "after"), CASES)
def test_out_of_place(before, after):
    kinds = (ast.AugAssign, ast.Expr)

    def select(parsed):
        walked = [n for n in ast.walk(parsed.tree) if not _is_prefix(parsed, n)]
        stmt = next((n for n in walked if isinstance(n, kinds)), None)
        if stmt is None:
            stmt = next(
                (n for n in walked if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Subscript)), None
            )
        call = next((n for n in walked if isinstance(n, ast.Call)), None)
        return stmt or call or parsed.tree

    check(before, after, E.inplace_to_outofplace, select)


def _is_prefix(parsed, node):
    return hasattr(node, "lineno") and parsed.source.segment(node).startswith("s = ")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("torch.mm(x, w, out=y)  # c\n", "y = torch.mm(x, w)  # c\n"),
        ("torch.mm(x, out=self.y, mat2=w)\n", "self.y = torch.mm(x, mat2=w)\n"),
        ("torch.max(x, 0, out=(v, i))\n", "v, i = torch.max(x, 0)\n"),
        ("torch.exp(x, out=y[0])\n", "y[0] = torch.exp(x)\n"),
        ("z = torch.exp(x, out=y)\n", "z = y = torch.exp(x)\n"),
        ("y = torch.exp(x, out=y)\n", "y = torch.exp(x)\n"),
        ("def f():\n    return torch.exp(x, out=y)\n", "def f():\n    return torch.exp(x)\n"),
        ("torch.exp(x, out=y.data)\n", None),
        ("torch.exp(x, out=make())\n", None),
        ("z = torch.exp(x, out=y).sum()\n", None),
        ("torch.exp(x)\n", None),
    ],
)
def test_assign_out(before, after):
    def select(parsed):
        calls = [n for n in ast.walk(parsed.tree) if isinstance(n, ast.Call)]
        return next((n for n in calls if any(k.arg == "out" for k in n.keywords)), calls[0])

    check(before, after, E.assign_out, select)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("y.data.mul_(m)  # c\n", "y = y.mul(m)  # c\n"),
        ("self.y.data.add_(1, alpha=2)\n", "self.y = self.y.add(1, alpha=2)\n"),
        ("y.data += a if b else c\n", "y = y + (a if b else c)\n"),
        ("y.data = y.data * m\n", "y = y * m\n"),
        ("y.data = m\n", None),
        ("y.data.copy_(m)\n", None),
        ("y.data[0] = 1\n", None),
        ("y.mul_(m)\n", None),
        ("f(y).data.mul_(m)\n", None),
    ],
)
def test_without_data(before, after):
    check(before, after, E.without_data, lambda parsed: parsed.tree.body[-1])
