"""The call of a module of `torch.nn` by the table: its parameters are operands by name."""

from __future__ import annotations

import ast

from ..autograd.operation import Operand, Operation
from ..autograd.tensor import Tensor
from ..values import Call, Runtime, Value
from . import autocast, recurrent
from .arguments import as_tensor, operands_for
from .effects import apply, in_place, perhaps_in_place
from .keeps import KEEPS_OPERANDS, derivative
from .rows import VIEWS, saves_of
from .saved import INDICES, OF_MODULES
from .table import ModuleOp


def module_forward(
    rt: Runtime, op: ModuleOp, parameters: dict[str, Tensor], call: Call, config: dict[str, Value], name: str
) -> Value:
    """Call a module of `torch.nn`: its parameters are operands by name; `config` is what it was made with."""
    in_place_flag = config.get("inplace") is True
    overload = op.forward_inplace if in_place_flag and op.forward_inplace is not None else op.forward
    inputs = [p for p in overload.params if p.name not in parameters and p.name not in op.parameters]
    operands: list[Operand] = []
    target: Tensor | None = None
    for index, argument in enumerate(call.args):
        label = inputs[min(index, len(inputs) - 1)].name if inputs else "input"
        operands += operands_for(label, argument, label in overload.diff)
        if index == 0:
            target = as_tensor(argument)
    for label, argument in call.kwargs.items():
        operands += operands_for(label, argument, label in overload.diff)
    for label, tensor in parameters.items():
        operands.append(Operand(label, tensor, None, True))
    saves = saves_of(overload)
    if name in OF_MODULES:
        saves = OF_MODULES[name](config, saves)
    saves = recurrent.kept(name, saves, operands, config)
    if rt.autograd.mode.casts:
        saves = autocast.kept(name, saves, operands)
    tree = _tree(op.structure)
    count = max(_leaves(tree), len(overload.outputs))
    if tree is None and config.get("return_indices") is True:
        tree, count = (0, 0), 2
    outputs = overload.outputs if len(overload.outputs) >= count else ("grad",) * count
    if config.get("return_indices") is True:
        outputs, saves = ("grad", "nograd"), (*saves, INDICES)
    operation = Operation(
        name,
        call.site.span,
        tuple(operands),
        outputs=outputs,
        saves=saves,
        view=VIEWS[overload.view],
        view_of=overload.view_of,
        holds_numbers=not overload.view_of and name.lower() not in KEEPS_OPERANDS,
        implemented=overload.backward,
        derivative=derivative(name) or derivative(name.lower()),
    )
    if in_place_flag and target is not None and op.forward_inplace is not None:
        drops = name.endswith("Dropout") or name.startswith("Dropout")
        known = not drops or isinstance(config.get("p", 0.5), (int, float))
        return (in_place if known else perhaps_in_place)(rt, operation, target, call.site)
    results = list(apply(rt, operation, call.site))
    if tree is None:
        return results[0]
    return _build(tree, results)


def _tree(structure: str) -> object:
    """`nested:(T,(T,T))` as nested tuples; None for a single tensor."""
    if structure.startswith("nested:"):
        return ast.literal_eval(structure[7:].replace("T", "0"))
    if structure == "tuple":
        return (0, 0)
    return None


def _leaves(tree: object) -> int:
    return sum(_leaves(part) for part in tree) if isinstance(tree, tuple) else 1


def _build(tree: object, results: list[Tensor]) -> Value:
    if isinstance(tree, tuple):
        return tuple(_build(part, results) for part in tree)
    return results.pop(0) if len(results) > 1 else results[0]
