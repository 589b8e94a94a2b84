"""The backward of a custom function, read and not run: which inputs get a gradient, and what PyTorch refuses.

What comes back for which input stands in the `return` statements: a `None` there is a gradient that never comes.
Sources: torch/csrc/autograd/python_function.cpp (PyNode::apply), torch/autograd/function.py.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..autograd.tensor import Tensor
from ..values import ClassValue, FunctionValue, Scalar, TorchName, Value
from .table import load

_PLAIN_DECORATORS = ("staticmethod", "once_differentiable", "custom_bwd")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the backward of a custom function raises when it runs.

    `kind`: "missing" (there is none), "count" (it returns `got` gradients for `expected` inputs), "no-tensor" (it
    returns a gradient for the input at `position`, which is no tensor). `node` is the `return` at fault, in `function`;
    `certain` is False where another `return` is right.
    """

    kind: Literal["missing", "count", "no-tensor"]
    function: FunctionValue | None = None
    node: ast.Return | None = None
    expected: int = 0
    got: int = 0
    position: int = 0
    certain: bool = True


def backward_of(cls: ClassValue) -> FunctionValue | None:
    """The backward that a class defines, where its `return` statements are what comes back."""
    found = cls.find("backward") or cls.find("vjp")
    function = found[0] if found else None
    if not isinstance(function, FunctionValue) or not isinstance(function.node, ast.FunctionDef):
        return None
    plain = all(ast.unparse(each).rpartition(".")[2].startswith(_PLAIN_DECORATORS) for each in _decorators(function))
    return function if plain else None


def gradients_of(cls: ClassValue, inputs: Sequence[Value] | None) -> tuple[tuple[bool, ...] | None, Fault | None]:
    """Which inputs the backward gives a gradient (None: not known), and why it raises, if it does.

    `inputs` are what `apply` was given; None where their number is not known.
    """
    if cls.find("backward") is None and cls.find("vjp") is None:
        return None, None if cls.unknown_base() is not None else Fault("missing")
    function = backward_of(cls)
    if function is None:
        return None, None
    returned = returns_of(function, inputs)
    rows = [row for _, row in returned if row is not None]
    if len(rows) != len(returned):
        return None, None
    width = min((len(row) for row in rows), default=1)
    given = tuple(any(row[i] for row in rows) for i in range(width)) if rows else (False,)
    return given, _fault(function, returned, inputs) if inputs is not None else None


def returns_of(
    function: FunctionValue, inputs: Sequence[Value] | None = None
) -> list[tuple[ast.Return, tuple[bool, ...] | None]]:
    """The `return` statements, each with whether its elements are gradients (and not None); None if not known.

    `inputs` are what `apply` was given: those that are no tensors never need a gradient.
    """
    return [(each, _row(function, each, inputs or ())) for each in _returns(function.node)]


def fault_by_signature(cls: ClassValue) -> Fault | None:
    """The fault of a class that nothing in the program applies: what its forward takes against what comes back."""
    function, forward = backward_of(cls), cls.find("forward")
    if function is None or forward is None or not isinstance(forward[0], FunctionValue):
        return None
    takes = forward[0].node.args
    if takes.vararg or takes.kwarg or takes.kwonlyargs or takes.defaults:
        return None
    known = len(takes.posonlyargs) + len(takes.args) - (0 if cls.find("setup_context") else 1)
    returned = returns_of(function)
    if known < 1 or any(row is None for _, row in returned):
        return None
    return _fault(function, returned, [_SOMETHING] * known)


_SOMETHING = Tensor()


def _fault(
    function: FunctionValue, returned: list[tuple[ast.Return, tuple[bool, ...] | None]], inputs: Sequence[Value]
) -> Fault | None:
    """The first `return` that PyTorch refuses. One that gives nothing at all is believed where others are right."""
    if not returned and len(inputs) != 1:
        return Fault("count", function, None, len(inputs), 1)
    found: list[Fault] = []
    for node, row in returned:
        fault = _fault_in(function, node, row or (), inputs)
        if fault is not None:
            found.append(fault)
    if found and len(found) == len(returned):
        return next((each for each in found if _gives(returned, each)), found[0])
    doubtful = next((each for each in found if _gives(returned, each)), None)
    if doubtful is None:
        return None
    return Fault(
        doubtful.kind, function, doubtful.node, doubtful.expected, doubtful.got, doubtful.position, certain=False
    )


def _gives(returned: list[tuple[ast.Return, tuple[bool, ...] | None]], fault: Fault) -> bool:
    return any(node is fault.node and row is not None and any(row) for node, row in returned)


def _fault_in(
    function: FunctionValue, node: ast.Return, row: tuple[bool, ...], inputs: Sequence[Value]
) -> Fault | None:
    elements = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    sure = [each is not None and _is_gradient(function, each) for each in elements] if row else []
    count = len(inputs)
    if len(row) < count or any(sure[count:]):
        return Fault("count", function, node, count, len(row))
    for index, (value, gradient) in enumerate(zip(inputs, sure, strict=False)):
        if gradient and _is_number(value):
            return Fault("no-tensor", function, node, count, len(row), index)
    return None


def _returns(node: ast.AST) -> Iterator[ast.Return]:
    """The `return` statements of a function, not those of functions inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return):
            yield child
        elif not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _returns(child)


def _row(function: FunctionValue, node: ast.Return, inputs: Sequence[Value]) -> tuple[bool, ...] | None:
    """For each gradient a `return` gives whether it is one (and not None); None if their number is not known."""
    value = node.value
    if value is None or isinstance(value, ast.Constant):
        return (not (value is None or value.value is None),)
    if isinstance(value, ast.Tuple):
        if any(isinstance(each, ast.Starred) for each in value.elts):
            return None
        return tuple(not _is_none(function, each, inputs) for each in value.elts)
    return (True,) if _is_gradient(function, value) else None


def _is_none(function: FunctionValue, node: ast.expr, inputs: Sequence[Value]) -> bool:
    if isinstance(node, ast.Name):
        values = _assigned(function, node.id)
        if len(values) > 1 and inputs:
            return _stays_none(function, node.id, inputs)
        node = values[0] if len(values) == 1 and values[0] is not None else node
    return isinstance(node, ast.Constant) and node.value is None


def _stays_none(function: FunctionValue, name: str, inputs: Sequence[Value]) -> bool:
    """Whether a name is None at first, and given a gradient only where an input needs one that is no tensor."""
    none: list[int] = []
    for each in ast.walk(function.node):
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant) and each.value.value is None:
            none += [id(target) for target in each.targets]
        elif isinstance(each, ast.If) and _idle_input(each.test, inputs):
            none += [id(inner) for statement in each.body for inner in ast.walk(statement)]
    stores = [n for n in ast.walk(function.node) if isinstance(n, ast.Name) and n.id == name]
    return bool(none) and all(id(n) in none for n in stores if not isinstance(n.ctx, ast.Load))


def _idle_input(test: ast.expr, inputs: Sequence[Value]) -> bool:
    """Whether a test is `ctx.needs_input_grad[i]` for an input that is no tensor."""
    if not (isinstance(test, ast.Subscript) and isinstance(test.value, ast.Attribute)):
        return False
    index = test.slice.value if isinstance(test.slice, ast.Constant) else None
    known = test.value.attr == "needs_input_grad" and isinstance(index, int) and 0 <= index < len(inputs)
    return known and _is_number(inputs[index])  # type: ignore[index]


def _is_number(value: Value) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, Scalar))


def _is_gradient(function: FunctionValue, node: ast.expr, depth: int = 4) -> bool:
    """Whether an expression of a backward is surely one tensor, and not None or several."""
    if depth == 0:
        return False
    if isinstance(node, ast.BinOp):
        # `+` and `*` also join and repeat tuples.
        either = any(_is_gradient(function, each, depth - 1) for each in (node.left, node.right))
        return either or not isinstance(node.op, (ast.Add, ast.Mult))
    if isinstance(node, ast.UnaryOp):
        return not isinstance(node.op, ast.Not)
    if isinstance(node, ast.Name):
        values = _assigned(function, node.id)
        given = node.id in _gradients(function)
        if len(values) == 1 and values[0] is not None:
            # `grad = grad.contiguous()`: the name on the right is what was given.
            again = any(isinstance(each, ast.Name) and each.id == node.id for each in ast.walk(values[0]))
            return (
                _is_gradient(function, values[0], depth - 1) if not again else given and _is_method(values[0], node.id)
            )
        return not values and given
    if isinstance(node, ast.Subscript):
        return not isinstance(node.slice, ast.Constant) and _is_gradient(function, node.value, depth - 1)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        dotted = _dotted(function, node.func)
        if dotted:
            op = load().function(dotted)
        else:
            op = load().method(node.func.attr) if _is_gradient(function, node.func.value, depth - 1) else None
        return op is not None and all(each.structure == "one" for each in op.overloads)
    return False


def _is_method(node: ast.expr, name: str) -> bool:
    """Whether an expression is a method of the tensor `name` that gives one tensor."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return isinstance(node, ast.BinOp)
    op = load().method(node.func.attr)
    single = op is not None and all(each.structure == "one" for each in op.overloads)
    return single and isinstance(node.func.value, ast.Name) and node.func.value.id == name


def materializes(cls: ClassValue) -> bool:
    """Whether a missing gradient comes to its backward as zeros: unless `set_materialize_grads` is called."""
    return not any(
        isinstance(each, ast.Attribute) and each.attr == "set_materialize_grads" for each in ast.walk(cls.node)
    )


def reads_saved(cls: ClassValue) -> bool:
    """Whether its backward may look at what `save_for_backward` kept, which is when PyTorch checks that.

    It does by name, or by giving its `ctx` to other code (python_function.cpp, unpack_saved_variables).
    """
    found = cls.find("backward")
    function = found[0] if found is not None else None
    if not isinstance(function, FunctionValue) or isinstance(function.node, ast.Lambda) or not function.node.args.args:
        return True
    ctx = function.node.args.args[0].arg
    uses = owned = 0
    for each in ast.walk(function.node):
        if isinstance(each, ast.Attribute):
            if each.attr in ("saved_tensors", "saved_variables"):
                return True
            owned += isinstance(each.value, ast.Name) and each.value.id == ctx
        uses += isinstance(each, ast.Name) and each.id == ctx
    return uses > owned


def _gradients(function: FunctionValue) -> list[str]:
    """The parameters that hold gradients; none where they may be None (`set_materialize_grads(False)`)."""
    owner = function.owner
    known = owner is not None and materializes(owner)
    return [each.arg for each in function.node.args.args[1:]] if known else []


def _assigned(function: FunctionValue, name: str) -> list[ast.expr | None]:
    """What a name is given in a function: the value of a plain assignment at its top level, None for any other way."""
    plain = {
        id(each.targets[0]): each.value
        for each in function.node.body
        if isinstance(each, ast.Assign) and len(each.targets) == 1
    }
    return [
        plain.get(id(each))
        for each in ast.walk(function.node)
        if isinstance(each, ast.Name) and each.id == name and not isinstance(each.ctx, ast.Load)
    ]


def _dotted(function: FunctionValue, node: ast.Attribute) -> str:
    """The name of a function of torch, as `torch.clamp`; "" for anything else."""
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    root = function.module.namespace.get(inner.id) if isinstance(inner, ast.Name) else None
    return ".".join([root.dotted, *reversed(parts)]) if isinstance(root, TorchName) else ""


def _decorators(function: FunctionValue) -> list[ast.expr]:
    return [each.func if isinstance(each, ast.Call) else each for each in function.node.decorator_list]
