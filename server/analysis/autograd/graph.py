"""What autograd remembers: version counters, graph nodes with edges and saved tensors, and where the graph is cut.

PyTorch keeps nodes only for tracked operations. We keep one for every operation: an untracked one has
`tracked == NO` and no gradient flows through it, but explanation walks it, and finds where a path was cut.
Sources: torch/csrc/autograd/{function.h, saved_variable.cpp, variable.h}, c10/core/TensorImpl.h (VariableVersion).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..made_often import made_often
from ..report import Span
from .order import birth
from .truth import NO, Truth

if TYPE_CHECKING:
    from .tensor import Tensor

newest_order = birth
"""A number above the order of every node made so far."""


Path = frozenset[tuple[Hashable, bool]]
"""Under which outcomes of unknown conditions something happens: (condition, outcome) pairs."""

ALWAYS: Path = frozenset()


def contradicts(left: Path, right: Path) -> bool:
    """Whether no run can meet both: some condition is needed both ways."""
    if not left or not right:
        return False
    return any((condition, not outcome) in right for condition, outcome in left)


class Version:
    """One state of a storage's version counter.

    A write makes a new one; identity is what counts. A join of two branches makes one with `alternatives`.
    `previous` is the version the write replaced, `over` the contents; `stack` the calls on the way to the write.
    `order` tells, beside that of a node, which came first.
    """

    __slots__ = ("alternatives", "order", "over", "path", "previous", "span", "stack", "what")

    def __init__(
        self,
        what: str = "",
        span: Span | None = None,
        path: Path = ALWAYS,
        alternatives: tuple[Version, ...] = (),
        previous: Version | None = None,
        over: Version | None = None,
    ) -> None:
        self.what, self.span, self.path, self.alternatives = what, span, path, alternatives
        self.previous, self.over = previous, over
        self.order = birth()
        self.stack: tuple[Any, ...] = ()

    def outcomes(self) -> list[Version]:
        """The versions this may be, itself first."""
        found, todo = [], [self]
        while todo:
            version = todo.pop()
            if version not in found:
                found.append(version)
                todo.extend(version.alternatives)
        return found


def first_write_after(saved: Version, present: Version) -> Version:
    """The oldest write between two versions of one counter: the one that did the damage."""
    step = present
    while step.previous is not None and step.previous is not saved and not step.previous.alternatives:
        step = step.previous
    return step if step.previous is saved else present


def first_change_after(saved: Version, present: Version) -> Version:
    """The oldest write between two contents of one memory, whichever counter it went past."""
    step = present
    while step.over is not None and step.over is not saved and not step.over.alternatives:
        step = step.over
    return step if step.over is saved else present


def join_versions(left: Version, right: Version) -> Version:
    """The counter after two branches that left it in different states."""
    return left if left is right else Version(alternatives=(left, right))


class Counter:
    """A version counter, shared by a tensor, its views and its `.detach()`; `.data` starts a new one."""

    __slots__ = ("made", "version")

    def __init__(self) -> None:
        self.version = Version()
        self.made = 0


class Memory:
    """The bytes. `.data` shares them without the counter, so a write there is seen here and nowhere else."""

    __slots__ = ("made", "version")

    def __init__(self) -> None:
        self.version = Version()
        self.made = 0


@made_often
@dataclass(frozen=True, slots=True)
class Cut:
    """Why no gradient flows through a node: `kind` names the mechanism, `span` the place that caused it.

    Kinds: "grad-mode" (no_grad and its kin; `detail` is how it was written, `function` what a decorator was put on),
    "detach", "data", "left-torch", "rewrap", "non-differentiable", "zero-gradient", "no-create-graph".
    """

    kind: str
    span: Span
    detail: str = ""
    function: Any = None


@made_often
@dataclass(frozen=True, slots=True)
class Frozen:
    """Where a tensor was told not to require grad, and the calls that led there."""

    span: Span
    stack: tuple[Any, ...] = ()


@made_often
@dataclass(frozen=True, slots=True)
class Saved:
    """A tensor kept for backward at the version it had; `sure` is False where shapes or backends decide.

    `used_for` names the operands whose gradient is computed with it. `memory` is where its contents were.
    """

    tensor: Tensor
    version: Version
    contents: Version
    operand: str
    sure: bool = True
    used_for: frozenset[str] = frozenset()
    memory: Memory | None = None


@made_often
@dataclass(frozen=True, slots=True)
class Edge:
    """An input of a node as it was when used: its own node, or the leaf itself.

    `live` is its requires_grad at that time; `flows` is False where the operation is not differentiable in this input.
    `name` is that of the operand, where an operation has several. Along an edge that is not `defined` backward goes on
    with no gradient at all (a custom function returned None): nodes run, and no leaf gets anything.
    """

    node: Node | None
    tensor: Tensor | None
    live: Truth
    flows: bool = True
    name: str = ""
    defined: bool = True


class Node:
    """One operation. `freed` is a journaled truth value; everything else never changes after construction.

    `materializes`: its backward gets zeros where no gradient comes to it, and gives on what it makes of them.
    `slices`: an operation in place on a view (`CopySlices`), which runs only when a gradient comes to it.
    `hooks` (journaled) see, and may replace, the gradient of an output before this node runs: (output, hook) each.
    `expects`: the sizes of the gradient that the node below takes, where its tensor was given others past autograd;
    whoever gives it a gradient raises.
    """

    __slots__ = (
        "cut",
        "derivative",
        "edges",
        "expects",
        "freed",
        "has_saved",
        "hooks",
        "implemented",
        "is_join",
        "materializes",
        "name",
        "note",
        "opaque",
        "order",
        "path",
        "result",
        "saved",
        "slices",
        "span",
        "stack",
        "tracked",
        "zero",
    )

    def __init__(
        self,
        name: str,
        span: Span | None,
        edges: tuple[Edge, ...],
        *,
        tracked: Truth,
        path: Path = ALWAYS,
        cut: Cut | None = None,
        opaque: str = "",
        is_join: bool = False,
        zero: bool = False,
        implemented: bool = True,
        note: str = "",
        derivative: str = "",
    ) -> None:
        self.name, self.span, self.edges, self.tracked, self.path, self.cut = name, span, edges, tracked, path, cut
        self.opaque, self.is_join, self.zero, self.implemented = opaque, is_join, zero, implemented
        self.saved: tuple[Saved, ...] = ()
        self.has_saved = False
        self.freed: Truth = NO
        self.order = birth()
        self.note = note
        self.derivative = derivative
        self.result: Tensor | None = None
        self.materializes = self.slices = False
        self.hooks: tuple[tuple[int, Any], ...] = ()
        self.expects: tuple[int, ...] | None = None
        self.stack: tuple[Any, ...] = ()

    @property
    def base_name(self) -> str:
        """The name of the operation, however it was called: `mul` of `mul_` and of `__mul__`."""
        return self.name.strip("_").lower()

    def __repr__(self) -> str:
        return f"<{self.name} #{self.order} tracked={self.tracked}>"
