"""Statements leave `with` blocks, blocks and decorators go away, lines come in."""

from __future__ import annotations

import ast

import pytest
from test_edits_support import check, node_of

from gradsight.analysis.source import edits as E


def moved(text: str):
    def build(parsed, stmt):
        with_node = parsed.parents.get(stmt)
        return E.move_out_of_with(parsed, with_node, stmt) if isinstance(with_node, ast.With) else None

    return build, lambda parsed: node_of(parsed, text, ast.stmt)


MOVES = {
    "the only statement takes the with away": (
        "y = ",
        """
        x = 1
        with torch.no_grad():
            y = x * 2
        loss = y.sum()
        """,
        """
        x = 1
        y = x * 2
        loss = y.sum()
        """,
    ),
    "in front when nothing earlier is needed": (
        "y = ",
        """
        with torch.no_grad():
            t = net(x)
            y = x * 2
            u = y + t
        """,
        """
        y = x * 2
        with torch.no_grad():
            t = net(x)
            u = y + t
        """,
    ),
    "behind when it needs what came earlier": (
        "y = ",
        """
        with torch.no_grad():
            t = net(x)
            y = t * 2
            u = t + 1
        """,
        """
        with torch.no_grad():
            t = net(x)
            u = t + 1
        y = t * 2
        """,
    ),
    "the last one only changes its indent": (
        "y = ",
        """
        def f():
            with torch.no_grad():
                t = net(x)
                # about y
                y = t * 2  # trailing
            return y
        """,
        """
        def f():
            with torch.no_grad():
                t = net(x)
            # about y
            y = t * 2  # trailing
            return y
        """,
    ),
    "the block is split": (
        "y = ",
        """
        with torch.no_grad():  # why
            t = net(x)
            y = t * 2
            u = y + 1
        z = u
        """,
        """
        with torch.no_grad():  # why
            t = net(x)
        y = t * 2
        with torch.no_grad():
            u = y + 1
        z = u
        """,
    ),
    "comments above go along, others stay": (
        "y = ",
        """
        with torch.no_grad():
            a = 1  # a

            # not attached

            # attached
            # twice
            y = (x *  # inner
                 2)
            b = 2
        """,
        """
        # attached
        # twice
        y = (x *  # inner
             2)
        with torch.no_grad():
            a = 1  # a

            # not attached

            b = 2
        """,
    ),
    "the inside of a string is not indented": (
        "y = ",
        '''
        if 1:
            with torch.no_grad():
                y = f(x, """
                text
            less
                """)
                b = 2
        ''',
        '''
        if 1:
            y = f(x, """
                text
            less
                """)
            with torch.no_grad():
                b = 2
        ''',
    ),
    "an in-place change in between keeps the order": (
        "y = ",
        """
        with torch.no_grad():
            x.add_(1)
            y = x * 2
            x.mul_(3)
        """,
        """
        with torch.no_grad():
            x.add_(1)
        y = x * 2
        with torch.no_grad():
            x.mul_(3)
        """,
    ),
    "a compound statement": (
        "for ",
        """
        with torch.no_grad():
            a = 1
            for i in r:
                y = i

                z = y
        """,
        """
        for i in r:
            y = i

            z = y
        with torch.no_grad():
            a = 1
        """,
    ),
    "return at the end": (
        "return",
        """
        def f(x):
            with torch.no_grad():
                t = net(x)
                return t * x
        """,
        """
        def f(x):
            with torch.no_grad():
                t = net(x)
            return t * x
        """,
    ),
    "one line": ("y = ", "with torch.no_grad(): y = x * 2  # c\n", "y = x * 2  # c\n"),
    "several on one line": ("y = ", "with torch.no_grad(): y = x * 2; z = 3\n", None),
    "a shared line": ("y = ", "with torch.no_grad():\n    y = x * 2; z = 3\n    a = 1\n", None),
    "the name the with binds": ("y = ", "with open(f) as g:\n    y = g.read()\n    z = 1\n", None),
    "return in the middle": (
        "if a",
        "def f():\n    with torch.no_grad():\n        b = 1\n        if a:\n            return b\n        c = 2\n",
        None,
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_move_out_of_with(name):
    text, before, after = MOVES[name]
    check(before, after, *moved(text))


DROPS = {
    "a block": (
        "with torch.no_grad():  # keep me\n    # first\n    y = 1\n\n    z = 2\n    # last\nw = 3\n",
        "# keep me\n# first\ny = 1\n\nz = 2\n# last\nw = 3\n",
    ),
    "a comment for a tool goes": ("with torch.no_grad():  # noqa: E1\n    y = 1\n", "y = 1\n"),
    "strings keep their blanks": (
        'with torch.no_grad():\n    y = """\n    a\n  b"""\n    z = 2\n',
        'y = """\n    a\n  b"""\nz = 2\n',
    ),
    "a header over several lines": ("with (\n    torch.no_grad()\n):\n    y = 1\n", "y = 1\n"),
    "nested": (
        "if 1:\n    with torch.no_grad():\n        if a:\n            y = 1\n        else:\n            y = 2\n    z\n",
        "if 1:\n    if a:\n        y = 1\n    else:\n        y = 2\n    z\n",
    ),
    "async": (
        "async def f():\n    async with torch.no_grad():\n        y = 1\n",
        "async def f():\n    y = 1\n",
    ),
    "a colon in the header": ("with f(x[1:2], lambda: 0):  # a: b\n    y = 1\n", "# a: b\ny = 1\n"),
}


@pytest.mark.parametrize("name", DROPS)
def test_drop_with(name):
    before, after = DROPS[name]
    check(before, after, E.drop_with, lambda p: node_of(p, "with") or node_of(p, "async with"))


@pytest.mark.parametrize(
    ("before", "index", "after"),
    [
        ("with a(), torch.no_grad(): y = 1\n", 1, "with a(): y = 1\n"),
        ("with torch.no_grad(), a() as b:\n    y = b\n", 0, "with a() as b:\n    y = b\n"),
        ("with a(), torch.no_grad(), b():\n    y = 1\n", 1, "with a(), b():\n    y = 1\n"),
        ("with (\n    a(),\n    torch.no_grad(),\n):\n    y = 1\n", 1, "with (\n    a(),\n):\n    y = 1\n"),
        ("with a() as b, torch.no_grad():\n    y = b\n", 0, None),
    ],
)
def test_drop_one_item(before, index, after):
    def build(parsed, node):
        return E.drop_with(parsed, node, node.items[index]) if len(node.items) > 1 else None

    def select(parsed):
        return next(n for n in ast.walk(parsed.tree) if isinstance(n, ast.With))

    if "b()" in before:  # the middle of three: what is left has another item in its place
        from test_edits_support import rewrite

        assert rewrite(before, lambda p, n: build(p, n) if len(n.items) == 3 else None, select) == after
    else:
        check(before, after, build, select)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("@torch.no_grad()\ndef f(x):\n    return x\n", "def f(x):\n    return x\n"),
        ("@a\n@torch.no_grad()  # why\n@b\ndef f(x):\n    return x\n", "@a\n# why\n@b\ndef f(x):\n    return x\n"),
        ("class A:\n    @torch.no_grad(\n    )\n    def f(x):\n        1\n", "class A:\n    def f(x):\n        1\n"),
        ("@(torch.no_grad())\nasync def f(x):\n    return x\n", "async def f(x):\n    return x\n"),
    ],
)  # fmt: skip
def test_drop_decorator(before, after):
    def build(parsed, node):
        found = [d for d in node.decorator_list if "no_grad" in parsed.source.segment(d)]
        return E.drop_decorator(parsed, node, found[0]) if found else None

    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    check(before, after, build, lambda p: next(n for n in ast.walk(p.tree) if isinstance(n, kinds)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a = 1\nif b:\n    y = x\n", "a = 1\nif b:\n    n = 0\n    y = x\n"),
        ("a = 1; y = x; z = 2\n", "a = 1; n = 0; y = x; z = 2\n"),
        ("if a: y = x\n", "if a: n = 0; y = x\n"),
    ],
)
def test_insert_before(before, after):
    check(before, after, lambda p, s: E.insert_line_before(p, s, "n = 0"), lambda p: node_of(p, "y = x"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("if b:\n    y = (x,\n       2)  # c\nz = 1\n", "if b:\n    y = (x,\n       2)  # c\n    n = 0\nz = 1\n"),
        ("a = 1; y = (x); z = 2\n", "a = 1; y = (x); n = 0; z = 2\n"),
        ("if a: y = (x)  # c\n", "if a: y = (x); n = 0  # c\n"),
    ],
)
def test_insert_after(before, after):
    check(before, after, lambda p, s: E.insert_line_after(p, s, "n = 0"), lambda p: node_of(p, "y = (x"))


def test_insert_before_a_decorated_function():
    check(
        "@d\ndef f():\n    pass\n",
        "n = 0\n@d\ndef f():\n    pass\n",
        lambda p, s: E.insert_line_before(p, s, "n = 0"),
        lambda p: node_of(p, "def f"),
    )
