"""Route one: torch's own code generator, read as data.

For leaf operations (those with an autograd kernel of their own) the C++ that ``gen_variable_type`` would emit states
exactly which tensors are saved and under which guard; schema annotations state views, in-place writes and ``out=``.
Composite operations get what their schema says, to be completed by measuring.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
import torchgen
from torchgen.api import cpp
from torchgen.api.autograd import NativeFunctionWithDifferentiabilityInfo, match_differentiability_info
from torchgen.context import native_function_manager
from torchgen.gen import parse_native_yaml
from torchgen.model import NativeFunction
from torchgen.packaged.autograd import gen_variable_type as codegen
from torchgen.packaged.autograd.load_derivatives import load_derivatives

from .facts import Fact

PACKAGED = Path(torchgen.__file__).parent / "packaged"
NATIVE = str(PACKAGED / "ATen/native/native_functions.yaml")
TAGS = str(PACKAGED / "ATen/native/tags.yaml")
DERIVATIVES = str(PACKAGED / "autograd/derivatives.yaml")
DEPRECATED = str(PACKAGED / "autograd/deprecated.yaml")

# Formulas that make a gradient of zeros, whatever comes in.
_ZERO = re.compile(
    r"^(at::)?(zeros_like\(.*\)|zeros_symint\(.*\)|grad\.new_zeros(_symint)?\(.*\)|self\.zeros_like\(\)|0 \* grad)$"
)
_GUARD = re.compile(r"if \((grad_fn->should_compute_output\(\d+\)(?: \|\| )?)+\) \{")
_SAVED = re.compile(r"= (?:SavedVariable|make_saved_variable_list)\((\w+)(?:\[i\])?(?:\.value\(\))?, (true|false)")
_DIFF = re.compile(r"_any_requires_grad = compute_requires_grad\((.*?)\);")
_DIFF_EACH = re.compile(r"_any_requires_grad\w* (?:\+|\|)?= compute_requires_grad\((.*?)\);")
_EDGES = re.compile(r"collect_next_edges\((.*?)\)")
_HISTORY = re.compile(r"(?:set_history|rebase_history)\((?:flatten_tensor_args\( (.*?) \)|(\w+)\[i\]), grad_fn")


def native_functions() -> list[NativeFunctionWithDifferentiabilityInfo]:
    """Every native function torch was built from, with its derivative where it has one."""
    functions = parse_native_yaml(NATIVE, TAGS).native_functions
    infos, _ = load_derivatives(DERIVATIVES, NATIVE, TAGS)
    return match_differentiability_info(functions, infos)


def is_leaf(name: str) -> bool:
    """Whether the running torch has an autograd kernel for the operation (``False``: composite, seen through).

    torchgen's own ``dispatch_strategy`` is wrong for operations with both a formula and a composite kernel (linear,
    matmul, chunk, ...: the formula is for other backends only), so the dispatcher is asked.
    """
    try:
        table = torch._C._dispatch_dump_table(f"aten::{name}")
    except RuntimeError:
        return True
    line = re.search(r"^AutogradCPU: .*$", table, re.MULTILINE)
    return line is None or "[math kernel]" not in line.group()


def schema_fact(f: NativeFunction) -> Fact:
    """What the schema alone says: structure, views, writes, ``out=``. Every tensor counts as differentiable."""
    schema = f.func
    fact = Fact(measured=False)
    tensors = [a.name for a in schema.arguments.flat_non_out if a.type.is_tensor_like()]
    fact.diff = set(tensors)
    returned = [r for r in schema.returns if r.type.is_tensor_like()]
    fact.outputs = "g" * len(returned)
    fact.structure = "0" if not returned else "t" if len(schema.returns) > 1 else "1"
    if len(returned) == 1 and "[]" in str(returned[0].type):
        fact.structure = "l"
    for a in schema.arguments.flat_all:
        if a.annotation is not None and a.annotation.is_write:
            fact.mutates.append("out" if a in schema.arguments.out else a.name)
    fact.out = schema.is_out_fn()
    if fact.out:
        fact.mutates, fact.returns_self = ["out"], "out" if returned else None
    elif returned and returned[0].annotation is not None:
        alias = returned[0].annotation
        source = next(
            (
                a.name
                for a in schema.arguments.flat_all
                if a.annotation and set(a.annotation.alias_set) & {*alias.alias_set}
            ),
            None,
        )
        if alias.is_write:
            fact.returns_self = source
        elif source is not None:
            fact.view, fact.view_of = ("m" if fact.structure == "l" else "v"), source
    return fact


def leaf_fact(fn: NativeFunctionWithDifferentiabilityInfo) -> Fact:
    """The exact fact of a leaf operation, from the code torch would generate for it."""
    f = fn.func
    fact = schema_fact(f)
    fact.measured = True
    body = _body(fn)
    if fact.out:
        fact.outputs = "n" * len(fact.outputs)
        return fact
    if body is None:
        fact.backward = not fact.diff
        if not fact.diff:
            fact.outputs = "n" * len(fact.outputs)
        return fact
    diff = _DIFF.search(body) or _DIFF_EACH.search(body)
    if diff is None:
        fact.diff = set()
        fact.outputs = "n" * len(fact.outputs)
        return fact
    fact.diff = set(_names(diff.group(1)))
    results = _result_names(f)
    history = _HISTORY.search(body)
    reached = _names((history.group(1) or history.group(2)) if history else "")
    fact.outputs = "".join("g" if name in reached or fact.returns_self else "n" for name in results)
    fact.saves = _saves(body, fact, results)
    formulas = [d.formula for d in fn.info["Default"].derivatives] if fn.info and "Default" in fn.info else []
    if formulas and all("not_implemented(" in formula for formula in formulas):
        fact.backward = False
    if formulas and all(_ZERO.match(formula.strip()) for formula in formulas):
        fact.outputs = fact.outputs.replace("g", "z")
    return fact


def _body(fn: NativeFunctionWithDifferentiabilityInfo) -> str | None:
    """The generated C++ of the operation's autograd kernel; None where torch registers 'not implemented'."""
    emitted = codegen.gen_variable_type_func(fn)
    text = "\n".join(emitted.get("type_derived_method_definitions_Default", []))
    return text or None


def _names(text: str) -> list[str]:
    return [part.strip().removesuffix("[i]") for part in text.split(",") if part.strip()]


def _result_names(f: NativeFunction) -> list[str]:
    with native_function_manager(f):
        names = list(cpp.return_names(f))
    return [name for name, r in zip(names, f.func.returns, strict=True) if r.type.is_tensor_like()]


def _saves(body: str, fact: Fact, results: list[str]) -> dict[tuple[str, frozenset[str]], bool]:
    edges = _EDGES.search(body)
    order = _names(edges.group(1)) if edges else sorted(fact.diff)
    saves: dict[tuple[str, frozenset[str]], bool] = {}
    guards: list[frozenset[str] | None] = []
    for line in body.splitlines():
        stripped = line.strip()
        if _GUARD.match(stripped):
            guards.append(frozenset(order[int(i)] for i in re.findall(r"should_compute_output\((\d+)\)", stripped)))
            continue
        if stripped.startswith("}") and guards:
            guards.pop()
        if stripped.endswith("{"):
            guards.append(None)
        saved = _SAVED.search(stripped)
        if saved is None or saved.group(1).startswith("original_self"):
            continue
        name = saved.group(1)
        if saved.group(2) == "true" and (len(results) == 1 or name in results):
            name = "result" if len(results) == 1 else f"result{results.index(name)}"
        when = next((g for g in reversed(guards) if g is not None), frozenset(fact.diff))
        saves[name, when] = True
    return saves


def native_facts() -> dict[str, tuple[NativeFunction, Fact, bool]]:
    """aten overload name -> (function, fact, leaf?)."""
    facts: dict[str, Any] = {}
    for fn in native_functions():
        name = str(fn.func.func.name)
        leaf = is_leaf(name)
        facts[name] = (fn.func, leaf_fact(fn) if leaf else schema_fact(fn.func), leaf)
    return facts
