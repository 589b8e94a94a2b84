"""Route two: run the operation and look.

One call is run once per operand that may require grad (and once with all of them). A pack hook on saved tensors shows
what autograd keeps: whatever shares its version counter with an operand or a result. The first time a save is seen it
is confirmed the hard way: bump the counter, call backward, expect torch's "modified by an inplace operation".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

MODIFIED = "modified by an inplace operation"
ZERO_NODES = {
    f"{name}Backward{i}"
    for name in ("Round", "Floor", "Ceil", "Trunc", "Sign", "Bernoulli", "Poisson", "Fill", "Zero", "Sgn", "Heaviside")
    for i in range(4)
}


@dataclass
class Call:
    """A call to be probed: arguments by parameter name, and how to make the call from (cloned) arguments."""

    values: dict[str, Any]
    run: Callable[[dict[str, Any]], Any]
    fixed: frozenset[str] = frozenset()
    """Arguments that never require grad: a module's buffers."""


@dataclass
class Seen:
    """What one call did. Keys of ``saves`` are (what, parameter requiring grad); values whether it was saved."""

    tensors: set[str] = field(default_factory=set)
    diff: dict[str, bool] = field(default_factory=dict)
    saves: dict[tuple[str, str], bool] = field(default_factory=dict)
    outputs: str = ""
    structure: str = "1"
    is_tuple: bool = False
    tree: str = "T"
    relation: str = "n"
    """How the first output relates to an operand: n fresh, v view, m one of several views, s the operand itself.

    Empty where it cannot be told (no elements, hence no storage to share).
    """
    source: str | None = None
    mutates: set[str] = field(default_factory=set)
    backward: bool = True
    zero: bool = False
    flags: int = 0
    """How many flags the call set and arguments it gave: the plainest call says what a call returns by default."""


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors of an argument or a result, depth first."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in tensors_in(v)]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in tensors_in(v)]
    return []


def _storage(t: Tensor) -> int:
    """What two tensors share if one is a view of the other; sparse tensors have no storage and share none."""
    return t.untyped_storage()._cdata if t.layout == torch.strided else id(t)


def spell_tree(value: Any) -> str:
    """``T``, ``(T,T)``, ``(T,(T,T))`` ...; anything else is ``o``."""
    if isinstance(value, Tensor):
        return "T"
    if isinstance(value, (list, tuple)):
        return "(" + ",".join(spell_tree(v) for v in value) + ")"
    return "o"


def clone(value: Any, grad: bool) -> Any:
    if isinstance(value, Tensor):
        copy = value.detach().clone()
        if grad and (copy.is_floating_point() or copy.is_complex()):
            copy.requires_grad_()
            copy = copy.clone()
        return copy
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return value
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(clone(v, grad) for v in value)
    if isinstance(value, list):
        return [clone(v, grad) for v in value]
    return value


def can_require_grad(value: Any) -> bool:
    return any(t.is_floating_point() or t.is_complex() for t in tensors_in(value))


@dataclass
class _Ran:
    arguments: dict[str, Any]
    result: Any
    packed: list[Tensor]


def _forward(call: Call, grads: Iterable[str]) -> _Ran:
    wanted = set(grads)
    arguments = {name: clone(value, name in wanted) for name, value in call.values.items()}
    packed: list[Tensor] = []

    def pack(t: Tensor) -> Tensor:
        packed.append(t)
        return t

    torch.manual_seed(0)
    # A hook that returns its argument makes torch keep what it was given, which is all that is needed here.
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        result = call.run(arguments)
    return _Ran(arguments, result, packed)


def _moved(ran: _Ran, target: Tensor) -> bool:
    before = [t._version for t in ran.packed]
    torch.autograd.graph.increment_version(target)
    return any(t._version != v for t, v in zip(ran.packed, before, strict=True))


def _loss(result: Any) -> Tensor | None:
    terms = [t.sum() for t in tensors_in(result) if t.requires_grad]
    terms = [t.abs() if t.is_complex() else t for t in terms]
    return sum(terms[1:], terms[0]) if terms else None


def confirmed(call: Call, grad: str, what: str, index: int) -> bool:
    """Whether bumping that tensor after the call makes backward raise the in-place error."""
    arguments = {name: clone(value, name == grad) for name, value in call.values.items()}
    torch.manual_seed(0)
    result = call.run(arguments)
    target = tensors_in(result)[index] if what.startswith("result") else tensors_in(arguments[what])[index]
    loss = _loss(result)
    if loss is None:
        return False
    torch.autograd.graph.increment_version(target)
    try:
        loss.backward()
    except RuntimeError as error:
        return MODIFIED in str(error)
    return False


def look(call: Call, known: dict[tuple[str, str], bool]) -> Seen | None:
    """Probe one call; None if it cannot be run. ``known`` remembers which saves were already confirmed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _look(call, known)
        except Exception:  # an operation may fail in any way on inputs that were not made for it
            return None


def _look(call: Call, known: dict[tuple[str, str], bool]) -> Seen | None:
    operands = [name for name, value in call.values.items() if tensors_in(value)]
    floats = [name for name in operands if name not in call.fixed and can_require_grad(call.values[name])]
    if len(floats) > 1:
        floats = [name for name in floats if _runs(call, name)]
    seen = Seen(tensors=set(operands), flags=100 * sum(v is True for v in call.values.values()) + len(call.values))
    everything = _forward(call, floats)
    _describe(seen, everything, operands)
    plain = _forward_versions(call)
    seen.mutates = plain
    for name in floats:
        ran = _forward(call, [name])
        outputs = tensors_in(ran.result)
        seen.diff[name] = any(t.requires_grad for t in outputs)
        for what, index, target in _targets(ran, operands, seen):
            moved = _moved(ran, target)
            if moved and not known.get((what, name)):
                moved = confirmed(call, name, what, index)
                known[what, name] = moved
            seen.saves[what, name] = seen.saves.get((what, name), False) or moved
    _backward(seen, call, floats)
    return seen


def _runs(call: Call, name: str) -> bool:
    """Some operands may not require grad at all (running statistics): the operation refuses."""
    try:
        _forward(call, [name])
    except RuntimeError:
        return False
    return True


def _forward_versions(call: Call) -> set[str]:
    arguments = {name: clone(value, False) for name, value in call.values.items()}
    before = {name: [t._version for t in tensors_in(value)] for name, value in arguments.items()}
    call.run(arguments)
    return {n for n, value in arguments.items() if [t._version for t in tensors_in(value)] != before[n]}


def _targets(ran: _Ran, operands: list[str], seen: Seen) -> Iterable[tuple[str, int, Tensor]]:
    """Every tensor whose version may be bumped: operands, then results that are not operands or views of them."""
    outputs = tensors_in(ran.result)
    own = {_storage(t) for name in operands for t in tensors_in(ran.arguments[name])}
    for name in operands:
        same = [i for i, t in enumerate(tensors_in(ran.arguments[name])) if any(t is o for o in outputs)]
        for i, t in enumerate(tensors_in(ran.arguments[name])):
            # After an in-place write the operand is the result.
            if i in same and name in seen.mutates:
                place = next(k for k, o in enumerate(outputs) if o is t)
                yield ("result" if len(outputs) == 1 else f"result{place}"), place, t
            else:
                yield name, i, t
    for i, t in enumerate(outputs):
        if _storage(t) not in own:
            yield ("result" if len(outputs) == 1 else f"result{i}"), i, t


def _describe(seen: Seen, ran: _Ran, operands: list[str]) -> None:
    outputs = tensors_in(ran.result)
    if ran.result is NotImplemented:
        raise TypeError("the operator does not take this operand")
    seen.tree = spell_tree(ran.result)
    seen.is_tuple = isinstance(ran.result, tuple)
    if isinstance(ran.result, Tensor):
        seen.structure = "1"
    elif not outputs:
        seen.structure = "0"
    else:
        seen.structure = "l" if type(ran.result) in (list, tuple) else "t"
    seen.outputs = "".join("g" if t.requires_grad else "n" for t in outputs)
    if not outputs:
        return
    first = outputs[0]
    if first.numel() == 0 and not any(first is t for name in operands for t in tensors_in(ran.arguments[name])):
        seen.relation = ""
        return
    for name in operands:
        for t in tensors_in(ran.arguments[name]):
            if any(o is t for o in outputs):
                seen.relation, seen.source = "s", name
                return
            if _storage(first) == _storage(t) and first.numel():
                seen.relation, seen.source = "v", name
    if seen.relation == "v" and first._is_view():
        try:
            first.mul_(1)
        except RuntimeError as error:
            if "multiple views" in str(error):
                seen.relation = "m"


def _backward(seen: Seen, call: Call, floats: list[str]) -> None:
    ran = _forward(call, floats)
    loss = _loss(ran.result)
    if loss is None:
        return
    outputs = [t for t in tensors_in(ran.result) if t.requires_grad]
    seen.zero = all(t.grad_fn is not None and t.grad_fn.name() in ZERO_NODES for t in outputs)
    try:
        loss.backward()
    except (NotImplementedError, RuntimeError) as error:
        text = str(error)
        seen.backward = not ("not implemented" in text or "not differentiable" in text or "NotImplemented" in text)
