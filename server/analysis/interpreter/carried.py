"""What one pass of a loop leaves for the next: names read before they are written, objects from before the loop.

A further pass over a body is there to see the next iteration meet what the last one left. Where the last one left
nothing different behind, the next would see what it saw, and is not run.
"""

from __future__ import annotations

import ast
from typing import Any

from ..autograd.engine import Autograd
from ..autograd.graph import Counter, Memory, Node, newest_order
from ..autograd.heap import MISSING, Table
from ..autograd.tensor import Device, Tensor
from ..autograd.truth import Truth
from ..torch_model.modules import LISTED
from ..values import ClassValue, DictValue, FunctionValue, ListValue, Scalar, Unknown, Value
from .body_names import carried_names, free_names
from .machine import Machine

_NUMBERS = (int, float, complex)
_CONSTANTS = (int, float, complex, str, bytes, bool, type(None))
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_MOST_DATA = 32
"""How many operations data may have behind it to be known for data."""


def alike(left: Value, right: Value) -> bool:
    """Whether two values are the same to autograd: equal constants, data of the same kind."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, (*_CONSTANTS, Device)):
        return left == right
    if isinstance(left, Truth):
        return left.value is right.value
    if isinstance(left, Tensor):
        same = left.floating.value is right.floating.value and left.device == right.device
        return same and _is_data(left) and _is_data(right)
    if isinstance(left, Scalar):
        return left.kind == right.kind and left.node is right.node
    if isinstance(left, Unknown):
        return left.plain and right.plain and left.node is None and right.node is None
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, ListValue):
        return left.open == right.open and left.kind == right.kind and alike(left.items, right.items)
    if isinstance(left, DictValue):
        same = list(left.items) == list(right.items) and left.rest is right.rest
        return same and all(map(alike, left.items.values(), right.items.values()))
    return False


def _is_data(tensor: Tensor) -> bool:
    """Whether no gradient was ever near a tensor: nothing it was computed from requires grad."""
    if tensor.requires_grad.possible or tensor.is_parameter or tensor.either or tensor.lies_in:
        return False
    if tensor.node is None:
        return True
    if tensor.view_of is not None:
        return False
    todo, seen = [tensor.node], set[Node]()
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.cut is not None or node.opaque or node.tracked.possible or len(seen) > _MOST_DATA:
            return False
        for edge in node.edges:
            if edge.live.possible:
                return False
            if edge.node is not None:
                todo.append(edge.node)
    return True


def _number(value: Value) -> bool:
    return isinstance(value, (*_NUMBERS, Scalar)) and not (isinstance(value, Scalar) and value.kind == "str")


def _read_inside(function: FunctionValue) -> frozenset[str]:
    """Free names of the functions inside a function; found once."""
    node = function.node
    cached = getattr(node, "gradsight_inner", None)
    if cached is None:
        source = function.module.source
        text = source.text[source.line_start(node.body[0].lineno) : source.line_end(node.end_lineno)]
        inner: list[Any] = []
        if "def " in text or "lambda" in text:
            inner = [n for n in ast.walk(node) if isinstance(n, _SCOPES) and n is not node]
        cached = node.gradsight_inner = frozenset().union(*map(free_names, inner))
    return cached


class Watch:
    """What one pass over a loop's body changes; made before the pass."""

    __slots__ = (
        "cleared",
        "emptied",
        "errors",
        "grown",
        "machine",
        "mark",
        "mode",
        "node",
        "numbers",
        "reads",
        "sinks",
        "start",
        "steps",
    )

    def __init__(self, machine: Machine, node: Any) -> None:
        self.machine, self.node = machine, node
        self.mark, self.start, self.mode = machine.heap.mark(), newest_order(), machine.autograd.mode
        self.reads, self.sinks = len(machine.events.reads), len(machine.events.sinks)
        self.steps, self.cleared = len(machine.events.steps), len(machine.events.emptied)
        self.emptied: set[int] | None = None
        self.grown: list[ListValue] = []
        self.numbers: list[str] = []

    def nothing_left(self) -> bool:
        """Whether the next pass would meet what this one met. Call it once, after the pass."""
        machine = self.machine
        mode = machine.autograd.mode
        if mode is not self.mode and (
            mode.enabled.value is not self.mode.enabled.value or mode.inference != self.mode.inference
        ):
            return False
        for sink in machine.events.sinks[self.sinks :]:
            if any(node.order < self.start for node in sink.outcome.reach.nodes):
                return False
        changes = machine.heap.changes(self.mark)
        return all(self._harmless(obj, key, before, after) for obj, key, before, after in changes)

    def _harmless(self, obj: Any, key: Any, before: Any, after: Any) -> bool:
        kind = type(obj)
        if kind is Counter or kind is Memory:
            # A write in this pass and a graph of this pass; older graphs are looked at through their backward.
            return True
        if kind is Tensor:
            return obj.born > self.start or key == "name" or self._same_field(obj, key, before, after)
        if kind is Node:
            return obj.order > self.start or alike(before, after)
        if key == LISTED:
            # A pass that adds a module, which is what asks for it, leaves more than this behind.
            return True
        if kind is Table:
            return obj.born > self.start or self._same_entry(obj, key, before, after)
        if kind is ListValue and key in ("items", "open"):
            return obj.born > self.start or self._same_items(obj, key, before, after)
        if kind is Autograd:
            return key == "mode" or before is after
        born = getattr(obj, "born", None)
        return (born is not None and born > self.start) or alike(before, after)

    def _same_field(self, tensor: Tensor, key: str, before: Any, after: Any) -> bool:
        if key != "grad":
            return alike(before, after)
        if before.present.value is after.present.value:
            return True
        # Only a read of `.grad` can tell the difference, and a step, which changes what has a gradient.
        events = self.machine.events
        if len(events.reads) != self.reads:
            return False
        stepped = False
        for step in events.steps[self.steps :]:
            for held, grad in step.grads:
                if held is tensor:
                    stepped = True
                    if grad.present.value is not after.present.value:
                        return False
        # What a step has used and nothing has cleared, the next pass adds to.
        return not stepped or not after.present.yes or self._is_emptied(tensor)

    def _is_emptied(self, tensor: Tensor) -> bool:
        """Whether the pass cleared the gradient of a tensor, at any time."""
        if self.emptied is None:
            cleared = self.machine.events.emptied[self.cleared :]
            self.emptied = {id(each) for tensors in cleared for each in tensors}
        return id(tensor) in self.emptied

    def _same_entry(self, table: Table, name: Any, before: Any, after: Any) -> bool:
        scope = self.machine.frame.scope
        if table is not scope.names:
            return alike(before, after)
        live, counted = carried_names(self.node)
        if name in counted and (before is MISSING or _number(before)) and _number(after):
            self.numbers.append(name)
            return name not in self._read_elsewhere()
        if alike(before, after):
            return True
        return name not in live and name not in counted and name not in self._read_elsewhere()

    def _read_elsewhere(self) -> frozenset[str]:
        """Names of this scope that functions called from the body may read."""
        scope = self.machine.frame.scope
        if not scope.is_module:
            if scope.function is None:
                return frozenset()
            return _read_inside(scope.function)
        found: set[str] = set()
        for value in scope.module.namespace.values():
            if isinstance(value, FunctionValue):
                found |= free_names(value.node)
            elif isinstance(value, ClassValue):
                for method in value.namespace.values():
                    if isinstance(method, FunctionValue):
                        found |= free_names(method.node)
        return frozenset(found)

    def _same_items(self, obj: ListValue, key: str, before: Any, after: Any) -> bool:
        if key == "open":
            return True
        if before is MISSING:
            return False
        new = after[len(before) :]
        if len(after) > len(before) and alike(after[: len(before)], before) and all(map(_number, new)):
            self.grown.append(obj)
            return True
        return alike(before, after)

    def widen(self) -> None:
        """Make the state that of a loop of further passes: counted numbers and grown lists have no known value."""
        machine = self.machine
        for name in self.numbers:
            value = machine.frame.scope.names.get(name)
            if isinstance(value, _NUMBERS):
                machine.heap.put(machine.frame.scope.names, name, Scalar(type(value).__name__))
        for each in self.grown:
            machine.heap.write(each, "open", True)
