"""The abstract machine: what the parts of the interpreter share. Syntax is in `statements` and `expressions`.

In layers, a file each: `state.py` (where the run stands), `branches.py` (alternatives and their join), and here
errors and the reading of values.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from ..autograd.graph import ALWAYS
from ..autograd.operation import AutogradError, Mode
from ..autograd.tensor import Tensor
from ..autograd.truth import maybe
from ..events import Forbidden, Grown
from ..values import (
    Call,
    Choice,
    DictValue,
    Distribution,
    Instance,
    IterValue,
    ListValue,
    ModuleObject,
    Site,
    Unknown,
    Value,
)
from .branches import Branches, Negation
from .state import Abandon, BudgetExhausted, DeadEnd, Frame, ProgramRaises

__all__ = ["Abandon", "BudgetExhausted", "DeadEnd", "Frame", "Machine", "Negation", "ProgramRaises", "strict"]


def strict() -> bool:
    """Whether a mistake of the analysis ends it instead of being stepped over."""
    return os.environ.get("GRADSIGHT_STRICT", "") not in ("", "0")


class Machine(Branches):
    """One run of one program. See `Runtime` in `values` for what `torch_model` uses of it."""

    def error(
        self,
        kind: str,
        message: str,
        site: Site,
        tensor: Tensor | None = None,
        certain: bool = True,
        culprit: int | None = None,
        held_as: str = "",
    ) -> None:
        """PyTorch raises here (or may, if not `certain`). In prediction mode a certain one ends the program."""
        expected = self.expected()
        if kind != "backward" and not expected:
            self.events.forbidden.append(
                Forbidden(site, kind, message, tensor, certain, self.path, self.after_error, self.entry, held_as)
            )
        if certain and self.stop_at_error and self.path == ALWAYS:
            raise ProgramRaises(site.span.start.line, kind if kind != "backward" else message, culprit, self)
        if certain and expected:
            raise DeadEnd
        if certain and not self.after_error:
            self.errors = (*self.errors, self.path)

    def grown(self, site: Site, value: Value) -> None:
        """Record that a sum or a list has taken in a tensor with a history, in a loop whose length is not known."""
        if self.frame.loose and self.module is self.main and isinstance(value, Tensor) and value.node is not None:
            made = Grown(site, value, value.node, self.path, self.entry, self.after_error)
            self.events.grown.append(made)

    def expected(self) -> bool:
        """Whether the program expects an error of the statement that is running."""
        return any(each is None or id(self.statement) in each for each in self.expecting)

    def aside(self, mode: Mode, action: Callable[[], Value]) -> None:
        """Run what PyTorch runs at another time, in a mode of its own: what is found is kept, its effects are not."""
        mark, before, errors, path = self.heap.mark(), self.autograd.mode, self.errors, self.path
        self.autograd.set_mode(mode)
        try:
            with contextlib.suppress(DeadEnd):
                action()
        finally:
            self.autograd.set_mode(before)
            self.undo(mark)
            self.errors, self.path = errors, path

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

    def call(self, function: Value, call: Call) -> Value:
        """Call a value (`Interpreter`)."""
        raise NotImplementedError

    def called(self, module: Instance, value: Value, site: Site) -> None:
        """A module of the program was called and gave `value` (`Interpreter`)."""
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
            children = [*value.attributes.values(), value.data.get("distribution")]
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
