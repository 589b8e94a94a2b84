"""Broken text keeps its good statements, in their places, with one problem per broken place."""

from __future__ import annotations

import ast
import random
import sysconfig
import time
from pathlib import Path

import pytest

from gradsight.analysis.source import parse
from gradsight.analysis.source.parse import MAX_CHARACTERS

B = "__broken__"

CASES = {
    "a trailing dot": ("x = 1\ny.\nz = 3\n", ["x = 1", "pass", "z = 3"], ["line 2: invalid syntax"]),
    "an open call": (
        "x = 1\nfoo(\nz = 3\nw = bar(2)\n",
        ["x = 1", "pass", "z = 3", "w = bar(2)"],
        ["line 2: '(' was never closed"],
    ),
    "an open call that assigns": (
        "loss = model(\nloss.backward()\n",
        [f"loss = {B}", "loss.backward()"],
        ["line 1: '(' was never closed"],
    ),
    "an open with": (
        "with torch.no_grad(\n    y = x * 2\n    z = 3\nloss = y\n",
        ["with torch.no_grad():\n    y = x * 2\n    z = 3", "loss = y"],
        ["line 1: '(' was never closed"],
    ),
    "a missing body": (
        "def f(x):\n\nz = 3\n",
        [f"def f(x):\n    return {B}", "z = 3"],
        ["line 1: expected an indented block"],
    ),
    "a missing body of __init__": (
        "def __init__(self):\n\nz = 3\n",
        ["def __init__(self):\n    pass", "z = 3"],
        ["line 1: expected an indented block"],
    ),
    "a method call with a placeholder": (
        "net.add_module('a', <your code>)\nnet.\nz = 3\n",
        [f"{B}(net)", "pass", "z = 3"],
        ["line 1: invalid syntax"],
    ),
    "a missing body at the end": ("if x:", ["if x:\n    pass"], ["line 1: expected an indented block"]),
    "a missing colon": ("if x\n    y = 1\nz = 2\n", ["if x:\n    y = 1", "z = 2"], ["line 1: expected ':'"]),
    "an open string": (
        "x = 'abc\ny = 2\n",
        [f"x = {B}", "y = 2"],
        ["line 1: unterminated string literal"],
    ),
    "a stray triple quote": (
        'x = 1\nname = """\ny = 2\ndef f():\n    """Doc string here."""\n    return 1\nclass A:\n    """More."""\n',
        [
            "x = 1",
            f"name = {B}",
            "y = 2",
            'def f():\n    """Doc string here."""\n    return 1',
            'class A:\n    """More."""',
        ],
        ["line 2: unterminated triple-quoted string literal"],
    ),
    "a docstring that never ends": (
        'def f():\n    """One.\n\n    def is a word.\n    """\n    return 1\ndef g(x):\n    """Unfinished',
        ['def f():\n    """One.\n    def is a word.\n    """\n    return 1', f"def g(x):\n    return {B}"],
        ["line 7: expected an indented block", "line 8: unterminated triple-quoted string literal"],
    ),
    "an unexpected indent": (
        "x = 1\n    y = 2\n    z = 3\nw = 4\n",
        ["x = 1", "y = 2", "z = 3", "w = 4"],
        ["line 2: unexpected indent"],
    ),
    "an indent that fits nothing": (
        "def f():\n        a = 1\n    b = 2\nc = 3\n",
        ["def f():\n    a = 1\n    b = 2", "c = 3"],
        ["line 3: unindent does not match any outer indentation level"],
    ),
    "tabs and blanks": (
        "if a:\n\tx = 1\n        y = 2\nz = 1\n",
        ["if a:\n    x = 1\n    y = 2", "z = 1"],
        ["line 3: inconsistent use of tabs and spaces in indentation"],
    ),
    "a try without except": (
        "try:\n    a = 1\nb = 2\n",
        ["if 1:\n    a = 1", "b = 2"],
        ["line 1: expected 'except' or 'finally' block"],
    ),
    "an else without if": (
        "a = 1\nelse:\n    b = 2\nc = 3\n",
        ["a = 1", f"if {B}:\n    b = 2", "c = 3"],
        ["line 2: invalid syntax"],
    ),
    "an open decorator": (
        "@torch.no_grad(\ndef f(x):\n    return x\n",
        ["@torch.no_grad()\ndef f(x):\n    return x"],
        ["line 1: '(' was never closed"],
    ),
    "a decorator of nothing": (
        "@torch.no_grad()\nc = 1\n",
        ["c = 1"],
        ["line 1: a decorator without a function or class"],
    ),
    "a for without iterable": (
        "for i in\n    y = i\nc = 1\n",
        [f"for i in {B}:\n    y = i", "c = 1"],
        ["line 1: invalid syntax"],
    ),
    "two broken places": (
        "a = (\nb = 2\nc = ]\nd = 4\n",
        [f"a = {B}", "b = 2", f"c = {B}", "d = 4"],
        ["line 1: '(' was never closed", "line 3: unmatched ']'"],
    ),
    "prose": ("a b c\nd e f\ng = 1\n", ["pass", "pass", "g = 1"], ["line 1: invalid syntax"]),
    "a null byte": ("x = 1\ny = \0 2\n", ["x = 1", "y = 2"], ["line 2: null byte"]),
    "too deep": (
        "x = " + "-" * 100_000 + "1\ny = 1\n",
        [f"x = {B}", "y = 1"],
        ["line 1: too deeply nested to analyse"],
    ),
    "too many brackets": (
        "x = f(" + "[" * 100_000 + "\ny = 1\n",
        [f"x = {B}", "y = 1"],
        ["line 1: too many nested parentheses"],
    ),
    "nothing": ("", [], []),
    "only a comment": ("# c", [], []),
}


def squeezed(code: str) -> str:
    return "\n".join(line for line in code.split("\n") if line.strip())


@pytest.mark.parametrize("name", CASES)
def test_recovery(name):
    text, statements, problems = CASES[name]
    parsed = parse("t.py", text)
    assert [squeezed(ast.unparse(s)) for s in parsed.tree.body] == statements
    # The wording of the parser differs a little between Python versions; the line does not.
    assert [p.message.partition(":")[0] for p in parsed.problems] == [p.partition(":")[0] for p in problems]
    assert all(p.span is not None and p.path == "t.py" for p in parsed.problems)


def test_places_survive_another_indent():
    text = "x = 1\n    y = é.b\n      z = 3\nw = 4\n"
    parsed = parse("t.py", text)
    assert [parsed.source.segment(s) for s in parsed.tree.body] == ["x = 1", "y = é.b", "z = 3", "w = 4"]


def test_binary_and_huge_files_are_one_problem():
    binary = parse("t.py", "\0\x01PK" * 5000)
    assert not binary.tree.body and len(binary.problems) == 1
    start = time.monotonic()
    huge = parse("t.py", "x = 1\n" * (5_000_000 // 6))
    assert time.monotonic() - start < 1
    assert not huge.tree.body and len(huge.problems) == 1 and f"{MAX_CHARACTERS:,}" in huge.problems[0].message


def test_parents():
    parsed = parse("t.py", "def f():\n    return g(x + 1)\n")
    names = {n.id: n for n in ast.walk(parsed.tree) if isinstance(n, ast.Name)}
    assert isinstance(parsed.parents[names["x"]], ast.BinOp)
    assert isinstance(parsed.statement_of(names["x"]), ast.Return)
    assert parsed.tree not in parsed.parents


LIBRARY = Path(sysconfig.get_paths()["stdlib"])
FILES = [LIBRARY / name for name in ("argparse.py", "ast.py", "dataclasses.py", "json/decoder.py", "typing.py")]
PURELIB = Path(sysconfig.get_paths()["purelib"])
FILES += [path for name in ("torch/nn/modules/rnn.py", "torch/optim/adam.py") if (path := PURELIB / name).exists()]
STRAY = ['"""', "(", "[", '"', "\n    y.\n", "\nfoo(\n", "with torch.no_grad(\n", "\n  ", ":", "\\", "\0", "else:"]


def simple_statements(tree):
    return [
        (ast.dump(node), node.lineno, node.col_offset)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_real_files_cut_anywhere_keep_what_was_before(path):
    text = path.read_text(encoding="utf-8")
    whole = ast.parse(text)
    rng = random.Random(path.name)
    for _ in range(8):
        cut = text[: rng.randrange(len(text))]
        last = cut.count("\n") + 1
        before = {
            (ast.dump(node), node.lineno, node.col_offset)
            for node in ast.walk(whole)
            if isinstance(node, ast.stmt) and not hasattr(node, "body") and node.end_lineno < last
        }
        missing = before - set(simple_statements(parse(str(path), cut).tree))
        assert len(missing) <= 2, (len(cut), missing)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_real_files_with_something_stray_keep_most(path):
    text = path.read_text(encoding="utf-8")
    count = len(simple_statements(ast.parse(text)))
    rng = random.Random(path.name)
    for _ in range(8):
        at = rng.randrange(len(text))
        stray = rng.choice(STRAY)
        parsed = parse(str(path), text[:at] + stray + text[at:])
        assert len(simple_statements(parsed.tree)) >= 0.6 * count, (at, stray)


def test_random_tokens_never_raise():
    rng = random.Random(7)
    words = r"""
        if else : ( ) [ ] { } ''' ' " # \ x y = == . , def class with for in try except finally return @ f( _ * **
        lambda match case yield await async import from -> := 1 0x é 😀 not
    """
    pieces = [*words.split(), '"""', "\t", "\f", "\0", "\n", "\n    ", "\n  ", "\n\t", " ", " "]
    for _ in range(400):
        text = "".join(rng.choice(pieces) + rng.choice(["", " "]) for _ in range(rng.randrange(40)))
        parsed = parse("t.py", text)
        for node in ast.walk(parsed.tree):
            parsed.source.span(node)
