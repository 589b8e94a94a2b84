"""From values to what the op table and autograd speak of: kinds of arguments, operands, devices, dtypes."""

from __future__ import annotations

from ..autograd.graph import Edge, Node
from ..autograd.operation import Operand
from ..autograd.tensor import CPU, UNKNOWN_DEVICE, Device, Tensor
from ..autograd.truth import NO, Truth, maybe, of
from ..values import (
    Choice,
    DType,
    IterValue,
    ListValue,
    Runtime,
    Scalar,
    Site,
    SliceValue,
    TorchName,
    Unknown,
    Value,
    unknown_tensor,
)

FLOATING = frozenset(
    [
        "float16",
        "float32",
        "float64",
        "bfloat16",
        "half",
        "float",
        "double",
        "complex64",
        "complex128",
        "cfloat",
        "cdouble",
    ]
)
INTEGER = frozenset(
    ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "short", "int", "long", "bool"]
)


def kind_of(value: Value) -> str:
    """The kind of an argument as `table.pick` knows them."""
    if isinstance(value, Tensor):
        return "tensor"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float, complex)):
        return "number"
    if value is None:
        return "none"
    if isinstance(value, str):
        return "str"
    if isinstance(value, (ListValue, tuple, IterValue)):
        items = value if isinstance(value, tuple) else value.items
        if any(isinstance(item, Tensor) for item in items):
            return "tensors"
        if any(isinstance(item, (Unknown, Choice)) for item in items):
            return "unknown"
        return "ints" if all(isinstance(item, (int, Scalar)) for item in items) else "other"
    if isinstance(value, Scalar):
        return {"bool": "bool", "str": "str", "array": "other", "shape": "ints"}.get(value.kind, "number")
    if isinstance(value, DType):
        return "dtype"
    if isinstance(value, Device):
        return "device"
    if isinstance(value, (Unknown, Choice)):
        return "unknown"
    return "other"


def as_tensor(value: Value) -> Tensor | None:
    """The value as a tensor operand: tensors, unknowns, and numbers or arrays that remember where they came from."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Unknown):
        return unknown_tensor(value)
    return None


def operands_for(name: str, value: Value, differentiable: bool) -> list[Operand]:
    """The operands one parameter contributes: a tensor, the tensors of a list, or the history of a number."""
    tensor = as_tensor(value)
    if tensor is not None:
        return [Operand(name, tensor, None, differentiable)]
    if isinstance(value, Scalar):
        return [Operand(name, None, value.node)] if value.node is not None else []
    if isinstance(value, (tuple, ListValue, IterValue)):
        found: list[Operand] = []
        for item in value if isinstance(value, tuple) else value.items:
            found += operands_for(name, item, differentiable)
        return found
    if isinstance(value, Choice):
        found = []
        for _, each in value.alternatives:
            found += operands_for(name, each, differentiable)
        return found
    if isinstance(value, SliceValue):
        return [o for part in (value.lower, value.upper, value.step) for o in operands_for(name, part, False)]
    return []


def history(values: list[Value], name: str, site: Site, rt: Runtime) -> Node | None:
    """A plain node that remembers what a number or array was computed from; None if from constants only."""
    edges: list[Edge] = []
    for value in values:
        for operand in operands_for("", value, False):
            if operand.tensor is not None:
                edges.append(operand.tensor.edge(False))
            elif operand.node is not None:
                edges.append(Edge(operand.node, None, NO))
    if not edges:
        return None
    return Node(name, site.span, tuple(edges), tracked=NO, path=rt.autograd.path)


def flag(value: Value, default: bool) -> bool | None:
    """A boolean argument: True, False, or None for unknown."""
    if value is None:
        return default
    if isinstance(value, (bool, int)):
        return bool(value)
    return None


def truth_of(rt: Runtime, value: Value, why: str) -> Truth:
    """A boolean argument as a truth value."""
    return of(rt.truth(value), why)


def device_of(value: Value) -> Device:
    """The device that a `device=` argument or the argument of `.to()` names."""
    if isinstance(value, Device):
        return value
    if value is None:
        return CPU
    if isinstance(value, str):
        top = value.partition(":")[0]
        return Device(top if top in ("cpu", "cuda", "meta", "mps", "xla") else "unknown", value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Device("cuda", f"cuda:{value}")
    if isinstance(value, Choice):
        kinds = {device_of(v).kind for _, v in value.alternatives}
        if len(kinds) == 1:
            return device_of(value.alternatives[0][1])
        accelerators = kinds - {"cpu", "unknown"}
        if "cpu" in kinds and accelerators:
            return Device("either")
    return UNKNOWN_DEVICE


def dtype_of(value: Value) -> DType | None:
    """The dtype a value names, None if it names none."""
    if isinstance(value, DType):
        return value
    if isinstance(value, TorchName) and value.dotted.startswith("torch."):
        name = value.dotted[6:]
        if name in FLOATING or name in INTEGER:
            return DType(name, name in FLOATING)
    return None


def floating_of(value: Value, depth: int = 3) -> Truth:
    """Whether data handed to `torch.tensor` makes a floating-point tensor."""
    if isinstance(value, bool):
        return NO
    if isinstance(value, int):
        return NO
    if isinstance(value, (float, complex)):
        return of(True)
    if isinstance(value, Tensor):
        return value.floating
    if isinstance(value, Scalar):
        return of({"int": False, "bool": False, "float": True}.get(value.kind), "the numbers are not known")
    if isinstance(value, (tuple, ListValue, IterValue)) and depth:
        items = value if isinstance(value, tuple) else value.items
        found = [floating_of(item, depth - 1) for item in items]
        if any(f.yes for f in found) or not found:
            return of(True)
        return maybe("the numbers are not known") if any(f.maybe for f in found) else NO
    return maybe("the numbers are not known")
