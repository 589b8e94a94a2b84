"""The causes: the cuts that cost a wanted leaf its gradient, one for each, as the rules tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from .autograd.graph import ALWAYS, Cut, Node
from .autograd.reach import Severed, constants, severed, zeros_on_the_way
from .autograd.tensor import Tensor
from .events import Flagged, Sink
from .report import Confidence
from .torch_model.module_tree import is_module, modules, named_parameters
from .torch_model.opaque import METHOD
from .values import Instance
from .wanted import Wanted

_UNCHOSEN = frozenset({"left-torch", "rewrap"})
_CHOSEN = frozenset({"grad-mode", "detach", "data"})
"""Cuts that people write on purpose, too."""
_CHOICES = frozenset({"argmax", "argmin", "topk", "sort", "argsort", "multinomial"})
_LEAVING = frozenset({"item", "tolist", "numpy", "float", "int"})


@dataclass(frozen=True, slots=True)
class Cause:
    """One place where gradient is lost on the way to a loss: the cut, the leaves it severs, the sink that suffers."""

    cut: Node
    leaves: tuple[Severed, ...]
    sink: Sink
    confidence: Confidence
    raises: bool
    why: Cut


class Causes(Wanted):
    """The causes of one run over one file."""

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

    def refused_inputs(self, sink: Sink) -> set[int]:
        """The inputs of an `autograd.grad` that its outputs do not depend on: it raises, or gives None for them.

        None where `allow_unused` lets it, that is, of interest where the outputs were told to require grad too late.
        """
        if sink.kind != "grad":
            return set()
        flagged = [self._flags.get(id(root)) for root in sink.outcome.roots]
        if flagged and all(each is not None and each.node is each.tensor.node for each in flagged):
            return set(sink.outcome.asked or ())
        if any(leaf.note in ("symbolic", "unknown") for leaf in sink.outcome.reach.leaves):
            return set()  # What is handed in may be made of it.
        unused = (each for each in self.events.forbidden if each.kind == "unused-input" and not each.after_error)
        return {id(each.tensor) for each in unused if each.site.span == sink.site.span}

    def lost_behind(self, sink: Sink) -> list[Cause]:
        """The cuts behind the flags of a backward (`flags_of`), as if PyTorch had raised."""
        lost = [s for s in severed(sink.outcome.roots, ()) if s.learns.possible]
        sure = [s for s in lost if s.learns.yes]
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
        refused = self.refused_inputs(sink)
        if refused:
            # `autograd.grad` raises for an input that the outputs only depend on over a cut.
            lost = [s for s in severed(outcome.roots, ()) if id(s.leaf) in refused]
            if lost:
                return self._grouped(lost, sink, self.confidence(sink), False)
        raised = outcome.raises is not None and outcome.raises.kind == "no-grad-fn"
        lost = [s for s in self.severed_by(sink) if s.learns.possible]
        sure = [s for s in lost if s.learns.yes]
        if raised:
            wanted = [s for s in sure if self.is_wanted(s.leaf)]
            if self._switched_off(sink, wanted):
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
            # What `autograd.grad` differentiates may be a network's score of it, which is no loss.
            only_data = sink.kind != "grad" and self._only_data(sink, lost)
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
        if sink.kind == "backward" and sink.outcome.raises is None and self._only_copies(sink):
            return True
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

    def _only_copies(self, sink: Sink) -> bool:
        """Whether a backward ends at nothing but new tensors of the numbers of others: `torch.tensor(losses) * w`."""
        leaves = list(sink.outcome.reach.leaves)
        made = [leaf.node.cut for leaf in leaves if leaf.node is not None and leaf.node.tracked.no]
        copies = len(made) == len(leaves) and all(cut is not None and cut.kind == "rewrap" for cut in made)
        return bool(leaves) and copies and not any(leaf.is_parameter or self.is_wanted(leaf) for leaf in leaves)

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
        average kept by hand look the same from here as a mistake. A parameter that `__init__` only makes the first
        values of another one from is none of the module's.
        """
        if sink.kind != "forward":
            return []
        lost = [
            s
            for s in self.severed_by(sink)
            if id(s.leaf) in sink.registered
            and s.leaf.requires_grad.yes
            and not s.leaf.group
            and id(s.leaf) not in self.reached
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
                if leaf is None or not edge.live.possible:
                    continue
                if leaf.note == "symbolic" and id(leaf) not in self._detached_elsewhere:
                    continue
                if not (leaf.group and leaf.requires_grad.maybe and node in cut_paths and node in last):
                    return False
        return bool(lost)

    @cached_property
    def _detached_elsewhere(self) -> set[int]:
        """Arguments that a loss is made of without their history, which somebody took away: they have one, so they
        are no data (`alpha.detach() * log_prob` and then `alpha * (log_prob.detach() + target)`)."""
        return {
            id(lost.leaf)
            for sink in self.events.sinks
            for lost in severed(sink.outcome.roots, sink.outcome.reach.leaves)
            if lost.leaf.note == "symbolic" and lost.cut.cut is not None and lost.cut.cut.kind == "detach"
        }

    def _by_branches(self, sink: Sink) -> bool:
        """Whether it only depends on branches of the program if there is a graph: what is cut off is so either way."""
        reached = sink.outcome.reach
        known = not any(node.opaque for node in reached.nodes)
        return known and any(leaf.requires_grad.yes and not leaf.note for leaf in reached.leaves)

    def _grouped(self, lost: list[Severed], sink: Sink, confidence: Confidence, raises: bool) -> list[Cause]:
        groups: dict[int, list[Severed]] = {}
        for item in lost:
            groups.setdefault(id(item.cut), []).append(item)
        causes = []
        for items in groups.values():
            items = self._besides_a_target(self._rather(items, sink), sink)
            for each in (items, *self._beside(items, sink)):
                node, why = self._more_specific(each[0])
                causes.append(Cause(node, tuple(each), sink, confidence, raises, why))
        return causes

    def _rather(self, items: list[Severed], sink: Sink, limit: int = 8) -> list[Severed]:
        """Another way to leaves of which a target is made: a target is without a graph on purpose, and whatever cuts
        off the prediction beside it is the mistake."""
        if not _as_target(items[0]):
            return items
        mine = {id(item.leaf) for item in items}
        seen = [items[0].cut]
        for _ in range(limit):
            others = [s for s in severed(sink.outcome.roots, sink.outcome.reach.leaves, seen) if id(s.leaf) in mine]
            if len(others) < len(items):
                break
            if not any(map(_as_target, others)):
                return others
            seen += dict.fromkeys(s.cut for s in others)
        return items

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
        return [
            t for t in constants(sink.outcome.roots) if self.frozen_at(t, sink.entry) is not None and id(t) in self.held
        ]

    def _switched_off(self, sink: Sink, wanted: Sequence[Severed]) -> bool:
        """Whether what should learn from a loss was frozen: that something else came in without history is no cause.

        Of what an optimizer holds and is cut off as well, a part that another loss moves can be meant to be: the fake
        of a discriminator's loss, whose own parameters learned before they were frozen. And so is a sample that only
        its own gradient was read of, which another loss gave it.
        """
        frozen = self.frozen_on_the_way(sink)
        if not wanted or not frozen:
            return bool(frozen)
        if all(id(s.leaf) in self.reached and id(s.leaf) not in self.held for s in wanted):
            return True
        return any(id(t) in self.reached for t in frozen) and not any(self.is_lost(s.leaf) for s in wanted)

    @cached_property
    def nothing_trainable(self) -> list[tuple[Sink, list[Tensor]]]:
        """Sinks that raise although nothing was cut: no tensor on the way requires grad; with what could have."""
        found = []
        for sink in self.events.sinks:
            raised = sink.outcome.raises
            if raised is None or raised.kind != "no-grad-fn" or sink.after_error:
                continue
            lost = severed(sink.outcome.roots, ())
            lost = [s for s in lost if s.learns.yes or s.leaf.group or s.leaf.note]
            if lost and not self._switched_off(sink, [s for s in lost if self.is_wanted(s.leaf)]):
                continue
            found.append((sink, constants(sink.outcome.roots)))
        return found


def _as_target(lost: Severed) -> bool:
    """Whether the way from a loss to a leaf goes through an operand that is called a target (`mse_loss`)."""
    path = lost.path[: lost.path.index(lost.cut) + 1]
    return any(all(edge.name == "target" for edge in user.edges if edge.node is node) for user, node in pairwise(path))


def _as_bad(first: Cut, other: Cut | None) -> bool:
    """Whether a further cut is of the same manner, or chosen by nobody beside one that somebody wrote."""
    if other is None or (other.kind, other.detail) == (first.kind, first.detail):
        return other is not None and first.kind in (*_UNCHOSEN, "non-differentiable")
    return first.kind in ("detach", "data") and (other.kind in _UNCHOSEN or other.detail.strip("_") in _CHOICES)
