"""Public names: which are torch's native bindings under another name, and which are Python functions."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .facts import Parameter, Row

SPACES: list[tuple[str, Any]] = [
    ("torch", torch),
    ("torch.linalg", torch.linalg),
    ("torch.fft", torch.fft),
    ("torch.special", torch.special),
    ("torch.nn.functional", torch.nn.functional),
    ("torch.functional", torch.functional),
    ("torch.sparse", torch.sparse),
]
_NATIVE_HOMES: list[tuple[str, Any, str]] = [
    ("torch.linalg.", torch._C._linalg, "linalg_"),
    ("torch.fft.", torch._C._fft, "fft_"),
    ("torch.special.", torch._C._special, "special_"),
    ("torch.sparse.", torch._C._sparse, "sparse_"),
    ("torch._C._nn.", torch._C._nn, ""),
    ("torch.", torch._C._VariableFunctions, ""),
]
# Python functions that are about the library's state, not about tensors.
_NOT_OPERATIONS = {
    "typename",
    "compile",
    "load",
    "save",
    "manual_seed",
    "seed",
    "initial_seed",
    "boolean_dispatch",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "assert_int_or_pair",
    "import_ir_module",
    "use_deterministic_algorithms",
    "classproperty",
    "get_device_module",
    "vmap",
    "cond",
    "while_loop",
    "parse_ir",
    "unify_type_list",
    "thread_safe_generator",
    "check_sparse_tensor_invariants",
    "factory_kwargs",
    "overload",
}
_NAME_CODES = {
    "input": "T", "tensor": "T", "target": "T", "other": "T", "weight": "T?", "bias": "T?", "tensors": "T*",
    "dim": "o", "p": "f", "eps": "f", "dtype": "d", "device": "D",
}  # fmt: skip


def native_object(dotted: str) -> Any:
    """The C function behind a native row's name; None if torch does not expose it."""
    for space, home, prefix in _NATIVE_HOMES:
        if dotted.startswith(space):
            return getattr(home, prefix + dotted[len(space) :], None)
    return None


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """(dotted name, function) of everything public that could be an operation, the preferred spelling first."""
    for space, home in SPACES:
        for name in sorted(dir(home)):
            thing = getattr(home, name)
            if name.startswith("_") or name in _NOT_OPERATIONS:
                continue
            if name.startswith(
                ("set_", "get_", "is_", "are_", "sym_", "autocast_", "init_", "merge_", "cudnn_", "miopen_")
            ):
                continue
            if isinstance(thing, (types.FunctionType, types.BuiltinFunctionType)):
                yield f"{space}.{name}", thing


def python_signature(function: Callable[..., Any], *, method: bool = False) -> list[Parameter] | None:
    """Parameters of a Python function; None if it says nothing useful. Dispatchers speak for their default branch."""
    function = _default_branch(function)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    found = []
    for p in signature.parameters.values():
        if p.kind is p.VAR_KEYWORD:
            continue
        name = "*" + p.name if p.kind is p.VAR_POSITIONAL else p.name
        code = "T" if method and not found else _annotated(p)
        if p.kind is p.VAR_POSITIONAL:
            code = "T*"
        found.append(Parameter(name, code, p.default is not p.empty, p.kind is p.KEYWORD_ONLY))
    return found


def _default_branch(function: Callable[..., Any]) -> Callable[..., Any]:
    """``F.max_pool2d`` and its like choose one of two functions by a flag; this is the one they choose by default."""
    while isinstance(function, types.FunctionType):
        inner = inspect.getclosurevars(function).nonlocals.get("if_false")
        if inner is None:
            break
        function = inner
    return function


def _annotated(p: inspect.Parameter) -> str:
    text = p.annotation if isinstance(p.annotation, str) else getattr(p.annotation, "__name__", str(p.annotation))
    text = str(text) if not isinstance(p.annotation, type) else p.annotation.__name__
    text = text.replace("torch.", "").replace("typing.", "").replace(" ", "")
    if text in ("Tensor",):
        return "T"
    if text in ("Optional[Tensor]", "Tensor|None", "Union[Tensor,NoneType]"):
        return "T?"
    if "list[Tensor]" in text or "tuple[Tensor" in text or "List[Tensor]" in text:
        return "T*"
    if p.annotation is p.empty:
        return _NAME_CODES.get(p.name, "o")
    bare = text.removesuffix("|None").removeprefix("Optional[").removesuffix("]")
    return {"int": "i", "float": "f", "bool": "b", "str": "S"}.get(bare, "o")


def python_row(params: list[Parameter], name: str) -> Row:
    return Row(params, None, name)
