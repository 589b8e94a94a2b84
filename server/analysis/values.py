"""The values of the abstract machine, apart from tensors.

Python constants stand for themselves; a Python `tuple` is a tuple of values. Everything mutable is written through the
run's `Heap`, so that branches can be undone and joined. *Unknown* carries its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .autograd.engine import Autograd
from .autograd.graph import Cut, Memory, Node, Path
from .autograd.heap import Heap, Table, remember
from .autograd.order import birth
from .autograd.tensor import UNKNOWN_DEVICE, Tensor
from .autograd.truth import NO, maybe
from .made_often import made_often
from .report import Span

if TYPE_CHECKING:
    from .events import Events

Value = Any


@made_often
@dataclass(frozen=True, slots=True)
class Site:
    """Where in the program something happens: the syntax node (opaque to all but the interpreter) and its span."""

    span: Span
    node: ast.AST | None = None
    statement: ast.AST | None = None
    module: Any = None


class Unknown:
    """A value the engine does not know, with the reason, and what it may depend on.

    Attributes are remembered, so that `args.amp` is the same unknown twice. `tensor` is how it takes part in tensor
    operations; `parameters` stands for the parameters of an unknown that turns out to be a module; `plain` says that it
    is data (a batch of a loader), which requires no grad. `holder` says that elements were put into it while nothing
    told that it is a tensor: it may as well be a list.
    """

    __slots__ = (
        "attributes",
        "deps",
        "holder",
        "module_like",
        "name",
        "node",
        "parameters",
        "plain",
        "reason",
        "symbolic",
        "tensor",
    )

    def __init__(
        self,
        reason: str,
        *,
        name: str = "",
        deps: tuple[Value, ...] = (),
        symbolic: bool = False,
        node: Node | None = None,
    ) -> None:
        self.reason, self.name, self.deps, self.symbolic, self.node = reason, name, deps, symbolic, node
        self.attributes: dict[Hashable, Value] = Table()
        self.tensor: Tensor | None = None
        self.parameters: Tensor | None = None
        self.module_like = self.holder = False
        self.plain = False

    def another(self) -> Unknown:
        """One more of the same kind: what is known of this one holds for it, and it is another object."""
        twin = Unknown(self.reason, name=self.name, deps=self.deps, symbolic=self.symbolic, node=self.node)
        twin.plain = self.plain
        return twin

    def __repr__(self) -> str:
        return f"<Unknown {self.reason}>"


class Scalar:
    """A number, string or array whose value is not known. `node` remembers the tensors it was computed from.

    `kind`: "int", "float", "bool", "str", "number", "array" (numpy), "shape". `memory` is what an array shares with
    tensors and other arrays, where that is known.
    """

    __slots__ = ("kind", "memory", "node")

    def __init__(self, kind: str, node: Node | None = None, memory: Memory | None = None) -> None:
        self.kind, self.node, self.memory = kind, node, memory

    def __repr__(self) -> str:
        return f"<Scalar {self.kind}>"


class AtLeast(Scalar):
    """A whole number of which only a lower bound is known: the index of a pass over something of unknown length."""

    __slots__ = ("least",)

    def __init__(self, least: int) -> None:
        super().__init__("int")
        self.least = least


class First(AtLeast):
    """The index of the first pass over a range of unknown length, which is where the range begins.

    It is compared with that number as the number itself; with any other it stands for the passes behind it as well.
    `asked`: the program did compare the two, so that a later pass does what this one did not.
    """

    __slots__ = ("asked",)

    def __init__(self, least: int) -> None:
        super().__init__(least)
        self.asked = False


class Emptied(tuple[Any, ...]):
    """No elements, where a branch has gone backward and begins its list anew: what was in it is gone with its graph."""

    __slots__ = ()


class Length(int):
    """How many elements a list has that grows in a loop of unknown length: in this pass, and in others more."""

    __slots__ = ()


EMPTIED = Emptied()

RANGE = "range"
"""The kind of a `ListValue` whose numbers count up (or down) from one to the next."""


class ListValue:
    """A list, set, deque, range, or a tuple of unknown length.

    `items` (journaled) is a tuple; `open`: there may be more or fewer of them. `grows` (journaled): a loop of unknown
    length puts more elements into it in each pass.
    """

    __slots__ = ("born", "grows", "items", "kind", "open")

    def __init__(self, items: Sequence[Value], kind: str = "list", open_: bool = False) -> None:
        self.items, self.kind, self.open = tuple(items), kind, open_
        self.grows = False
        self.born = birth()


class DictValue:
    """A dict with known keys in `items` (journaled entries); `rest` is the join of values under unknown keys.

    `factory` makes the value of a key that is not there (`defaultdict`); it is a one-element tuple, or None.
    """

    __slots__ = ("born", "factory", "items", "rest")

    def __init__(self, items: Mapping[Any, Value] | None = None, rest: Value = None) -> None:
        self.items: dict[Hashable, Value] = Table(items or ())
        self.born = birth()
        self.rest = rest
        self.factory: tuple[Value] | None = None


class IterValue:
    """An iterator with known elements (a generator's yields, zip, map), or, `open`, one repeated element.

    `source` (journaled) is a generator that has not started yet; `modes` are the grad modes in which it stopped at each
    element, where they are known. `counts`: each element is a pair of its index and what is there.
    """

    __slots__ = ("born", "counts", "items", "modes", "open", "source", "used")

    def __init__(self, items: Sequence[Value], open_: bool = False, *, counts: bool = False) -> None:
        self.items, self.open, self.used = tuple(items), open_, False
        self.counts = counts
        self.born = birth()
        self.source: Source | None = None
        self.modes: tuple[Any, ...] = ()


@dataclass(slots=True)
class Source:
    """A generator that was called and has not started."""

    function: FunctionValue
    bound: dict[str, Value]
    site: Site


@dataclass(frozen=True, slots=True)
class SliceValue:
    """`a[lower:upper:step]` as a value."""

    lower: Value
    upper: Value
    step: Value


class ModuleValue:
    """A Python module that was run: its namespace."""

    __slots__ = ("name", "namespace", "path", "source")

    def __init__(self, name: str, path: str, source: Any) -> None:
        self.name, self.path, self.source = name, path, source
        self.namespace: dict[str, Value] = Table()


class FunctionValue:
    """A function or lambda with its closure. `contexts` are grad-mode decorators, outermost first.

    `cache` (journaled entries) holds the results of a function under `functools.lru_cache`.
    """

    __slots__ = ("cache", "contexts", "defaults", "kind", "kw_defaults", "module", "name", "node", "owner", "scope")

    def __init__(self, node: Any, name: str, scope: Any, module: ModuleValue, owner: ClassValue | None = None) -> None:
        self.node, self.name, self.scope, self.module, self.owner = node, name, scope, module, owner
        self.defaults: tuple[Value, ...] = ()
        self.kw_defaults: dict[str, Value] = {}
        self.contexts: tuple[tuple[Value, Site], ...] = ()
        self.kind = "function"
        self.cache: dict[Hashable, Value] | None = None

    def __repr__(self) -> str:
        return f"<function {self.name}>"


@made_often
@dataclass(frozen=True, slots=True)
class BoundMethod:
    """A function with its `self` (or class)."""

    function: Value
    self_value: Value


class ClassValue:
    """A class of the program: bases, namespace, and its resolution order (values; torch classes as `TorchName`)."""

    __slots__ = ("_order", "bases", "dataclass", "enum", "fields", "is_module", "module", "name", "namespace", "node")

    def __init__(self, name: str, bases: tuple[Value, ...], module: ModuleValue, node: Any) -> None:
        self.name, self.bases, self.module, self.node = name, bases, module, node
        self.namespace: dict[str, Value] = Table()
        self.dataclass = self.enum = False
        self.fields: tuple[str, ...] = ()
        self.is_module: bool | None = None  # Belongs to `torch_model`.
        self._order: list[Value] | None = None

    def mro(self) -> list[Value]:
        """Depth first, later duplicates kept: close enough to C3 for code that is written by hand."""
        if self._order is not None:
            return self._order
        order: list[Value] = [self]
        for base in self.bases:
            for entry in base.mro() if isinstance(base, ClassValue) else [base]:
                if entry in order:
                    order.remove(entry)
                order.append(entry)
        self._order = order
        return order

    def find(self, name: str, after: ClassValue | None = None) -> tuple[Value, Value] | None:
        """(value, class) of an attribute along the resolution order, starting after `after`; None if absent."""
        order = self.mro()
        if after is not None and after in order:
            order = order[order.index(after) + 1 :]
        for entry in order:
            if isinstance(entry, ClassValue) and name in entry.namespace:
                return entry.namespace[name], entry
        return None

    def torch_bases(self) -> list[str]:
        """Dotted names of the torch classes it derives from."""
        return [entry.dotted for entry in self.mro() if isinstance(entry, TorchName)]

    def unknown_base(self) -> Unknown | None:
        """A base the engine does not know, if there is one."""
        return next((entry for entry in self.mro() if isinstance(entry, Unknown)), None)

    def __repr__(self) -> str:
        return f"<class {self.name}>"


class Instance:
    """An object of a class of the program. `attributes` is journaled; `data` belongs to `torch_model`."""

    __slots__ = ("attributes", "cls", "data", "name")

    def __init__(self, cls: ClassValue) -> None:
        self.cls = cls
        self.attributes: dict[str, Value] = Table()
        self.name = ""
        self.data: dict[str, Value] = Table()

    def __repr__(self) -> str:
        return f"<{self.cls.name} object>"


@made_often
@dataclass(frozen=True, slots=True)
class TorchName:
    """A function, class or module of torch by its dotted name."""

    dotted: str


@made_often
@dataclass(frozen=True, slots=True)
class External:
    """Something of another library or of the standard library, by its dotted name."""

    dotted: str


@made_often
@dataclass(frozen=True, slots=True)
class Builtin:
    """A Python builtin."""

    name: str


@made_often
@dataclass(frozen=True, slots=True)
class NativeMethod:
    """A method the machine itself implements (`list.append`, `dict.items`, an optimizer's `step`)."""

    owner: Value
    name: str
    call: Callable[..., Value]


class SuperValue:
    """`super()` in a method."""

    __slots__ = ("after", "self_value")

    def __init__(self, self_value: Value, after: ClassValue) -> None:
        self.self_value, self.after = self_value, after


@made_often
@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values that cannot be one abstract value (None or a tensor), each with its path."""

    alternatives: tuple[tuple[Path, Value], ...]


class ModuleObject:
    """An instance of a class of `torch.nn`: its parameters and children in `attributes`, its options in `config`.

    `items` (journaled) are the elements of a container (`Sequential`, `ModuleList`, `ModuleDict` with `keys`).
    `open`: a container may hold more elements than are known.
    """

    __slots__ = ("attributes", "config", "dotted", "items", "keys", "name", "op", "open", "site", "training")

    def __init__(self, dotted: str, op: Any, site: Site) -> None:
        self.dotted, self.op, self.site = dotted, op, site
        self.attributes: dict[str, Value] = Table()
        self.config: dict[str, Value] = {}
        self.items: tuple[Value, ...] = ()
        self.keys: tuple[str, ...] = ()
        self.open = False
        self.training: bool | None = True
        self.name = ""

    def __repr__(self) -> str:
        return f"<{self.dotted}>"


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """A probability distribution of torch: the name of its class and its parameters by name."""

    name: str
    parameters: tuple[tuple[str, Value], ...]

    def parameter(self, name: str) -> Value:
        """A parameter that was given; None if it was not."""
        return next((value for each, value in self.parameters if each == name), None)


@dataclass(frozen=True, slots=True)
class DType:
    """A torch dtype: its name and whether it is floating (or complex)."""

    name: str
    floating: bool


@dataclass(slots=True)
class Call:
    """A call on its way: positional and keyword arguments, and where it is written.

    `open_args`: unknown further arguments came in through `*args` or `**kwargs`. `name`: what is called, as torch knows
    it, for models that serve several names; how it is written may be something else (`fill = x.fill_; fill(0)`).
    """

    args: list[Value]
    kwargs: dict[str, Value]
    site: Site
    open_args: bool = False
    name: str = ""

    def argument(self, index: int, name: str, default: Value = None) -> Value:
        """The argument at a position or under a name."""
        if index < len(self.args):
            return self.args[index]
        return self.kwargs.get(name, default)

    def has(self, index: int, name: str) -> bool:
        """Whether the argument was given."""
        return index < len(self.args) or name in self.kwargs


class Runtime(Protocol):
    """What the interpreter offers to `torch_model`."""

    heap: Heap
    torch: Any
    autograd: Autograd
    events: Events

    def call(self, function: Value, call: Call) -> Value:
        """Call a value."""

    def attribute(self, value: Value, name: str, site: Site) -> Value:
        """`value.name`."""

    def iterate(self, value: Value, site: Site) -> tuple[list[Value], bool]:
        """The elements of an iterable, and whether there may be others."""

    def truth(self, value: Value) -> bool | None:
        """Whether a value is true; None if that is not known."""

    def fork(self, arms: Sequence[tuple[Path, Callable[[], Value]]]) -> Value:
        """Run the arms as alternatives from the same state; the join of their values and effects."""

    def error(
        self,
        kind: str,
        message: str,
        site: Site,
        tensor: Tensor | None = None,
        certain: bool = True,
        *,
        held_as: str = "",
    ) -> None:
        """PyTorch raises here, or may if not `certain`."""

    def join(self, left: Value, right: Value) -> Value:
        """A value that is one of the two."""

    def join_all(self, values: Sequence[Value]) -> Value:
        """A value that is one of these (at least one)."""

    def tensors_in(self, value: Value) -> list[Tensor]:
        """The tensors inside a value, to a small depth."""


@dataclass(slots=True)
class GradModeValue:
    """`torch.no_grad()` and its kin, as a value: a context manager and a decorator.

    `enabled` is False for no_grad and inference_mode, True for enable_grad, None when the flag is not known.
    """

    kind: str
    enabled: bool | None
    text: str
    site: Site
    inference: bool = False
    previous: Any = field(default=None)

    def cut(self, function: Any = None) -> Cut:
        """What results get while this is on."""
        return Cut("grad-mode", self.site.span, self.text, function)


def unknown_tensor(value: Unknown) -> Tensor:
    """An unknown value as a tensor: what it requires and where it comes from stay open."""
    if value.tensor is None:
        reason = value.reason
        tensor = Tensor(requires_grad=maybe(reason), node=value.node, floating=maybe(reason), name=value.name)
        tensor.note = "symbolic" if value.symbolic else "unknown"
        if value.plain:
            tensor.requires_grad, tensor.note = NO, "data"
        tensor.device = UNKNOWN_DEVICE
        tensor.made = tensor.counter.made = tensor.memory.made = 0  # It was there before anybody looked.
        if value.node is not None:
            tensor.requires_grad = value.node.tracked
            remember(value.node, "result", value.node.result or tensor)
        remember(value, "tensor", tensor)
        return tensor
    return value.tensor
