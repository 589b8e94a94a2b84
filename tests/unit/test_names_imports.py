"""Imports and aliases are read from the tree."""

from __future__ import annotations

import ast
import textwrap

import pytest

from gradsight.analysis.names import ImportTable, absolute_module, dotted_name


def table(text: str, package: str = "") -> ImportTable:
    return ImportTable.of(ast.parse(textwrap.dedent(text)), package)


@pytest.mark.parametrize(
    ("text", "name", "target"),
    [
        ("import torch", "torch.relu", "torch.relu"),
        ("import torch as T", "T.nn.functional.relu", "torch.nn.functional.relu"),
        ("import torch.nn.functional as F", "F.relu", "torch.nn.functional.relu"),
        ("import torch.nn.functional", "torch.relu", "torch.relu"),
        ("from torch import nn as N", "N.Linear", "torch.nn.Linear"),
        ("from torch.nn import Linear", "Linear", "torch.nn.Linear"),
        ("import math", "torch.exp", None),
        ("def f():\n    import torch as t", "t.exp", "torch.exp"),
        ("try:\n    import a as m\nexcept ImportError:\n    import b as m", "m.x", "a.x"),
        ("if TYPE_CHECKING:\n    from torch import Tensor", "Tensor", "torch.Tensor"),
    ],
)
def test_resolve(text, name, target):
    assert table(text).resolve(name) == target


@pytest.mark.parametrize(
    ("module", "level", "package", "expected"),
    [
        ("layers", 1, "pkg", "pkg.layers"),
        ("", 1, "pkg.sub", "pkg.sub"),
        ("layers", 2, "pkg.sub", "pkg.layers"),
        ("layers", 3, "pkg.sub", "...layers"),
        ("layers", 1, "", ".layers"),
        ("torch.nn", 0, "pkg", "torch.nn"),
    ],
)
def test_relative(module, level, package, expected):
    assert absolute_module(module, level, package) == expected


def test_relative_binding_and_star():
    found = table(
        "from . import layers\nfrom .layers import Block as B\nfrom torch.nn import *\nfrom .. import x", "pkg.sub"
    )
    assert found.resolve("layers.Block") == "pkg.sub.layers.Block"
    assert found.resolve("B") == "pkg.sub.layers.Block"
    assert found.stars == ("torch.nn",)
    assert found.resolve("x") == "pkg.x"
    assert found.reaches("torch") and not found.reaches("tor")


def test_alternatives_are_kept():
    found = table("try:\n    import a as m\nexcept ImportError:\n    import b as m")
    assert [(one.target, one.conditional) for one in found.all_bindings] == [("a", True), ("b", True)]


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("import torch", "torch.exp", "torch.exp"),
        ("import torch as T\nimport torch.nn.functional as F", "torch.nn.functional.relu", "F.relu"),
        ("from torch import exp", "torch.exp", "exp"),
        ("import math", "torch.exp", None),
    ],
)
def test_spelling(text, target, expected):
    assert table(text).spelling(target) == expected


def test_dotted_name():
    assert dotted_name(ast.parse("a.b.c", mode="eval").body) == "a.b.c"
    assert dotted_name(ast.parse("a().b", mode="eval").body) is None
