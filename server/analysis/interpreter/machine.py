"""The abstract machine: state, branches, budget, errors. Syntax is in `statements` and `expressions`."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from ..autograd.engine import Autograd
from ..autograd.graph import ALWAYS, Path, contradicts
from ..autograd.heap import Heap, Pending
from ..autograd.operation import AutogradError
from ..autograd.tensor import Tensor
from ..autograd.truth import maybe
from ..check_types import Cancelled, StartOver, Token
from ..events import Events, Forbidden, Grown
from ..report import Span
from ..values import (
    Call,
    Choice,
    DictValue,
    Distribution,
    Instance,
    IterValue,
    ListValue,
    ModuleObject,
    ModuleValue,
    Scalar,
    Site,
    Unknown,
    Value,
)
from .budget import BODY_STEPS, FOREIGN_STEPS, RUN_STEPS, ForeignAccount
from .joins import Joiner
from .scope import Scope
from .third_party import ThirdParty


def strict() -> bool:
    """Whether a mistake of the analysis ends it instead of being stepped over."""
    return os.environ.get("GRADSIGHT_STRICT", "") not in ("", "0")


class DeadEnd(Exception):
    """The program cannot go on from here (it raises); unwinds to the nearest statement that handles it."""


class ProgramRaises(DeadEnd):
    """In prediction mode: PyTorch raises here, and the program ends unless it catches it."""

    def __init__(self, line: int, kind: str, culprit: int | None, machine: Any = None) -> None:
        super().__init__(kind)
        self.line, self.kind, self.culprit, self.machine = line, kind, culprit, machine


class Abandon(Exception):
    """The consumer of a generator asks for no more; `leave` is how the consumer's loop ends."""

    def __init__(self, leave: Any) -> None:
        super().__init__()
        self.leave = leave


class BudgetExhausted(Exception):
    """The run took more steps than it may; what is known so far stands."""


class Frame:
    """One activation: its scope, and the states that left it early.

    `loops` counts the loops around the present statement, `loose` those of them whose length is not known. A generator
    runs inside its `consumer`, whose block `on_yield` runs; or its `yields` are collected.
    """

    __slots__ = ("consumer", "exits", "function", "loops", "loose", "on_yield", "scope", "yields")

    def __init__(self, scope: Scope, function: Value = None) -> None:
        self.scope, self.function = scope, function
        self.exits: list[Pending] = []
        self.loops = 0
        self.loose = 0
        self.yields: list[Value] | None = None
        self.on_yield: Callable[[Value], None] | None = None
        self.consumer: Frame | None = None


class Machine:
    """One run of one program. See `Runtime` in `values` for what `torch_model` uses of it."""

    def __init__(self, *, stop_at_error: bool = False, max_steps: int = BODY_STEPS, token: Token | None = None) -> None:
        self.heap = Heap()
        self.autograd = Autograd(self.heap)
        self.events = Events()
        self.joiner = Joiner(self.autograd)
        self.stop_at_error = stop_at_error
        self.steps, self.max_steps, self.most_steps, self.token = 0, max_steps, max_steps, token
        self.frame: Frame
        self.module: ModuleValue
        self.main: ModuleValue
        self.depth = 0
        self.entry_steps = 0
        self.foreign = ForeignAccount()
        self.active: list[Any] = []
        self.expecting: list[frozenset[int] | None] = []
        self.sinks: tuple[str, ...] = ()
        self.entered: set[Any] = set()
        self.trunk: Any = None
        self.entry = ""
        self.statement: ast.stmt | None = None
        self.after_error = False
        self.loop_passes: list[int] = []
        self.globals: dict[str, Value] = {}
        self.recorded: dict[ast.AST, list[tuple[Tensor, Any, Any]]] = {}
        self.importer: Any = None
        self.third_party = ThirdParty()
        self.torch: Any = None
        self.stopped: list[str] = []
        self.overflowed = self.spent_all = False
        self.crashes: list[str] = []
        self.named: list[Instance | ModuleObject] = []
        self.observer: Callable[[Any, ast.stmt], None] | None = None
        self._sites: dict[ast.AST, Site] = {}
        self._comparisons: dict[Hashable, Value] = {}

    def restart(self, token: Token | None) -> None:
        """Forget what was recorded and where the run stopped; what the program made stays (see `trunk`)."""
        self.events, self.named, self.crashes, self.recorded = Events(), [], [], {}
        self.steps, self.max_steps, self.entry_steps, self.token = 0, self.most_steps, 0, token
        self.depth, self.active, self.expecting, self.loop_passes, self.entered = 0, [], [], [], set()
        self.statement, self.after_error, self.path = None, False, ALWAYS
        self.stopped, self.overflowed, self.spent_all = [], False, False
        self.autograd.stack = ()
        self._sites = {}
        self.foreign = ForeignAccount()
        self.heap.clear()

    def has_entered(self, function: Any) -> bool:
        """Whether the body of a function (its syntax node) has been run."""
        return function in self.entered or (self.trunk is not None and function in self.trunk.entered)

    # ------------------------------------------------------------------ budget and places

    def tick(self, amount: int = 1) -> None:
        """Spend steps of the budget. Raises BudgetExhausted, or Cancelled when the caller lost interest."""
        self.steps += amount
        if self.steps > self.max_steps:
            raise BudgetExhausted
        if self.token is not None and self.token.is_set():
            raise Cancelled

    @property
    def exhausted(self) -> bool:
        """Whether a part of the checked file was not run to its end; `stopped` says which."""
        return bool(self.stopped)

    def left_of_all(self, steps: int) -> int:
        """So many steps, or as many as all accounts together have left (`spent_all` when that is less)."""
        others = FOREIGN_STEPS - self.foreign.left + (self.importer.steps if self.importer is not None else 0)
        left = RUN_STEPS - self.steps - others
        if left >= steps:
            return steps
        if self.trunk is not None and self.trunk.goes_on:
            # What was taken over spent it in another order: a run from the start is exact.
            raise StartOver
        self.spent_all = True
        return max(left, 0)

    def site(self, node: ast.AST) -> Site:
        """The place of a syntax node in the module that is running."""
        # Kept here and not on the node: trees outlive runs, and a place holds the module with all it made.
        cached = self._sites.get(node)
        if cached is None or cached.module is not self.module:
            cached = self._sites[node] = Site(self.span(node), node, self.statement, self.module)
        return cached

    def span(self, node: ast.AST) -> Span:
        """The span of a syntax node, computed once."""
        cached = getattr(node, "gradsight_span", None)
        if cached is None:
            cached = self.module.source.span(node)
            node.gradsight_span = cached  # type: ignore[attr-defined]
        return cached

    # ------------------------------------------------------------------ branches

    @property
    def path(self) -> Path:
        """The unknown conditions under which the program is here."""
        return self.autograd.path

    @path.setter
    def path(self, path: Path) -> None:
        """The unknown conditions under which the program is here."""
        self.autograd.path = path

    def join(self, left: Value, right: Value) -> Value:
        """Join two values that carry no paths of their own."""
        return self.joiner.values(left, right, self.path, self.path)

    def join_all(self, values: Sequence[Value]) -> Value:
        """Join the values (at least one) that an unknown index or key may mean."""
        distinct = list({id(value): value for value in values}.values())
        self.tick(len(distinct))
        if len(distinct) > 1 and all(isinstance(value, Tensor) for value in distinct):
            return self.autograd.joined(*distinct)
        joined = distinct[0]
        for value in distinct[1:]:
            joined = self.join(joined, value)
        return joined

    def undo(self, mark: int, keep: Sequence[Pending] = ()) -> Any:
        """Take writes back to `mark`; states that left early since then are made relative to it first."""
        frame: Frame | None = self.frame
        while frame is not None:
            for pending in frame.exits:
                self.heap.rebase(pending, mark)
            frame = frame.consumer
        for pending in keep:
            self.heap.rebase(pending, mark)
        return self.heap.undo(mark)

    def fork(self, arms: Sequence[tuple[Path, Callable[[], Value]]]) -> Value:
        """Run expressions as alternatives from the same state; the join of their values and of their effects.

        Arms whose path contradicts the present one are skipped; arms that raise are dropped. Raises DeadEnd if none
        is left.
        """
        before = self.path
        live = [(extra, run) for extra, run in arms if not contradicts(extra, before)]
        results: list[tuple[Path, Any, Value]] = []
        mark = self.heap.mark()
        for extra, run in live:
            self.path = before | extra
            try:
                value = run()
            except ProgramRaises:
                if len(live) == 1:
                    raise
                self.undo(mark)
                continue
            except DeadEnd:
                self.undo(mark)
                continue
            finally:
                self.path = before
            results.append((extra, self.undo(mark), value))
        if not results:
            raise DeadEnd
        path, writes, value = results[0]
        self.heap.redo(writes)
        for other_path, other_writes, other in results[1:]:
            self.merge(mark, other_writes, before | path, before | other_path)
            value = self.joiner.values(value, other, before | path, before | other_path)
        return value

    def merge(self, mark: int, writes: Any, ours: Path, theirs: Path) -> None:
        """Join the present state with one that left early or ran in another arm."""
        self.heap.merge(mark, writes, lambda a, b: self.joiner.values(a, b, ours, theirs))

    def narrow(self, value: Value) -> Value:
        """The alternatives of a value that are possible on the present path."""
        if not isinstance(value, Choice):
            return value
        possible = [(p, v) for p, v in value.alternatives if not contradicts(p, self.path)]
        if len(possible) == 1:
            return possible[0][1]
        if not possible or len(possible) == len(value.alternatives):
            return value
        return Choice(tuple(possible))

    def each(self, value: Value, use: Callable[[Value], Value], *, skip_none: bool = True) -> Value:
        """Apply `use` to a value, or to each alternative of a choice as a branch (None cannot be used, and drops)."""
        value = self.narrow(value)
        if not isinstance(value, Choice):
            return use(value)
        alternatives = [(p, v) for p, v in value.alternatives if not (skip_none and v is None)] or list(
            value.alternatives
        )

        def arm(each: Value) -> Callable[[], Value]:
            return lambda: use(each)

        return self.fork([(p - self.path, arm(v)) for p, v in alternatives])

    def test(self, value: Value) -> tuple[bool | None, Hashable, bool]:
        """(truth, condition, polarity): the truth of a value if it is known, else the condition it depends on."""
        value = self.narrow(value)
        if isinstance(value, Negation):
            known, key, polarity = self.test(value.value)
            return (None if known is None else not known), key, not polarity
        known = self.truth(value)
        if known is not None:
            return known, None, True
        if isinstance(value, Choice) and len(value.alternatives) == 2:
            (first, a), (second, b) = value.alternatives
            one, other = self.truth(a), self.truth(b)
            if one is not None and other is not None:
                for key, outcome in first:
                    if (key, not outcome) in second:
                        return self._decided(key, outcome if one else not outcome)
        return self._decided(value if isinstance(value, (Unknown, Scalar)) else object(), True)

    def _decided(self, key: Hashable, polarity: bool) -> tuple[bool | None, Hashable, bool]:
        if (key, polarity) in self.path:
            return True, key, polarity
        if (key, not polarity) in self.path:
            return False, key, polarity
        return None, key, polarity

    def truth(self, value: Value) -> bool | None:
        """Whether a value is true; None if that is not known."""
        if value is None or isinstance(value, (bool, int, float, str, bytes)):
            return bool(value)
        if isinstance(value, tuple):
            return bool(value)
        if isinstance(value, (ListValue, IterValue)):
            if value.items:
                return True
            return None if value.open else False
        if isinstance(value, DictValue):
            if value.items:
                return True
            return None if value.rest is not None else False
        if isinstance(value, Choice):
            outcomes = {self.truth(v) for _, v in value.alternatives}
            return outcomes.pop() if len(outcomes) == 1 else None
        if isinstance(value, ModuleObject):
            return True if not value.keys and not value.dotted.endswith("List") else bool(value.items) or None
        if isinstance(value, (Tensor, Unknown, Scalar, Negation)):
            return None
        if isinstance(value, Instance):
            found = value.cls.find("__bool__") or value.cls.find("__len__")
            return None if found or value.cls.unknown_base() else True
        return True

    # ------------------------------------------------------------------ errors

    def error(
        self,
        kind: str,
        message: str,
        site: Site,
        tensor: Tensor | None = None,
        certain: bool = True,
        culprit: int | None = None,
    ) -> None:
        """PyTorch raises here (or may, if not `certain`). In prediction mode a certain one ends the program."""
        expected = self.expected()
        if kind != "backward" and not expected:
            self.events.forbidden.append(
                Forbidden(site, kind, message, tensor, certain, self.path, self.after_error, self.entry)
            )
        if certain and self.stop_at_error and self.path == ALWAYS:
            raise ProgramRaises(site.span.start.line, kind if kind != "backward" else message, culprit, self)
        if certain and expected:
            raise DeadEnd
        if certain:
            self.after_error = True

    def grown(self, site: Site, value: Value) -> None:
        """Record that a sum or a list has taken in a tensor with a history, in a loop whose length is not known."""
        if self.frame.loose and self.module is self.main and isinstance(value, Tensor) and value.node is not None:
            made = Grown(site, value, value.node, self.path, self.entry, self.after_error)
            self.events.grown.append(made)

    def expected(self) -> bool:
        """Whether the program expects an error of the statement that is running."""
        return any(each is None or id(self.statement) in each for each in self.expecting)

    def guard(self, action: Callable[[], Value], site: Site, fallback: Callable[[], Value]) -> Value:
        """Run an autograd action; what PyTorch forbids becomes an event, and the analysis goes on with `fallback`."""
        try:
            return action()
        except AutogradError as error:
            self.error(error.kind, error.message, site, error.tensor, error.certain)
            return fallback()

    def crashed(self, error: Exception) -> None:
        """A mistake of the analysis itself: counted and stepped over, so that it costs one statement and not the file.

        Raises `error` again when GRADSIGHT_STRICT is set, as it is in the tests.
        """
        if strict():
            raise error
        self.crashes.append(f"{type(error).__name__}: {error}")
        self.unresolved(f"an internal error of the analysis ({type(error).__name__})")

    def unresolved(self, reason: str) -> None:
        """Count why something was not followed."""
        self.events.unresolved[reason] = self.events.unresolved.get(reason, 0) + 1

    # ------------------------------------------------------------------ what the parts on top provide

    def call(self, function: Value, call: Call) -> Value:
        """Call a value (`Interpreter`)."""
        raise NotImplementedError

    def attribute(self, value: Value, name: str, site: Site) -> Value:
        """`value.name` (`Interpreter`)."""
        raise NotImplementedError

    def iterate(self, value: Value, site: Site) -> tuple[list[Value], bool]:
        """The elements of an iterable, and whether there may be others (`Interpreter`)."""
        raise NotImplementedError

    def is_a(self, value: Value, kind: Value) -> bool | None:
        """`isinstance(value, kind)` for one class; None if not known (`Interpreter`)."""
        raise NotImplementedError

    # ------------------------------------------------------------------ reading values

    def tensors_in(self, value: Value, depth: int = 4) -> list[Tensor]:
        """The tensors inside a value: elements of containers and attributes of objects, to a small depth."""
        found: list[Tensor] = []
        self._collect(value, depth, found, set())
        return found

    def _collect(self, value: Value, depth: int, found: list[Tensor], seen: set[int]) -> None:
        if depth < 0 or id(value) in seen or len(found) > 200:
            return
        seen.add(id(value))
        if isinstance(value, Tensor):
            found.append(value)
            return
        children: Sequence[Value] = ()
        if isinstance(value, tuple):
            children = value
        elif isinstance(value, (ListValue, IterValue)):
            children = value.items
        elif isinstance(value, DictValue):
            children = [*value.items.values(), value.rest]
        elif isinstance(value, Choice):
            children = [v for _, v in value.alternatives]
        elif isinstance(value, Instance):
            children = list(value.attributes.values())
        elif isinstance(value, ModuleObject):
            children = [*value.attributes.values(), *value.items]
        elif isinstance(value, Distribution):
            children = [v for _, v in value.parameters]
        elif isinstance(value, Unknown):
            if value.tensor is not None:
                found.append(value.tensor)
            children = value.deps
        for child in children:
            if child is not None and not isinstance(child, (int, float, str)):
                self._collect(child, depth - 1, found, seen)

    def call_unknown(self, function: Value, call: Call, reason: str) -> Value:
        """Call code the engine cannot see: the result may depend on every tensor that goes in."""
        deps = [*call.args, *call.kwargs.values()]
        owner = function
        return self.torch.opaque(owner, deps, call.site, reason)

    def comparison(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The same comparison of the same unknown is the same unknown condition twice."""
        if key not in self._comparisons:
            self._comparisons[key] = make()
        return self._comparisons[key]

    def unsure(self, why: str) -> Any:
        """A maybe."""
        return maybe(why)


class Negation:
    """`not` of an unknown value: the same condition with the other outcome."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value
