"""numpy arrays that share memory with a tensor: a write to one changes the other, and no version counter sees it.

a = t.detach().numpy()      a shares t's memory
a[:] = 0; a += 1            t has new contents
b = np.zeros(3); t = torch.from_numpy(b)      t shares b's memory
"""

from __future__ import annotations

from ..autograd.graph import Memory, Node, Version
from ..autograd.tensor import ANY_FORM, Form, Tensor
from ..values import Call, Runtime, Scalar, Site, Value

VIEWS = frozenset(["reshape", "ravel", "view", "transpose", "swapaxes", "squeeze", "T", "flat", "real"])
"""Methods and attributes of an array that look at the same memory."""
WRITERS = frozenset(["fill", "sort", "partition", "put", "itemset", "resize"])
"""Methods of an array that write to it."""
_SAME = frozenset(
    f"numpy.{name}"
    for name in ("asarray", "asanyarray", "ascontiguousarray", "reshape", "ravel", "squeeze", "transpose", "atleast_1d")
)
_WRITES_FIRST = frozenset(
    f"numpy.{name}"
    for name in ("copyto", "put", "place", "putmask", "fill_diagonal", "random.shuffle", "put_along_axis")
)


def array(node: Node | None, memory: Memory | None = None) -> Scalar:
    """An array over some memory, its own by default."""
    return Scalar("array", node, memory or Memory())


def seen_by(tensor: Tensor, value: Value) -> None:
    """Let a new tensor share an array's memory (`torch.from_numpy`)."""
    if isinstance(value, Scalar) and value.memory is not None:
        tensor.memory = value.memory


def form(value: Value) -> Form:
    """The shape of an array that `t.numpy()` gave, and how its elements lie; those of a copy lie in order."""
    node = value.node if isinstance(value, Scalar) and value.kind == "array" else None
    copied = False
    while node is not None and node.name == "copy" and len(node.edges) == 1:
        node, copied = node.edges[0].node, True
    tensor = node.edges[0].tensor if node is not None and node.name == "numpy" and node.edges else None
    if tensor is None:
        return ANY_FORM
    return Form(tensor.shape, tensor.shape is not None) if copied else tensor.form


def changed(rt: Runtime, value: Value, what: str, site: Site) -> None:
    """The contents of an array are written; a tensor over the same memory has new ones too."""
    if isinstance(value, Scalar) and value.memory is not None:
        before = value.memory.version
        version = Version(f"numpy {what}", site.span, rt.autograd.path, previous=before, over=before)
        version.stack = rt.autograd.stack
        rt.heap.write(value.memory, "version", version)


def of_call(rt: Runtime, dotted: str, call: Call) -> Memory | None:
    """What a call of numpy writes is written; the memory of its result where that is an argument's."""
    first = call.args[0] if call.args else None
    if dotted in _WRITES_FIRST:
        changed(rt, first, dotted, call.site)
    out = call.kwargs.get("out")
    if isinstance(out, Scalar):
        changed(rt, out, dotted, call.site)
        return out.memory
    if dotted in _SAME:
        if isinstance(first, Tensor):
            return first.memory
        return first.memory if isinstance(first, Scalar) else None
    return None
