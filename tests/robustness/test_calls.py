"""Everything that has a model of its own, called as nobody would: no argument, too many, of any kind, by odd names.

A text that is being written looks like this at every moment, and one call that raises costs the whole file its answers.
"""

from __future__ import annotations

import argparse
import builtins
import collections
import pathlib

import pytest

from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.interpreter import externals
from gradsight.analysis.torch_model import registry

HEAD = """\
import argparse, collections, contextlib, copy, dataclasses, functools, importlib, itertools, math, types, typing
import attr, attrs
import numpy, random, tqdm
import torch
import torch.nn as nn

class K:
    a = 1
    def f(self):
        return self

def unknown():
    return open("x").read()

x = torch.ones(2, 2, requires_grad=True)
"""

ARGUMENTS = (
    *("", "None", "x", "'a'", "3", "-1", "2.5", "float('nan')", "10**30", "[]", "[x]", "{}", "()", "(x, x)", "True"),
    *("K", "K()", "lambda: x", "nn.Linear(2, 2)", "torch.float32", "range(3)", "(i for i in [x])", "torch.ones(0)"),
    *(
        "x, x",
        "x, 0",
        "x, 99",
        "x, -9",
        "x, None",
        "x, 'a'",
        "x, [x]",
        "x, (0, 1)",
        "x, [0], [1, 2]",
        "x, x, x",
        "K(), 'a'",
    ),
    *(
        "None, None",
        "lambda a: a, [x]",
        "0, x, x",
        "x, K, lambda: 1",
        "x, x, x, x",
        "K(), 'a', 1",
        "torch.ones(3, 1, 2), 1",
    ),
    *("k=x", "input=x", "dim=0", "x, dim=7", "x, dim=(0, 5)", "x, out=x", "out=None", "size=(2, 3)"),
    *("unknown()", "*unknown()", "**unknown()", "x, *unknown()"),
)

OWNERS = {
    "[x, x]": list,
    "{'a': x}": dict,
    "{1, 2}": set,
    "(x, x)": tuple,
    "'abc'": str,
    "x.shape": tuple,
    "collections.deque([x])": collections.deque,
    "collections.defaultdict(list)": collections.defaultdict,
    "argparse.ArgumentParser()": argparse.ArgumentParser,
    "nn.ModuleList([nn.Linear(2, 2)])": list,
    "nn.Sequential(nn.Linear(2, 2))": list,
    "nn.ParameterList([x])": list,
    "nn.ModuleDict({'a': nn.Linear(2, 2)})": dict,
}


def public(owner: object) -> list[str]:
    """The public names of a module or class, and those of the operators people call by name."""
    special = ("__call__", "__enter__", "__getitem__", "__init__", "__iter__", "__len__", "__setattr__")
    return [name for name in dir(owner) if not name.startswith("_") or name in special]


CALLS = {
    "builtins": [name for name in public(builtins) if name not in ("True", "False", "None")],
    "functions of other libraries": sorted(externals.MODELLED),
    "functions of torch": sorted(registry.FUNCTIONS),
    "methods of tensors": [f"x.{name}" for name in sorted(registry.METHODS)],
    "methods of containers": [f"{owner}.{name}" for owner, kind in OWNERS.items() for name in public(kind)],
}


def what_raises(text: str, path: pathlib.Path) -> str:
    """What a check of the text raises, in a line; empty where it answers."""
    try:
        check(Snapshot(str(path / "t.py"), HEAD + text), Project(roots=(str(path),)))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("kind", CALLS)
def test_no_call_makes_it_raise(kind: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSIGHT_STRICT", "1")
    wrong = []
    for name in CALLS[kind]:
        # In branches, so that a call that ends the program hides none of the others; one by one where they raise.
        if what_raises("".join(f"if unknown():\n    y = {name}({a})\n" for a in ARGUMENTS), tmp_path):
            raising = ((f"{name}({a})", what_raises(f"y = {name}({a})\n", tmp_path)) for a in ARGUMENTS)
            wrong += [f"{call}  {error}" for call, error in raising if error] or [f"{name}: all calls in one program"]
    assert not wrong, "\n".join(wrong)
