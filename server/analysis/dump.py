"""What the engine sees: the tensors after each statement, and the graph at each backward, as text.

    module
      3  x = torch.randn(10, requires_grad=True)
           x        leaf, requires grad
      5  y = x * 2
           y        no grad, cut by no_grad
      7  loss.backward()
           backward raises: element 0 of tensors does not require grad
           loss     sum       line 6
           └─ y     mul       line 5   cut: computed under `torch.no_grad()`
              └─ x  leaf, requires grad   out of reach

Only what a statement changed is shown below it. The text is for people: its form is no interface.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from .autograd.graph import ALWAYS, Edge, Node, Saved, Version
from .autograd.tensor import Tensor
from .check_types import Token
from .describe import cut_words, operation_name, reveal
from .events import Sink
from .interpreter.imports import Importer
from .interpreter.run import run_file
from .names.workspace import WorkspaceModules
from .source.parse import parse
from .torch_model.module_tree import is_module, named_parameters
from .values import Unknown

_TREE_LINES = 200
_RUNS = 10
_RAISES = {
    "no-grad-fn": "element 0 of tensors does not require grad",
    "freed": "its saved tensors were freed by an earlier backward",
    "saved-modified": "a saved tensor was changed in place",
    "silently-wrong": "a saved tensor was changed behind autograd's back",
    "unused-input": "an input is not part of the graph",
}


def dump(
    path: str, text: str, roots: tuple[str, ...] = (), function: str | None = None, token: Token | None = None
) -> str:
    """The engine's view of a file, of each function its first run; with `function` (`f` or `Class.f`) only of that one,
    and of its first ten runs.

    "" when nothing was run that fits. Raises Cancelled when `token` is set.
    """
    parsed = parse(path, text)
    writer = _Writer(function)
    run_file(parsed, Importer(WorkspaceModules(roots)), token=token, observer=writer.after)
    return "\n".join(writer.lines) + ("\n" if writer.lines else "")


class _Writer:
    """Called after each statement; gathers the lines."""

    def __init__(self, function: str | None) -> None:
        self.function = function
        self.lines: list[str] = []
        self.sinks_seen = 0
        self.states: dict[int, tuple[Any, dict[str, str]]] = {}
        self.names: dict[int, str] = {}
        self.current: int | None = None
        self.runs: dict[ast.AST, list[Any]] = {}

    def after(self, machine: Any, statement: ast.stmt) -> None:
        """Write what a statement left behind."""
        frame = machine.frame
        new_sinks = machine.events.sinks[self.sinks_seen :]
        self.sinks_seen = len(machine.events.sinks)
        if machine.module is not machine.main or not self._wanted(machine, frame):
            return
        if id(frame) not in self.states:
            # The frame is kept with its state, so that its id stays its own.
            self.states[id(frame)] = (frame, {})
        if self.current != id(frame):
            self.current = id(frame)
            self.lines += [*([""] if self.lines else []), self._title(machine, frame)]
        known = self.states[id(frame)][1]
        changed = [(name, text) for name, text in self._state(frame) if known.get(name) != text]
        known.update(changed)
        compound = hasattr(statement, "body")
        if compound and not changed and not new_sinks:
            return
        source = machine.main.source
        first = source.line_text(statement.lineno).strip()
        where = f"{statement.lineno:5}  " + (f"after `{first}`" if compound else first)
        self.lines.append(where + ("    # on some paths" if machine.path != ALWAYS else ""))
        width = min(max((len(name) for name, _ in changed), default=0), 24)
        self.lines += [f"         {name:<{width}}  {text}" for name, text in changed]
        for sink in new_sinks:
            if sink.site.module is machine.main:
                self.lines += [f"         {line}" for line in self._backward(sink)]

    def _wanted(self, machine: Any, frame: Any) -> bool:
        if frame.function is None:
            return self.function is None and frame.scope.names is machine.main.namespace
        if self.function is not None and self.function not in (frame.function.name, _qualified(frame.function)):
            return False
        runs = self.runs.setdefault(frame.function.node, [])
        if frame not in runs and len(runs) < (1 if self.function is None else _RUNS):
            runs.append(frame)
        return frame in runs

    @staticmethod
    def _title(machine: Any, frame: Any) -> str:
        if frame.function is None:
            return "module"
        stack = machine.autograd.stack
        line = stack[-1].span.start.line if stack else 0
        if machine.entry != "module" and machine.depth == 1:
            return f"function {_qualified(frame.function)}, with unknown arguments"
        return f"function {_qualified(frame.function)}, called at line {line}"

    # ------------------------------------------------------------------ tensors

    def _state(self, frame: Any) -> Iterator[tuple[str, str]]:
        """(name, description) of the tensors and modules that a frame's names hold, one level deep."""
        for name, value in list(frame.scope.names.items()):
            if name.startswith("__"):
                continue
            yield from self._described(name, value)
            if not is_module(value) and getattr(value, "attributes", None) and not isinstance(value, Unknown):
                for inner, held in list(value.attributes.items()):
                    yield from self._described(f"{name}.{inner}", held)

    def _described(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, Tensor):
            self._remember(name, value)
            yield name, _tensor(value)
        elif is_module(value):
            parameters = named_parameters(value)
            for inner, tensor in parameters:
                self._remember(f"{name}.{inner}", tensor)
            texts = [_tensor(tensor) for _, tensor in parameters]
            if len(set(texts)) == 1:
                yield name, f"{len(texts)} parameter{'s' if len(texts) > 1 else ''}: {texts[0]}"
            else:
                yield from [(f"{name}.{inner}", text) for (inner, _), text in zip(parameters, texts, strict=True)]
        elif isinstance(value, Unknown) and (value.tensor is not None or value.node is not None):
            if value.tensor is not None:
                self._remember(name, value.tensor)
            yield name, f"maybe: {value.reason}"

    def _remember(self, name: str, tensor: Tensor) -> None:
        self.names[id(tensor)] = name
        if tensor.node is not None:
            self.names[id(tensor.node)] = name

    # ------------------------------------------------------------------ graphs

    def _backward(self, sink: Sink) -> list[str]:
        outcome = sink.outcome
        if outcome.raises is not None:
            result = f"raises: {_RAISES.get(outcome.raises.kind, outcome.raises.kind)}"
        elif outcome.doubts:
            result = f"may raise: {_RAISES.get(outcome.doubts[0].kind, outcome.doubts[0].kind)}"
        elif outcome.silent:
            result = f"gives a wrong gradient: {_RAISES['silently-wrong']}"
        else:
            count = len(outcome.reach.leaves)
            result = f"gives {count} {'leaf' if count == 1 else 'leaves'} a gradient"
        rows = _Tree(self.names, sink).rows()
        width = min(max((len(left) for left, _ in rows), default=0), 48)
        return [f"backward {result}", *(f"{left:<{width}}  {right}".rstrip() for left, right in rows)]


class _Tree:
    """The graph below the roots of a sink: cut edges too, since they are what one looks for."""

    def __init__(self, names: dict[int, str], sink: Sink) -> None:
        self.names, self.sink = names, sink
        self.numbers: dict[Node, int] = {}
        self.out: list[tuple[str, str]] = []
        self.fed = self._fed()
        self.all = not self.fed

    def rows(self) -> list[tuple[str, str]]:
        """(tree and name, facts), one per row."""
        for root in self.sink.outcome.roots:
            self._row(root.node, root, "", "")
        return self.out

    def _row(self, node: Node | None, tensor: Tensor | None, lead: str, below: str, note: str = "") -> None:
        if len(self.out) >= _TREE_LINES:
            if len(self.out) == _TREE_LINES:
                self.out.append((lead + "…", "the graph goes on"))
            return
        if node is None or (node.tracked.no and not node.is_join and not node.edges):
            if tensor is not None:
                name = self.names.get(id(tensor)) or tensor.name or "a leaf"
                self.out.append((lead + name, self._leaf(tensor) + note))
            return
        name = self.names.get(id(node), "")
        if node in self.numbers:
            self.out.append((f"{lead}{name or operation_name(node)}", f"see above, line {self._line(node)}"))
            return
        self.numbers[node] = len(self.out)
        label = "either" if node.is_join else operation_name(node)
        self.out.append((f"{lead}{name or '·'}", "  ".join([f"{label:<11}", *self._facts(node)]) + note))
        inner = [edge for edge in node.edges if self._shown(edge)]
        for index, edge in enumerate(inner):
            branch, rest = ("└─ ", "   ") if index == len(inner) - 1 else ("├─ ", "│  ")
            note = "" if edge.flows or node.cut is not None else "   not differentiable in this input"
            self._row(edge.node, edge.tensor, below + branch, below + rest, note)

    def _shown(self, edge: Edge) -> bool:
        """Whether something trainable lies behind an edge; where nothing is trainable at all, everything is shown."""
        if self.all:
            return edge.node is not None or edge.tensor is not None
        if edge.node is not None:
            return edge.node in self.fed or (edge.node.tracked.no and edge.tensor is not None and edge.live.possible)
        return edge.tensor is not None and edge.live.possible

    def _fed(self) -> set[Node]:
        """The nodes with something trainable behind them, over real edges and cut ones."""
        order: list[Node] = []
        seen: set[Node] = set()
        stack: list[tuple[Node, bool]] = [(r.node, False) for r in self.sink.outcome.roots if r.node is not None]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(edge.node, False) for edge in node.edges if edge.node is not None]
        fed: set[Node] = set()
        for node in order:
            if node.opaque or any(
                edge.live.possible if edge.node is None else edge.node in fed or edge.live.possible
                for edge in node.edges
                if edge.tensor is not None or edge.node is not None
            ):
                fed.add(node)
        return fed

    @staticmethod
    def _line(node: Node) -> str:
        return str(node.span.start.line) if node.span is not None else "?"

    def _facts(self, node: Node) -> Iterator[str]:
        if node.is_join:
            yield "one of these, by a branch"
            return
        yield f"line {self._line(node)}"
        if node.cut is not None:
            words = cut_words(node.cut)
            yield words if words.startswith("cut ") else f"cut: {words}"
        elif node.tracked.no:
            yield "not tracked: no input requires grad"
        elif node.tracked.maybe:
            yield f"maybe tracked: {node.tracked.why}"
        for saved in node.saved:
            yield self._saved(saved)
        if node in self.sink.outcome.freed_before:
            yield "freed before" if not node.freed.maybe else "perhaps freed before"

    def _saved(self, saved: Saved) -> str:
        who = "its result" if saved.operand.startswith("result") else self.names.get(id(saved.tensor)) or saved.operand
        text = f"saves {who} at version {_number(saved.version)}" + ("" if saved.sure else " (perhaps)")
        raised = self.sink.outcome.raises
        culprit = raised.culprit if raised is not None and raised.saved is saved else None
        return text + (f", changed at line {culprit.span.start.line}" if culprit is not None and culprit.span else "")

    def _leaf(self, tensor: Tensor) -> str:
        if tensor.requires_grad.no:
            return "does not require grad"
        kind = "leaf, requires grad" if tensor.requires_grad.yes else "leaf, may require grad"
        kind = "parameters" if tensor.group else kind
        reached = self.sink.outcome.reach.leaves.get(tensor)
        if reached is None:
            return f"{kind}   out of reach"
        if self.sink.outcome.raises is not None and id(tensor) not in self.sink.outcome.early:
            return f"{kind}   in reach, but backward raises"
        return f"{kind}   gets a gradient" if reached.yes else f"{kind}   may get a gradient"


def _tensor(tensor: Tensor) -> str:
    """One line about a tensor now."""
    parts = [reveal(tensor, tensor.node, tensor.requires_grad)]
    version = _number(tensor.counter.version)
    if version:
        parts.append(f"version {version}")
    if tensor.view_of is not None:
        parts.append("view")
    if tensor.floating.no:
        parts.append("not floating")
    if tensor.device.kind not in ("cpu", "unknown"):
        parts.append("on cuda" if tensor.device.kind == "cuda" else "on cuda or cpu")
    if tensor.grad.present.yes:
        parts.append(".grad is there")
    elif tensor.grad.present.maybe:
        parts.append(".grad may be there")
    return ", ".join(parts)


def _number(version: Version) -> int:
    """How many writes led to a version, along the longest way."""
    count, seen = 0, version
    while seen is not None and count < 1000:
        if seen.alternatives:
            seen = max(seen.alternatives, key=_number)
            continue
        if seen.previous is None:
            break
        count, seen = count + 1, seen.previous
    return count


def _qualified(function: Any) -> str:
    owner = function.owner
    return f"{owner.name}.{function.name}" if owner is not None else str(function.name)
