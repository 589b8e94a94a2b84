"""The op table: what each torch function, method and module does to gradients.

The data (``optable.json``, beside this file) is generated from an installed torch by ``tools/optable``; nothing here
imports torch. Names are looked up lazily: opening the table costs one ``json.loads``, and only the operations a program
uses are turned into objects.

Reading a row
-------------
* ``outputs`` has one entry per tensor output; for ``structure == 'list'`` (a list whose length depends on the input)
  it has one entry that holds for every element. An output marked ``'grad'`` requires grad only if its dtype is
  floating or complex, which is the caller's to know: ``x.to(torch.int64)`` never requires grad.
* ``saves`` names what backward will read again. An entry that is not a tensor in the call at hand (``x * 2``: the
  saved ``other`` is a number) saves nothing.
* Operations with ``out=`` appear twice: without an ``out`` parameter, and (``out_variant``) with a required one. Their
  ``outputs`` say what happens to ``out`` when an operand requires grad: ``'refused'`` (PyTorch raises), ``'grad'`` (the
  result is copied into it and tracked), ``'nograd'`` (it is written without a history).
* Names resolve through aliases: ``torch.absolute`` is ``torch.abs``, ``__add__`` is ``add`` of two operands.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .binding import Binding, bind

DATA = Path(__file__).with_name("optable.json")

# Codes of the parameter kinds in the data file. ``i*`` is a list of ints that does not take a single int.
KINDS = {
    "T": "tensor",
    "T?": "tensor?",
    "T*": "tensors",
    "s": "scalar",
    "i": "int",
    "I": "ints",
    "i*": "ints",
    "f": "float",
    "b": "bool",
    "S": "str",
    "d": "dtype",
    "D": "device",
    "G": "generator",
    "o": "other",
}
_STRUCTURES = {"1": "one", "t": "tuple", "l": "list", "0": "none"}
_VIEWS = {"n": "no", "v": "view", "m": "multi", "?": "maybe"}
_OUTPUTS = {"g": "grad", "n": "nograd", "z": "zero", "r": "refused"}


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. ``single``: an ``ints`` parameter that also takes one int. ``variadic``: it is ``*name``."""

    name: str
    kind: str
    default: bool
    keyword_only: bool
    single: bool = False
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Save:
    """Something kept for backward.

    ``what`` is a parameter name, or ``result`` (``result0``, ``result1`` with several outputs). It is saved iff any
    parameter in ``when`` requires grad. ``sure`` is False where that also depends on values, shapes or the backend.
    """

    what: str
    when: frozenset[str]
    sure: bool


@dataclass(frozen=True, slots=True)
class Overload:
    """One way of calling an operation, and what it does to gradients. See the module docstring for the conventions."""

    params: tuple[Param, ...]
    diff: frozenset[str]
    saves: tuple[Save, ...]
    outputs: tuple[str, ...]
    structure: str
    view: str
    view_of: str
    mutates: tuple[str, ...]
    returns_self: str
    out_variant: bool
    backward: bool
    measured: bool = True
    """False: only the schema is known (the operation could not be run when the table was made); treat as *maybe*."""


@dataclass(frozen=True, slots=True)
class Op:
    """A function, method or property with its overloads, in the order torch's argument parser tries them."""

    name: str
    overloads: tuple[Overload, ...]
    property: bool = False


@dataclass(frozen=True, slots=True)
class ModuleOp:
    """A class of ``torch.nn``: how it is built, what it owns, and what calling it does.

    ``parameters`` and ``buffers`` are those of an instance built with default flags (dotted names where a module holds
    others). ``optional`` maps a parameter to the flag that removes it. ``forward.params`` are forward's inputs
    followed by the parameters and buffers as pseudo-parameters, so that ``diff`` and ``saves`` can speak of ``weight``.
    ``structure`` is ``one``, ``tuple``, ``none`` or ``nested:`` and a tree such as ``(T,(T,T))``.
    """

    name: str
    init: tuple[Param, ...]
    parameters: tuple[str, ...]
    optional: Mapping[str, str]
    buffers: tuple[str, ...]
    forward: Overload
    forward_inplace: Overload | None
    structure: str
    init_defaults: Mapping[str, Any]


_SPARSE = {f"torch.sparse.{name}": f"torch.{name}" for name in ("mm", "addmm", "sum", "softmax", "log_softmax")} | {
    f"torch.sparse.{kind}Tensor": "torch.sparse_coo_tensor" for kind in ("Float", "Double")
}
"""Functions of `torch.sparse` that have the gradients of their namesakes, and the old constructors."""


class Table:
    """Look-ups by name. Every method returns None for a name the table does not hold."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._sigs: list[str] = data["sigs"]
        self._facts: list[list[Any]] = data["facts"]
        self._functions: dict[str, list[int]] = data["functions"]
        self._methods: dict[str, list[int]] = data["methods"]
        self._properties = frozenset(data["properties"])
        self._aliases: dict[str, str] = data["aliases"]
        self._modules: dict[str, dict[str, Any]] = data["modules"]
        self._parsed: dict[int, tuple[Param, ...]] = {}
        self._cache: dict[tuple[str, str], Any] = {}

    def function(self, dotted: str) -> Op | None:
        """The function ``torch.exp``, ``torch.nn.functional.relu``, ...; ``torch.Tensor.exp`` gives the method."""
        if dotted.startswith("torch.Tensor."):
            return self.method(dotted[len("torch.Tensor.") :])
        key = ("f", dotted)
        if key not in self._cache:
            name = _SPARSE.get(dotted, dotted)
            rows = self._functions.get(self._aliases.get(name, name))
            self._cache[key] = None if rows is None else Op(dotted, self._overloads(rows))
        return self._cache[key]

    def method(self, name: str) -> Op | None:
        """The tensor method or property ``add_``, ``exp``, ``T``, ``__add__``, ..."""
        key = ("m", name)
        if key not in self._cache:
            rows = self._methods.get(name)
            self._cache[key] = None if rows is None else Op(name, self._overloads(rows), name in self._properties)
        return self._cache[key]

    def module(self, dotted: str) -> ModuleOp | None:
        """The class ``torch.nn.Linear``, also under ``torch.nn.modules.linear.Linear``."""
        key = ("M", dotted)
        if key not in self._cache:
            row = self._modules.get(dotted)
            if row is None and dotted.startswith("torch.nn.modules."):
                row = self._modules.get("torch.nn." + dotted.rpartition(".")[2])
            self._cache[key] = None if row is None else self._module(dotted, row)
        return self._cache[key]

    def names(self) -> Iterable[str]:
        """All dotted names: functions and their aliases, ``torch.Tensor.<method>``, module classes."""
        yield from self._functions
        yield from self._aliases
        yield from (f"torch.Tensor.{name}" for name in self._methods)
        yield from self._modules

    def _overloads(self, rows: Sequence[int]) -> tuple[Overload, ...]:
        return tuple(self._overload(rows[i], rows[i + 1]) for i in range(0, len(rows), 2))

    def _params(self, index: int) -> tuple[Param, ...]:
        if index not in self._parsed:
            self._parsed[index] = parse_signature(self._sigs[index])
        return self._parsed[index]

    def _overload(self, sig: int, fact: int) -> Overload:
        params = self._params(sig)
        diff, saves, outputs, structure, view, view_of, mutates, returns_self, flags = self._facts[fact]

        def spell(what: int | str) -> str:
            return params[what].name if isinstance(what, int) else "result" + what[1:]

        return Overload(
            params=params,
            diff=frozenset(params[i].name for i in diff),
            saves=tuple(Save(spell(s[0]), frozenset(params[i].name for i in s[1]), bool(s[2])) for s in saves),
            outputs=tuple(_OUTPUTS[code] for code in outputs),
            structure=_STRUCTURES[structure],
            view=_VIEWS[view],
            view_of="" if view_of is None else params[view_of].name,
            mutates=tuple(params[i].name for i in mutates),
            returns_self="" if returns_self is None else params[returns_self].name,
            out_variant="o" in flags,
            backward="x" not in flags,
            measured="u" not in flags,
        )

    def _module(self, name: str, row: Mapping[str, Any]) -> ModuleOp:
        inplace = row.get("n")
        return ModuleOp(
            name=name,
            init=self._params(row["i"]),
            parameters=tuple(row["p"]),
            optional=row["o"],
            buffers=tuple(row["b"]),
            forward=self._overload(*row["f"]),
            forward_inplace=None if inplace is None else self._overload(*inplace),
            structure=row["s"],
            init_defaults=row["d"],
        )


def parse_signature(text: str) -> tuple[Param, ...]:
    """Read ``self:T other:T * alpha:s=``: name, kind code, ``=`` for a default; after ``*`` come keyword-only ones."""
    params = []
    keyword_only = False
    for word in text.split():
        if word == "*":
            keyword_only = True
            continue
        name, _, code = word.partition(":")
        default = code.endswith("=")
        code = code.rstrip("=")
        variadic = name.startswith("*")
        params.append(Param(name.lstrip("*"), KINDS[code], default or variadic, keyword_only, code == "I", variadic))
    return tuple(params)


@cache
def load() -> Table:
    """The shipped table, read once per process."""
    return Table(json.loads(DATA.read_text(encoding="utf-8")))


def pick(op: Op, positional_kinds: Sequence[str], keywords: Mapping[str, str]) -> tuple[Overload, Binding] | None:
    """The overload a call binds to, chosen as torch's argument parser does, and which argument each parameter takes.

    ``positional_kinds`` are the kinds of the positional arguments (for a method the first is ``self``), ``keywords``
    the kinds of the keyword arguments. Kinds: ``tensor number tensors ints bool str none dtype device other unknown``;
    ``unknown`` fits any parameter. The binding maps a parameter's name to a position (int), a keyword (str), or, where
    several positional arguments are collected (``x.view(2, 3)``, ``torch.meshgrid(a, b)``), a tuple of positions.
    Parameters left at their default are absent. None if no overload takes such a call.
    """
    for strictness in (2, 1, 0):
        for overload in op.overloads:
            binding = bind(overload.params, positional_kinds, keywords, strictness)
            if binding is not None:
                return overload, binding
    return None


def __getattr__(name: str) -> Any:
    if name == "TABLE":
        return load()
    raise AttributeError(name)
