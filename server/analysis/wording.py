"""What things of a run are called and where they are, in the user's own text."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from .autograd.graph import Frozen, Node, Version
from .autograd.reach import Severed
from .autograd.tensor import Tensor
from .events import Copied, Sink
from .report import Span
from .source.parse import Parsed
from .torch_model.module_tree import is_module, modules, named_parameters
from .values import Instance, Site


class Wording:
    """Names, statements and spans of the file that a run was made of."""

    def __init__(self, machine: Any, parsed: Parsed) -> None:
        self.machine, self.parsed, self.source = machine, parsed, parsed.source
        self.path = parsed.path
        self._nodes: dict[Span, ast.AST | None] = {}

    # ------------------------------------------------------------------ places

    def here(self, span: Span | None) -> bool:
        """Whether a span lies in the file that is checked."""
        return span is not None and span.path == self.path

    def node_at(self, span: Span | None) -> ast.AST | None:
        """The syntax node whose evaluation a span stands for."""
        if span is None or not self.here(span):
            return None
        if span not in self._nodes:
            self._nodes[span] = next((n for n in self.parsed.nodes_near(span.start.line) if _is_at(n, span)), None)
        return self._nodes[span]

    def statement_at(self, span: Span | None) -> ast.stmt | None:
        """The statement around a span."""
        node = self.node_at(span)
        return self.parsed.statement_of(node) if node is not None else None

    def marked(self, span: Span) -> Span:
        """What a finding underlines for something at `span`: its statement if that is a simple one-liner."""
        statement = self.statement_at(span)
        if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return)):
            whole = self.source.span(statement)
            if whole.end.line - whole.start.line <= 2:
                return whole
        return span

    def enclosing_function(self, node: ast.AST | None) -> ast.AST | None:
        """The function a node stands in, None for the module body."""
        current = self.parsed.parents.get(node) if node is not None else None
        while current is not None and not isinstance(current, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            current = self.parsed.parents.get(current)
        return current

    def text(self, node: ast.AST | None, limit: int = 40) -> str:
        """The source of a node on one line, shortened."""
        if node is None:
            return ""
        text = " ".join(self.source.segment(node).split())
        return text if len(text) <= limit else text[: limit - 1] + "…"

    def brief(self, node: ast.AST | None, limit: int = 30) -> str:
        """The source of an expression; of a long call what is called: `torch.cat(...)`, `(...).detach()`."""
        text = self.text(node, limit)
        if not text.endswith("…") or not isinstance(node, ast.Call):
            return text
        function = self.text(node.func, limit - 3)
        if function.endswith("…") and isinstance(node.func, ast.Attribute):
            function = f"(...).{node.func.attr}"
        arguments = "(...)" if node.args or node.keywords else "()"
        return text if function.endswith("…") else function + arguments

    def innermost_here(self, node: Node | Version | Copied | Frozen) -> Span | None:
        """Where an operation or a write happened as seen from this file: there, or the call that led out of it."""
        if self.here(node.span):
            return node.span
        for site in reversed(node.stack):
            if self.here(site.span):
                return site.span
        return None

    # ------------------------------------------------------------------ names

    @cached_property
    def _names(self) -> dict[int, str]:
        names: dict[int, str] = {}
        for name, value in self.machine.main.namespace.items():
            if isinstance(value, Tensor) and not value.group:
                names.setdefault(id(value), name)
            elif is_module(value):
                for dotted, tensor in named_parameters(value):
                    names.setdefault(id(tensor), f"{name}.{dotted}")
            elif isinstance(value, Instance):
                for attribute, inner in value.attributes.items():
                    if isinstance(inner, Tensor):
                        names.setdefault(id(inner), f"{name}.{attribute}")
                    elif is_module(inner):
                        for dotted, tensor in named_parameters(inner):
                            names.setdefault(id(tensor), f"{name}.{attribute}.{dotted}")
        # Modules that no name of the file holds: the name each was first bound to, or its class.
        made = {id(value): value for value in self.machine.named}
        inside: set[int] = set()
        for value in made.values():
            if id(value) not in inside:
                inside.update(id(child) for child in modules(value)[1:])
        for value in made.values():
            if id(value) not in inside:
                name = value.name or (value.cls.name if isinstance(value, Instance) else value.dotted)
                for dotted, tensor in named_parameters(value):
                    names.setdefault(id(tensor), f"{name}.{dotted}")
        return names

    def name_of(self, tensor: Tensor) -> str:
        """The user's name of a tensor, as it would be written; "" if it has none."""
        return self._names.get(id(tensor)) or tensor.name

    def leaf_text(self, leaves: Sequence[Severed | Tensor]) -> str:
        """The leaves in a few words: "`x`", "`fc.weight` and `fc.bias`", "12 parameters of `net`"."""
        tensors = [leaf.leaf if isinstance(leaf, Severed) else leaf for leaf in leaves]
        groups = [t for t in tensors if t.group]
        names = [f"`{self.name_of(t)}`" for t in tensors if self.name_of(t)]
        if groups and len(groups) == len(tensors):
            return "the parameters of " + " and ".join(dict.fromkeys(names))
        if len(names) <= 2:
            return " and ".join(names) or self._unnamed(tensors)
        owner = _owner([n.strip("`") for n in names])
        if owner:
            return f"{len(names)} parameters of `{owner}`"
        owners: dict[str, list[str]] = {}
        for name in names:
            owners.setdefault(name.strip("`").partition(".")[0], []).append(name)
        if len(owners) > 2 or "self" in owners or not all(owner.isidentifier() for owner in owners):
            return f"{names[0]}, {names[1]} and {len(names) - 2} more"
        return " and ".join(n[0] if len(n) == 1 else f"{len(n)} parameters of `{o}`" for o, n in owners.items())

    def _unnamed(self, tensors: Sequence[Tensor]) -> str:
        """A leaf that no name holds, by the call that makes it."""
        made = self.node_at(tensors[0].origin) if len(tensors) == 1 else None
        if not isinstance(made, ast.Call):
            return "the trainable tensor"
        return f"the leaf that `{self.text(made.func, 30)}(...)` makes"

    def value_name(self, span: Span | None, fallback: str = "the result", part: int | None = None) -> str:
        """What the statement at a span assigns to (of several targets the one at `part`), or the expression itself."""
        statement = self.statement_at(span)
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, (ast.Name, ast.Attribute)):
                return f"`{self.text(target)}`"
            several = target.elts if isinstance(target, ast.Tuple) and statement.value is self.node_at(span) else []
            if part is not None and part < len(several) and isinstance(several[part], (ast.Name, ast.Attribute)):
                return f"`{self.text(several[part])}`"
        if isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
            return f"`{self.text(statement.target)}`"
        node = self.node_at(span)
        return f"`{self.brief(node)}`" if node is not None else fallback

    def sink_name(self, sink: Sink) -> str:
        """The loss of a sink as the user writes it."""
        node = sink.site.node
        if isinstance(node, ast.Return) and node.value is not None:
            value: ast.AST = node.value
            if isinstance(value, ast.IfExp):
                value = value.orelse
            if isinstance(value, ast.Dict):
                entries = zip(value.keys, value.values, strict=True)
                value = next((v for k, v in entries if isinstance(k, ast.Constant) and k.value == "loss"), value)
            elif isinstance(value, ast.Tuple) and value.elts:
                value = value.elts[0]
            text = self._foreign_text(sink.site, value)
            return f"`{text}`" if len(text) <= 30 else "the loss"
        if isinstance(node, ast.Call):
            root = sink.outcome.roots[0].name if sink.outcome.roots else ""
            if node.args and root and isinstance(node.args[0], ast.Name) and node.args[0].id == root:
                # `accelerator.backward(loss)`.
                return f"`{root}`"
            if isinstance(node.func, ast.Attribute) and node.func.attr == "backward":
                receiver = node.func.value
                text = self._foreign_text(sink.site, receiver)
                if len(text) <= 30:
                    return f"`{text}`"
            elif node.args:
                text = self._foreign_text(sink.site, node.args[0])
                if len(text) <= 30:
                    return f"`{text}`"
        return "the loss"

    def backward_name(self, sink: Sink) -> str:
        """The call that a sink is, where it is `loss.backward()`; else whose backward it is."""
        node = sink.site.node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "backward":
            text = self._foreign_text(sink.site, node.func)
            if len(text) <= 34:
                return f"`{text}()`"
        return f"the backward of {self.sink_name(sink)}"

    def _foreign_text(self, site: Site, node: ast.AST) -> str:
        source = site.module.source if site.module is not None else self.source
        return " ".join(source.segment(node).split())


def _owner(names: Sequence[str]) -> str:
    """The module that all the dotted names of parameters belong to, in the fewest words: "net", "self.encoder"."""
    heads = [name.split(".") for name in names]
    shared = 0
    while all(len(head) > shared + 1 and head[shared] == heads[0][shared] for head in heads):
        shared += 1
    return ".".join(heads[0][: min(shared, 2 if heads[0][0] == "self" else 1)])


def _is_at(node: ast.AST, span: Span) -> bool:
    # Only what was evaluated has a span; most nodes are told apart by their line.
    return getattr(node, "lineno", span.start.line) == span.start.line and getattr(node, "gradsight_span", None) == span
