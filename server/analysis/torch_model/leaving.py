"""Values that leave torch: numbers, lists, arrays. Their history stays known, their gradient does not."""

from __future__ import annotations

from ..autograd.graph import Cut, Edge, Node
from ..autograd.tensor import Tensor
from ..autograd.truth import NO, both
from ..values import Call, Choice, DictValue, IterValue, ListValue, Runtime, Scalar, Site, Unknown, Value
from . import arrays
from .arguments import as_tensor, history
from .registry import attribute, method
from .sizes import UNKNOWN, numel


def leave(rt: Runtime, value: Value, site: Site, written: str) -> Node | None:
    """The history of a number or array made out of `value`: cut here if it carried a gradient."""
    tensor = as_tensor(value)
    if tensor is None:
        return value.node if isinstance(value, Scalar) else None
    rt.autograd.refresh(tensor, False)
    cut = Cut("left-torch", site.span, written) if tensor.requires_grad.possible else None
    if cut is None and tensor.node is None:
        return Node(written, site.span, (tensor.edge(),), tracked=NO, path=rt.autograd.path)
    return Node(
        written,
        site.span,
        (Edge(tensor.node, tensor, tensor.requires_grad), *rt.autograd.behind(tensor)[1:]),
        tracked=NO,
        path=rt.autograd.path,
        cut=cut,
    )


def to_number(rt: Runtime, value: Value, kind: str, site: Site, written: str = "") -> Value:
    """`float(t)`, `int(t)`, `math.f(t)`."""
    if isinstance(value, (Tensor, Unknown)):
        if isinstance(value, Unknown) and value.tensor is None and value.node is None:
            return Scalar(kind, history([], kind, site, rt))
        return Scalar(kind, leave(rt, value, site, written or kind))
    if isinstance(value, Scalar):
        return Scalar(kind, value.node)
    return Scalar(kind)


@method("item", "__float__", "__int__", "__index__")
def _item(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    kind = "int" if tensor.floating.no else "float"
    return Scalar(kind, leave(rt, tensor, call.site, "item"))


@method("tolist")
def _tolist(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    kind = "int" if tensor.floating.no else "float"
    number = Scalar(kind, leave(rt, tensor, call.site, "tolist"))
    total = numel(tensor.shape)
    if tensor.shape is None or total is None or total > _WRITTEN_OUT:
        return ListValue([number], open_=True)
    return _nested(number, tensor.shape)


_WRITTEN_OUT = 32
"""So many numbers at most are a list of known length."""


def _nested(number: Scalar, shape: tuple[int, ...]) -> Value:
    return ListValue([_nested(number, shape[1:]) for _ in range(shape[0])]) if shape else number


def _refuse_array(rt: Runtime, tensor: Tensor, site: Site) -> None:
    """A tensor that requires grad gives no array while tracking is on (torch/csrc/utils/tensor_numpy.cpp)."""
    refused = both(rt.autograd.refresh(tensor, False).requires_grad, rt.autograd.mode.enabled)
    if refused.possible:
        message = "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        rt.error("other", message, site, tensor, refused.yes)


@method("numpy", "__array__")
def _numpy(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    force = call.kwargs.get("force", call.args[1] if len(call.args) > 1 else False)
    if force is not True:
        _refuse_array(rt, tensor, call.site)
    return arrays.array(leave(rt, tensor, call.site, "numpy"), tensor.memory)


@method("__bool__", "is_floating_point", "is_complex", "is_contiguous", "equal", "allclose", "is_nonzero")
def _bool(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    return Scalar("bool")


@method(
    "size",
    "dim",
    "numel",
    "nelement",
    "ndimension",
    "stride",
    "get_device",
    "storage_offset",
    "element_size",
    "__len__",
    "data_ptr",
)
def _measure(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    asked = call.name
    shape = tensor.shape
    if asked == "size" and len(call.args) == 1 and not call.kwargs:
        return _shape(rt, tensor, call.site)
    if shape is None:
        return Scalar("int")
    if asked in ("dim", "ndimension"):
        return len(shape)
    if asked in ("numel", "nelement"):
        total = numel(shape)
        return Scalar("int") if total is None else total
    place = 0 if asked == "__len__" else call.argument(1, "dim")
    if asked in ("size", "__len__") and isinstance(place, int) and -len(shape) <= place < len(shape):
        return Scalar("int") if shape[place] == UNKNOWN else shape[place]
    return Scalar("int")


@attribute("shape")
def _shape(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    if tensor.shape is None:
        return Scalar("shape")
    return tuple(Scalar("int") if size == UNKNOWN else size for size in tensor.shape)


@attribute("ndim")
def _ndim(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    return Scalar("int") if tensor.shape is None else len(tensor.shape)


@attribute("itemsize", "nbytes", "output_nr", "_version")
def _count(rt: Runtime, tensor: Tensor, site: Site) -> Value:
    return Scalar("int")


def numpy_call(rt: Runtime, dotted: str, call: Call) -> Value:
    """A function of numpy: an array that remembers which tensors it was made from.

    numpy refuses a tensor that requires grad (`np.f(t)` calls `t.numpy()`); a tensor inside a list is refused too.
    """
    values = [*call.args, *call.kwargs.values()]
    edges: list[Edge] = []
    for value in _flat(values, 3):
        tensor = value if isinstance(value, Tensor) else value.tensor if isinstance(value, Unknown) else None
        if tensor is not None:
            _refuse_array(rt, tensor, call.site)
            node = leave(rt, tensor, call.site, dotted)
            if node is not None:
                edges.append(Edge(node, None, NO))
        elif (isinstance(value, Scalar) and value.node is not None) or (
            isinstance(value, Unknown) and value.node is not None
        ):
            edges.append(Edge(value.node, None, NO))
    node = Node(dotted, call.site.span, tuple(edges), tracked=NO, path=rt.autograd.path) if edges else None
    return arrays.array(node, arrays.of_call(rt, dotted, call))


def _flat(values: list[Value], depth: int) -> list[Value]:
    found: list[Value] = []
    for value in values:
        if isinstance(value, (ListValue, IterValue)) and depth:
            found += _flat(list(value.items), depth - 1)
        elif isinstance(value, tuple) and depth:
            found += _flat(list(value), depth - 1)
        elif isinstance(value, DictValue) and depth:
            found += _flat(list(value.items.values()), depth - 1)
        elif isinstance(value, Choice):
            found += [v for _, v in value.alternatives]
        else:
            found.append(value)
    return found
