"""What a run tells, prepared for rules: what is wanted, what is reached, causes. Rules read this and nothing deeper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .autograd.graph import ALWAYS, Cut, Node, Path
from .autograd.reach import Severed, constants, reach, severed, zeros_on_the_way
from .autograd.tensor import Tensor
from .events import Events, Flagged, GradRead, Sink
from .report import Confidence, Finding, Fix, Severity, Span, TraceStep
from .source.edit_base import Edits
from .source.parse import Parsed
from .torch_model.module_tree import is_module, modules, named_parameters
from .torch_model.opaque import METHOD
from .values import Instance
from .wording import Wording

_UNCHOSEN = frozenset({"left-torch", "rewrap"})
_CHOSEN = frozenset({"grad-mode", "detach", "data"})
"""Cuts that people write on purpose, too."""
_CHOICES = frozenset({"argmax", "argmin", "topk", "sort", "argsort", "multinomial"})
_LEAVING = frozenset({"item", "tolist", "numpy", "float", "int"})
SEVERITY_OF: dict[Confidence, Severity] = {"certain": "error", "likely": "warning", "possible": "information"}


@dataclass(frozen=True, slots=True)
class Cause:
    """One place where gradient is lost on the way to a loss: the cut, the leaves it severs, the sink that suffers."""

    cut: Node
    leaves: tuple[Severed, ...]
    sink: Sink
    confidence: Confidence
    raises: bool
    why: Cut


class Facts(Wording):
    """The facts of one run over one file."""

    def __init__(self, machine: Any, parsed: Parsed) -> None:
        super().__init__(machine, parsed)
        self.events: Events = machine.events
        self._severed: dict[int, list[Severed]] = {}

    # ------------------------------------------------------------------ causes

    def severed_by(self, sink: Sink) -> list[Severed]:
        """Leaves that only come into a loss over a cut; found once for each, as several rules ask."""
        found = self._severed.get(id(sink))
        if found is None:
            found = self._severed[id(sink)] = severed(sink.outcome.roots, sink.outcome.reach.leaves)
        return found

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

    @cached_property
    def _flags(self) -> dict[int, Flagged]:
        return {id(flagged.tensor): flagged for flagged in self.events.flagged}

    def flags_of(self, sink: Sink) -> list[Flagged]:
        """Where the tensors a backward starts from were told to require grad after they had been computed without.

        Empty unless all of them were, and nobody reads the gradient that stops at them.
        """
        found = [self._flags.get(id(root)) for root in sink.outcome.roots]
        read = {id(item.tensor) for item in self.events.reads}
        if sink.kind != "backward" or sink.outcome.raises is not None or not found:
            return []
        kept = [each for each in found if each is not None and each.node is each.tensor.node]
        if len(kept) < len(found) or any(id(each.tensor) in read | self.held for each in kept):
            return []
        return kept

    def lost_behind(self, sink: Sink) -> list[Cause]:
        """The cuts behind the flags of a backward (`flags_of`), as if PyTorch had raised."""
        lost = [s for s in severed(sink.outcome.roots, ()) if s.leaf.requires_grad.possible]
        sure = [s for s in lost if s.leaf.requires_grad.yes]
        wanted = [s for s in sure if self.is_wanted(s.leaf)] or [s for s in sure if not self.is_passive(s)] or sure
        if wanted:
            return self._grouped(wanted, sink, self.confidence(sink), False)
        return self._grouped([s for s in lost if s.leaf.group or s.leaf.note == "unknown"], sink, "likely", False)

    @cached_property
    def behind_flags(self) -> set[int]:
        """Tensors, trainable or not, that a backward does not reach because a flag makes it end before them."""
        sinks = [sink for sink in self.events.sinks if self.flags_of(sink)]
        found = {id(s.leaf) for sink in sinks for s in severed(sink.outcome.roots, ())}
        return found | {id(tensor) for sink in sinks for tensor in constants(sink.outcome.roots)}

    @cached_property
    def causes(self) -> list[Cause]:
        """Every cut that costs a wanted leaf its gradient, one entry per cut."""
        found: dict[int, Cause] = {}
        for sink in self.events.sinks:
            if sink.after_error or self.flags_of(sink):
                continue
            for cause in self._causes_of(sink):
                kept = found.get(id(cause.cut.span or cause.cut))
                if kept is None or (self._is_elsewhere(kept) and not self._is_elsewhere(cause)):
                    found[id(cause.cut.span or cause.cut)] = cause
        for sink in self.events.weak:
            for cause in self._weak_causes_of(sink):
                found.setdefault(id(cause.cut.span or cause.cut), cause)
        unique: dict[tuple[Any, str], Cause] = {}
        for cause in found.values():
            unique.setdefault((cause.cut.span, cause.why.kind), cause)
        return self._to_blame(list(unique.values()))

    def _to_blame(self, causes: list[Cause]) -> list[Cause]:
        """The causes less those that are meant: a cut somebody chose, at a loss whose step moves other parameters.

        `critic_loss` takes `actor(next_state)` under `no_grad`, and a step of the critic follows. Where the actor's own
        loss has lost the actor in another place, that place is to blame alone.
        """
        at_home = {id(leaf.leaf) for cause in causes if not self._is_elsewhere(cause) for leaf in cause.leaves}
        return [
            cause
            for cause in causes
            if cause.why.kind not in _CHOSEN
            or not self._is_elsewhere(cause)
            or not all(id(leaf.leaf) in at_home for leaf in cause.leaves)
        ]

    def _is_elsewhere(self, cause: Cause) -> bool:
        """Whether the step after a cause's loss is of an optimizer that holds none of the leaves it loses."""
        if cause.raises or cause.sink not in self.events.sinks:
            return False
        after = self.events.sinks.index(cause.sink) + 1
        steps = [step for step in self.events.steps if step.sinks_before == after and not step.open]
        moved = {id(tensor) for step in steps for tensor, _ in step.grads}
        return bool(moved) and not any(id(leaf.leaf) in moved for leaf in cause.leaves)

    def _causes_of(self, sink: Sink) -> list[Cause]:
        outcome = sink.outcome
        raised = outcome.raises is not None and outcome.raises.kind == "no-grad-fn"
        lost = [s for s in self.severed_by(sink) if s.leaf.requires_grad.possible]
        sure = [s for s in lost if s.leaf.requires_grad.yes]
        if raised:
            wanted = [s for s in sure if self.is_wanted(s.leaf)]
            if not wanted and self.frozen_on_the_way(sink):
                # What should learn was switched off; that something else was copied without history is no cause.
                return []
            wanted = wanted or [s for s in sure if not self.is_passive(s)] or sure
            symbolic = not wanted
            if symbolic:
                wanted = [s for s in lost if s.leaf.group or s.leaf.note == "unknown"]
            confidence = self.confidence(sink)
            if symbolic:
                confidence = "likely"
            return self._grouped(wanted, sink, confidence, True)
        if any(d.kind == "no-grad-fn" for d in outcome.doubts):
            only_data = self._only_data(sink, lost)
            wanted = [s for s in sure if s.leaf.is_parameter or self.is_wanted(s.leaf)] or [
                s for s in lost if s.leaf.group
            ]
            if only_data:
                return self._grouped(wanted, sink, "likely", True)
            if not self._by_branches(sink):
                # Unknown code may have parameters of its own; what the optimizer steps with finds no gradient even so.
                sure = [s for s in sure if id(s.leaf) in self.starved and not s.leaf.note]
                if not sure:
                    return []
        if self._idle(sink):
            wanted = [s for s in sure if self.is_wanted(s.leaf)]
            unknown = [s for s in lost if s.leaf.group or s.leaf.note in ("symbolic", "unknown")]
            return self._grouped(wanted or unknown, sink, self.confidence(sink) if wanted else "likely", False)
        if self.machine.exhausted or self.machine.crashes or self.machine.foreign.hides:
            # What a run that stopped early, or stepped over a statement, never reached is not known to be unreachable.
            return []
        if sink.kind == "grad" and outcome.asked is not None:
            # `autograd.grad` gives what it is asked for; what a penalty on it teaches is decided by the loss it is in.
            sure = [s for s in sure if id(s.leaf) in outcome.asked]
        wanted = [s for s in sure if self.is_wanted(s.leaf) and self.is_lost(s.leaf)]
        if not wanted and not self.events.held:
            # No optimizer in sight: a part of a module that learns nothing while its siblings do.
            wanted = [s for s in sure if id(s.leaf) not in self.reached and self._sibling_learns(s.leaf, sink)]
            return self._grouped(wanted, sink, "likely", False)
        wanted = [*wanted, *self._zeroed(sink)]
        doubtful = bool(outcome.doubts) or any(node.opaque or node.is_join for s in wanted for node in s.path)
        certain = sink.path == ALWAYS and not doubtful
        return self._grouped(wanted, sink, "certain" if certain else "likely", False)

    def _idle(self, sink: Sink) -> bool:
        """Whether a backward starts at leaves nobody asks for a gradient, so that it does nothing for anyone.

        `torch.tensor(loss.item(), requires_grad=True).backward()`: whatever else trains the parameters behind it, this
        loss was meant to.
        """
        roots = sink.outcome.roots
        return (
            sink.kind == "backward"
            and sink.outcome.raises is None
            and bool(roots)
            and all(
                (root.node is None or root.node.tracked.no)
                and root.requires_grad.yes
                and not root.is_parameter
                and not self.is_wanted(root)
                for root in roots
            )
        )

    def _zeroed(self, sink: Sink) -> list[Severed]:
        """Wanted leaves whose gradient is identically zero in every sink that reaches them."""
        if sink.outcome.raises is not None or not any(node.zero for node in sink.outcome.reach.nodes):
            return []
        lost = zeros_on_the_way(
            sink.outcome.roots, (leaf for leaf, how in sink.outcome.reach.leaves.items() if how.yes)
        )
        return [s for s in lost if self.is_wanted(s.leaf) and id(s.leaf) not in self._moved_by_gradient]

    @cached_property
    def _moved_by_gradient(self) -> set[int]:
        """Leaves that some sink gives a gradient which is not zero everywhere, at least perhaps."""
        found: set[int] = set()
        for sink in self.events.sinks:
            zero = {id(s.leaf) for s in zeros_on_the_way(sink.outcome.roots, sink.outcome.reach.leaves)}
            found |= {id(leaf) for leaf in sink.outcome.reach.leaves} - zero
        return found

    def _weak_causes_of(self, sink: Sink) -> list[Cause]:
        """What a `forward` that nobody calls loses: a parameter of its own that left torch or was copied.

        Only ways to lose a gradient that nobody chooses: a backbone under `no_grad`, a detached code book and an
        average kept by hand look the same from here as a mistake.
        """
        if sink.kind != "forward":
            return []
        lost = [
            s
            for s in self.severed_by(sink)
            if s.leaf.is_parameter and s.leaf.requires_grad.yes and not s.leaf.group and id(s.leaf) not in self.reached
        ]
        lost = [s for s in lost if all(n.cut is None or n.cut.kind in _UNCHOSEN for n in s.path)]
        return self._grouped(lost, sink, "likely", False)

    def _sibling_learns(self, leaf: Tensor, sink: Sink) -> bool:
        """Whether another parameter of the same module object gets a gradient from this sink."""
        if not leaf.is_parameter or leaf.group:
            return False
        mine = self._owners.get(id(leaf), frozenset())
        return any(mine & self._owners.get(id(other), frozenset()) for other in sink.outcome.reach.leaves)

    @cached_property
    def _owners(self) -> dict[int, frozenset[int]]:
        """Parameters to the module objects of the program (not containers of torch) that own them."""
        owners: dict[int, set[int]] = {}
        for value in self.machine.main.namespace.values():
            for module in modules(value) if isinstance(value, Instance) and is_module(value) else ():
                if isinstance(module, Instance):
                    for _, tensor in named_parameters(module):
                        owners.setdefault(id(tensor), set()).add(id(module))
        return {key: frozenset(found) for key, found in owners.items()}

    def _only_data(self, sink: Sink, lost: list[Severed]) -> bool:
        """Whether what may still require grad is data or the loss function itself, not a model that is tracked.

        `criterion(model(x).detach(), y)` with unknown parts: `y` is data, `criterion` is called on a cut value.
        """
        cut_paths = {node for item in lost for node in item.path}
        last = {root.node for root in sink.outcome.roots}
        for node in sink.outcome.reach.nodes:
            if node.is_join or node.note == METHOD:
                return False
            for edge in node.edges:
                # A result that tracking was off for is a leaf too, once it is told to require grad.
                leaf = edge.tensor if edge.node is None or edge.node.tracked.no else None
                if leaf is None or not edge.live.possible or leaf.note == "symbolic":
                    continue
                if not (leaf.group and leaf.requires_grad.maybe and node in cut_paths and node in last):
                    return False
        return bool(lost)

    def _by_branches(self, sink: Sink) -> bool:
        """Whether it only depends on branches of the program if there is a graph: what is cut off is so either way."""
        reached = sink.outcome.reach
        known = not any(node.opaque for node in reached.nodes)
        return known and any(leaf.requires_grad.yes and not leaf.note for leaf in reached.leaves)

    def is_passive(self, lost: Severed) -> bool:
        """A leaf that another optimizer's or nobody's business: part of a copy that is only evaluated."""
        return not lost.leaf.is_parameter and not lost.leaf.name

    def _grouped(self, lost: list[Severed], sink: Sink, confidence: Confidence, raises: bool) -> list[Cause]:
        groups: dict[int, list[Severed]] = {}
        for item in lost:
            groups.setdefault(id(item.cut), []).append(item)
        causes = []
        for items in groups.values():
            items = self._besides_a_target(items, sink)
            for each in (items, *self._beside(items, sink)):
                node, why = self._more_specific(each[0])
                causes.append(Cause(node, tuple(each), sink, confidence, raises, why))
        return causes

    def _beside(self, items: list[Severed], sink: Sink, limit: int = 8) -> list[list[Severed]]:
        """Other ways to the same leaves that are cut as well: in the same manner, or not on purpose where this one is.

        `torch.tensor(log_probs) * advantage - torch.tensor(entropies)`: whoever mends one has the other before him. And
        the rank of a score (`argsort`) is what loses the gradient beside a `.detach()` that somebody wrote.
        """
        mine, first = {id(item.leaf) for item in items}, items[0].cut.cut
        if first is None:
            return []
        found: dict[Any, list[Severed]] = {}
        seen = [items[0].cut]
        for _ in range(limit):
            others = [s for s in severed(sink.outcome.roots, sink.outcome.reach.leaves, seen) if id(s.leaf) in mine]
            if not others:
                break
            seen += dict.fromkeys(s.cut for s in others)
            for other in others:
                if other.cut.span != items[0].cut.span and _as_bad(first, other.cut.cut):
                    found.setdefault(other.cut.span, []).append(other)
        return list(found.values())

    def _besides_a_target(self, items: list[Severed], sink: Sink) -> list[Severed]:
        """The other way to leaves that a target is made of.

        The code book of a quantizer learns from `z.detach()`; what cuts the encoder off is the choice of an entry.
        """
        path, cut = items[0].path, items[0].cut
        user = path[path.index(cut) - 1] if cut in path[1:] else None
        if cut.cut is None or cut.cut.kind != "detach" or user is None or not any(e.live.yes for e in user.edges):
            return items
        mine = {id(item.leaf) for item in items}
        found = [s for s in severed(sink.outcome.roots, (), [cut]) if id(s.leaf) in mine]
        chosen = all(s.cut.cut is not None and s.cut.cut.detail.strip("_") in _CHOICES for s in found)
        return found if len(found) == len(items) and chosen else items

    def _more_specific(self, lost: Severed) -> tuple[Node, Cut]:
        """`t.detach().numpy()` leaves torch; that it detaches first is only how one writes that."""
        cut = lost.cut.cut
        if cut is None:
            assert lost.cut.span is not None
            return lost.cut, Cut("zero-gradient", lost.cut.span, lost.cut.name)
        index = lost.path.index(lost.cut)
        if cut.kind in ("detach", "data"):
            for after in reversed(lost.path[max(0, index - 2) : index]):
                known = after.name in _LEAVING or after.name.startswith(("numpy.", "math."))
                if known and self.statement_at(after.span) is self.statement_at(lost.cut.span) and after.span:
                    return after, Cut("left-torch", after.span, after.name)
        return lost.cut, cut

    def frozen_on_the_way(self, sink: Sink) -> list[Tensor]:
        """Parameters on the way to a loss that an optimizer holds and that were told not to require grad."""
        return [t for t in constants(sink.outcome.roots) if t.frozen is not None and id(t) in self.held]

    @cached_property
    def nothing_trainable(self) -> list[tuple[Sink, list[Tensor]]]:
        """Sinks that raise although nothing was cut: no tensor on the way requires grad; with what could have."""
        found = []
        for sink in self.events.sinks:
            raised = sink.outcome.raises
            if raised is None or raised.kind != "no-grad-fn" or sink.after_error:
                continue
            lost = severed(sink.outcome.roots, ())
            lost = [s for s in lost if s.leaf.requires_grad.yes or s.leaf.group or s.leaf.note]
            if lost and (any(self.is_wanted(s.leaf) for s in lost) or not self.frozen_on_the_way(sink)):
                continue
            found.append((sink, constants(sink.outcome.roots)))
        return found

    # ------------------------------------------------------------------ building findings

    def step(self, span: Span | None, role: Any, message: str) -> TraceStep | None:
        """A trace step, or None without a place."""
        return TraceStep(span, role, message) if span is not None else None

    def source_steps(self, leaves: Sequence[Severed | Tensor], limit: int = 3) -> list[TraceStep]:
        """Where the trainable leaves come from, one step for all that are made by one statement."""
        places: dict[Span, list[Tensor]] = {}
        for leaf in leaves:
            tensor = leaf.leaf if isinstance(leaf, Severed) else leaf
            if tensor.origin is not None:
                places.setdefault(self.marked(tensor.origin), []).append(tensor)
        every = [tensor for tensors in places.values() for tensor in tensors]
        if len(places) > 1 and len(every) > 2 and " parameters of " in self.leaf_text(every):
            # The layers of one module: one line says as much as one for each.
            places = {next(iter(places)): every}
        steps = []
        for place, tensors in list(places.items())[:limit]:
            named = any(self.name_of(tensor) for tensor in tensors)
            several = len(tensors) > 1 or tensors[0].group
            what = f"{self.leaf_text(tensors)} {'are' if several else 'is'} trainable" if named else "trainable"
            steps.append(TraceStep(place, "source", what))
        return steps

    def end_of(self, cause: Cause) -> str:
        """How the story of a cut ends at its sink."""
        if cause.raises:
            return "raises: element 0 of tensors does not require grad"
        return f"no gradient arrives at {self.leaf_text(cause.leaves)}"

    def sink_step(self, sink: Sink, message: str) -> TraceStep:
        """The sink as the last step."""
        return TraceStep(sink.site.span, "sink", message)

    def finding(
        self,
        rule: str,
        confidence: Confidence,
        message: str,
        span: Span,
        trace: list[TraceStep | None],
        fixes: list[Fix | None] | None = None,
        severity: Severity | None = None,
    ) -> Finding:
        """A finding with its severity from its confidence, its trace in order and without doubles."""
        steps = tuple(dict.fromkeys(s for s in trace if s is not None))
        kept = tuple(f for f in fixes or [] if f is not None)
        return Finding(rule, severity or SEVERITY_OF[confidence], confidence, message, span, steps, kept)

    def fix(self, title: str, applicability: Any, edits: Edits | None) -> Fix | None:
        """A fix, or None when the edits could not be made."""
        return Fix(title, applicability, tuple(edits)) if edits else None

    def reads_of(self, tensor: Tensor) -> list[GradRead]:
        """The reads of `.grad` of a tensor."""
        return [r for r in self.events.reads if r.tensor is tensor]


def _as_bad(first: Cut, other: Cut | None) -> bool:
    """Whether a further cut is of the same manner, or chosen by nobody beside one that somebody wrote."""
    if other is None or (other.kind, other.detail) == (first.kind, first.detail):
        return other is not None and first.kind in (*_UNCHOSEN, "non-differentiable")
    return first.kind in ("detach", "data") and (other.kind in _UNCHOSEN or other.detail.strip("_") in _CHOICES)


_KEEPS_VALUES = frozenset(
    {"add", "sub", "mul", "div", "truediv", "radd", "rmul", "lerp", "clone", "detach", "data", "to", "cpu", "cuda"}
    | {"state_dict", "contiguous", "float", "double", "half", "copy"}
)


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
