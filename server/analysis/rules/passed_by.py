"""Optimizers whose parameters never get a gradient because it goes to copies of them: for `unreachable-parameters`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..autograd.tensor import Tensor
from ..events import Copied, Step
from ..facts import Facts
from ..report import Span


@dataclass(frozen=True, slots=True)
class PassedBy:
    """A copy that came between an optimizer's parameters and the gradient: where it is made, and the tensors."""

    span: Span
    copied: Copied
    held: Tensor
    learning: Tensor
    step: Step


def passed_by(facts: Facts) -> Iterator[PassedBy]:
    """Copies that learn in place of what an optimizer holds, or that it holds in place of what learns.

    Only where the optimizer finds no gradient at all, at any step: one that holds a target network beside the network
    itself works as it should.
    """
    groups: dict[frozenset[int], list[Step]] = {}
    for step in facts.events.steps:
        groups.setdefault(frozenset(id(tensor) for tensor, _ in step.grads), []).append(step)
    for held, steps in groups.items():
        if held and held <= facts.starved and held.isdisjoint(facts.read | facts.behind_flags):
            found = _between(facts, {id(tensor.memory): tensor for tensor, _ in steps[-1].grads}, steps[-1])
            if found is not None:
                yield found


def _between(facts: Facts, held: dict[int, Tensor], step: Step) -> PassedBy | None:
    learning = {
        id(leaf.memory): leaf
        for sink in facts.events.sinks[: step.sinks_before]
        if sink.kind == "backward" and sink.outcome.raises is None
        for leaf, how in sink.outcome.reach.leaves.items()
        if how.yes and leaf.requires_grad.yes
    }
    for copied in facts.events.copied:
        source = _parameter(copied)
        span = facts.innermost_here(copied)
        if source is None or span is None:
            continue
        one, other = id(source.memory), id(copied.memory)
        if one in held and other in learning:
            return PassedBy(span, copied, held[one], learning[other], step)
        if other in held and one in learning:
            return PassedBy(span, copied, held[other], learning[one], step)
    for tensor, _ in step.grads:
        made = _copy(tensor, step)
        span = facts.innermost_here(made) if made is not None else None
        if made is not None and span is not None and id(made.source.memory) in learning:
            return PassedBy(span, made, tensor, learning[id(made.source.memory)], step)
    return None


def _copy(tensor: Tensor, step: Step) -> Copied | None:
    """How a leaf was made of a parameter alone, without its history (`p.detach().clone().requires_grad_()`)."""
    made, source, node = tensor.node, tensor, tensor.node
    while node is not None and len(node.edges) == 1 and node.edges[0].tensor is not None and not node.is_join:
        source, node = node.edges[0].tensor, node.edges[0].node
    if made is None or made.tracked.possible or node is not None or not source.is_parameter:
        return None
    return Copied(tensor.memory, source, made, made.span, made.stack, step.path, fresh=True)


def _parameter(copied: Copied) -> Tensor | None:
    """The parameter a copy was made of, itself or through the entries of a state dict."""
    source, node = copied.source, copied.node
    while node is not None and node.tracked.no and len(node.edges) == 1 and node.edges[0].tensor is not None:
        source, node = node.edges[0].tensor, node.edges[0].node
    return source if source.is_parameter else None
