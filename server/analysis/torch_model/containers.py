"""Modules that hold others in order: what a `Sequential`, `ModuleList` or `ModuleDict` gets after it was made.

PyTorch keeps the children of every module in one ordered table, by name. So an attribute that is a module, and
`add_module`, are elements of a container like those it was made with: `nn.Sequential` calls them in turn, also in a
class of the program that derives from it. Source: `torch/nn/modules/module.py` (`__setattr__`, `add_module`) and
`container.py`.
"""

from __future__ import annotations

from ..values import Instance, ModuleObject, Runtime, Unknown, Value

LISTS = ("torch.nn.ModuleList", "torch.nn.ParameterList")
DICTS = ("torch.nn.ModuleDict", "torch.nn.ParameterDict")
CONTAINERS = ("torch.nn.Sequential", *LISTS, *DICTS)


def container_of(owner: Value) -> ModuleObject | None:
    """The container a value is, or the one inside an instance of a class that derives from it; None otherwise."""
    inner = owner.data.get("torch") if isinstance(owner, Instance) else owner
    return inner if isinstance(inner, ModuleObject) and inner.dotted in CONTAINERS else None


def names(container: ModuleObject) -> tuple[str, ...]:
    """The names of the elements: given, or their numbers."""
    return container.keys or tuple(str(i) for i in range(len(container.items)))


def hold(rt: Runtime, container: ModuleObject, name: str, value: Value) -> None:
    """Put a module into a container under a name, in the place of the one that has it."""
    known = names(container)
    items = list(container.items)
    if name in known:
        items[known.index(name)] = value
    else:
        items.append(value)
        if container.keys or name != str(len(known)):
            rt.heap.write(container, "keys", (*known, name))
    rt.heap.write(container, "items", tuple(items))


def insert(rt: Runtime, container: ModuleObject, index: Value, value: Value) -> None:
    """Put a module in front of the element at `index`; the place of an unknown index is not known."""
    items = list(container.items)
    if isinstance(index, int):
        items.insert(max(-len(items), min(index, len(items))), value)  # A machine's word bounds what `insert` takes.
    else:
        items.append(value)
        rt.heap.write(container, "open", True)
    rt.heap.write(container, "items", tuple(items))
    if container.keys:
        rt.heap.write(container, "keys", tuple(str(i) for i in range(len(items))))


def taken_in(rt: Runtime, container: ModuleObject, name: str, value: Value, is_module: bool) -> bool:
    """An attribute of a container: whether it became an element. What may be a module leaves the elements unknown."""
    if is_module or (name in names(container) and value is not None):
        hold(rt, container, name, value)
        return True
    if isinstance(value, Unknown) and (value.module_like or not (value.symbolic or value.plain)):
        rt.heap.write(container, "open", True)
    return False
