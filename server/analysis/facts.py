"""What a run tells, prepared for rules: names, statements, spans, causes. Rules read this and nothing deeper."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .autograd.graph import ALWAYS, Cut, Node, Path, Version
from .autograd.reach import Severed, constants, reach, severed, zeros_on_the_way
from .autograd.tensor import Tensor
from .events import Copied, Events, Flagged, GradRead, Sink
from .report import Confidence, Finding, Fix, Severity, Span, TraceStep
from .source.edit_base import Edits
from .source.parse import Parsed
from .torch_model.module_tree import is_module, modules, named_parameters
from .values import Instance, Site

_UNCHOSEN = frozenset({"left-torch", "rewrap"})
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


def _is_at(node: ast.AST, span: Span) -> bool:
    # Only what was evaluated has a span; most nodes are told apart by their line.
    return getattr(node, "lineno", span.start.line) == span.start.line and getattr(node, "gradsight_span", None) == span


class Facts:
    """The facts of one run over one file."""

    def __init__(self, machine: Any, parsed: Parsed) -> None:
        self.machine, self.parsed, self.source = machine, parsed, parsed.source
        self.events: Events = machine.events
        self.path = parsed.path
        self._nodes: dict[Span, ast.AST | None] = {}
        self._severed: dict[int, list[Severed]] = {}

    # ------------------------------------------------------------------ places

    def here(self, span: Span | None) -> bool:
        """Whether a span lies in the file that is checked."""
        return span is not None and span.path == self.path

    def node_at(self, span: Span | None) -> ast.AST | None:
        """The syntax node whose evaluation a span stands for."""
        if span is None or not self.here(span):
            return None
        if span not in self._nodes:
            self._nodes[span] = next((n for n in self.parsed.nodes_near(span.start.line) if _is_at(n, span)), None)
        return self._nodes[span]

    def statement_at(self, span: Span | None) -> ast.stmt | None:
        """The statement around a span."""
        node = self.node_at(span)
        return self.parsed.statement_of(node) if node is not None else None

    def marked(self, span: Span) -> Span:
        """What a finding underlines for something at `span`: its statement if that is a simple one-liner."""
        statement = self.statement_at(span)
        if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return)):
            whole = self.source.span(statement)
            if whole.end.line - whole.start.line <= 2:
                return whole
        return span

    def enclosing_function(self, node: ast.AST | None) -> ast.AST | None:
        """The function a node stands in, None for the module body."""
        current = self.parsed.parents.get(node) if node is not None else None
        while current is not None and not isinstance(current, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            current = self.parsed.parents.get(current)
        return current

    def text(self, node: ast.AST | None, limit: int = 40) -> str:
        """The source of a node on one line, shortened."""
        if node is None:
            return ""
        text = " ".join(self.source.segment(node).split())
        return text if len(text) <= limit else text[: limit - 1] + "…"

    def innermost_here(self, node: Node | Version | Copied) -> Span | None:
        """Where an operation or a write happened as seen from this file: there, or the call that led out of it."""
        if self.here(node.span):
            return node.span
        for site in reversed(node.stack):
            if self.here(site.span):
                return site.span
        return None

    # ------------------------------------------------------------------ names

    @cached_property
    def _names(self) -> dict[int, str]:
        names: dict[int, str] = {}
        for name, value in self.machine.main.namespace.items():
            if isinstance(value, Tensor) and not value.group:
                names.setdefault(id(value), name)
            elif is_module(value):
                for dotted, tensor in named_parameters(value):
                    names.setdefault(id(tensor), f"{name}.{dotted}")
            elif isinstance(value, Instance):
                for attribute, inner in value.attributes.items():
                    if isinstance(inner, Tensor):
                        names.setdefault(id(inner), f"{name}.{attribute}")
                    elif is_module(inner):
                        for dotted, tensor in named_parameters(inner):
                            names.setdefault(id(tensor), f"{name}.{attribute}.{dotted}")
        # Modules that no name of the file holds: the name each was first bound to, or its class.
        made = {id(value): value for value in self.machine.named}
        inside: set[int] = set()
        for value in made.values():
            if id(value) not in inside:
                inside.update(id(child) for child in modules(value)[1:])
        for value in made.values():
            if id(value) not in inside:
                name = value.name or (value.cls.name if isinstance(value, Instance) else value.dotted)
                for dotted, tensor in named_parameters(value):
                    names.setdefault(id(tensor), f"{name}.{dotted}")
        return names

    def name_of(self, tensor: Tensor) -> str:
        """The user's name of a tensor, as it would be written; "" if it has none."""
        return self._names.get(id(tensor)) or tensor.name

    def leaf_text(self, leaves: Sequence[Severed | Tensor]) -> str:
        """The leaves in a few words: "`x`", "`fc.weight` and `fc.bias`", "12 parameters of `net`"."""
        tensors = [leaf.leaf if isinstance(leaf, Severed) else leaf for leaf in leaves]
        groups = [t for t in tensors if t.group]
        names = [f"`{self.name_of(t)}`" for t in tensors if self.name_of(t)]
        if groups and len(groups) == len(tensors):
            return "the parameters of " + " and ".join(dict.fromkeys(names))
        if len(names) <= 2:
            return " and ".join(names) or "the trainable tensor"
        prefixes = {n.strip("`").partition(".")[0] for n in names}
        if len(prefixes) == 1:
            return f"{len(names)} parameters of `{prefixes.pop()}`"
        return f"{names[0]}, {names[1]} and {len(names) - 2} more"

    def value_name(self, span: Span | None, fallback: str = "the result") -> str:
        """What the statement at a span assigns to, or the expression itself."""
        statement = self.statement_at(span)
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, (ast.Name, ast.Attribute)):
                return f"`{self.text(target)}`"
        if isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
            return f"`{self.text(statement.target)}`"
        node = self.node_at(span)
        return f"`{self.text(node, 30)}`" if node is not None else fallback

    def sink_name(self, sink: Sink) -> str:
        """The loss of a sink as the user writes it."""
        node = sink.site.node
        if isinstance(node, ast.Return) and node.value is not None:
            value: ast.AST = node.value
            if isinstance(value, ast.IfExp):
                value = value.orelse
            if isinstance(value, ast.Dict):
                entries = zip(value.keys, value.values, strict=True)
                value = next((v for k, v in entries if isinstance(k, ast.Constant) and k.value == "loss"), value)
            elif isinstance(value, ast.Tuple) and value.elts:
                value = value.elts[0]
            text = self._foreign_text(sink.site, value)
            return f"`{text}`" if len(text) <= 30 else "the loss"
        if isinstance(node, ast.Call):
            root = sink.outcome.roots[0].name if sink.outcome.roots else ""
            if node.args and root and isinstance(node.args[0], ast.Name) and node.args[0].id == root:
                # `accelerator.backward(loss)`.
                return f"`{root}`"
            if isinstance(node.func, ast.Attribute) and node.func.attr == "backward":
                receiver = node.func.value
                text = self._foreign_text(sink.site, receiver)
                if len(text) <= 30:
                    return f"`{text}`"
            elif node.args:
                text = self._foreign_text(sink.site, node.args[0])
                if len(text) <= 30:
                    return f"`{text}`"
        return "the loss"

    def _foreign_text(self, site: Site, node: ast.AST) -> str:
        source = site.module.source if site.module is not None else self.source
        return " ".join(source.segment(node).split())

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
        return (id(leaf) in self.held and id(leaf) not in self.followers) or id(leaf) in self.read

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
                if kept is None:
                    found[id(cause.cut.span or cause.cut)] = cause
        for sink in self.events.weak:
            for cause in self._weak_causes_of(sink):
                found.setdefault(id(cause.cut.span or cause.cut), cause)
        unique: dict[tuple[Any, str], Cause] = {}
        for cause in found.values():
            unique.setdefault((cause.cut.span, cause.why.kind), cause)
        return list(unique.values())

    def _causes_of(self, sink: Sink) -> list[Cause]:
        outcome = sink.outcome
        raised = outcome.raises is not None and outcome.raises.kind == "no-grad-fn"
        lost = [s for s in self.severed_by(sink) if s.leaf.requires_grad.possible]
        sure = [s for s in lost if s.leaf.requires_grad.yes]
        if raised:
            wanted = [s for s in sure if self.is_wanted(s.leaf)] or [s for s in sure if not self.is_passive(s)] or sure
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
            return self._grouped(wanted, sink, "likely", True) if only_data else []
        if self._idle(sink):
            wanted = [s for s in sure if self.is_wanted(s.leaf)]
            unknown = [s for s in lost if s.leaf.group or s.leaf.note in ("symbolic", "unknown")]
            return self._grouped(wanted or unknown, sink, self.confidence(sink) if wanted else "likely", False)
        if self.machine.exhausted or self.machine.crashes or self.machine.foreign.hides:
            # What a run that stopped early, or stepped over a statement, never reached is not known to be unreachable.
            return []
        wanted = [s for s in sure if self.is_wanted(s.leaf) and self.is_lost(s.leaf)]
        if not wanted and not self.events.held:
            # No optimizer in sight: a part of a module that learns nothing while its siblings do.
            wanted = [s for s in sure if id(s.leaf) not in self.reached and self._sibling_learns(s.leaf, sink)]
            return self._grouped(wanted, sink, "likely", False)
        wanted = wanted or self._zeroed(sink)
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
            if node.is_join:
                return False
            for edge in node.edges:
                # A result that tracking was off for is a leaf too, once it is told to require grad.
                leaf = edge.tensor if edge.node is None or edge.node.tracked.no else None
                if leaf is None or not edge.live.possible or leaf.note == "symbolic":
                    continue
                if not (leaf.group and leaf.requires_grad.maybe and node in cut_paths and node in last):
                    return False
        return bool(lost)

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
            node, why = self._more_specific(items[0])
            causes.append(Cause(node, tuple(items), sink, confidence, raises, why))
        return causes

    def _besides_a_target(self, items: list[Severed], sink: Sink) -> list[Severed]:
        """The other way to leaves that a target is made of.

        The code book of a quantizer learns from `z.detach()`; what cuts the encoder off is the choice of an entry.
        """
        path, cut = items[0].path, items[0].cut
        user = path[path.index(cut) - 1] if cut in path[1:] else None
        if cut.cut is None or cut.cut.kind != "detach" or user is None or not any(e.live.yes for e in user.edges):
            return items
        mine = {id(item.leaf) for item in items}
        found = [s for s in severed(sink.outcome.roots, (), without=cut) if id(s.leaf) in mine]
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

    @cached_property
    def nothing_trainable(self) -> list[tuple[Sink, list[Tensor]]]:
        """Sinks that raise although nothing was cut: no tensor on the way requires grad; with what could have."""
        found = []
        for sink in self.events.sinks:
            raised = sink.outcome.raises
            if raised is None or raised.kind != "no-grad-fn" or sink.after_error:
                continue
            lost = severed(sink.outcome.roots, ())
            if any(s.leaf.requires_grad.yes or s.leaf.group or s.leaf.note for s in lost):
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
