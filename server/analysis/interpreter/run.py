"""A run of one file: the module body as `__main__`, then what it never entered, with symbolic arguments."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ..autograd.backward import spoilt
from ..autograd.graph import ALWAYS, Frozen, first_write_after, newest_order
from ..autograd.heap import listen
from ..autograd.outcome import Outcome
from ..autograd.reach import reach
from ..autograd.tensor import Tensor
from ..check_types import Cancelled, Token
from ..events import InplaceWrite, Outdated, Sink, Step
from ..report import Span
from ..torch_model.model import TorchModel
from ..values import Call, Choice, Instance, ModuleValue, Site, Value
from . import calls, displays, introspection, objects, primaries, statements
from .budget import IMPORT_STEPS
from .entries import run_entries
from .imports import Importer
from .machine import BudgetExhausted, DeadEnd, Frame, Machine, ProgramRaises
from .scope import Scope
from .third_party import ThirdParty
from .trunk import Trunk

RECURSION_LIMIT = 12_000
BODY = "the module body"
_LOADED = (displays, primaries)
"""Kinds of expression that nothing else here asks for by name."""


class Interpreter(Machine):
    """The machine with its parts put together."""

    def __init__(self, importer: Importer | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.torch = TorchModel(self)
        self.importer = importer or Importer()
        self.importer.run_module = run_imported

    def call(self, function: Value, call: Call) -> Value:
        """Call a value."""
        if type(function) is Choice:
            return self.each(function, lambda each: calls.call_value(self, each, call))
        return calls.call_value(self, function, call)

    def attribute(self, value: Value, name: str, site: Site) -> Value:
        """`value.name`."""
        return objects.attribute(self, value, name, site)

    def iterate(self, value: Value, site: Site) -> tuple[list[Value], bool]:
        """The elements of an iterable."""
        return objects.iterate(self, value, site)

    def is_a(self, value: Value, kind: Value) -> bool | None:
        """`isinstance(value, kind)`."""
        return introspection.is_a(self, self.narrow(value), kind)

    def sink(self, site: Site, outcome: Outcome, kind: str) -> None:
        """Record a backward, and stop or go on as it says."""
        raised = outcome.raises
        if raised is not None and self.expected():
            if raised.certain:
                self.error("backward", raised.kind, site, certain=True)
            return
        text = site.module.source.segment(site.node) if site.module is not None and site.node is not None else ""
        sink = Sink(
            site,
            outcome,
            kind,
            self.path,
            text,
            self.entry,
            self.after_error,
            len(self.loop_passes),
            self.loop_passes[-1] if self.loop_passes else 0,
            newest_order(),
        )
        self.events.sinks.append(sink)
        for applied in self.events.applied:
            if applied.kept and applied.node in outcome.reach.sure_nodes:
                self.events.outdated += [
                    Outdated(applied, name, first_write_after(contents, tensor.memory.version), sink)
                    for name, tensor, contents in applied.kept
                    if tensor.memory.version is not contents
                ]
        if raised is not None and raised.certain:
            culprit = raised.culprit.span.start.line if raised.culprit is not None and raised.culprit.span else None
            self.error("backward", raised.kind, site, certain=True, culprit=culprit)

    def called(self, module: Instance, value: Value, site: Site) -> None:
        """Look at what a module gives in a file without any backward: whoever trains it does so from there.

        `if __name__ == "__main__": print(Net()(torch.randn(2, 3)).shape)` runs a `forward` that is then no entry point.
        """
        inside = any(getattr(node, "name", "") == "forward" for node in self.active)
        learning = module.data.get("training", True) is True and self.autograd.mode.enabled.yes
        if inside or not learning or site.module is not self.main or "backward" in self.main.source.text:
            return
        roots = self.tensors_in(value)[:20]
        raised = spoilt(self.autograd, roots)
        if raised is not None:
            outcome = Outcome(site.span, tuple(roots), raised, (), reach(roots))
            self.events.weak.append(Sink(site, outcome, "call", self.path, "", self.entry, self.after_error))

    def unused_input(self, site: Site, tensor: Tensor, outcome: Outcome) -> None:
        """`autograd.grad` with an input the outputs do not depend on."""
        self.error(
            "unused-input",
            "One of the differentiated Tensors appears to not have been used in the graph. "
            "Set allow_unused=True if this is the desired behavior.",
            site,
            tensor,
        )

    def stepped(self, site: Site, optimizer: Any) -> None:
        """Record an optimizer's step, before it changes anything."""
        events = self.events
        grads = tuple((tensor, tensor.grad) for tensor in optimizer.tensors)
        events.steps.append(
            Step(
                site,
                grads,
                optimizer.open,
                self.path,
                self.entry,
                len(events.sinks),
                events.unknown_calls,
                self.after_error,
                _frozen(optimizer),
                id(optimizer),
            )
        )

    def wrote(self, site: Site, tensor: Tensor, before: Any, name: str) -> None:
        """Record an in-place operation a person wrote."""
        if site.module is self.main and self.statement is not None:
            self.events.writes.append(InplaceWrite(site, tensor, before, tensor.node, name, self.entry, self.path))


def _frozen(optimizer: Any) -> tuple[Frozen, ...]:
    """Where everything that an optimizer holds was frozen; empty unless that is so of all of it."""
    found: dict[Span, Frozen] = {}
    for tensor in () if optimizer.open else optimizer.tensors:
        if tensor.frozen is None or tensor.requires_grad.possible or tensor.group or not tensor.grad.present.no:
            return ()
        found[tensor.frozen.span] = tensor.frozen
    return tuple(found.values())


def run_file(
    parsed: Any,
    importer: Importer | None = None,
    *,
    entries: bool = True,
    token: Token | None = None,
    stop_at_error: bool = False,
    known: Mapping[str, str] | None = None,
    observer: Callable[[Any, ast.stmt], None] | None = None,
    sinks: tuple[str, ...] = (),
    keep: bool = False,
) -> Interpreter:
    """Run a parsed file. Gives the interpreter with its events; raises Cancelled, and ProgramRaises when predicting.

    `keep`: the run will be taken up again by `run_again`.
    """
    if sys.getrecursionlimit() < RECURSION_LIMIT:
        sys.setrecursionlimit(RECURSION_LIMIT)
    machine = Interpreter(importer, stop_at_error=stop_at_error, token=token)
    machine.third_party = ThirdParty(known)
    machine.observer = observer
    machine.sinks = sinks
    module = ModuleValue("__main__", parsed.source.path, parsed.source)
    machine.main = module
    machine.frame = _module_frame(module)
    if keep:
        machine.trunk = Trunk(machine)
    _run(machine, parsed, entries)
    return machine


def run_again(machine: Interpreter, parsed: Any, token: Token | None = None) -> None:
    """Run the machine of a kept run on an edited text whose unchanged statements are the nodes they were (`reparse`).

    Afterwards it is as if it had run the new text alone. Raises Cancelled, and StartOver when it cannot be done; then
    the machine is of no use any more.
    """
    older: Trunk = machine.trunk
    machine.restart(token)
    machine.main.source = parsed.source
    machine.frame = Frame(older.module_scope)
    machine.trunk = Trunk(machine, older, _trunk_statements(parsed.tree))
    _run(machine, parsed, True)


def _trunk_statements(tree: ast.Module) -> list[ast.stmt]:
    """The statements that may be steps of the trunk."""
    found = list(tree.body)
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.If)):
            found += statement.body
    return found


def _run(machine: Interpreter, parsed: Any, entries: bool) -> None:
    machine.module = machine.main
    machine.entry = "module"
    trunk: Trunk | None = machine.trunk
    try:
        if trunk is not None:
            trunk.begin(parsed.tree.body)
        try:
            statements.run_block(machine, parsed.tree.body)
        except BudgetExhausted:
            machine.stopped.append(BODY)
        except RecursionError:
            machine.stopped.append(BODY)
            machine.overflowed = True
        except (ProgramRaises, Cancelled):
            raise
        except DeadEnd:
            pass
        if entries:
            run_entries(machine, machine.main)
        if trunk is not None:
            trunk.end()
    finally:
        listen(None)


def _module_frame(module: ModuleValue) -> Frame:
    module.namespace.setdefault("__name__", module.name)
    module.namespace.setdefault("__file__", module.path)
    return Frame(Scope(module, None, module.namespace))


def run_imported(machine: Interpreter, parsed: Any, module: ModuleValue, site: Site, most: int) -> int:
    """Run the body of a workspace module for its namespace, in at most so many steps; gives the steps it took.

    What goes wrong in the body is told where that file is checked: here it counts as after an error. Its names stay
    when the branch with the import is undone, as Python imports once; a grad mode it leaves is the importer's business.
    """
    outer = (machine.frame, machine.module, machine.statement, machine.path, machine.errors, machine.entry)
    rest = (machine.loop_passes, machine.active, machine.depth, machine.autograd.stack, machine.max_steps)
    mode, before, mark = machine.autograd.mode, machine.steps, machine.heap.mark()
    machine.module, machine.frame, machine.statement = module, _module_frame(module), None
    machine.path, machine.errors = ALWAYS, (ALWAYS,)
    machine.loop_passes, machine.active, machine.depth = [], [], 0
    machine.autograd.stack = (*machine.autograd.stack, site)
    machine.max_steps = before + machine.left_of_all(min(most, IMPORT_STEPS))
    try:
        statements.run_block(machine, parsed.tree.body)
    except ProgramRaises:
        raise
    except (DeadEnd, BudgetExhausted, RecursionError):
        pass  # What it has defined so far stands.
    finally:
        left = machine.autograd.mode
        machine.autograd.set_mode(mode)
        machine.heap.commit(mark)
        machine.frame, machine.module, machine.statement, machine.path, machine.errors, machine.entry = outer
        machine.loop_passes, machine.active, machine.depth, machine.autograd.stack, machine.max_steps = rest
        taken, machine.steps = machine.steps - before, before
    if left is not mode:
        machine.autograd.set_mode(left)
    return taken
