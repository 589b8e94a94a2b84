"""Parts of a list: `items[a:b] = values`, `del items[a:b]`, `del items[:]`."""

from __future__ import annotations

from ..values import ListValue, SliceValue, Value
from .machine import Machine


def set_slice(machine: Machine, owner: ListValue, index: SliceValue, values: list[Value], open_: bool) -> None:
    """`owner[index] = values`; `open_` says that there may be more or fewer values.

    Where it is not known which part that is, the list holds the old items and the new ones, in no certain number.
    """
    bounds = _bounds(index)
    if _everything(index):
        _store(machine, owner, list(values), open_)
    elif bounds is not None and bounds.step in (None, 1) and not owner.open and not open_:
        items = list(owner.items)
        items[bounds] = values
        _store(machine, owner, items, False)
    else:
        _store(machine, owner, [*owner.items, *values], True)


def delete_slice(machine: Machine, owner: ListValue, index: SliceValue) -> None:
    """`del owner[index]`; where it is not known which part that is, there may be fewer items."""
    bounds = _bounds(index)
    if _everything(index):
        _store(machine, owner, [], False)
        machine.heap.write(owner, "items", machine.no_elements())
    elif bounds is not None and bounds.step != 0 and not owner.open:
        items = list(owner.items)
        del items[bounds]
        _store(machine, owner, items, False)
    else:
        _store(machine, owner, list(owner.items), True)


def _everything(index: SliceValue) -> bool:
    return index.lower in (None, 0) and index.upper is None and index.step in (None, 1)


def _bounds(index: SliceValue) -> slice | None:
    parts = (index.lower, index.upper, index.step)
    return slice(*parts) if all(part is None or isinstance(part, int) for part in parts) else None


def _store(machine: Machine, owner: ListValue, items: list[Value], open_: bool) -> None:
    machine.heap.write(owner, "items", tuple(items))
    machine.heap.write(owner, "open", open_)
