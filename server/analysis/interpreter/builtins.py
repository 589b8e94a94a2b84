"""Python's builtins and the methods of lists, dicts, strings and iterators."""

from __future__ import annotations

import builtins as python
from collections.abc import Callable
from typing import Any

from ..autograd.heap import MISSING
from ..autograd.tensor import Tensor
from ..values import (
    BoundMethod,
    Builtin,
    Call,
    ClassValue,
    DictValue,
    External,
    FunctionValue,
    Instance,
    IterValue,
    ListValue,
    ModuleObject,
    NativeMethod,
    Scalar,
    SuperValue,
    TorchName,
    Unknown,
    Value,
)
from . import generators
from .calls import PropertyValue, call_value
from .keys import key_of
from .machine import DeadEnd, Machine, Negation
from .scope import Scope

NAMES = frozenset(dir(python))
_MAX_RANGE = 64
_CONSTANTS = (int, float, complex, str, bytes, bool, type(None))


def zero_argument_super(machine: Machine) -> Value:
    """`super()` inside a method."""
    scope: Scope | None = machine.frame.scope
    while scope is not None and (scope.function is None or scope.function.owner is None):
        scope = scope.parent
    if scope is None:
        return Unknown("super() outside a class")
    function: FunctionValue = scope.function
    arguments = function.node.args
    every = [*arguments.posonlyargs, *arguments.args]
    if not every:
        return Unknown("super() without self")
    assert function.owner is not None
    return SuperValue(scope.names.get(every[0].arg), function.owner)


def method_kind(kind: str, value: Value) -> Value:
    """`staticmethod`, `classmethod`, `property`."""
    if kind == "property":
        return PropertyValue(value)
    if isinstance(value, FunctionValue):
        value.kind = "static" if kind == "staticmethod" else "class"
    return value


def call(machine: Machine, name: str, call: Call) -> Value:
    """Call a builtin."""
    handler = _BUILTINS.get(name)
    if handler is not None:
        return handler(machine, call)
    if name.endswith(("Error", "Exception", "Warning", "Iteration", "Interrupt", "Exit")):
        return Unknown("an exception")
    if name in ("exit", "quit"):
        raise DeadEnd
    if name in ("print", "input", "repr", "format", "ascii", "chr", "hex", "bin", "oct"):
        return None if name == "print" else Scalar("str")
    if name in ("id", "hash", "ord"):
        return Scalar("int")
    deps = [*call.args, *call.kwargs.values()]
    return Unknown(f"`{name}()`", deps=tuple(deps))


def _number(kind: str) -> Callable[[Machine, Call], Value]:
    def convert(machine: Machine, call: Call) -> Value:
        if not call.args:
            return {"int": 0, "float": 0.0, "bool": False, "complex": 0j}[kind]
        value = machine.narrow(call.args[0])
        if isinstance(value, (int, float, str)) and not call.kwargs and len(call.args) == 1:
            try:
                return {"int": int, "float": float, "bool": bool, "complex": complex}[kind](value)
            except (ValueError, OverflowError):
                return Scalar(kind)
        if kind == "bool":
            known = machine.truth(value)
            return Scalar("bool") if known is None else known
        return machine.each(value, lambda each: machine.torch.to_number(each, kind, call.site))

    return convert


def _range(machine: Machine, call: Call) -> Value:
    if all(isinstance(a, int) for a in call.args) and call.args:
        try:
            numbers = range(*call.args)
        except (TypeError, ValueError):
            return IterValue([Scalar("int")], True)
        if len(numbers) <= _MAX_RANGE:
            return ListValue(tuple(numbers))
        return ListValue([Scalar("int"), Scalar("int")], open_=True)
    return ListValue([Scalar("int")], open_=True)


def _len(machine: Machine, call: Call) -> Value:
    value = machine.narrow(call.args[0]) if call.args else None
    if isinstance(value, (tuple, str)):
        return len(value)
    if isinstance(value, Tensor) and value.shape and value.shape[0] >= 0:
        return value.shape[0]
    if isinstance(value, ListValue) and not value.open:
        return len(value.items)
    if isinstance(value, DictValue) and value.rest is None:
        return len(value.items)
    if isinstance(value, ModuleObject) and not value.open and value.items:
        return len(value.items)
    if isinstance(value, Instance):
        found = value.cls.find("__len__")
        if found is not None:
            return call_value(machine, BoundMethod(found[0], value), Call([], {}, call.site))
    return Scalar("int")


def _sequence(kind: str) -> Callable[[Machine, Call], Value]:
    def make(machine: Machine, call: Call) -> Value:
        if not call.args:
            return () if kind == "tuple" else ListValue((), kind)
        items, open_ = machine.iterate(call.args[0], call.site)
        if kind == "tuple" and not open_:
            return tuple(items)
        return ListValue(items, "list" if kind == "tuple" else kind, open_)

    return make


def _dict(machine: Machine, call: Call) -> Value:
    result = DictValue(call.kwargs)
    if call.args:
        source = call.args[0]
        if isinstance(source, DictValue):
            result.items = {**source.items, **result.items}
            result.rest = source.rest
        else:
            items, open_ = machine.iterate(source, call.site)
            for item in items:
                if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], _CONSTANTS):
                    result.items[item[0]] = item[1]
                else:
                    open_ = True
            if open_:
                result.rest = Unknown("an entry of an unknown mapping", deps=(source,))
    return result


def _zip(machine: Machine, call: Call) -> Value:
    columns = [machine.iterate(arg, call.site) for arg in call.args]
    if not columns:
        return IterValue(())
    exact = [len(items) for items, open_ in columns if not open_]
    if exact:
        count = min(exact)
        rows = []
        for index in range(count):
            row = []
            for items, open_ in columns:
                if open_ or index >= len(items):
                    row.append(later(items, index))
                else:
                    row.append(items[index])
            rows.append(tuple(row))
        return IterValue(rows)
    count = max(len(items) for items, _ in columns)
    return IterValue([tuple(later(items, i) for items, _ in columns) for i in range(count)], True)


def later(items: list[Value], index: int) -> Value:
    """An element of an iterable of which only the first ones are known: behind those, one like the last."""
    from .expressions import fresh

    if not items:
        return Unknown("an element of an empty iterable")
    return items[index] if index < len(items) else fresh(items[-1])


def _enumerate(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    if open_:
        return IterValue([(Scalar("int"), item) for item in items], True)
    start = call.argument(1, "start", 0)
    if not isinstance(start, int):
        return IterValue([(Scalar("int"), item) for item in items])
    return IterValue([(start + index, item) for index, item in enumerate(items)])


def _map(machine: Machine, call: Call) -> Value:
    if len(call.args) < 2:
        return Unknown("map()")
    rows, open_ = machine.iterate(_zip(machine, Call(call.args[1:], {}, call.site)), call.site)
    return IterValue([call_value(machine, call.args[0], Call(list(row), {}, call.site)) for row in rows], open_)


def _filter(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[1], call.site) if len(call.args) > 1 else ([], True)
    kept = []
    for item in items:
        outcome = item if call.args[0] is None else call_value(machine, call.args[0], Call([item], {}, call.site))
        known = machine.truth(outcome)
        if known is not False:
            kept.append(item)
            open_ = open_ or known is None
    return IterValue(kept, open_)


def _sum(machine: Machine, call: Call) -> Value:
    import ast

    from .expressions import binary

    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    total: Value = call.argument(1, "start", 0)
    for item in items:
        total = machine.each(item, lambda each: binary(machine, ast.Add(), total, each, call.site))  # noqa: B023
    return (
        Scalar("number", total.node if isinstance(total, Scalar) else None)
        if open_ and not isinstance(total, (Tensor, Unknown))
        else total
    )


def _extreme(machine: Machine, call: Call) -> Value:
    if len(call.args) == 1:
        items, open_ = machine.iterate(call.args[0], call.site)
    else:
        items, open_ = list(call.args), False
    if items and not open_ and all(isinstance(i, (int, float)) for i in items):
        return items[0] if len(set(items)) == 1 else Scalar("number")
    return machine.join_all(items) if items else Unknown("max() of nothing")


def _exact_extreme(function: Callable[..., Any]) -> Callable[[Machine, Call], Value]:
    def run(machine: Machine, call: Call) -> Value:
        if not call.kwargs and len(call.args) > 1 and all(isinstance(a, (int, float)) for a in call.args):
            return function(*call.args)
        return _extreme(machine, call)

    return run


def _abs(machine: Machine, call: Call) -> Value:
    value = call.args[0] if call.args else 0
    if isinstance(value, (int, float)):
        return abs(value)
    return machine.each(value, lambda each: machine.torch.unary("abs", each, call.site))


def _pow(machine: Machine, call: Call) -> Value:
    import ast

    from .expressions import binary

    return binary(machine, ast.Pow(), call.args[0], call.args[1], call.site)


def _round(machine: Machine, call: Call) -> Value:
    value = call.args[0] if call.args else 0
    if isinstance(value, float) and len(call.args) == 1:
        return round(value)
    return machine.torch.to_number(value, "float", call.site)


def _isinstance(machine: Machine, call: Call) -> Value:
    if len(call.args) < 2:
        return Scalar("bool")
    value, kinds = machine.narrow(call.args[0]), call.args[1]
    wanted = list(kinds) if isinstance(kinds, tuple) else [kinds]
    outcomes = [is_a(machine, value, kind) for kind in wanted]
    if True in outcomes:
        return True
    if all(o is False for o in outcomes):
        return False
    return machine.comparison((value, "isinstance", tuple(wanted)), lambda: Scalar("bool"))


_PYTHON_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float,),
    "str": (str,),
    "bool": (bool,),
    "tuple": (tuple,),
    "bytes": (bytes,),
}


def is_a(machine: Machine, value: Value, kind: Value) -> bool | None:
    """`isinstance(value, kind)` for one class; None if it is not known."""
    if isinstance(value, (Unknown, Negation)) or type(value).__name__ == "Choice":
        return None
    if isinstance(kind, Builtin):
        if kind.name in _PYTHON_KINDS:
            if isinstance(value, Scalar):
                return value.kind == kind.name if value.kind in ("int", "float", "str", "bool") else None
            return isinstance(value, _PYTHON_KINDS[kind.name])
        if kind.name in ("list", "set"):
            return isinstance(value, ListValue) and value.kind == kind.name
        if kind.name == "dict":
            return isinstance(value, DictValue)
        return None
    handled = machine.torch.is_instance(value, kind)
    if handled is not None:
        return handled
    if isinstance(kind, ClassValue):
        if isinstance(value, Instance):
            return True if kind in value.cls.mro() else None if value.cls.unknown_base() else False
        return False
    if isinstance(kind, External):
        return False if isinstance(value, (Tensor, *_CONSTANTS)) else None
    return None


def _hasattr(machine: Machine, call: Call) -> Value:
    value, name = call.args[0], call.argument(1, "name")
    if isinstance(value, Instance) and isinstance(name, str):
        if name in value.attributes and not isinstance(value.attributes[name], Unknown):
            return True
        if value.cls.find(name) is not None:
            return True
        return machine.comparison((value, "has", name), lambda: Scalar("bool"))
    return machine.comparison((id(value), "has", str(name)), lambda: Scalar("bool"))


def _getattr(machine: Machine, call: Call) -> Value:
    owner, name = call.args[0], call.argument(1, "name")
    if isinstance(name, str):
        return machine.each(owner, lambda each: machine.attribute(each, name, call.site))
    return Unknown("getattr() with an unknown name", deps=(owner,))


def _setattr(machine: Machine, call: Call) -> Value:
    from .targets import set_attribute

    if len(call.args) == 3 and isinstance(call.args[1], str) and call.site.node is not None:
        set_attribute(machine, call.args[0], call.args[1], call.args[2], call.site.node)
    return None


def _type(machine: Machine, call: Call) -> Value:
    value = call.args[0] if call.args else None
    if isinstance(value, Instance):
        return value.cls
    if isinstance(value, Tensor):
        return TorchName("torch.Tensor")
    return Unknown("type()", deps=(value,))


def _iter(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    return IterValue(items, open_)


def _next(machine: Machine, call: Call) -> Value:
    from .expressions import fresh

    value = call.args[0] if call.args else None
    if isinstance(value, IterValue):
        if value.source is not None:
            generators.collect(machine, value)
        if value.modes and value.modes[0] is not machine.autograd.mode:
            machine.autograd.set_mode(value.modes[0])
        if value.items:
            first = value.items[0]
            if value.open:
                return fresh(first)
            machine.heap.write(value, "items", value.items[1:])
            machine.heap.write(value, "modes", value.modes[1:])
            return first
        if len(call.args) > 1:
            return call.args[1]
    items, _ = machine.iterate(value, call.site)
    return fresh(items[0]) if items else Unknown("next() of nothing")


def _sorted(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    return ListValue(items, open_=open_ or (len(items) > 1 and not all(isinstance(i, _CONSTANTS) for i in items)))


def _reversed(machine: Machine, call: Call) -> Value:
    items, open_ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    return IterValue(items[::-1], open_)


def _any_all(machine: Machine, call: Call) -> Value:
    items, _ = machine.iterate(call.args[0], call.site) if call.args else ([], True)
    del items
    return Scalar("bool")


def _super(machine: Machine, call: Call) -> Value:
    if len(call.args) == 2 and isinstance(call.args[0], ClassValue):
        return SuperValue(call.args[1], call.args[0])
    return zero_argument_super(machine)


def _reveal(machine: Machine, call: Call) -> Value:
    value = call.args[0] if call.args else None
    snapshot = value
    if isinstance(value, Tensor):
        machine.autograd.refresh(value)
        snapshot = (value, value.node, value.requires_grad)
    machine.events.reveals.append((call.site, snapshot))
    return value


def _callable(machine: Machine, call: Call) -> Value:
    return True if isinstance(call.args[0], (FunctionValue, BoundMethod, ClassValue)) else Scalar("bool")


def _object(machine: Machine, call: Call) -> Value:
    return Unknown("object()")


_BUILTINS: dict[str, Callable[[Machine, Call], Value]] = {
    "int": _number("int"),
    "float": _number("float"),
    "bool": _number("bool"),
    "complex": _number("complex"),
    "str": lambda machine, call: call.args[0] if call.args and isinstance(call.args[0], str) else Scalar("str"),
    "range": _range,
    "len": _len,
    "list": _sequence("list"),
    "tuple": _sequence("tuple"),
    "set": _sequence("set"),
    "frozenset": _sequence("set"),
    "dict": _dict,
    "zip": _zip,
    "enumerate": _enumerate,
    "map": _map,
    "filter": _filter,
    "sum": _sum,
    "max": _exact_extreme(max),
    "min": _exact_extreme(min),
    "abs": _abs,
    "pow": _pow,
    "round": _round,
    "isinstance": _isinstance,
    "issubclass": lambda machine, call: Scalar("bool"),
    "hasattr": _hasattr,
    "getattr": _getattr,
    "setattr": _setattr,
    "type": _type,
    "iter": _iter,
    "next": _next,
    "sorted": _sorted,
    "reversed": _reversed,
    "any": _any_all,
    "all": _any_all,
    "super": _super,
    "callable": _callable,
    "object": _object,
    "reveal_grad": _reveal,
    "property": lambda machine, call: PropertyValue(call.args[0]) if call.args else Unknown("property()"),
}


# ---------------------------------------------------------------------- methods of containers


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
            return _next(machine, Call([owner], {}, call.site))
        return Unknown(f"`.{name}()` of an iterator", deps=tuple(owner.items))
    if isinstance(owner, tuple):
        return Scalar("int") if name in ("index", "count") else Unknown(f"`.{name}()` of a tuple", deps=owner)
    if name in ("split", "splitlines", "rsplit"):
        return ListValue([Scalar("str")], open_=True)
    if name in ("startswith", "endswith", "isdigit") and call.args and isinstance(call.args[0], str):
        return getattr(owner, name)(call.args[0])
    if name in ("lower", "upper", "strip"):
        return getattr(owner, name)()
    return Scalar("str")


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
        at = first if isinstance(first, int) else 0
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
        heap.write(owner, "items", ())
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
