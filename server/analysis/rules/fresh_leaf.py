"""Losses that end at a number made into a tensor, while the optimizer finds no gradient: for `rewrapped-tensor`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..autograd.tensor import Tensor
from ..events import Sink, Step
from ..facts import Facts

_MAKERS = frozenset({"tensor", "as_tensor", "asarray", "Tensor", "FloatTensor", "DoubleTensor", "Variable"})


@dataclass(frozen=True, slots=True)
class FreshLeaf:
    """A leaf that is all a backward reaches and that nobody asks for its gradient; the step that finds none."""

    leaf: Tensor
    sink: Sink
    step: Step


def fresh_leaves(facts: Facts) -> Iterator[FreshLeaf]:
    """Backwards of what was computed outside torch, or chosen by branches, and given a flag to make the error go away.

    How the numbers depend on the model is not known. That the loss reaches nothing but a tensor nothing updates, and
    that the optimizer which steps next never finds a gradient, is.
    """
    told: set[int] = set()
    for index, sink in enumerate(facts.events.sinks):
        leaves = list(sink.outcome.reach.leaves)
        if sink.kind != "backward" or sink.after_error or sink.outcome.raises is not None or not leaves:
            continue
        if facts.flags_of(sink) or not all(_is_fresh(facts, leaf) for leaf in leaves) or id(leaves[0]) in told:
            continue
        step = next((each for each in facts.events.steps if each.sinks_before > index), None)
        if step is None or step.open or step.after_error or step.entry != "module" or not step.grads:
            continue
        if all(id(t) in facts.starved and t.is_parameter and grad.present.no for t, grad in step.grads):
            told.add(id(leaves[0]))
            yield FreshLeaf(leaves[0], sink, step)


def _is_fresh(facts: Facts, leaf: Tensor) -> bool:
    made = facts.node_at(leaf.origin)
    if not isinstance(made, ast.Call) or not made.args or isinstance(made.args[0], ast.Constant):
        return False
    if ast.unparse(made.func).rpartition(".")[2] not in _MAKERS:
        return False
    wanted = id(leaf) in facts.held or id(leaf) in facts.read or id(leaf) in facts.events.exposed
    known = not (leaf.is_parameter or leaf.group or leaf.note) and leaf.requires_grad.yes and facts.here(leaf.origin)
    return known and not wanted
