"""What the generator knows about the program that it writes: values, scopes, the grad mode, and the text so far."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A generated program. `conditions` are the conditions over values of tensors, which no analysis can know."""

    seed: int
    profile: str
    text: str
    coverage: Counter[str]
    conditions: tuple[str, ...] = ()

    @property
    def unknowable(self) -> bool:
        return bool(self.conditions)


@dataclass(eq=False, slots=True)
class Memory:
    """What values that share storage have in common, roughly: was it saved for backward, is it a trainable leaf's."""

    saved: bool = False
    leaf: bool = False


@dataclass(eq=False, slots=True)
class Value:
    """A tensor that a name holds. `view`: "" for none, "plain", "multi" (one of many outputs), "untracked"."""

    name: str
    shape: Shape
    dtype: str = "float"
    rg: bool = False
    leaf: bool = True
    view: str = ""
    overlaps: bool = False
    inference: bool = False
    stale: bool = False
    local: bool = False
    memory: Memory = field(default_factory=Memory)

    @property
    def floating(self) -> bool:
        return self.dtype in ("float", "double")


Maker = Callable[["Builder"], bool]


class Builder:
    """Writes statements and keeps the model. `danger` is how often a statement may do what autograd forbids."""

    def __init__(self, rng: random.Random, profile: str) -> None:
        self.rng = rng
        self.profile = profile
        self.makers: dict[str, tuple[Maker, float]] = {}
        self.lines: list[str] = []
        self.depth = 0
        self.coverage: Counter[str] = Counter()
        self.values: list[Value] = []
        self.mode = "on"
        self.conditions: list[str] = []
        self.nesting = 0
        self.in_function = False
        self.danger = rng.choice([0.0, 0.0, 0.1, 0.3, 0.6])
        self.carry = rng.choice([0.0, 0.0, 0.4])  # how often a graph that backward may have freed is used again
        self.optimizers: list[tuple[str, list[Value]]] = []
        self._names = 0

    # -- text ---------------------------------------------------------------------------------------------------

    def emit(self, text: str, kind: str) -> None:
        self.lines.append("    " * self.depth + text)
        self.coverage[kind] += 1

    def mentions(self, name: str) -> int:
        """In how many lines a name stands so far."""
        return sum(name in re.findall(r"\w+", line) for line in self.lines)

    @contextmanager
    def block(self, head: str, kind: str) -> Iterator[None]:
        """An indented block; it is never left empty."""
        self.emit(head, kind)
        before = len(self.lines)
        self.depth += 1
        self.nesting += 1
        try:
            yield
        finally:
            if len(self.lines) == before:
                self.emit("pass", "pass")
            self.depth -= 1
            self.nesting -= 1

    def program(self, seed: int) -> Program:
        return Program(seed, self.profile, "\n".join(self.lines) + "\n", self.coverage, tuple(self.conditions))

    def fresh(self, prefix: str = "t") -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    # -- choices ------------------------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def risky(self) -> bool:
        """Whether this statement may be one that autograd forbids."""
        return self.chance(self.danger)

    def statement(self, without: frozenset[str] = frozenset()) -> None:
        """Write one statement (or block) of a kind drawn by weight."""
        names = [name for name in self.makers if name not in without]
        weights = [self.makers[name][1] for name in names]
        for _ in range(6):
            name = self.rng.choices(names, weights)[0]
            if self.makers[name][0](self):
                self.coverage[f"statement:{name}"] += 1
                return

    def usable(self) -> list[Value]:
        """Values that may be read; those whose graph a backward freed only now and then."""
        return [v for v in self.values if not v.stale or self.chance(self.carry)]

    def pick(self, condition: Callable[[Value], bool] = lambda v: True, tracked: float = 0.75) -> Value | None:
        """A value that fulfils the condition, rather a recent one, and rather one that requires grad."""
        found = [v for v in self.usable() if condition(v)]
        if self.chance(tracked) and any(v.rg for v in found):
            found = [v for v in found if v.rg]
        if not found:
            return None
        weights = [1.0 + 2.0 * (index + 1) / len(found) for index in range(len(found))]
        return self.rng.choices(found, weights)[0]

    # -- values -------------------------------------------------------------------------------------------------

    def tracked(self, *inputs: Value) -> bool:
        return self.mode == "on" and any(v.rg for v in inputs)

    def add(self, value: Value) -> Value:
        """Bring a value into scope; a name that was bound before is bound anew."""
        self.values = [v for v in self.values if v.name != value.name]
        value.inference = value.inference or self.mode == "inference"
        value.local = self.in_function
        self.values.append(value)
        return value

    def result(
        self, name: str, shape: Shape, *inputs: Value, dtype: str | None = None, rg: bool | None = None
    ) -> Value:
        """The result of an ordinary operation over the inputs."""
        kinds = [v.dtype for v in inputs]
        if dtype is None:
            dtype = next((d for d in ("double", "float", "long") if d in kinds), "float")
        wants = self.tracked(*inputs) and dtype in ("float", "double") if rg is None else rg
        return self.add(Value(name, shape, dtype, rg=wants, leaf=not wants))

    def view_of(self, name: str, shape: Shape, base: Value, view: str = "plain", overlaps: bool = False) -> Value:
        wants = base.rg and self.mode == "on"
        if view == "plain" and self.mode != "on" and base.rg:
            view = "untracked"
        if base.view in ("multi", "untracked") and view == "plain":
            view = base.view
        return self.add(
            Value(
                name,
                shape,
                base.dtype,
                rg=wants,
                leaf=not wants,
                view=view,
                overlaps=overlaps or base.overlaps,
                inference=base.inference,
                memory=base.memory,
            )
        )

    def target(self) -> str:
        """The name for a result: mostly a new one, now and then one that is bound already."""
        if self.chance(0.08):
            again = [v for v in self.values if v.local == self.in_function]
            if again and self.nesting == 0:
                return self.rng.choice(again).name
        return self.fresh()

    def went_backward(self) -> None:
        """After a backward: what has a graph may be freed."""
        for value in self.values:
            if value.rg and not value.leaf:
                value.stale = True

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Names bound inside do not outlive it (their effects on memory do)."""
        before = list(self.values)
        bindings = {v.name: v for v in before}
        try:
            yield
        finally:
            self.values = [bindings[v.name] for v in before]

    @contextmanager
    def grad_mode(self, mode: str) -> Iterator[None]:
        before = self.mode
        self.mode = mode
        try:
            yield
        finally:
            self.mode = before


def copy_of(value: Value, **changes: object) -> Value:
    """A value like another one, under the same memory."""
    return replace(value, **changes)  # type: ignore[arg-type]
