"""Which leaves a program wants to learn, and which of them any backward reaches."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from .autograd.graph import ALWAYS, Frozen, Node, Path
from .autograd.reach import Severed, reach, severed
from .autograd.tensor import Tensor
from .autograd.truth import Truth
from .events import Events, GradRead, LeftFlag, Sink
from .report import Confidence
from .source.parse import Parsed
from .wording import Wording

_KEEPS_VALUES = frozenset(
    {"add", "sub", "mul", "div", "truediv", "radd", "rmul", "lerp", "clone", "detach", "data", "to", "cpu", "cuda"}
    | {"state_dict", "contiguous", "float", "double", "half", "copy"}
)


class Wanted(Wording):
    """What is wanted and what is reached, in one run over one file."""

    def __init__(self, machine: Any, parsed: Parsed) -> None:
        super().__init__(machine, parsed)
        self.events: Events = machine.events
        self._severed: dict[int, list[Severed]] = {}

    def severed_by(self, sink: Sink) -> list[Severed]:
        """Leaves that only come into a loss over a cut; found once for each, as several rules ask."""
        found = self._severed.get(id(sink))
        if found is None:
            found = self._severed[id(sink)] = severed(sink.outcome.roots, sink.outcome.reach.leaves)
        return found

    @cached_property
    def _left_flags(self) -> dict[tuple[str, int], LeftFlag]:
        return {(each.entry, id(each.tensor)): each for each in self.events.flags}

    def learns_at(self, tensor: Tensor, entry: str) -> Truth:
        """Whether a tensor requires grad, as an entry point (or the module body) leaves it."""
        left = self._left_flags.get((entry, id(tensor)))
        return tensor.requires_grad if left is None else left.requires_grad

    def frozen_at(self, tensor: Tensor, entry: str) -> Frozen | None:
        """Where a tensor was told not to require grad, as an entry point (or the module body) leaves it."""
        left = self._left_flags.get((entry, id(tensor)))
        return tensor.frozen if left is None else left.frozen

    @cached_property
    def reached(self) -> set[int]:
        """Leaves some backward of the run reaches, at least perhaps, or that escape into unknown code."""
        found: set[int] = set()
        for sink in self.events.sinks:
            found |= {id(leaf) for leaf in sink.outcome.reach.leaves}
        for sink in self.events.weak:
            found |= {id(leaf) for leaf in sink.outcome.reach.leaves}
        escaped = list(dict.fromkeys(self.events.escaped))
        if escaped:
            found |= {id(leaf) for leaf in reach(escaped[:400]).leaves}
        return found

    @cached_property
    def starved(self) -> set[int]:
        """Tensors an optimizer holds, steps with, and never finds a gradient at.

        `autograd.grad` may have been asked for theirs: it gives it to the caller, who did not put it there.
        """
        found: dict[int, bool] = {}
        for step in self.events.steps:
            for tensor, grad in step.grads:
                usual = not (step.open or step.after_error or tensor.group or tensor.note) and step.entry == "module"
                found[id(tensor)] = found.get(id(tensor), True) and usual and grad.present.no
        given = {id(leaf) for s in self.events.sinks if s.kind != "grad" for leaf in s.outcome.reach.leaves}
        return {key for key, without in found.items() if without and key not in given | self.events.exposed}

    def is_lost(self, leaf: Tensor) -> bool:
        """Whether no backward gives a leaf a gradient."""
        return id(leaf) not in self.reached or id(leaf) in self.starved

    @cached_property
    def held(self) -> set[int]:
        """Tensors an optimizer holds."""
        return {id(item.tensor) for item in self.events.held}

    @cached_property
    def read(self) -> set[int]:
        """Leaves whose `.grad` the program reads."""
        return {id(item.tensor) for item in self.events.reads if item.used}

    def is_wanted(self, leaf: Tensor) -> bool:
        """Whether the program wants the gradient of a leaf: an optimizer holds it, or its `.grad` is read."""
        held = id(leaf) in self.held and id(leaf) not in self.followers and id(leaf) not in self._laid_aside
        return held or id(leaf) in self.read

    @cached_property
    def _laid_aside(self) -> set[int]:
        """What only optimizers hold that never step in a program in which others do."""
        steps, machine = self.events.steps, self.machine
        if (
            not steps
            or any(step.open for step in steps)
            or machine.exhausted
            or machine.crashes
            or machine.foreign.hides
        ):
            return set()
        return self.held - {id(tensor) for step in steps for tensor, _ in step.grads}

    @cached_property
    def followers(self) -> set[int]:
        """Parameters an optimizer holds that are kept as copies of others which learn: a target network, an average.

        `agent.parameters()` holds the target network too; that it gets no gradient is what it is for.
        """
        kept = {id(item.tensor.memory): item.tensor for item in self.events.held}
        found: set[int] = set()
        for event in self.events.replaced:
            # An average that `forward` keeps in a new `nn.Parameter` of its own, which nothing learns by either.
            learns = any(id(each) in self.reached or id(each) in self.read for each in event.after)
            if not event.added and not learns and all(_kept_by_hand(each) for each in event.after):
                found |= {id(each) for each in event.before}
        for copy in self.events.copied:
            leaf = kept.get(id(copy.memory)) if not copy.fresh or copy.beside else None
            if leaf is not None and id(leaf) not in found:
                sources = _copied_from(copy.source)
                origins = [each for each in sources if each is not leaf and each.memory is not copy.memory]
                if any(id(each) in self.reached for each in origins):
                    found.add(id(leaf))
        return found

    def confidence(self, sink: Sink) -> Confidence:
        """Certain on every run that gets there; likely where a branch has to be taken."""
        return self.confidence_on(sink.path)

    def confidence_on(self, path: Path, sure: bool = True) -> Confidence:
        """Certain on an unconditional path, if the fact itself is sure; else likely."""
        return "certain" if path == ALWAYS and sure else "likely"

    def is_passive(self, lost: Severed) -> bool:
        """A leaf that another optimizer's or nobody's business: part of a copy that is only evaluated."""
        return not lost.leaf.is_parameter and not lost.leaf.name

    def reads_of(self, tensor: Tensor) -> list[GradRead]:
        """The reads of `.grad` of a tensor."""
        return [r for r in self.events.reads if r.tensor is tensor]


def _kept_by_hand(tensor: Tensor) -> bool:
    """Whether a leaf was made of what was computed: `nn.Parameter(0.9 * self.average + 0.1 * new)`."""
    return tensor.node is not None and tensor.node.cut is not None and tensor.node.cut.kind == "rewrap"


def _copied_from(tensor: Tensor) -> list[Tensor]:
    """The parameters whose values, weighed and moved at the most, make up a tensor."""
    found = [tensor] if tensor.is_parameter else []
    queue = [tensor.node] if tensor.node is not None else []
    seen: set[Node] = set()
    for node in queue:
        if node in seen or node.name.strip("_") not in _KEEPS_VALUES or len(seen) > 16:
            continue
        seen.add(node)
        for edge in node.edges:
            if edge.node is not None and edge.node not in seen:
                queue.append(edge.node)
            elif edge.node is None and edge.tensor is not None and edge.tensor.is_parameter:
                found.append(edge.tensor)
    return found
