"""Methods of lists, dicts, tuples, strings and iterators."""

from __future__ import annotations

import re

from ..autograd.heap import MISSING
from ..values import Call, DictValue, IterValue, ListValue, NativeMethod, Scalar, Unknown, Value
from . import iteration
from .keys import key_of
from .machine import Machine


def method(machine: Machine, owner: Value, name: str) -> Value:
    """A method of a list, dict, tuple, string or iterator, bound."""
    return NativeMethod(owner, name, lambda call: _method(machine, owner, name, call))


def _method(machine: Machine, owner: Value, name: str, call: Call) -> Value:
    if isinstance(owner, ListValue):
        return _list_method(machine, owner, name, call)
    if isinstance(owner, DictValue):
        return _dict_method(machine, owner, name, call)
    if isinstance(owner, IterValue):
        if name == "__next__":
            return iteration.next_(machine, Call([owner], {}, call.site))
        return Unknown(f"`.{name}()` of an iterator", deps=tuple(owner.items))
    if isinstance(owner, tuple):
        return Scalar("int") if name in ("index", "count") else Unknown(f"`.{name}()` of a tuple", deps=owner)
    return _str_method(owner, name, call)


_LONG = re.compile(r"\d{4}|.{1000}", re.DOTALL)
"""A text that is long, or may ask for a long one (`"{:>100000}"`)."""
_OF_WORDS = frozenset(
    (
        "startswith endswith lower upper strip lstrip rstrip title capitalize removeprefix removesuffix replace split "
        "rsplit splitlines partition rpartition format join zfill isdigit isnumeric find rfind count"
    ).split()
)


def _str_method(owner: Value, name: str, call: Call) -> Value:
    """A method of a string: exact where the string and what it is given are known (names of modules and parameters)."""
    args = [_plain(arg) for arg in call.args]
    known = isinstance(owner, str) and name in _OF_WORDS and not call.kwargs and not call.open_args
    if known and MISSING not in args and not _LONG.search(owner):
        try:
            result = getattr(owner, name)(*args)
        except (TypeError, ValueError, LookupError, AttributeError):
            result = MISSING
        if isinstance(result, list):
            return ListValue(result)
        if result is not MISSING:
            return result
    return ListValue([Scalar("str")], open_=True) if name in ("split", "splitlines", "rsplit") else Scalar("str")


def _plain(value: Value) -> Value:
    """A word or number, or a list of words, as Python has it; MISSING for what is not known."""
    if value is None or isinstance(value, str) or (isinstance(value, int) and abs(value) < 1000):
        return value
    if isinstance(value, ListValue) and not value.open and all(isinstance(item, str) for item in value.items):
        return list(value.items)
    return MISSING


def _list_method(machine: Machine, owner: ListValue, name: str, call: Call) -> Value:
    heap = machine.heap
    first = call.args[0] if call.args else None
    if name in ("append", "add", "appendleft", "push"):
        grown = (first, *owner.items) if name == "appendleft" else (*owner.items, first)
        if len(grown) > 256:
            grown = grown[:256]
            heap.write(owner, "open", True)
        heap.write(owner, "items", grown)
        machine.grown(call.site, first)
        return None
    if name in ("extend", "update"):
        items, open_ = machine.iterate(first, call.site)
        heap.write(owner, "items", (*owner.items, *items))
        if open_:
            heap.write(owner, "open", True)
        return None
    if name == "insert":
        value = call.args[1] if len(call.args) > 1 else None
        at = min(first, len(owner.items)) if isinstance(first, int) else 0
        heap.write(owner, "items", (*owner.items[:at], value, *owner.items[at:]))
        return None
    if name in ("pop", "popleft"):
        if not owner.items:
            return Unknown("an element of an unknown list")
        at = 0 if name == "popleft" else first if isinstance(first, int) else -1
        if owner.open or not -len(owner.items) <= at < len(owner.items):
            return owner.items[-1]
        items_list = list(owner.items)
        value = items_list.pop(at)
        heap.write(owner, "items", tuple(items_list))
        return value
    if name == "clear":
        heap.write(owner, "items", machine.no_elements())
        heap.write(owner, "open", False)
        return None
    if name == "reverse":
        heap.write(owner, "items", owner.items[::-1])
        return None
    if name in ("copy", "union", "intersection", "difference"):
        return ListValue(owner.items, owner.kind, owner.open or name != "copy")
    if name in ("sort", "remove", "discard"):
        return None
    if name in ("index", "count"):
        return Scalar("int")
    return Unknown(f"`.{name}()` of a list", deps=owner.items)


def _dict_method(machine: Machine, owner: DictValue, name: str, call: Call) -> Value:
    heap = machine.heap
    key = call.args[0] if call.args else None
    if name in ("get", "pop", "setdefault"):
        default = call.args[1] if len(call.args) > 1 else None
        if key_of(key) is not MISSING:
            if key in owner.items:
                value = owner.items[key]
                if name == "pop":
                    heap.put(owner.items, key, MISSING)
                return value
            if owner.rest is not None:
                return machine.join(owner.rest, default)
            if name == "setdefault":
                heap.put(owner.items, key, default)
            return default
        values = [*owner.items.values(), *([owner.rest] if owner.rest is not None else []), default]
        return machine.join_all(values)
    if name == "items":
        pairs: list[Value] = [(k, v) for k, v in owner.items.items()]
        if owner.rest is not None:
            pairs.append((Scalar("str"), owner.rest))
        return ListValue(pairs, open_=owner.rest is not None)
    if name == "values":
        values = [*owner.items.values(), *([owner.rest] if owner.rest is not None else [])]
        return ListValue(values, open_=owner.rest is not None)
    if name == "keys":
        return ListValue(list(owner.items), open_=owner.rest is not None)
    if name == "update":
        source = key
        if isinstance(source, DictValue):
            for each, value in source.items.items():
                heap.put(owner.items, each, value)
            if source.rest is not None:
                heap.write(owner, "rest", source.rest)
        elif source is not None:
            heap.write(owner, "rest", Unknown("an entry of an unknown mapping", deps=(source,)))
        for each_name, value in call.kwargs.items():
            heap.put(owner.items, each_name, value)
        return None
    if name == "copy":
        return DictValue(dict(owner.items), owner.rest)
    if name == "clear":
        for each in list(owner.items):
            heap.put(owner.items, each, MISSING)
        return None
    return Unknown(f"`.{name}()` of a dict", deps=tuple(owner.items.values()))
