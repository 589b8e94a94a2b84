"""Calls with `out=`: the result is written into memory that is there."""

from __future__ import annotations

from dataclasses import replace

from ..autograd.operation import Operation
from ..autograd.tensor import Tensor
from ..values import ListValue, Runtime, Site, Value
from . import memory, shapes
from .arguments import as_tensor
from .effects import in_place
from .table import Overload

NO_OUT = (
    "{}(): functions with out=... arguments don't support automatic differentiation, "
    "but one of the arguments requires grad."
)


def write_out(rt: Runtime, overload: Overload, operation: Operation, out: Value, site: Site) -> Value:
    """Run an operation that writes into `out`; the row of the table says whether PyTorch takes tensors to learn."""
    tensors = [t for t in (as_tensor(each) for each in (out if isinstance(out, tuple) else (out,))) if t is not None]
    if isinstance(out, ListValue):
        tensors = [each for each in out.items if isinstance(each, Tensor)]
    operands = tuple(o for o in operation.operands if o.name != "out")
    operation = replace(operation, operands=operands, saves=(), outputs=("grad",))
    aligned = shapes.elementwise(operation.name)
    if "grad" in overload.outputs:
        for each in tensors:
            in_place(rt, operation, each, site)
        return out
    wanting = [o.tensor for o in operands if o.tensor is not None and o.differentiable] + tensors
    for each in wanting:
        rt.autograd.refresh(each, False)
    wanting = [tensor for tensor in wanting if tensor.requires_grad.possible]
    tracked = False
    if "refused" in overload.outputs and wanting and rt.autograd.mode.enabled.possible:
        first = next((t for t in wanting if t.requires_grad.yes), wanting[0])
        certain = first.requires_grad.yes and rt.autograd.mode.enabled.yes
        rt.error("out-argument", NO_OUT.format(operation.name), site, first, certain)
        tracked = not certain
    if rt.autograd.mode.enabled.possible and not tracked:
        operation = replace(operation, operands=tuple(replace(o, differentiable=False) for o in operands))
    for each in tensors:
        rt.autograd.force_inplace(operation, each)
        refused = memory.refuses(operation, each) if aligned else ""
        if refused:
            rt.error("other", refused, site, each)
    return out
