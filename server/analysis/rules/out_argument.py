"""`out-argument`: a result is written into `out=` although an argument requires grad."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..events import Forbidden
from ..facts import Facts
from ..report import Finding, Fix
from ..source.edits import assign_out
from .base import Rule
from .claims import Law

RULE = Rule(
    name="out-argument",
    summary="`out=` with a tensor that requires grad: autograd refuses it",
    family="in place",
    severity="error",
    fix="assign the result instead",
    claim=Law("raises-at", (r"out=.*don't support automatic differentiation", r"arguments don't support")),
    what="""\
Finds calls such as `torch.add(a, b, out=c)` while gradients are tracked, when `a`, `b` or `c` requires grad. The
finding sits on the call.

Under `no_grad` or `inference_mode`, with detached arguments, and for operations without a derivative (comparisons,
`argmax`), `out=` is fine and not reported.""",
    why="""\
`out=` writes a result into memory that is already there. Autograd would have to give that tensor a new history and to
make sure that nobody needs its old content, which PyTorch does not do: *functions with out=... arguments don't support
automatic differentiation, but one of the arguments requires grad*.

While a model trains, the buffer that `out=` saves is not worth much either: results have to be kept for backward
anyway.""",
    example="""\
import torch

x = torch.randn(4, 3)
w = torch.randn(3, 2, requires_grad=True)
buffer = torch.empty(4, 2)
torch.mm(x, w, out=buffer)  # RuntimeError: functions with out=... arguments don't support automatic differentiation
loss = buffer.sum()
loss.backward()
""",
    instead="""\
import torch

x = torch.randn(4, 3)
w = torch.randn(3, 2, requires_grad=True)
buffer = torch.mm(x, w)
loss = buffer.sum()
loss.backward()
""",
    fix_safety="""\
`torch.mm(x, w, out=buffer)` becomes `buffer = torch.mm(x, w)`. This is *safe* where `buffer` is a name that is made in
the same function and that nothing has used before: the same numbers in new memory. It is *unsafe* where another name,
a container or a view may share the memory and rely on seeing the result, or where `out` is an attribute or an
element.""",
    blind_spots="""\
- `buffer` may have another dtype than the result; the fix does not convert.
- A few composed operations (`linalg.norm`, `quantile`) copy their result into `out` and are tracked; `softmax` and
  `diag` accept `out=` and raise only in `backward()`. These are not reported.
- In a file that has neither a `backward()` nor an optimizer, functions that nobody calls are taken for code that only
  evaluates.""",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Calls with `out=` that PyTorch surely refuses."""
    for event in facts.refused("out-argument"):
        if event.entry != "module" and not _trains(facts):
            continue
        node, tensor = event.site.node, event.tensor
        call = facts.text(node) or "`out=`"
        name = facts.name_of(tensor) if tensor is not None else ""
        subject = f"`{name}`" if name else "an argument"
        message = f"`{call}` writes into `out=` although {subject} requires grad: PyTorch raises"
        origin = tensor.origin if tensor is not None else None
        trace = [
            facts.step(facts.marked(origin), "source", f"{subject} requires grad") if origin else None,
            facts.step(event.site.span, "mutation", "raises: `out=` does not support automatic differentiation"),
        ]
        confidence = facts.confidence_on(event.path)
        yield facts.finding(RULE.name, confidence, message, facts.marked(event.site.span), trace, [_fix(facts, event)])


def _trains(facts: Facts) -> bool:
    return bool(facts.events.sinks or facts.events.held)


def _fix(facts: Facts, event: Forbidden) -> Fix | None:
    call = event.site.node
    if not isinstance(call, ast.Call):
        return None
    out = next((keyword.value for keyword in call.keywords if keyword.arg == "out"), None)
    if out is None:
        return None
    edits = assign_out(facts.parsed, call)
    if isinstance(facts.parsed.parents.get(call), ast.Return):
        return facts.fix("drop `out=`", "unsafe", edits)
    safe = isinstance(out, ast.Name) and _only_made(facts, call, out.id)
    title = f"assign the result to `{facts.text(out)}`"
    return facts.fix(title, "safe" if safe else "unsafe", edits)


def _only_made(facts: Facts, call: ast.Call, name: str) -> bool:
    """Whether the scope of the call makes `name` and nothing reads it on the way to the call."""
    scope = facts.enclosing_function(call) or facts.parsed.tree
    here = (call.lineno, call.col_offset)
    made = False
    for node in ast.walk(scope):
        if isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names:
            return False
        if isinstance(node, ast.Name) and node.id == name and (node.lineno, node.col_offset) < here:
            if not isinstance(node.ctx, ast.Store):
                return False
            statement = facts.parsed.statement_of(node)
            if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
                return False
            made = made or facts.enclosing_function(node) is facts.enclosing_function(call)
    return made
