"""What a backward came to: what PyTorch raises and why, and the leaves that were reached."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..report import Span
from .graph import Node, Saved, Version
from .reach import Reach
from .tensor import Tensor


@dataclass(frozen=True, slots=True)
class Raise:
    """What PyTorch raises in a backward: kinds "no-grad-fn", "freed", "saved-modified", "saved-detached",
    "unused-input", "leaf-moved", "inference", "other".

    `certain` is False when it depends on a branch or on the backend. `node` is where, `saved` and `culprit` say which
    saved tensor was changed and by which write; `silent` marks a write that the version counter does not see. `leaf`
    may not take a gradient: its own was put there at `by`.
    """

    kind: str
    certain: bool
    node: Node | None = None
    saved: Saved | None = None
    culprit: Version | None = None
    silent: bool = False
    leaf: Tensor | None = None
    by: Span | None = None

    @property
    def order(self) -> int:
        """Nodes with higher orders run before it is raised."""
        return self.node.order if self.node is not None else 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a backward did: what raised or may raise, and the leaves it reached.

    `silent` are saved tensors with other contents than they had: nothing is raised, and the gradient is wrong. `asked`
    are the tensors whose gradients were asked for, None for those of all leaves. `early` are the leaves that had theirs
    before something raised, `freed_before` the nodes that an earlier backward had freed, or may have.
    """

    span: Span
    roots: tuple[Tensor, ...]
    raises: Raise | None
    doubts: tuple[Raise, ...]
    reach: Reach
    freed_before: tuple[Node, ...] = ()
    early: frozenset[int] = field(default=frozenset())
    silent: tuple[Raise, ...] = ()
    asked: frozenset[int] | None = None
