"""Which names a piece of code reads, may change, and whether it may leave its block: a careful test for moving code.

    y = net(x); y.add_(1); init.zeros_(w)     # reads net, x, y, init, w; writes y, init, w

A method call may change its receiver, a function whose name ends in `_` its arguments. Other calls are taken at their
word: what they do to objects reachable from elsewhere is not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def reads(node: ast.AST) -> set[str]:
    """The names a node may read, those inside nested functions included."""
    found = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
    # `y += 1` reads y although its target is stored to.
    found |= {base for one in ast.walk(node) if isinstance(one, ast.AugAssign) if (base := _base(one.target))}
    return found


def writes(node: ast.AST) -> set[str]:
    """The names a node binds, deletes, or whose object it may change."""
    found: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, (ast.Store, ast.Del)):
            found.add(one.id)
        elif isinstance(one, (ast.Attribute, ast.Subscript)) and isinstance(one.ctx, (ast.Store, ast.Del)):
            found |= _optional(_base(one))
        elif isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(one.name)
        elif isinstance(one, ast.alias):
            found.add((one.asname or one.name).partition(".")[0])
        elif isinstance(one, (ast.MatchAs, ast.MatchStar, ast.ExceptHandler)) and one.name:
            found.add(one.name)
        elif isinstance(one, (ast.Global, ast.Nonlocal)):
            found.update(one.names)
        elif isinstance(one, ast.Call):
            found |= _changed_by_call(one)
    return found


def _changed_by_call(call: ast.Call) -> set[str]:
    name, receiver = "", None
    if isinstance(call.func, ast.Attribute):
        name, receiver = call.func.attr, _base(call.func.value)
    elif isinstance(call.func, ast.Name):
        name = call.func.id
    found: set[str] = set()
    if receiver is not None and _may_change(name):
        found.add(receiver)
    if name.endswith("_") and not name.endswith("__"):
        for argument in call.args:
            found |= _optional(_base(argument))
    for keyword in call.keywords:
        if keyword.arg == "out":
            found |= _optional(_base(keyword.value))
    return found


# Receivers that are modules of functions, and methods that only compute, are what most moved code consists of.
_ONLY_COMPUTE = frozenset({
    "abs", "add", "all", "amax", "amin", "any", "argmax", "argmin", "bool", "chunk", "clamp", "clone", "contiguous",
    "cos", "cpu", "cuda", "cumsum", "detach", "dim", "div", "double", "einsum", "exp", "expand", "flatten", "float",
    "forward", "half", "item", "log", "log_softmax", "long", "masked_fill", "matmul", "max", "mean", "min", "mm",
    "mul", "norm", "numel", "numpy", "parameters", "permute", "pow", "relu", "repeat", "reshape", "round", "shape",
    "sigmoid", "sign", "sin", "size", "softmax", "split", "sqrt", "squeeze", "stack", "std", "sub", "sum", "t",
    "tanh", "to", "tolist", "transpose", "type", "unbind", "unsqueeze", "var", "view", "zeros", "ones", "randn",
    "rand", "tensor", "zeros_like", "ones_like", "randn_like", "full", "cat", "linear", "cross_entropy", "mse_loss",
    "nll_loss", "items", "keys", "values", "get",
})  # fmt: skip


def _may_change(method: str) -> bool:
    return method not in _ONLY_COMPUTE


def _base(node: ast.AST) -> str | None:
    """The name at the root of `a.b[c].d`, or of a chain of method calls on it."""
    while True:
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        else:
            return node.id if isinstance(node, ast.Name) else None


def _optional(name: str | None) -> set[str]:
    return set() if name is None else {name}


def jumps(node: ast.AST) -> bool:
    """Whether a node may leave the block it stands in: return, raise, yield, or a break that is not its own loop's."""
    return any(_jumps(node, False))


def _jumps(node: ast.AST, in_loop: bool) -> Iterator[bool]:
    if isinstance(node, (ast.Return, ast.Raise, ast.Yield, ast.YieldFrom, ast.Await)):
        yield True
    elif isinstance(node, (ast.Break, ast.Continue)):
        yield not in_loop
    if isinstance(node, _SCOPES):
        return
    inside = in_loop or isinstance(node, (ast.For, ast.AsyncFor, ast.While))
    for child in ast.iter_child_nodes(node):
        yield from _jumps(child, inside)
