"""Expressions: from syntax to values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from ..autograd.heap import MISSING, remember
from ..autograd.tensor import Tensor
from ..torch_model import frameworks
from ..values import (
    Builtin,
    Call,
    Choice,
    ClassValue,
    DictValue,
    External,
    FunctionValue,
    GradModeValue,
    Instance,
    IterValue,
    ListValue,
    ModuleObject,
    Scalar,
    Site,
    SliceValue,
    TorchName,
    Unknown,
    Value,
)
from . import builtins, records
from .calls import PropertyValue, call_function, call_value, make_function
from .imports import LazyImport
from .keys import key_of
from .machine import DeadEnd, Machine, Negation

ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.MatMult: operator.matmul,
}
COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
OPERATOR_NAMES: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.MatMult: "matmul",
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}
_CONSTANTS = (int, float, complex, str, bytes, bool, type(None))
POLL = 31
"""The caller may have lost interest: asked once in so many steps and one."""


def evaluate(machine: Machine, node: ast.expr) -> Value:
    """The value of an expression."""
    # A tick of the budget, written out: nothing else is done as often.
    machine.steps += 1
    if machine.steps > machine.max_steps or not machine.steps & POLL:
        machine.tick(0)
    handler = _HANDLERS.get(type(node))
    if handler is None:
        machine.unresolved(f"expression {type(node).__name__}")
        return Unknown(f"an expression of kind {type(node).__name__}")
    return handler(machine, node)


def record(machine: Machine, node: ast.AST, value: Value) -> None:
    """Remember the tensor at a place, for hover."""
    if type(value) is Tensor and machine.module is machine.main:
        kept = machine.recorded.setdefault(node, [])
        if len(kept) < 4:
            kept.append((value, value.node, value.requires_grad))


def load_name(machine: Machine, name: str, node: ast.AST) -> Value:
    """The value a name is bound to."""
    value = machine.frame.scope.lookup(name)
    if value is MISSING:
        if name in builtins.NAMES:
            return Builtin(name)
        if name == "reveal_grad":
            return Builtin(name)
        value = Unknown(f"`{name}` is not defined here", name=name)
        # The same unresolved name is the same unknown everywhere.
        if name not in machine.module.namespace:
            remember(machine.module.namespace, name, value)
        return machine.module.namespace[name]
    kind = type(value)
    if kind is Tensor:
        if machine.module is machine.main:
            record(machine, node, value)
        return value
    if kind is LazyImport:
        value = machine.importer.settle(machine, value)
        record(machine, node, value)
        kind = type(value)
    if kind is Choice:
        value = machine.narrow(value)
        record(machine, node, value)
    return value


def _name(machine: Machine, node: ast.Name) -> Value:
    return load_name(machine, node.id, node)


def _constant(machine: Machine, node: ast.Constant) -> Value:
    return node.value


def _attribute(machine: Machine, node: ast.Attribute) -> Value:
    owner = evaluate(machine, node.value)
    site = machine.site(node)
    if type(owner) is Choice:
        value = machine.each(owner, lambda each: machine.attribute(each, node.attr, site))
    else:
        value = objects.attribute(machine, owner, node.attr, site)
    if type(value) is Choice:
        value = machine.narrow(value)
    record(machine, node, value)
    return value


def _call(machine: Machine, node: ast.Call) -> Value:
    function = evaluate(machine, node.func)
    if isinstance(function, Builtin) and function.name == "super" and not node.args:
        return builtins.zero_argument_super(machine)
    if isinstance(function, Builtin) and function.name == "locals":
        return DictValue(machine.frame.scope.names)
    args: list[Value] = []
    open_args = False
    for arg in node.args:
        if isinstance(arg, ast.Starred):
            items, open_ = machine.iterate(evaluate(machine, arg.value), machine.site(arg))
            args.extend(items[:1] if open_ and len(items) > 1 and items[0] is items[-1] else items)
            open_args = open_args or open_
        else:
            args.append(evaluate(machine, arg))
    kwargs: dict[str, Value] = {}
    for keyword in node.keywords:
        value = evaluate(machine, keyword.value)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif isinstance(value, DictValue):
            kwargs.update({str(k): v for k, v in value.items.items()})
            open_args = open_args or value.rest is not None
        else:
            open_args = True
    call = Call(args, kwargs, machine.site(node), open_args)
    if machine.sinks and frameworks.named_sink(machine.sinks, function, lambda: frameworks.written_name(node.func)):
        frameworks.run_backward(machine, frameworks.loss_argument(call), call)
        return Unknown("a sink of the settings")
    if type(function) is Choice:
        result = machine.each(function, lambda each: call_value(machine, each, call))
    else:
        result = call_value(machine, function, call)
    record(machine, node, result)
    return result


def _bin_op(machine: Machine, node: ast.BinOp) -> Value:
    left = evaluate(machine, node.left)
    right = evaluate(machine, node.right)
    site = machine.site(node)
    if type(left) is Choice or type(right) is Choice:
        result = machine.each(left, lambda a: machine.each(right, lambda b: binary(machine, node.op, a, b, site)))
    else:
        result = binary(machine, node.op, left, right, site)
    record(machine, node, result)
    return result


def binary(
    machine: Machine, op: ast.operator | ast.cmpop, left: Value, right: Value, site: Site, in_place: bool = False
) -> Value:
    """`left op right`, or `left op= right`."""
    name = OPERATOR_NAMES[type(op)]
    if isinstance(right, Choice):
        return machine.each(right, lambda each: binary(machine, op, left, each, site, in_place))
    if isinstance(left, _CONSTANTS) and isinstance(right, _CONSTANTS):
        return _fold(ARITHMETIC[type(op)], left, right)
    for each, other, reflected in ((left, right, False), (right, left, True)):
        if isinstance(each, Instance):
            names = [f"__i{name}__"] if in_place and not reflected else []
            for method in [*names, f"__{'r' if reflected else ''}{name}__"]:
                found = each.cls.find(method)
                if found is not None:
                    return call_function(machine, found[0], [each, other], site)
            return Unknown(f"`{name}` on an object", deps=(left, right))
    if isinstance(left, str) or isinstance(right, str) or _is_text(left) or _is_text(right):
        return Scalar("str")
    sequences = (tuple, ListValue)
    if isinstance(left, sequences) and name == "add" and isinstance(right, (*sequences, IterValue)):
        return _concatenate(machine, left, right, site)
    if isinstance(left, sequences) and name == "mul":
        return _repeat(left, right)
    if isinstance(right, sequences) and name == "mul":
        return _repeat(right, left)
    return machine.torch.binary(name, left, right, site, in_place)


def _is_text(value: Value) -> bool:
    return isinstance(value, Scalar) and value.kind == "str"


def _fold(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Value:
    try:
        if function is operator.pow and isinstance(right, (int, float)) and abs(right) > 64:
            return Scalar("number")
        result = function(left, right)
        if isinstance(result, (str, bytes)) and len(result) > 10_000:
            return Scalar("str")
        if isinstance(result, int) and result.bit_length() > 512:
            return Scalar("int")
        return result
    except Exception:  # the program's own type errors; nothing about gradients follows from them
        return Scalar("number")


def _concatenate(machine: Machine, left: Value, right: Value, site: Site) -> Value:
    a, open_a = machine.iterate(left, site)
    b, open_b = machine.iterate(right, site)
    if isinstance(left, tuple) and not (open_a or open_b):
        return (*a, *b)
    return ListValue([*a, *b], open_=open_a or open_b)


def _repeat(sequence: Value, count: Value) -> Value:
    items = sequence if isinstance(sequence, tuple) else sequence.items
    if isinstance(count, int) and 0 <= count * len(items) <= 64:
        repeated = items * count
        return repeated if isinstance(sequence, tuple) else ListValue(repeated)
    return ListValue(items, open_=True)


def _unary(machine: Machine, node: ast.UnaryOp) -> Value:
    operand = evaluate(machine, node.operand)
    if isinstance(node.op, ast.Not):
        known = machine.truth(operand)
        if known is not None:
            return not known
        return operand.value if isinstance(operand, Negation) else Negation(operand)
    if isinstance(operand, (int, float, complex)):
        operations: dict[type, Callable[[Any], Any]] = {
            ast.USub: operator.neg,
            ast.UAdd: operator.pos,
            ast.Invert: operator.invert,
        }
        try:
            return operations[type(node.op)](operand)
        except TypeError:
            return Scalar("number")
    names: dict[type, str] = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}
    site = machine.site(node)
    result = machine.each(operand, lambda each: machine.torch.unary(names[type(node.op)], each, site))
    record(machine, node, result)
    return result


def _bool_op(machine: Machine, node: ast.BoolOp) -> Value:
    is_and = isinstance(node.op, ast.And)
    values: list[Value] = []
    for operand in node.values:
        value = evaluate(machine, operand)
        known, _, _ = machine.test(value)
        if known is None:
            values.append(value)
            continue
        if known is not is_and:
            if not values:
                return value
            values.append(value)
            break
        if operand is node.values[-1]:
            values.append(value)
    if len(values) == 1:
        return values[0]
    if not values:
        return is_and
    if all(isinstance(v, (bool, Scalar, Negation)) for v in values):
        return Scalar("bool")
    return machine.join_all(values)


def _compare(machine: Machine, node: ast.Compare) -> Value:
    left = evaluate(machine, node.left)
    if len(node.ops) == 1:
        right = evaluate(machine, node.comparators[0])
        result = compare(machine, node.ops[0], left, right, machine.site(node))
        record(machine, node, result)
        return result
    outcomes = []
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(machine, comparator)
        outcomes.append(compare(machine, op, left, right, machine.site(node)))
        left = right
    if any(o is False for o in outcomes):
        return False
    return True if all(o is True for o in outcomes) else Scalar("bool")


def compare(machine: Machine, op: ast.cmpop, left: Value, right: Value, site: Site) -> Value:
    """`left op right` for comparisons, `is` and `in`."""
    left, right = machine.narrow(left), machine.narrow(right)
    if isinstance(op, (ast.Is, ast.IsNot)):
        same = _identical(machine, left, right)
        if isinstance(same, bool):
            return same is isinstance(op, ast.Is)
        return same if isinstance(op, ast.Is) else Negation(same)
    if isinstance(op, (ast.In, ast.NotIn)):
        inside = _contains(machine, left, right)
        if isinstance(inside, bool):
            return inside is isinstance(op, ast.In)
        return inside if isinstance(op, ast.In) else Negation(inside)
    if isinstance(left, _CONSTANTS) and isinstance(right, _CONSTANTS):
        try:
            return bool(COMPARE[type(op)](left, right))
        except TypeError:
            return Scalar("bool")
    if isinstance(left, Instance) or isinstance(right, Instance):
        members = _compare_members(op, left, right)
        if members is not None:
            return members
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return machine.torch.binary(OPERATOR_NAMES[type(op)], left, right, site, False)
    if isinstance(left, Choice) or isinstance(right, Choice):
        return _compare_choice(machine, op, left, right, site)
    if isinstance(left, TorchName) and isinstance(right, TorchName):
        return (left == right) is isinstance(op, ast.Eq)
    if isinstance(left, (Unknown, Scalar)) and isinstance(right, _CONSTANTS):
        key = (left, type(ast.Eq() if isinstance(op, ast.NotEq) else op), right)
        result = machine.comparison(key, lambda: Scalar("bool"))
        return Negation(result) if isinstance(op, ast.NotEq) else result
    return Scalar("bool")


def _compare_members(op: ast.cmpop, left: Value, right: Value) -> bool | None:
    """`==` and `!=` where a member of an enum takes part; None if the answer is not known."""
    if not isinstance(op, (ast.Eq, ast.NotEq)):
        return None
    equal = isinstance(op, ast.Eq)
    sides = [each.cls.enum if isinstance(each, Instance) else False for each in (left, right)]
    if all(sides):
        return (left is right) is equal
    for member, other, is_member in ((left, right, sides[0]), (right, left, sides[1])):
        if is_member and isinstance(other, _CONSTANTS):
            # A member equals a plain value only where the enum is also a str or int.
            value = member.attributes["value"]
            return (isinstance(value, _CONSTANTS) and value == other and len(member.cls.bases) > 1) is equal
    return None


def _compare_choice(machine: Machine, op: ast.cmpop, left: Value, right: Value, site: Site) -> Value:
    one, other = (left, right) if isinstance(left, Choice) else (right, left)
    if isinstance(other, Choice):
        return Scalar("bool")
    alternatives = tuple(
        (path, compare(machine, op, value, other, site) if one is left else compare(machine, op, other, value, site))
        for path, value in one.alternatives
    )
    outcomes = {v for _, v in alternatives if isinstance(v, bool)}
    if len(outcomes) == 1 and all(isinstance(v, bool) for _, v in alternatives):
        return outcomes.pop()
    return Choice(alternatives)


def _identical(machine: Machine, left: Value, right: Value) -> Value:
    if left is None or right is None:
        other = right if left is None else left
        if other is None:
            return True
        if isinstance(other, Unknown):
            return machine.comparison((other, "is None"), lambda: Scalar("bool"))
        if isinstance(other, Choice):
            return Choice(tuple((p, _identical(machine, v, None)) for p, v in other.alternatives))
        return False
    if isinstance(left, (bool, type(Ellipsis))) and isinstance(right, (bool, type(Ellipsis))):
        return left is right
    if left is right and isinstance(left, (Tensor, Instance, ModuleObject, ListValue, DictValue)):
        return True
    if isinstance(left, (Tensor, Instance, ModuleObject)) and isinstance(right, (Tensor, Instance, ModuleObject)):
        return False
    return Scalar("bool")


def _contains(machine: Machine, left: Value, right: Value) -> Value:
    if isinstance(right, DictValue):
        if key_of(left) is not MISSING:
            if left in right.items:
                return True
            return False if right.rest is None else machine.comparison((left, "in", right), lambda: Scalar("bool"))
        return Scalar("bool")
    if isinstance(left, _CONSTANTS):
        if isinstance(right, str) and isinstance(left, str):
            return left in right
        items = right if isinstance(right, tuple) else right.items if isinstance(right, ListValue) else None
        if items is not None and all(isinstance(item, _CONSTANTS) for item in items):
            if left in items:
                return True
            return False if isinstance(right, tuple) or not right.open else Scalar("bool")
    return Scalar("bool")


def _if_exp(machine: Machine, node: ast.IfExp) -> Value:
    known, key, polarity = machine.test(evaluate(machine, node.test))
    if known is True:
        return evaluate(machine, node.body)
    if known is False:
        return evaluate(machine, node.orelse)
    return machine.fork(
        [
            (frozenset({(key, polarity)}), lambda: evaluate(machine, node.body)),
            (frozenset({(key, not polarity)}), lambda: evaluate(machine, node.orelse)),
        ]
    )


def _named(machine: Machine, node: ast.NamedExpr) -> Value:
    from .targets import assign

    value = evaluate(machine, node.value)
    assign(machine, node.target, value)
    return value


def _sequence(machine: Machine, elts: list[ast.expr]) -> tuple[list[Value], bool]:
    items: list[Value] = []
    open_ = False
    for element in elts:
        if isinstance(element, ast.Starred):
            more, more_open = machine.iterate(evaluate(machine, element.value), machine.site(element))
            items.extend(more)
            open_ = open_ or more_open
        else:
            items.append(evaluate(machine, element))
    return items, open_


def _tuple(machine: Machine, node: ast.Tuple) -> Value:
    items, open_ = _sequence(machine, node.elts)
    return ListValue(items, open_=True) if open_ else tuple(items)


def _list(machine: Machine, node: ast.List) -> Value:
    items, open_ = _sequence(machine, node.elts)
    return ListValue(items, open_=open_)


def _set(machine: Machine, node: ast.Set) -> Value:
    items, open_ = _sequence(machine, node.elts)
    return ListValue(items, "set", open_)


def _dict(machine: Machine, node: ast.Dict) -> Value:
    result = DictValue()
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        value = evaluate(machine, value_node)
        if key_node is None:
            if isinstance(value, DictValue):
                result.items.update(value.items)
                if value.rest is not None:
                    result.rest = value.rest
            else:
                result.rest = Unknown("an unknown mapping", deps=(value,))
            continue
        key = key_of(evaluate(machine, key_node))
        if key is not MISSING:
            result.items[key] = value
        else:
            result.rest = value if result.rest is None else machine.join(result.rest, value)
    return result


def _subscript_node(machine: Machine, node: ast.Subscript) -> Value:
    owner = evaluate(machine, node.value)
    index = evaluate(machine, node.slice)
    site = machine.site(node)
    result = machine.narrow(machine.each(owner, lambda each: subscript(machine, each, index, site)))
    record(machine, node, result)
    return result


def subscript(machine: Machine, owner: Value, index: Value, site: Site) -> Value:
    """`owner[index]`."""
    if isinstance(owner, (Tensor, Scalar, Unknown, ModuleObject, TorchName)):
        return machine.torch.subscript(owner, index, site)
    if isinstance(owner, DictValue):
        key = key_of(index)
        if key is not MISSING:
            if key in owner.items:
                return owner.items[key]
            if owner.factory is not None and owner.rest is None:
                made = machine.call(owner.factory[0], Call([], {}, site))
                machine.heap.put(owner.items, key, made)
                return made
            if owner.rest is not None:
                return owner.rest
            return Unknown("a missing dict entry", deps=tuple(owner.items.values()))
        if owner.factory is not None and owner.rest is None:
            machine.heap.write(owner, "rest", machine.call(owner.factory[0], Call([], {}, site)))
        values = [*owner.items.values(), *([owner.rest] if owner.rest is not None else [])]
        return _any_of(machine, values)
    if isinstance(owner, (tuple, ListValue, IterValue)):
        items = owner if isinstance(owner, tuple) else owner.items
        open_ = not isinstance(owner, tuple) and owner.open
        if isinstance(index, int) and not open_:
            return items[index] if -len(items) <= index < len(items) else Unknown("an index out of range")
        if isinstance(index, int) and items and open_:
            return items[index] if -len(items) <= index < len(items) else items[-1]
        if isinstance(index, SliceValue):
            bounds = (index.lower, index.upper, index.step)
            if not open_ and all(b is None or isinstance(b, int) for b in bounds):
                part = items[slice(*bounds)]
                return part if isinstance(owner, tuple) else ListValue(part)
            return ListValue(items, open_=True)
        return _any_of(machine, list(items))
    if isinstance(owner, str):
        return owner[index] if isinstance(index, int) and -len(owner) <= index < len(owner) else Scalar("str")
    if isinstance(owner, Instance):
        fields = records.elements(owner)
        if fields is not None:
            return subscript(machine, fields, index, site)
        found = owner.cls.find("__getitem__")
        if found is not None:
            return call_function(machine, found[0], [owner, index], site)
        handled = machine.torch.subscript(owner, index, site)
        return handled
    if isinstance(owner, ClassValue) and owner.enum and isinstance(index, str):
        return owner.namespace.get(index) or Unknown(f"a member of `{owner.name}`")
    if isinstance(owner, (ClassValue, Builtin, External)):
        return owner
    return Unknown("an index into an unknown value", deps=(owner, index))


def _any_of(machine: Machine, values: list[Value]) -> Value:
    if not values:
        return Unknown("an element of an empty container")
    return machine.join_all(values)


def _slice(machine: Machine, node: ast.Slice) -> Value:
    parts = [None if part is None else evaluate(machine, part) for part in (node.lower, node.upper, node.step)]
    return SliceValue(*parts)


def open_elements(machine: Machine, items: list[Value]) -> list[Value]:
    """Two elements that stand for the first and a later pass over an iterable of unknown length."""
    if not items:
        return []
    if len(items) > 2:
        if all(isinstance(item, (int, float)) for item in items):
            return [Scalar(type(items[0]).__name__), Scalar(type(items[0]).__name__)]
        if len(items) <= 64 and not all(isinstance(item, _CONSTANTS) for item in items):
            joined = _any_of(machine, items)
            return [joined, joined]
    first, last = items[0], items[-1]
    if isinstance(first, (int, float, str)):
        scalar = Scalar(type(first).__name__)
        return [scalar, Scalar(scalar.kind)]
    return [first, fresh(last) if first is last else last]


def fresh(value: Value) -> Value:
    """Another value like this one, for the next pass of a loop: unknowns are new, known objects stay."""
    if isinstance(value, Unknown):
        return value.another()
    if type(value) is tuple:
        return tuple(fresh(item) for item in value)
    if isinstance(value, Scalar):
        return Scalar(value.kind, value.node)
    return value


def _comprehension(machine: Machine, node: Any, emit: Callable[[], None]) -> bool:
    """Run the generators of a comprehension, calling `emit` for each element; whether elements may be missing."""
    from .targets import assign

    def level(depth: int) -> bool:
        if depth == len(node.generators):
            emit()
            return False
        generator = node.generators[depth]
        items, open_ = machine.iterate(evaluate(machine, generator.iter), machine.site(generator.iter))
        if open_ or len(items) > 64:
            items, open_ = open_elements(machine, items)[:1], True
        for item in items:
            assign(machine, generator.target, item)
            skip = False
            for condition in generator.ifs:
                known, _, _ = machine.test(evaluate(machine, condition))
                if known is False:
                    skip = True
                elif known is None:
                    open_ = True
            if not skip:
                open_ = level(depth + 1) or open_
        return open_

    scope = machine.frame.scope
    kept = dict(scope.names)
    try:
        return level(0)
    finally:
        for target in _bound_names(node.generators):
            machine.heap.put(scope.names, target, kept.get(target, MISSING))


def _bound_names(generators: list[ast.comprehension]) -> list[str]:
    return [n.id for g in generators for n in ast.walk(g.target) if isinstance(n, ast.Name)]


def _list_comp(machine: Machine, node: ast.ListComp | ast.SetComp) -> Value:
    items: list[Value] = []
    open_ = _comprehension(machine, node, lambda: items.append(evaluate(machine, node.elt)))
    return ListValue(items, "set" if isinstance(node, ast.SetComp) else "list", open_)


def _generator(machine: Machine, node: ast.GeneratorExp) -> Value:
    items: list[Value] = []
    open_ = _comprehension(machine, node, lambda: items.append(evaluate(machine, node.elt)))
    return IterValue(items, open_)


def _dict_comp(machine: Machine, node: ast.DictComp) -> Value:
    result = DictValue()

    def emit() -> None:
        key, value = key_of(evaluate(machine, node.key)), evaluate(machine, node.value)
        if key is not MISSING:
            result.items[key] = value
        else:
            result.rest = value if result.rest is None else machine.join(result.rest, value)

    if _comprehension(machine, node, emit) and result.rest is None and result.items:
        result.rest = _any_of(machine, list(result.items.values()))
    return result


def _lambda(machine: Machine, node: ast.Lambda) -> Value:
    return make_function(machine, node, "<lambda>")


def _joined_str(machine: Machine, node: ast.JoinedStr) -> Value:
    for value in node.values:
        if isinstance(value, ast.FormattedValue):
            evaluate(machine, value.value)
    return Scalar("str")


def _await(machine: Machine, node: ast.Await) -> Value:
    return evaluate(machine, node.value)


def _yield(machine: Machine, node: ast.Yield) -> Value:
    value = evaluate(machine, node.value) if node.value is not None else None
    _hand_out(machine, [value])
    # What the consumer sends is not known; a plain `yield` gives None, and nobody looks.
    return Unknown("a value sent to the generator")


def _yield_from(machine: Machine, node: ast.YieldFrom) -> Value:
    items, _ = machine.iterate(evaluate(machine, node.value), machine.site(node))
    _hand_out(machine, items)
    return None


def _hand_out(machine: Machine, items: list[Value]) -> None:
    frame = machine.frame
    if frame.on_yield is not None:
        for item in items:
            frame.on_yield(item)
    elif frame.yields is not None:
        frame.yields.extend(items)


def _starred(machine: Machine, node: ast.Starred) -> Value:
    return evaluate(machine, node.value)


def decorate(machine: Machine, decorator: ast.expr, value: Value) -> Value:
    """The value of a decorated function or class."""
    site = machine.site(decorator)
    function = evaluate(machine, decorator)
    if isinstance(function, Builtin) and function.name in ("staticmethod", "classmethod", "property"):
        return builtins.method_kind(function.name, value)
    if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter"):
        owner = evaluate(machine, decorator.value)
        if isinstance(owner, PropertyValue):
            if decorator.attr == "setter":
                return PropertyValue(owner.getter, value)
            return owner if decorator.attr == "deleter" else PropertyValue(value, owner.setter)
    if isinstance(value, ClassValue) and records.is_dataclass_decorator(function):
        value.dataclass = True
        return value
    if isinstance(function, External) and isinstance(value, FunctionValue):
        if function.dotted.rpartition(".")[2] == "cached_property":
            return PropertyValue(value, cached=True)
        if function.dotted in ("functools.lru_cache", "functools.cache"):
            value.cache = {}
            return value
    handled = machine.torch.decorate(function, value, site)
    if handled is not MISSING:
        return handled
    if isinstance(function, (External, Unknown)) and isinstance(value, (FunctionValue, ClassValue)):
        # functools.wraps, lru_cache, pytest and framework decorators: the function underneath is what runs.
        return value
    if isinstance(function, Instance) and not function.cls.find("__call__"):
        return value
    result = machine.each(function, lambda each: call_value(machine, each, Call([value], {}, site)))
    return value if isinstance(result, Unknown) and isinstance(value, (FunctionValue, ClassValue)) else result


def enter_manager(machine: Machine, manager: Value, site: Site) -> Value:
    """`__enter__` of a context manager that is not torch's."""
    if isinstance(manager, Instance):
        found = manager.cls.find("__enter__")
        if found is not None:
            return call_function(machine, found[0], [manager], site)
        return manager
    if isinstance(manager, IterValue):
        return manager.items[0] if manager.items else None
    if isinstance(manager, (GradModeValue,)):
        return None
    return manager if isinstance(manager, Unknown) else Unknown("a context manager", deps=(manager,))


def leave_manager(machine: Machine, manager: Instance, site: Site) -> None:
    """`__exit__` of an object of the program."""
    found = manager.cls.find("__exit__")
    if found is not None:
        try:
            call_function(machine, found[0], [manager, None, None, None], site)
        except DeadEnd:
            return


_HANDLERS: dict[type, Callable[[Machine, Any], Value]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.BinOp: _bin_op,
    ast.UnaryOp: _unary,
    ast.BoolOp: _bool_op,
    ast.Compare: _compare,
    ast.IfExp: _if_exp,
    ast.NamedExpr: _named,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.Subscript: _subscript_node,
    ast.Slice: _slice,
    ast.ListComp: _list_comp,
    ast.SetComp: _list_comp,
    ast.GeneratorExp: _generator,
    ast.DictComp: _dict_comp,
    ast.Lambda: _lambda,
    ast.JoinedStr: _joined_str,
    ast.Await: _await,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.Starred: _starred,
}

# Attributes run properties, which are expressions again.
from . import objects  # noqa: E402
