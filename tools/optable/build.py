"""All routes together: natives from the YAML, public names by object identity, measured facts, hand-written ones."""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

import torch

from . import hand
from .dunders import dunder_rows, property_rows
from .facts import Row
from .from_yaml import native_facts
from .measure import complete
from .modules import add_modules
from .outs import complete_outs
from .public import native_object, public_functions, python_row, python_signature
from .python_names import rows_by_name
from .samples import Samples
from .write import Writer


def build() -> str:
    """The text of ``optable.json`` for the installed torch."""
    torch.set_num_threads(1)
    functions, methods = rows_by_name(native_facts())
    aliases = _public_names(functions)
    _python_methods(methods)
    for table in (functions, methods):
        for name in [n for n in table if _is_private(n)]:
            del table[name]
    samples = Samples({id(_object(name)) for name in functions})
    _measure(functions, methods, samples)
    _operators(methods)
    functions |= hand.rows(hand.FUNCTIONS)
    methods |= hand.rows(hand.METHODS)
    for table in (functions, methods):
        for name, rows in table.items():
            hand.adjust(name, rows)
    used = set(aliases.values())
    for name in [n for n in functions if n.startswith("torch._C.") and n not in used]:
        del functions[name]
    aliases = {alias: name for alias, name in aliases.items() if name in functions}
    writer = Writer()
    for name, rows in functions.items():
        writer.data["functions"][name] = writer.rows(rows)
    for name, rows in methods.items():
        writer.data["methods"][name] = writer.rows(rows)
    writer.data["aliases"] = aliases
    writer.data["properties"] = [n for n in methods if _is_property(n)]
    lacking = _unsure(functions, "") + _unsure(methods, "torch.Tensor.") + add_modules(writer)
    print(f"{len(lacking)} names with overloads that could not be run: {' '.join(lacking)}", file=sys.stderr)
    return writer.render()


# Bindings for quantized and vendor kernels: not called in training code, and unsafe to call with made-up inputs.
_UNSAFE = (
    "fbgemm_", "quantized_", "mkldnn_", "cudnn_", "miopen_", "fused_moving_avg", "fake_quantize_", "choose_qparams",
)  # fmt: skip


def _is_private(name: str) -> bool:
    last = name.rpartition(".")[2]
    if last.startswith(_UNSAFE):
        return True
    return last.startswith("_") and not last.startswith("__") and "weight_norm" not in last


def _operators(methods: dict[str, list[Row]]) -> None:
    for name, (rows, samples) in dunder_rows().items():
        complete(rows, getattr(torch.Tensor, name), samples)
        methods[name] = [row for row in rows if row.fact is not None]
    for name, (rows, samples) in property_rows().items():
        complete(rows, lambda x, name=name: getattr(x, name), samples)
        methods[name] = rows


def _is_property(name: str) -> bool:
    return isinstance(getattr(torch.Tensor, name, None), (types.GetSetDescriptorType, property))


def _object(dotted: str) -> Any:
    """The callable behind a name; ``name[flag]`` is the function with that flag set."""
    dotted, _, flag = dotted.partition("[")
    if flag:
        return functools.partial(_object(dotted), **{flag.rstrip("]"): True})
    native = native_object(dotted)
    thing = torch
    for part in dotted.split(".")[1:]:
        thing = getattr(thing, part, None)
    return thing if callable(thing) else native


def _public_names(functions: dict[str, list[Row]]) -> dict[str, str]:
    """Add the Python functions to ``functions``; returns alias -> name."""
    homes = {id(native_object(name)): name for name in sorted(functions) if native_object(name) is not None}
    aliases: dict[str, str] = {}
    for dotted, function in public_functions():
        home = homes.setdefault(id(function), dotted)
        if home != dotted:
            aliases[dotted] = home
            functions.pop(dotted, None)
        elif isinstance(function, types.FunctionType):
            params = python_signature(function)
            if params:
                functions[dotted] = [python_row(params, dotted)]
    return aliases


def _python_methods(methods: dict[str, list[Row]]) -> None:
    """Tensor methods that Python defines replace the native rows of their name."""
    for name in dir(torch.Tensor):
        thing = getattr(torch.Tensor, name)
        if not isinstance(thing, types.FunctionType) or name.startswith("_"):
            continue
        params = python_signature(thing, method=True)
        if params:
            methods[name] = [python_row(params, name)]


def _measure(functions: dict[str, list[Row]], methods: dict[str, list[Row]], samples: Samples) -> None:
    functions |= _flagged(functions)
    for name in sorted(functions):
        thing = _object(name)
        if thing is not None:
            found = samples.of(getattr(thing, "func", thing), name.partition("[")[0])
            complete(functions[name], thing, found)
            complete_outs(functions[name], thing, found)
    for name in sorted(methods):
        thing = getattr(torch.Tensor, name, None)
        if thing is not None:
            complete(methods[name], thing, samples.of_method(name))
    _drop_unknown(functions)
    _drop_unknown(methods)


def _unsure(table: dict[str, list[Row]], prefix: str) -> list[str]:
    """The names with an overload of which only the schema is known."""
    return [prefix + name for name, rows in sorted(table.items()) if any(row.fact is None for row in rows)]


_FLAGS = ("inplace", "return_indices")


def _flagged(functions: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """``name[inplace]``: the same Python function called with that flag set, where the flag changes what happens."""
    found = {}
    for name, rows in functions.items():
        for flag in _FLAGS:
            if rows[0].schema is None and rows[0].parameter(flag) is not None and "_with_" not in name:
                found[f"{name}[{flag}]"] = [Row([p for p in rows[0].params if p.name != flag], None, name)]
    return found


def _drop_unknown(table: dict[str, list[Row]]) -> None:
    """A Python function that could not be run is not in the table; a native one keeps what its schema says."""
    for name in [n for n, rows in table.items() if all(r.fact is None and r.schema is None for r in rows)]:
        del table[name]
