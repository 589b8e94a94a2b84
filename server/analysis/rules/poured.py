"""Values with a history that are put into a leaf outside of the graph: for `rewrapped-tensor`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..autograd.reach import constants, reach, severed
from ..autograd.tensor import Tensor
from ..autograd.truth import Truth
from ..events import Copied, Sink
from ..facts import Facts
from ..report import Span


@dataclass(frozen=True, slots=True)
class Poured:
    """A write into a leaf: where, which leaf, its loss, and what learns by nothing else than what was written."""

    span: Span
    copied: Copied
    leaf: Tensor
    sink: Sink
    lost: tuple[Tensor, ...]
    sure: bool


def _behind(source: Tensor, starved: set[int]) -> dict[Tensor, Truth]:
    """What a value was computed from: with a history, or without one because tracking is off where it is written.

    Who cuts it by name (`q.data`, a number) may mean to. Not if an optimizer steps with what is behind in vain.
    """
    if source.node is None:
        return {}
    if source.requires_grad.yes:
        return reach([source]).leaves
    off = [
        each
        for each in severed([source], ())
        if id(each.leaf) in starved or all(n.cut is None or n.cut.kind == "grad-mode" for n in each.path)
    ]
    return {each.leaf: each.leaf.requires_grad for each in off if not each.cut.tracked.possible}


def _is_left_out(facts: Facts, tensor: Tensor) -> bool:
    """Whether the gradient of a tensor is wanted and never there: master weights are given theirs by hand."""
    if tensor.group or tensor.note or not facts.is_wanted(tensor):
        return False
    return id(tensor) in facts.starved or (id(tensor) not in facts.held and id(tensor) not in facts.reached)


def _used(facts: Facts) -> dict[int, tuple[Tensor, Sink]]:
    """The leaves of losses by their memory: those that learn, and parameters that are told not to.

    What is written into a frozen parameter is all that could learn through it.
    """
    found: dict[int, tuple[Tensor, Sink]] = {}
    for sink in facts.events.sinks if facts.events.copied else ():
        if sink.kind == "backward" and not sink.after_error:
            frozen = [t for t in constants(sink.outcome.roots) if t.is_parameter and t.requires_grad.no]
            reached = sink.outcome.reach.leaves
            learning = [t for t, how in reached.items() if how.yes and t.requires_grad.yes and not t.note]
            found |= {id(leaf.memory): (leaf, sink) for leaf in (*frozen, *learning)}
    return found


def poured(facts: Facts) -> Iterator[Poured]:
    """`p.data = f(w)`, `p.data.copy_(f(w))`, `p.copy_(f(w))` under `no_grad`: `p` is reached, `w` is not.

    An average or a target network is written the same way; what it is made of learns by itself.
    """
    if facts.machine.exhausted or facts.machine.crashes or facts.machine.foreign.hides:
        return
    leaves = _used(facts)
    told: set[Span] = set()
    for copied in facts.events.copied:
        (leaf, sink), span = leaves.get(id(copied.memory), (None, None)), facts.innermost_here(copied)
        source = copied.source
        if (
            leaf is None
            or sink is None
            or span is None
            or span in told
            or copied.fresh
            or source.node is not copied.node
        ):
            continue
        behind = _behind(source, facts.starved & facts.held)
        lost = tuple(t for t in behind if t is not leaf and _is_left_out(facts, t))
        if lost:
            told.add(span)
            yield Poured(span, copied, leaf, sink, lost, all(behind[t].yes for t in lost))
