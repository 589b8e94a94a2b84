"""What happened in a run that rules look at. Facts only; whether something is a bug is decided by the rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .autograd.graph import Frozen, Memory, Node, Path, Version
from .autograd.outcome import Outcome
from .autograd.tensor import Grad, Tensor
from .autograd.truth import Truth
from .made_often import made_often
from .report import Span
from .values import ClassValue, Instance, Site


@dataclass(frozen=True, slots=True)
class Sink:
    """A backward or `autograd.grad`: what it did. `kind`: "backward", "grad".

    A weak sink is what a method of a module returns that the file only defines: "forward", "method"; or what a "call"
    of the module gives in a file without a backward, where any from there would raise. What was made later has a number
    above `order`; `registered` are the parameters that the module of a weak sink has then, `aside` the attributes with
    leaves that learn and are none.
    """

    site: Site
    outcome: Outcome
    kind: str
    path: Path
    text: str
    entry: str
    after_error: bool = False
    loop: int = 0
    pass_start: int = 0
    order: int = 0
    registered: frozenset[int] = frozenset()
    aside: tuple[tuple[str, tuple[Tensor, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Forbidden:
    """PyTorch raises at a statement that is not a backward (an in-place write to a leaf, a flag on a non-leaf, ...).

    `held_as`: the attribute by which the object that was given holds the tensor.
    """

    site: Site
    kind: str
    message: str
    tensor: Tensor | None
    certain: bool
    path: Path
    after_error: bool = False
    entry: str = ""
    held_as: str = ""


@made_often
@dataclass(frozen=True, slots=True)
class InplaceWrite:
    """A person wrote an in-place operation on a non-leaf: the tensor before and after."""

    site: Site
    tensor: Tensor
    before: Node | None
    after: Node | None
    name: str
    entry: str
    path: Path


@dataclass(frozen=True, slots=True)
class GradRead:
    """`.grad` was read: of what, and what it held. `used` is False where only its presence is asked for."""

    site: Site
    tensor: Tensor
    node: Node | None
    leaf: Truth
    present: Truth
    requires_grad: Truth
    retained: bool
    path: Path
    sinks_before: int
    used: bool = True
    sure: bool = True


@made_often
@dataclass(frozen=True, slots=True)
class Held:
    """A tensor an optimizer holds; what was made later has a number above `before`."""

    site: Site
    tensor: Tensor
    node: Node | None
    before: int


@dataclass(frozen=True, slots=True)
class Step:
    """An optimizer's step: the state of `.grad` of what it holds, as it found them. `open`: it may hold more.

    `optimizer` is the number of the object, as it stands beside the tensors that it cleared in `Events.cleared`.
    """

    site: Site
    grads: tuple[tuple[Tensor, Grad], ...]
    open: bool
    path: Path
    entry: str
    sinks_before: int
    unknown_before: int
    after_error: bool
    frozen: tuple[Frozen, ...] = ()
    """Where all that it holds, known parameters without a gradient, were told not to require grad."""
    optimizer: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """`zero_grad()` or `step()` of an optimizer, or of an object nobody knows, after how many backwards.

    `owner` is the number of the object, which lives as long as the run.
    """

    owner: int
    name: str
    site: Site
    path: Path
    entry: str
    sinks_before: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """An attribute or element of a module, or a name, that held parameters is given something else.

    Or the module gets a further one (`added`): then `before` are the parameters it has besides, and `listed` says
    whether somebody had asked the module for its parameters.
    """

    site: Site
    name: str
    before: tuple[Tensor, ...]
    after: tuple[Tensor, ...]
    path: Path
    held_before: int
    steps_before: int
    added: bool = False
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """A custom function was applied: what went in and came out, the node it made, and what its class does wrong.

    `fault` says why its backward raises, `written` are inputs that forward changed without `mark_dirty`, each with the
    write, and `kept` are the tensors that it put on `ctx` as attributes, each with its contents then.
    """

    site: Site
    cls: ClassValue
    node: Node | None
    inputs: tuple[Any, ...]
    result: Any
    fault: Any
    written: tuple[tuple[Tensor, Version], ...]
    kept: tuple[tuple[str, Tensor, Version], ...]
    path: Path


@dataclass(frozen=True, slots=True)
class Outdated:
    """A backward ran a custom function whose attribute `name` on `ctx` has other contents than in forward."""

    applied: Applied
    name: str
    write: Version
    sink: Sink


@dataclass(frozen=True, slots=True)
class Assigned:
    """An attribute of a module is given a tensor that was computed: what that is, as no parameter of it."""

    site: Site
    owner: Instance
    name: str
    value: Tensor


@dataclass(frozen=True, slots=True)
class Grown:
    """A sum or a list has taken in a tensor with a history, in a loop of unknown length: the sum, or what was taken."""

    site: Site
    value: Tensor
    node: Node
    path: Path
    entry: str
    after_error: bool


@dataclass(frozen=True, slots=True)
class Flagged:
    """`requires_grad` was set on a tensor that had been computed without a graph: a new leaf, with that behind it."""

    site: Site
    tensor: Tensor
    node: Node


@dataclass(frozen=True, slots=True)
class LeftFlag:
    """What an entry point left of the flag of a tensor that was there before it, and where it froze it if it did.

    The next entry point begins with the flags of before; what is told of this one is told with these.
    """

    entry: str
    tensor: Tensor
    requires_grad: Truth
    frozen: Frozen | None


@dataclass(frozen=True, slots=True)
class Copied:
    """Memory that was filled outside of any graph, and a tensor whose values went into it, with its node then.

    `fresh` for `copy.deepcopy`, which makes the memory it fills; `beside` where it copies a part of an object
    (`self.target = copy.deepcopy(self.online)`): who hands over all of the object's parameters did not ask for these.
    """

    memory: Memory
    source: Tensor
    node: Node | None
    span: Span | None
    stack: tuple[Site, ...]
    path: Path
    fresh: bool = False
    beside: bool = False


@dataclass(slots=True)
class Events:
    """Everything recorded in one run, in order."""

    sinks: list[Sink] = field(default_factory=list)
    weak: list[Sink] = field(default_factory=list)
    forbidden: list[Forbidden] = field(default_factory=list)
    writes: list[InplaceWrite] = field(default_factory=list)
    reads: list[GradRead] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    replaced: list[Replaced] = field(default_factory=list)
    flagged: list[Flagged] = field(default_factory=list)
    flags: list[LeftFlag] = field(default_factory=list)
    grown: list[Grown] = field(default_factory=list)
    assigned: list[Assigned] = field(default_factory=list)
    applied: list[Applied] = field(default_factory=list)
    outdated: list[Outdated] = field(default_factory=list)
    cleared: dict[tuple[Span, int], frozenset[int]] = field(default_factory=dict)
    """Where gradients were set to None, after how many unknown calls: which tensors had one, and the optimizer whose
    `zero_grad` it was."""
    orders: list[Order] = field(default_factory=list)
    emptied: list[list[Tensor]] = field(default_factory=list)
    """The tensors whose gradients were set to None or to zero, whether they had one or not, for each call."""
    unknown_calls: int = 0
    exposed: set[int] = field(default_factory=set)
    """Leaves that were handed to unknown code."""
    called: set[int] = field(default_factory=set)
    """Modules of torch that were called."""
    escaped: list[Tensor] = field(default_factory=list)
    copied: list[Copied] = field(default_factory=list)
    asked: list[tuple[Site, Tensor]] = field(default_factory=list)
    """Where the `requires_grad` of an unknown module's parameters was read."""
    values: dict[Span, tuple[str, Any, Any]] = field(default_factory=dict)
    reveals: list[tuple[Site, Any]] = field(default_factory=list)
    unresolved: dict[str, int] = field(default_factory=dict)

    def clear(self, span: Span, had: frozenset[int]) -> None:
        """Record that gradients were set to None: of `had`, those that had one, and the optimizer that was asked."""
        key = (span, self.unknown_calls)
        self.cleared[key] = self.cleared.get(key, frozenset()) | had
