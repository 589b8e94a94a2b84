"""Where a run stands: what it made and recorded, its steps and its place; and how it can end."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable
from typing import Any

from ..autograd.engine import Autograd
from ..autograd.graph import ALWAYS, Path
from ..autograd.heap import Heap, Pending
from ..autograd.tensor import Tensor
from ..check_types import Cancelled, StartOver, Token
from ..events import Events
from ..report import Span
from ..values import (
    FunctionValue,
    Instance,
    ModuleObject,
    ModuleValue,
    Site,
    Value,
)
from .budget import BODY_STEPS, FOREIGN_STEPS, RUN_STEPS, ForeignAccount
from .joins import Joiner
from .scope import Scope
from .third_party import ThirdParty


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


class State:
    """The state of one run of one program."""

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
        self.errors: tuple[Path, ...] = ()
        self.loop_passes: list[int] = []
        self.recorded: dict[ast.AST, list[tuple[Tensor, Any, Any]]] = {}
        self.importer: Any = None
        self.third_party = ThirdParty()
        self.torch: Any = None
        self.stopped: list[str] = []
        self.overflowed = self.spent_all = False
        self.crashes: list[str] = []
        self.named: list[Instance | ModuleObject] = []
        self.inner: list[FunctionValue] = []
        """Functions of the checked file that were made inside others."""
        self.observer: Callable[[Any, ast.stmt], None] | None = None
        self._sites: dict[ast.AST, Site] = {}
        self._comparisons: dict[Hashable, Value] = {}

    @property
    def after_error(self) -> bool:
        """Whether PyTorch has raised on every way that leads here: what is found then, nobody will see."""
        return any(path <= self.path for path in self.errors)

    def restart(self, token: Token | None) -> None:
        """Forget what was recorded and where the run stopped; what the program made stays (see `trunk`)."""
        self.events, self.named, self.crashes, self.recorded, self.inner = Events(), [], [], {}, []
        self.steps, self.max_steps, self.entry_steps, self.token = 0, self.most_steps, 0, token
        self.depth, self.active, self.expecting, self.loop_passes, self.entered = 0, [], [], [], set()
        self.statement, self.errors, self.path = None, (), ALWAYS
        self.stopped, self.overflowed, self.spent_all = [], False, False
        self.autograd.stack = ()
        self._sites = {}
        self.foreign = ForeignAccount()
        self.heap.clear()

    def has_entered(self, function: Any) -> bool:
        """Whether the body of a function (its syntax node) has been run."""
        return function in self.entered or (self.trunk is not None and function in self.trunk.entered)

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

    @property
    def path(self) -> Path:
        """The unknown conditions under which the program is here."""
        return self.autograd.path

    @path.setter
    def path(self, path: Path) -> None:
        """The unknown conditions under which the program is here."""
        self.autograd.path = path
