"""Calls lose methods, wrappers and arguments, and gain keywords, without changing what the rest means."""

from __future__ import annotations

import ast

import pytest
from test_edits_support import check, expr_of

from gradsight.analysis.source import edits as E


@pytest.mark.parametrize(
    ("before", "node", "after"),
    [
        ("y = x.detach()\n", "x.detach()", "y = x\n"),
        ('s = "é😀"; y = x.detach() * 2\n', "x.detach()", 's = "é😀"; y = x * 2\n'),
        ("y = f(a + b).data\n", "f(a + b).data", "y = f(a + b)\n"),
        ("y = (a + b).detach()\n", "(a + b).detach()", "y = a + b\n"),
        ("y = (a + b).detach() * 2\n", "(a + b).detach()", "y = (a + b) * 2\n"),
        ("y = x.detach().clone()\n", "x.detach()", "y = x.clone()\n"),
        (
            "y = (\n    x  # first\n    .detach()\n    .sum()  # last\n)\n",
            "x  # first\n    .detach()",
            "y = (\n    x  # first\n    .sum()  # last\n)\n",
        ),
        (
            "y = (\n    x  # first\n    .detach().sum()\n)\n",
            "x  # first\n    .detach()",
            "y = (\n    x  # first\n    .sum()\n)\n",
        ),
        ("x.detach_()\nz = 1\n", "x.detach_()", "z = 1\n"),
        ("if a:\n    x.detach_()\nz = 1\n", "x.detach_()", "if a:\n    pass\nz = 1\n"),
        ("a = 1; x.detach_()  # c\n", "x.detach_()", "a = 1  # c\n"),
        ("x.detach_()  # why\nz = 1\n", "x.detach_()", "# why\nz = 1\n"),
        ("f(x).detach_()\n", "f(x).detach_()", "f(x)\n"),
        ("x.data = y\n", "x.data", None),
        ("x.data[0] = y\n", "x.data", "x[0] = y\n"),
        ("y = x.detach(  # gone?\n)\n", "x.detach(  # gone?\n)", None),
    ],
)
def test_drop_method_call(before, node, after):
    check(before, after, E.drop_method_call, lambda p: _either(p, node))


def _either(parsed, text):
    found = (
        expr_of(parsed, text)
        or expr_of(parsed, text.replace("\n", "\r\n"))
        or expr_of(parsed, text.replace("    ", "\t"))
    )
    return found or _first_plain(parsed)


def _first_plain(parsed):
    """On a result the node is gone; any node that is no method call stands in."""
    return next(n for n in ast.walk(parsed.tree) if isinstance(n, (ast.Name, ast.Constant)))


@pytest.mark.parametrize(
    ("before", "call", "after"),
    [
        ("y = torch.tensor(t)\n", "torch.tensor(t)", "y = t\n"),
        ("y = float(a + b) * 2\n", "float(a + b)", "y = (a + b) * 2\n"),
        ("y = float(a + b) + 2\n", "float(a + b)", "y = a + b + 2\n"),
        ("y = 2 - float(a - b)\n", "float(a - b)", "y = 2 - (a - b)\n"),
        ("y = -float(a * b)\n", "float(a * b)", "y = -(a * b)\n"),
        ("y = float(-a) ** 2\n", "float(-a)", "y = (-a) ** 2\n"),
        ("y = f(float(a if b else c))\n", "float(a if b else c)", "y = f(a if b else c)\n"),
        ("y = [float(a), 1]\n", "float(a)", "y = [a, 1]\n"),
        ("y = float(a or b) and c\n", "float(a or b)", "y = (a or b) and c\n"),
        ("y = float(a + b).c\n", "float(a + b)", "y = (a + b).c\n"),
        ("y = float((a + b))\n", "float((a + b))", "y = a + b\n"),
        ("y = float(\n    a +\n    b)\n", "float(\n    a +\n    b)", "y = (a +\n    b)\n"),
        ("y = float(x := 2)\n", "float(x := 2)", "y = (x := 2)\n"),
        ('y = "é😀", float(t)\n', "float(t)", 'y = "é😀", t\n'),
        ("y = float(  # why\n    a)\n", "float(  # why\n    a)", None),
    ],
)
def test_unwrap_call(before, call, after):
    def build(parsed, node):
        return E.unwrap_call(parsed, node, node.args[0]) if isinstance(node, ast.Call) else None

    check(before, after, build, lambda p: _either(p, call))


def test_rename_call():
    def select(parsed):
        return next(n for n in ast.walk(parsed.tree) if isinstance(n, ast.Call))

    check("y = math.exp(t)  # c\n", "y = torch.exp(t)  # c\n", lambda p, n: E.rename_call(p, n, "torch.exp"), select)
    check(
        "y = torch.tensor([a, b], requires_grad=True)\n",
        "y = torch.stack([a, b])\n",
        lambda p, n: E.rename_call(p, n, "torch.stack", drop=("requires_grad", "dtype")),
        select,
    )
    check(
        "y = torch.tensor([a, b], dtype=d, device=e, requires_grad=True)\n",
        "y = torch.stack([a, b], device=e)\n",
        lambda p, n: E.rename_call(p, n, "torch.stack", drop=("requires_grad", "dtype")),
        select,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = f()\n", "x = f(k=True)\n"),
        ("x = f( )\n", "x = f( k=True)\n"),
        ("x = f(3)\n", "x = f(3, k=True)\n"),
        ('x = f("é😀", 3)  # c\n', 'x = f("é😀", 3, k=True)  # c\n'),
        ("x = f(3, k=False)\n", "x = f(3, k=True)\n"),
        ("x = f((3))\n", "x = f((3), k=True)\n"),
        ("x = f(3,)\n", "x = f(3, k=True)\n"),
        ("x = f(3, **kw)\n", "x = f(3, **kw, k=True)\n"),
        ("x = f(\n    3,\n    a=1,\n)\n", "x = f(\n    3,\n    a=1,\n    k=True,\n)\n"),
        ("x = f(\n    3,\n    a=1\n)\n", "x = f(\n    3,\n    a=1,\n    k=True\n)\n"),
        ("x = f(\n    3,  # three\n)\n", "x = f(\n    3,  # three\n    k=True,\n)\n"),
        ("x = f(\n    3  # three\n)\n", "x = f(\n    3,  # three\n    k=True\n)\n"),
        ("x = f(3,\n      4)\n", "x = f(3,\n      4,\n      k=True)\n"),
        ("x = f(a for a in b)\n", None),
        ("x = f(3, k=True)\n", None),
        ('x = f(",", ")")\n', 'x = f(",", ")", k=True)\n'),
    ],
)
def test_set_keyword(before, after):
    def select(parsed):
        return next(n for n in ast.walk(parsed.tree) if isinstance(n, ast.Call))

    check(before, after, lambda p, n: E.set_keyword(p, n, "k", "True"), select)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = f(k=1)\n", "x = f()\n"),
        ("x = f(3, k=1)\n", "x = f(3)\n"),
        ("x = f((3), k=(1))\n", "x = f((3))\n"),
        ("x = f(k=1, a=2)\n", "x = f(a=2)\n"),
        ("x = f(3, k=1, a=2)\n", "x = f(3, a=2)\n"),
        ("x = f(3, k=1,)\n", "x = f(3,)\n"),
        ("x = f(\n    3,\n    k=1,\n    a=2,\n)\n", "x = f(\n    3,\n    a=2,\n)\n"),
        ("x = f(\n    3,\n    k=1,\n)\n", "x = f(\n    3,\n)\n"),
        ("x = f(3, **kw)\n", None),
    ],
)
def test_remove_keyword(before, after):
    def select(parsed):
        return next(n for n in ast.walk(parsed.tree) if isinstance(n, ast.Call))

    check(before, after, lambda p, n: E.remove_keyword(p, n, "k"), select)


@pytest.mark.parametrize(
    ("before", "node", "after"),
    [
        ("x = f(3)\n", "f(3)", "x = f(3).g_()\n"),
        ("x = a + b\n", "a + b", "x = (a + b).g_()\n"),
        ("x = (a + b)\n", "a + b", "x = (a + b).g_()\n"),
        ("x = f(a + b)\n", "a + b", "x = f((a + b).g_())\n"),
        ("x = f(3).g_()\n", "f(3)", None),
    ],
)
def test_append_call(before, node, after):
    check(before, after, lambda p, n: E.append_call(p, n, ".g_()"), lambda p: expr_of(p, node))


def test_replace_expr():
    check("y = x.a * 2\n", "y = (a + b) * 2\n", lambda p, n: E.replace_expr(p, n, "a + b"), lambda p: _either(p, "x.a"))
    check("y = x.a * 2\n", None, lambda p, n: E.replace_expr(p, n, "a + "), lambda p: _either(p, "x.a"))
