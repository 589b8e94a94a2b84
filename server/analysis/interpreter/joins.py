"""Join: the value a variable has after branches that left different ones."""

from __future__ import annotations

from typing import Any

from ..autograd import truth
from ..autograd.engine import Autograd
from ..autograd.graph import Edge, Frozen, Memory, Node, Path, Version, contradicts, join_versions
from ..autograd.heap import MISSING
from ..autograd.operation import Mode
from ..autograd.tensor import ANY_FORM, UNKNOWN_DEVICE, Device, Form, Grad, Tensor
from ..autograd.truth import Truth, maybe
from ..values import Choice, Emptied, ListValue, Scalar, Source, Unknown, Value, unknown_tensor

_NUMBERS = (int, float, complex, bool)
_MAX_ALTERNATIVES = 4
_MOST_JOINS = 16


class Joiner:
    """Joins values; `paths` are the paths of the two sides (used where both alternatives have to be kept)."""

    def __init__(self, autograd: Autograd) -> None:
        self.autograd = autograd

    def values(self, left: Value, right: Value, left_path: Path, right_path: Path) -> Value:
        """The join of two values or of two states of one field."""
        if left is right:
            return left
        if left is MISSING:
            return right
        if right is MISSING:
            return left
        emptied = _emptied(left, right) if isinstance(left, (tuple, ListValue)) else None
        if emptied is not None:
            return emptied
        if type(left) is type(right):
            same = self._same_type(left, right, left_path, right_path)
            if same is not None:
                return same
        if isinstance(left, Node) or isinstance(right, Node):
            return self._nodes(left, right)
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            one, other = (left, right) if isinstance(left, Tensor) else (right, left)
            as_tensor = self._tensor_of(other)
            if as_tensor is not None:
                return self.autograd.joined(one, as_tensor)
        if isinstance(left, Frozen) or isinstance(right, Frozen):
            # One place is told, that of the one branch if the other froze nothing; the flag says if it was for sure.
            return left if isinstance(left, Frozen) else right
        if isinstance(left, Source) or isinstance(right, Source):
            # A generator that was started on one of the paths is taken as one that was not.
            return left if isinstance(left, Source) else right
        if _numeric(left) and _numeric(right):
            return Scalar(_number_kind(left, right), self._nodes(_node(left), _node(right)))
        return self._choice(left, right, left_path, right_path)

    def _same_type(self, left: Any, right: Any, left_path: Path, right_path: Path) -> Value | None:
        if isinstance(left, Tensor):
            if left_path != right_path:
                if _never_where(left, left_path):
                    return right
                if _never_where(right, right_path):
                    return left
            return self.autograd.joined(left, right)
        if isinstance(left, Truth):
            return truth.join(left, right)
        if isinstance(left, Version):
            return join_versions(left, right)
        if isinstance(left, Memory):
            either = Memory()
            either.version = join_versions(left.version, right.version)
            return either
        if isinstance(left, Node):
            return self._nodes(left, right)
        if isinstance(left, Device):
            if left.kind == right.kind:
                return left
            return Device("either") if "cpu" in (left.kind, right.kind) else UNKNOWN_DEVICE
        if isinstance(left, Form):
            return left if left == right else ANY_FORM
        if isinstance(left, Grad):
            graph = left.graph if left.graph is right.graph else None
            return Grad(truth.join(left.present, right.present), left.by or right.by, graph)
        if isinstance(left, Mode):
            return Mode(
                truth.join(left.enabled, right.enabled), left.cut or right.cut, left.inference and right.inference
            )
        if isinstance(left, (*_NUMBERS, str, bytes)):
            return left if left == right else None
        if isinstance(left, tuple):
            longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
            joined = [self.values(a, b, left_path, right_path) for a, b in zip(left, right, strict=False)]
            return (*joined, *longer[len(shorter) :])
        if isinstance(left, Scalar):
            kind = left.kind if left.kind == right.kind else "number"
            memory = left.memory if left.memory is right.memory else None
            return Scalar(kind, self._nodes(left.node, right.node), memory)
        if isinstance(left, Unknown):
            both = Unknown(left.reason, name=left.name, deps=(left, right), symbolic=left.symbolic and right.symbolic)
            both.plain = left.plain and right.plain
            # `out = net(x)` and then `if isinstance(out, tuple): out = out[0]` comes from `x` either way.
            both.node = self._nodes(_history(left), _history(right))
            return both
        return None

    def _nodes(self, left: Node | None, right: Node | None) -> Node | None:
        if left is right:
            return left
        edges = tuple(
            Edge(node, node.result, node.tracked if node.tracked.possible else maybe("it depends on a branch"))
            for node in (left, right)
            if isinstance(node, Node)
        )
        tracked = truth.join(
            left.tracked if isinstance(left, Node) else truth.NO, right.tracked if isinstance(right, Node) else truth.NO
        )
        return Node("join", next((e.node.span for e in edges if e.node), None), edges, tracked=tracked, is_join=True)

    def _tensor_of(self, value: Value) -> Tensor | None:
        if isinstance(value, _NUMBERS):
            tensor = Tensor()
            tensor.scalar = True
            return tensor
        if isinstance(value, Scalar) and value.kind != "str":
            tensor = Tensor(node=value.node)
            tensor.scalar = True
            return tensor
        if isinstance(value, Unknown):
            return unknown_tensor(value)
        return None

    def _choice(self, left: Value, right: Value, left_path: Path, right_path: Path) -> Value:
        alternatives: list[tuple[Path, Value]] = []
        for path, value in ((left_path, left), (right_path, right)):
            for each_path, each in value.alternatives if isinstance(value, Choice) else ((path, value),):
                if not any(each is kept or _equal(each, kept) for _, kept in alternatives):
                    alternatives.append((each_path, each))
        if len(alternatives) == 1:
            return alternatives[0][1]
        if len(alternatives) > _MAX_ALTERNATIVES:
            if all(isinstance(v, str) for _, v in alternatives):
                return Scalar("str")
            return Unknown("one of many values", deps=tuple(v for _, v in alternatives))
        return Choice(tuple(alternatives))


def _emptied(left: Value, right: Value) -> Value:
    """The side on which a list (or its elements) went with a backward, if it did on one: the next time it is sent
    backward, it holds nothing of that graph. What the other side holds was not sent backward. None otherwise."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Emptied) and isinstance(other, tuple):
            return one
        if isinstance(one, ListValue) and isinstance(one.items, Emptied) and isinstance(other, ListValue):
            return one
    return None


def _never_where(tensor: Tensor, path: Path) -> bool:
    """Whether no run that takes a path has made a tensor: a name that an earlier pass of a loop bound under the other
    outcome of a condition (`if mode == "mean": out = f(x)`) is not bound here, and its use would raise."""
    if not path or tensor.node is None:
        return False
    found = [tensor.node]
    for node in found:
        if contradicts(node.path, path):
            continue
        if not node.is_join or len(found) > _MOST_JOINS:
            return False
        for edge in node.edges:
            if edge.node is None:
                return False
            if edge.node not in found:
                found.append(edge.node)
    return True


def _equal(left: Value, right: Value) -> bool:
    return type(left) is type(right) and isinstance(left, (*_NUMBERS, str, bytes, type(None))) and left == right


def _numeric(value: Value) -> bool:
    return isinstance(value, _NUMBERS) or (isinstance(value, Scalar) and value.kind != "str")


def _history(value: Unknown) -> Node | None:
    return value.node if value.tensor is None else value.tensor.node


def _node(value: Value) -> Node | None:
    return value.node if isinstance(value, Scalar) else None


def _number_kind(left: Value, right: Value) -> str:
    kinds = {v.kind if isinstance(v, Scalar) else type(v).__name__ for v in (left, right)}
    return kinds.pop() if len(kinds) == 1 else "float" if kinds <= {"int", "float", "bool"} else "number"
