"""A row of the table in autograd's terms, each made once: which overload a call is, what it saves, what it views."""

from __future__ import annotations

from ..autograd.operation import Save
from .binding import Binding
from .table import Op, Overload, pick

VIEWS = {"no": "", "view": "view", "multi": "multi", "maybe": "view"}
"""How `Operation.view` says what the table's column says."""
_saves: dict[int, tuple[Save, ...]] = {}
_picked: dict[tuple[int, tuple[str, ...], tuple[tuple[str, str], ...]], tuple[Overload, Binding] | None] = {}


def picked_for(
    op: Op, positional: tuple[str, ...], keywords: tuple[tuple[str, str], ...]
) -> tuple[Overload, Binding] | None:
    """`pick`, remembered: programs call the same operation with the same kinds of arguments over and over.

    The key is the identity of the operation, which the table keeps alive, because hashing its rows costs more.
    """
    key = (id(op), positional, keywords)
    if key not in _picked:
        _picked[key] = pick(op, positional, dict(keywords))
    return _picked[key]


def saves_of(overload: Overload) -> tuple[Save, ...]:
    """What an overload keeps, in autograd's terms; made once, under the identity of the table's row."""
    found = _saves.get(id(overload))
    if found is None:
        found = _saves[id(overload)] = tuple(Save(s.what, s.when, s.sure) for s in overload.saves)
    return found
