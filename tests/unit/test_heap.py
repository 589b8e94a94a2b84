"""The write journal: what states that are joined one after the other leave in it."""

from __future__ import annotations

from typing import Any

from gradsight.analysis.autograd.heap import Heap


def test_joining_many_states_writes_down_what_changes_and_no_more() -> None:
    heap, table = Heap(), {f"name {n}": 0 for n in range(20)}
    mark = heap.mark()
    for name in table:
        heap.put(table, name, 1)

    def join(left: Any, right: Any) -> Any:
        return left if right in (left, 0) else ("either", left, right)

    for _ in range(1000):
        heap.merge(mark, {(id(table), "name 3"): (table, "name 3", 1)}, join)
    assert len(heap.since(mark)) == 20
    heap.merge(mark, {(id(table), "name 3"): (table, "name 3", 2)}, join)
    assert table["name 3"] == ("either", 1, 2)
    heap.undo(mark)
    assert set(table.values()) == {0}


def test_what_was_taken_back_is_not_taken_for_what_was_there() -> None:
    heap, table = Heap(), {"a": 0, "b": 0}
    mark = heap.mark()
    heap.put(table, "a", 1)
    assert [(name, before, now) for _, name, before, now in heap.changes(mark)] == [("a", 0, 1)]
    heap.undo(mark)
    heap.put(table, "b", 2)
    assert [(name, before, now) for _, name, before, now in heap.changes(mark)] == [("b", 0, 2)]
    heap.put(table, "a", 3)
    heap.put(table, "b", 4)
    assert [(name, before, now) for _, name, before, now in heap.changes(mark)] == [("b", 0, 4), ("a", 0, 3)]
