"""What hover says about a value: its state in one line, where its gradient goes, and what was not followed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .autograd.graph import Cut, Node
from .autograd.reach import Severed, reach, severed
from .autograd.tensor import Tensor
from .autograd.truth import Truth
from .facts import Facts
from .report import TraceStep, ValueFacts

_OPERATORS = {
    "truediv": "div",
    "rtruediv": "div",
    "rsub": "sub",
    "radd": "add",
    "rmul": "mul",
    "iadd": "add",
    "isub": "sub",
    "imul": "mul",
    "itruediv": "div",
    "getitem": "getitem",
    "rpow": "pow",
}


def operation_name(node: Node) -> str:
    """The operation of a node as people say it: `__rsub__` is "sub"."""
    if node.is_join:
        return "one of several, by a branch"
    name = node.name.strip("_")
    return _OPERATORS.get(name, name)


INDICES = frozenset(
    {"max", "min", "topk", "sort", "kthvalue", "median", "nanmedian", "mode", "cummax", "cummin", "max_pool1d"}
    | {"max_pool2d", "max_pool3d", "unique"}
)
"""Operations that give values, which are differentiable, and indices, which are not."""


COMPARED = {"gt": "`>`", "lt": "`<`", "ge": "`>=`", "le": "`<=`", "eq": "`==`", "ne": "`!=`"}
"""Comparisons as they are written."""


def mode_words(detail: str) -> str:
    """What switched tracking off: code as it was written, or "the evaluation loop", "a method of the base class"."""
    return detail if detail.startswith(("the ", "a ")) else f"`{detail}`"


def cut_words(cut: Cut) -> str:
    """A cut in a few words."""
    detail = cut.detail.strip("_")
    if cut.kind == "non-differentiable" and detail in INDICES:
        return f"the indices of `{detail}` are not differentiable"
    if cut.kind == "non-differentiable" and detail in ("to", "long", "int"):
        return "a cast to integers is not differentiable"
    if cut.kind == "non-differentiable" and detail in COMPARED:
        return f"{COMPARED[detail]} is not differentiable"
    if cut.kind == "left-torch" and detail in ("item", "tolist", "numpy"):
        return f"left torch through `.{detail}()`"
    if cut.kind == "left-torch":
        return f"left torch through `{detail}()`"
    if cut.kind == "rewrap":
        return f"copied into a new tensor by `{detail}(...)`"
    if cut.kind == "grad-mode" and detail.startswith("checkpoint"):
        return f"recomputed by `{detail.partition(' ')[0]}` {detail.partition(' ')[2]}"
    return {
        "grad-mode": f"computed under {mode_words(cut.detail)}",
        "detach": f"cut by `{cut.detail}`",
        "data": "cut by `.data`",
        "no-create-graph": f"given by `{cut.detail}` without `create_graph=True`",
        "non-differentiable": f"`{cut.detail.strip('_')}` is not differentiable",
    }.get(cut.kind, cut.kind)


def reveal(tensor: Tensor, node: Node | None, requires_grad: Truth) -> str:
    """The short form that `reveal_grad(x)` shows."""
    if requires_grad.maybe:
        return f"maybe: {requires_grad.why}"
    if requires_grad.yes:
        if node is None or node.tracked.no:
            return "leaf, requires grad"
        if node.is_join:
            return "grad_fn of one branch or another"
        return f"grad_fn=<{operation_name(node)}>"
    cut = first_cut(node)
    if cut is not None and cut.cut is not None:
        kind = {"grad-mode": cut.cut.detail.replace("torch.", "").rstrip("()")}.get(cut.cut.kind, cut.cut.kind)
        return f"no grad, cut by {kind}"
    return "no grad"


def first_cut(node: Node | None) -> Node | None:
    """The nearest cut above a node without gradient."""
    seen: set[Node] = set()
    queue = [node] if node is not None else []
    for each in queue:
        if each in seen:
            continue
        seen.add(each)
        if each.cut is not None:
            return each
        queue.extend(edge.node for edge in each.edges if edge.node is not None)
    return None


class _At:
    """A tensor as it was at one place of the program."""

    __slots__ = ("node", "requires_grad")

    def __init__(self, node: Node | None, requires_grad: Truth) -> None:
        self.node, self.requires_grad = node, requires_grad


class Describer:
    """Answers hover for one run. Reads what was recorded; starts no analysis."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._places: list[tuple[Any, ast.AST]] | None = None

    def at(self, line: int, column: int) -> ValueFacts | None:
        """Facts about the innermost recorded expression at a 1-based position."""
        if self._places is None:
            spans = [(self.facts.source.span(node), node) for node in self.facts.machine.recorded]
            self._places = sorted(spans, key=lambda item: item[0])
        fitting = [(span, node) for span, node in self._places if span.contains(line, column)]
        if not fitting:
            return None
        span, node = min(fitting, key=lambda i: (i[0].end.line - i[0].start.line, i[0].end.column - i[0].start.column))
        seen = self.facts.machine.recorded[node]
        tensor, history, requires_grad = self._telling(seen)
        told = self.describe(span, self.facts.text(node, 40), tensor, history, requires_grad)
        modes = [cut.cut for _, other, flag in seen if flag.no and (cut := first_cut(other)) is not None]
        mode = next((each for each in modes if each is not None and each.kind == "grad-mode"), None)
        if mode is None or not requires_grad.yes:
            return told
        return replace(
            told, notes=(*told.notes, f"Another time it is computed under {mode_words(mode.detail)}, without gradient.")
        )

    def _telling(self, seen: Sequence[tuple[Tensor, Node | None, Truth]]) -> tuple[Tensor, Node | None, Truth]:
        """Of what was at a place in the passes and calls of the run, the last that takes part in a loss; else the last.

        A `forward` runs for an evaluation under `no_grad` as well.
        """
        sinks = [sink.outcome.reach for sink in self.facts.events.sinks[:50]]
        for each in reversed(seen):
            if each[2].yes and any(each[1] in found.nodes or each[0] in found.leaves for found in sinks):
                return each
        return seen[-1]

    def describe(self, span: Any, name: str, tensor: Tensor, node: Node | None, requires_grad: Truth) -> ValueFacts:
        """The facts of a tensor as it was at a place."""
        facts = self.facts
        leaf = node is None or node.tracked.no
        at = _At(node, requires_grad)
        roots: Any = [at] if node is not None else []
        reached = reach(roots).leaves if roots and not leaf else {}
        lost = severed(roots, reached) if roots else []
        notes: list[str] = []
        path: list[TraceStep] = []
        cut_line: int | None = None
        if requires_grad.maybe:
            state = f"`{name}`: not known whether it requires grad ({requires_grad.why})"
        elif requires_grad.yes and leaf:
            state = f"`{name}`: a leaf that requires grad{self._trained_by(tensor, node)}"
            path += facts.source_steps([tensor], 1)
            notes += self._saved_notes(tensor, None)
        elif requires_grad.yes:
            assert node is not None
            trains = facts.leaf_text(list(reached)) if reached else "no leaf"
            mine = self._trained_by(tensor, node, " through ")
            verb = "trains" if not mine.startswith(";") else "leads back to"
            made = "made in a branch" if node.is_join else f"made by `{operation_name(node)}`"
            state = f"`{name}`: has a gradient ({made}), {verb} {trains}{mine}"
            path += facts.source_steps(list(reached))
            if not node.is_join:
                path += _step(facts, node, "note", f"`{operation_name(node)}` makes `{name}`")
            notes += self._saved_notes(tensor, node)
        else:
            cut = first_cut(node)
            if cut is not None and cut.cut is not None:
                place = facts.innermost_here(cut)
                cut_line = place.start.line if place is not None else None
                where = f" at line {cut_line}" if cut_line is not None else ""
                state = f"`{name}`: no gradient, {cut_words(cut.cut)}{where}"
                path += facts.source_steps(lost)
                if cut.cut.kind == "grad-mode" and facts.here(cut.cut.span):
                    path.append(TraceStep(cut.cut.span, "note", "tracking is off from here"))
                words = cut_words(cut.cut)
                path += _step(facts, cut, "cut", words if words.startswith("cut ") else f"cut: {words}")
            elif tensor.floating.no:
                state = f"`{name}`: an integer or boolean tensor, never has a gradient"
            else:
                state = f"`{name}`: does not require grad" + (
                    ", and nothing it is made from does" if node is not None else ""
                )
        path += self._sinks(tensor, node, lost)
        return ValueFacts(
            span=span,
            name=name,
            state=state,
            requires_grad=str(requires_grad),  # type: ignore[arg-type]
            is_leaf="yes" if leaf else "maybe" if node is not None and node.tracked.maybe else "no",
            path=tuple(dict.fromkeys(path)),
            notes=tuple(notes),
            cut_line=cut_line,
        )

    def _trained_by(self, tensor: Tensor, node: Node | None, words: str = ", trained by ") -> str:
        """The losses a tensor is on the way to, in words; that there is none, where the file has losses."""
        sinks = self.facts.events.sinks[:50]
        every = [
            sink
            for sink in sinks
            if (node is not None and node in sink.outcome.reach.nodes) or tensor in sink.outcome.reach.leaves
        ]
        mine = [self.facts.sink_name(sink) for sink in every if sink.outcome.raises is None]
        if mine:
            names = list(dict.fromkeys(mine))
            return words + " and ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        escaped = any(each is tensor or each.node is node for each in self.facts.events.escaped)
        if every:
            return f"; {self.facts.backward_name(every[0])} raises"
        return "; no loss of this file reaches it" if sinks and not escaped else ""

    def _saved_notes(self, tensor: Tensor, node: Node | None) -> list[str]:
        """Who keeps this tensor for backward, so that it must not be changed in place before; or that nobody does."""
        if node is not None and node.is_join:
            return []
        savers: dict[str, None] = {}
        changed = any(write.tensor.memory is tensor.memory for write in self.facts.events.writes)
        for sink in self.facts.events.sinks[:50]:
            for each in sink.outcome.reach.nodes:
                if any(saved.memory is tensor.memory for saved in each.saved):
                    savers[f"`{operation_name(each)}`"] = None
        if savers:
            names = [*savers][:3]
            last = f" and {names.pop()}" if len(names) > 1 else ""
            verb = "saves" if len(savers) == 1 else "save"
            return [f"{', '.join(names)}{last} {verb} it for backward: changing it in place before that raises."]
        if changed and tensor.view_of is None and node is not None and not node.opaque:
            return ["No operation saves it for backward: changing it in place is safe."]
        return []

    def _sinks(self, tensor: Tensor, node: Node | None, lost: list[Severed]) -> list[TraceStep]:
        steps: list[TraceStep] = []
        for sink in self.facts.events.sinks[:50]:
            found = sink.outcome.reach
            if (node is not None and node in found.nodes) or tensor in found.leaves:
                message = f"gradient of {self.facts.sink_name(sink)} arrives here"
                if sink.outcome.raises is not None:
                    message = f"{self.facts.sink_name(sink)} depends on it, but backward raises"
            elif node is not None and any(node in s.path for s in severed(sink.outcome.roots, found.leaves)):
                message = f"no gradient comes back from {self.facts.sink_name(sink)}"
            else:
                continue
            step = TraceStep(sink.site.span, "sink", message)
            if step not in steps:
                steps.append(step)
            if len(steps) == 3:
                break
        return steps


def _step(facts: Facts, node: Node, role: Any, message: str) -> list[TraceStep]:
    place = facts.innermost_here(node)
    return [TraceStep(facts.marked(place), role, message)] if place is not None else []
