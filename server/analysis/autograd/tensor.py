"""The abstract tensor: no numbers, but everything autograd keeps about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..made_often import made_often
from ..report import Span
from .graph import Counter, Edge, Frozen, Memory, Node, Version
from .order import birth
from .truth import NO, YES, Truth


@made_often
@dataclass(frozen=True, slots=True)
class Device:
    """A device as far as the program tells: "cpu", "cuda", "either" (depends on the machine), or "unknown"."""

    kind: str
    text: str = ""

    def same(self, other: Device) -> Truth:
        """Whether a move to `other` returns the tensor itself."""
        if self.kind == "unknown" or other.kind == "unknown":
            return Truth(None, "the device is not known")
        if self.kind == other.kind:
            return YES
        if "either" in (self.kind, other.kind):
            return Truth(None, "it depends on whether the machine has a GPU")
        return NO


CPU = Device("cpu")
UNKNOWN_DEVICE = Device("unknown")


@made_often
@dataclass(frozen=True, slots=True)
class Grad:
    """The state of `.grad`: absent, present or maybe, by which backward, and its own graph after `create_graph`.

    `inference`: the program put an inference tensor there. `over` is what was there already, and was added to.
    """

    present: Truth = NO
    by: Span | None = None
    graph: Node | None = None
    inference: bool = False
    over: Grad | None = None


NO_GRAD_YET = Grad()


@made_often
@dataclass(frozen=True, slots=True)
class Form:
    """What is certain of a tensor's shape and of how its elements lie in memory.

    `shape` is None where not even the number of dimensions is known, -1 stands for a size that is not. `plain`: the
    elements lie one after the other. Else `strides` says how far apart they lie (-1: not known), if anything is known.
    `offset` is where the first one lies in its memory, None if that is not known.
    """

    shape: tuple[int, ...] | None = None
    plain: bool = False
    strides: tuple[int, ...] | None = None
    offset: int | None = 0


ANY_FORM = Form()


class Tensor:
    """A tensor value. Fields that the program changes are written through the heap by the engine.

    Journaled: `requires_grad`, `idle`, `node`, `seen`, `counter`, `memory`, `grad`, `retains_grad`, `view_of`, `name`,
    `form`, `swapped`, `hooks`.

    `seen` is the state of the version counter at which a view's `node` was made (`attr_version` in PyTorch). `idle`
    marks a view without a grad_fn of its own: it requires grad because its base does
    (`DifferentiableViewMeta::requires_grad`), and gradient that comes to it goes nowhere.
    `output` says which of its node's outputs it is.
    `inference` marks an inference tensor, `uncounted` that it has no version counter and may not be written to outside
    inference mode: `.detach()` of an inference tensor is one too, but gets a counter.
    `hooks` of a leaf see, and may replace, the gradient that comes to it; those of a result are its node's.
    `swapped` is the last `t.data = v`, which puts other memory under the same tensor.
    `view_kind` is PyTorch's `CreationMeta`: "view" (the default), "multi", "no_grad", "inference", "custom".
    `either` are the tensors of which it is one (a variable after a branch, an unknown index), `lies_in` those in whose
    memory it may lie, for a detached one of several. `group` marks one that stands for all parameters of a module that
    is not seen. `scalar` marks what came of a number: neither dtype nor device of a result are decided by it. `frozen`
    is where it was told not to require grad. `note` says what a tensor stands for whose making is not in sight.
    `born` numbers tensors as they are made, `made` is 0 where one stands for what was there before anybody looked.
    """

    __slots__ = (
        "born",
        "counter",
        "device",
        "dtype",
        "either",
        "floating",
        "form",
        "frozen",
        "grad",
        "group",
        "hooks",
        "idle",
        "inference",
        "is_parameter",
        "lies_in",
        "made",
        "memory",
        "name",
        "node",
        "note",
        "origin",
        "output",
        "requires_grad",
        "retains_grad",
        "scalar",
        "seen",
        "swapped",
        "uncounted",
        "view_kind",
        "view_of",
    )

    def __init__(
        self,
        *,
        requires_grad: Truth = NO,
        node: Node | None = None,
        floating: Truth = YES,
        device: Device = CPU,
        origin: Span | None = None,
        name: str = "",
        is_parameter: bool = False,
    ) -> None:
        self.born = birth()
        self.counter, self.memory = Counter(), Memory()
        self.made = self.counter.made = self.memory.made = self.born
        self.requires_grad, self.node, self.floating, self.device = requires_grad, node, floating, device
        self.origin, self.name, self.is_parameter = origin, name, is_parameter
        self.grad: Grad = NO_GRAD_YET
        self.retains_grad = False
        self.view_of: Tensor | None = None
        self.view_kind = ""
        self.inference = self.uncounted = False
        self.group = False
        self.dtype = ""
        self.scalar = False
        self.note = ""
        self.frozen: Frozen | None = None
        self.either: tuple[Tensor, ...] = ()
        self.lies_in: tuple[Tensor, ...] = ()
        self.idle = False
        self.output = 0
        self.hooks: tuple[Any, ...] = ()
        self.form = ANY_FORM
        self.seen: Version = self.counter.version
        self.swapped: Version | None = None

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Its sizes, as far as they are certain."""
        return self.form.shape

    @property
    def grad_fn(self) -> Node | None:
        """The node gradient flows through, or None (a leaf, or nothing to differentiate)."""
        return self.node if self.node is not None and self.node.tracked.possible else None

    @property
    def maker(self) -> Node | None:
        """The node that a gradient of it comes to: also below a change of its shape that autograd did not see."""
        node = self.node
        while node is not None and node.expects is not None:
            node = node.edges[0].node
        return node

    @property
    def is_leaf(self) -> Truth:
        """Yes without a grad_fn, as in PyTorch: also for every tensor that requires no grad."""
        if self.node is None:
            return YES
        tracked = self.node.tracked
        return Truth(None, tracked.why) if tracked.maybe else Truth(not tracked.value)

    @property
    def base(self) -> Tensor:
        """The tensor at the bottom of a chain of views."""
        tensor = self
        while tensor.view_of is not None:
            tensor = tensor.view_of
        return tensor

    @property
    def places(self) -> tuple[Tensor, ...]:
        """The tensors whose memory it may be in: itself, unless it is one of several, or a detached one of several."""
        several = self.either or self.lies_in
        if not several:
            return (self,)
        return tuple(dict.fromkeys(place for each in several for place in each.places))

    @property
    def live(self) -> Truth:
        """Whether gradient that comes to it goes anywhere (`gradient_edge` is valid)."""
        return NO if self.idle else self.requires_grad

    def edge(self, differentiable: bool = True, name: str = "") -> Edge:
        """This tensor as an input (of that name), as it is now."""
        return Edge(self.node, self, self.live, differentiable, name)

    def __repr__(self) -> str:
        return f"<Tensor {self.name or '?'} rg={self.requires_grad} node={self.node}>"
