"""What a run tells, prepared for rules: what is wanted, what is reached, causes. Rules read this and nothing deeper.

In layers, a file each: `wording.py` (names and places in the user's text), `wanted.py` (who is to learn, and who does),
`causes.py` (the cuts to blame), and here what a rule builds its findings of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .autograd.reach import Severed
from .autograd.tensor import Tensor
from .causes import Cause, Causes
from .events import Forbidden, Sink
from .report import Confidence, Finding, Fix, Severity, Span, TraceStep
from .source.edit_base import Edits

SEVERITY_OF: dict[Confidence, Severity] = {"certain": "error", "likely": "warning", "possible": "information"}


class Facts(Causes):
    """The facts of one run over one file."""

    # ------------------------------------------------------------------ what a rule goes through

    def cuts(self, *kinds: str) -> Iterator[tuple[Cause, Span]]:
        """The causes whose cut is of one of these kinds, each with its place in this file."""
        for cause in self.causes:
            span = self.innermost_here(cause.cut) if cause.why.kind in kinds else None
            if span is not None:
                yield cause, span

    def refused(self, *kinds: str) -> Iterator[Forbidden]:
        """What PyTorch refuses for certain in this file, before other errors: of these kinds, or of any."""
        for event in self.events.forbidden:
            asked = not kinds or event.kind in kinds
            if asked and event.certain and not event.after_error and self.here(event.site.span):
                yield event

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
        unused = (each for each in self.events.forbidden if each.kind == "unused-input")
        if any(each.site.span == cause.sink.site.span for each in unused):
            return "raises: One of the differentiated Tensors appears to not have been used in the graph"
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
