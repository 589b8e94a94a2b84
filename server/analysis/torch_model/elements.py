"""Elements of torch's objects: `owner[index]`, `owner[index] = value`, and iteration."""

from __future__ import annotations

from ..autograd import truth
from ..autograd.heap import remember
from ..autograd.operation import Operation
from ..autograd.tensor import Form, Tensor
from ..values import Choice, Instance, ModuleObject, Runtime, Scalar, Site, SliceValue, Unknown, Value, unknown_tensor
from . import arrays, containers, effects, indexed, indexing, modules
from .arguments import history, operands_for


def get(rt: Runtime, owner: Value, index: Value, site: Site) -> Value:
    """`owner[index]`."""
    if isinstance(owner, Tensor):
        return _entry(rt, owner, site) if isinstance(index, str) else indexing.get(rt, owner, index, site)
    if isinstance(owner, Scalar):
        if owner.kind == "shape":
            return Scalar("shape" if type(index).__name__ == "SliceValue" else "int")
        # A slice looks at the same memory, an element is a number of its own.
        memory = owner.memory if any(isinstance(i, SliceValue) for i in _parts(index)) else None
        return Scalar("str" if owner.kind == "str" else owner.kind, owner.node, memory)
    if isinstance(owner, ModuleObject):
        return _of_module(rt, owner, index)
    if isinstance(owner, Instance):
        inner = owner.data.get("torch")
        return (
            _of_module(rt, inner, index)
            if isinstance(inner, ModuleObject)
            else Unknown("an index into an object", deps=(owner,))
        )
    if isinstance(owner, Unknown):
        if owner.tensor is not None and owner.node is None:
            return indexing.get(rt, owner.tensor, index, site)
        key = ("[]", index) if isinstance(index, (int, str, type(None))) else None
        if key is not None and key in owner.attributes:
            return owner.attributes[key]
        value = Unknown(owner.reason, deps=(owner,), symbolic=owner.symbolic, node=owner.node)
        value.plain = owner.plain
        if isinstance(index, str) and owner.node is not None and owner.node.tracked.yes:
            # Of what a network gives by name some are whole numbers: labels, the number of boxes.
            entry = _entry(rt, unknown_tensor(owner), site)
            value = entry if isinstance(entry, Unknown) else value
        if key is not None:
            remember(owner.attributes, key, value)
        return value
    return owner


def _entry(rt: Runtime, taken: Tensor, site: Site) -> Value:
    """What has entries by name is no tensor: neither was its `.data`, so nothing is cut (`g.edges.data["h"]`)."""
    node = taken.node
    origin = node.edges[0].tensor if node is not None and node.cut is not None and node.edges else None
    return rt.torch.opaque(None, [origin or taken], site, "an entry of an unknown mapping")  # type: ignore[attr-defined]


def _of_module(rt: Runtime, owner: ModuleObject, index: Value) -> Value:
    if isinstance(index, int) and not owner.open and -len(owner.items) <= index < len(owner.items):
        return owner.items[index]
    if isinstance(index, str) and index in owner.keys:
        return owner.items[owner.keys.index(index)]
    if type(index).__name__ == "SliceValue":
        part = ModuleObject(owner.dotted, None, owner.site)
        part.items, part.open = owner.items, True
        bounds = (index.lower, index.upper, index.step)
        if not owner.open and all(b is None or isinstance(b, int) for b in bounds):
            part.items, part.open = owner.items[slice(*bounds)], False
        return part
    if owner.items:
        return rt.join_all(owner.items)
    return Unknown("an element of a container of modules")


def put(rt: Runtime, owner: Value, index: Value, value: Value, site: Site) -> None:
    """`owner[index] = value`."""
    owner = containers.container_of(owner) or owner
    if isinstance(owner, Tensor):
        indexing.put(rt, owner, index, value, site)
    elif isinstance(owner, Unknown):
        _no_data(rt, owner, value)
        if owner.node is not None or owner.tensor is not None or isinstance(value, Tensor):
            if isinstance(index, str):
                owner.attributes[("[]", index)] = value
            else:
                _put_somewhere(rt, owner, index, value, site)
        elif isinstance(index, (int, str)):
            owner.attributes[("[]", index)] = value
    elif isinstance(owner, ModuleObject):
        if isinstance(index, str):
            if index in owner.keys:
                modules.replacing(rt, owner, index, owner.items[owner.keys.index(index)], value, site)
                items = list(owner.items)
                items[owner.keys.index(index)] = value
                rt.heap.write(owner, "items", tuple(items))
            else:
                modules.adding(rt, owner, index, value, site)
                rt.heap.write(owner, "keys", (*owner.keys, index))
                rt.heap.write(owner, "items", (*owner.items, value))
        elif isinstance(index, int) and -len(owner.items) <= index < len(owner.items):
            modules.replacing(rt, owner, str(index), owner.items[index], value, site)
            items = list(owner.items)
            items[index] = value
            rt.heap.write(owner, "items", tuple(items))
        elif owner.dotted in containers.DICTS:
            # A key that is not known may be one of those there are: it surely is a new one where there are none.
            if not owner.items:
                modules.adding(rt, owner, "", value, site)
            containers.hold(rt, owner, str(len(owner.items)), value)
            rt.heap.write(owner, "open", True)
    elif isinstance(owner, Scalar) and owner.kind == "array":
        remember(owner, "node", history([owner, value], "setitem", site, rt))
        arrays.changed(rt, owner, "setitem", site)


def _put_somewhere(rt: Runtime, owner: Unknown, index: Value, value: Value, site: Site) -> None:
    """An element of a tensor, or of a list of tensors: no tensor is changed by what is put into that.

    Of `states[i] = cell(x, states[i])` both are made; a slice or a mask is for tensors.
    """
    if owner.tensor is None and owner.node is None and not isinstance(index, (SliceValue, tuple, Tensor)):
        rt.heap.write(owner, "holder", True)
    taken = unknown_tensor(owner)
    version, contents = taken.counter.version, taken.memory.version
    indexing.put(rt, taken, index, value, site)
    if owner.holder:
        rt.heap.write(taken.counter, "version", version)
        rt.heap.write(taken.memory, "version", contents)


def _no_data(rt: Runtime, owner: Unknown, value: Value) -> None:
    """An object of a batch that is given something with a history is data no more, nor is what it is a part of.

    `graph.ndata["h"] = h; graph.apply_edges(...); graph.edata["score"]`: what comes out is what was put in.
    """
    computed = value.requires_grad.possible if isinstance(value, Tensor) else isinstance(value, Unknown)
    if not computed or (isinstance(value, Unknown) and value.plain):
        return
    todo: list[Value] = [owner]
    while todo:
        part = todo.pop()
        if isinstance(part, Unknown) and part.plain:
            rt.heap.write(part, "plain", False)
            todo += part.deps


def each(rt: Runtime, value: Value, site: Site) -> tuple[list[Value], bool] | None:
    """Elements of an object of torch; None if it is not one."""
    if isinstance(value, Tensor):
        size = value.shape[0] if value.shape else 0
        count = size if 0 < size <= 8 else 0
        operation = Operation(
            "unbind",
            site.span,
            tuple(operands_for("self", value, True)),
            outputs=("grad",) * (count or 2),
            view="multi",
            view_of="self",
        )
        results = effects.apply(rt, operation, site)
        for index, result in enumerate(results):
            # Where the number of rows is not known, each result stands for any of them.
            row = indexed.form_of_index(value.form, index)
            result.form = row if count else Form(row.shape, row.plain, row.strides, None)
            result.floating = value.floating
            if value.floating.no:
                result.requires_grad = truth.NO
        return list(results), not count
    if isinstance(value, ModuleObject):
        items: list[Value] = list(value.keys) if value.dotted.endswith("Dict") else list(value.items)
        return items, value.open
    if isinstance(value, Instance):
        inner = value.data.get("torch")
        return (list(inner.items), inner.open) if isinstance(inner, ModuleObject) else None
    if isinstance(value, Scalar):
        kind = "int" if value.kind == "shape" else value.kind
        return [Scalar(kind, value.node)], True
    if isinstance(value, Unknown):
        element = Unknown(value.reason, deps=(value,), symbolic=value.symbolic, node=value.node)
        element.plain = value.plain
        return [element], True
    if isinstance(value, Choice):
        items, open_ = [], False
        for _, each in value.alternatives:
            if each is None:
                continue
            more, more_open = rt.iterate(each, site)
            items, open_ = items + more, open_ or more_open
        return items, True
    return None


def _parts(index: Value) -> tuple[Value, ...]:
    return index if isinstance(index, tuple) else (index,)
