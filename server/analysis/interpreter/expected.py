"""Errors that the program itself expects: `pytest.raises(RuntimeError)`, a sink that stands alone in a `try`.

An expected error is no finding. A `try` around a whole training loop expects nothing: only what stands directly in a
short body whose handler takes RuntimeError, and does not raise it again, counts.
"""

from __future__ import annotations

import ast

_SHORT = 3
_TAKES = ("RuntimeError", "Exception", "BaseException")
_RAISES = ("raises", "assertRaises", "assertRaisesRegex", "assertRaisesRegexp")


def _last_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def takes_runtime_error(handler: ast.ExceptHandler) -> bool | None:
    """Whether a handler takes what autograd raises (RuntimeError); None for exceptions the engine does not know."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = [_last_name(kind) for kind in kinds]
    if any(name in _TAKES for name in names):
        return True
    known = all(name.endswith(("Error", "Exception", "Interrupt", "Exit", "Iteration", "Warning")) for name in names)
    return False if known else None


def wants_error(manager: ast.expr) -> bool:
    """`pytest.raises(...)`, `self.assertRaises(...)` as context managers, for an error autograd may raise."""
    if not isinstance(manager, ast.Call) or _last_name(manager.func) not in _RAISES:
        return False
    if not manager.args:
        return bool(manager.keywords)
    kinds = manager.args[0].elts if isinstance(manager.args[0], ast.Tuple) else [manager.args[0]]
    return any(_last_name(kind) in _TAKES for kind in kinds)


def statements_of(node: ast.Try) -> frozenset[int] | None:
    """The statements of a `try` whose errors the program expects; None for a `try` that expects none."""
    if len(node.body) > _SHORT:
        return None
    handler = next((h for h in node.handlers if takes_runtime_error(h)), None)
    if handler is None or any(isinstance(each, ast.Raise) for part in handler.body for each in ast.walk(part)):
        return None
    return frozenset(id(statement) for statement in node.body)
