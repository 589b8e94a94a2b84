"""The graph of a gradient: what `create_graph=True` gives it, so that it can be differentiated in its turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..report import Span
from . import truth
from .engine import Autograd
from .graph import Edge, Node, Saved
from .tensor import Tensor


def gradient_graph(autograd: Autograd, executed: Iterable[Node], target: Tensor, span: Span) -> Node | None:
    """The graph that `create_graph` gives the gradient of `target`; None for a gradient that is a constant.

    The gradient depends on what the nodes on the way to `target` saved, where it requires grad: the gradient of
    `x ** 3` on `x`, that of `x * 2` on nothing.
    """
    hooked = _Hooked(autograd)
    way = _way_to(list(executed), target, hooked)
    # Of what several nodes saved, one edge each: gradients of gradients would hold a multiple of it at every step.
    edges: dict[tuple[int, int, int, bool], Edge] = {}
    saved: dict[int, Saved] = {}
    for node, along in way.items():
        for edge in along:
            for each in _depends_on(node, edge):
                edges.setdefault((id(each.tensor), id(each.node), id(each.live), each.flows), each)
        for one in node.saved:
            saved[id(one)] = one
    for also in hooked.edges:
        edges.setdefault((id(also.tensor), id(also.node), id(also.live), also.flows), also)
    if not edges:
        return None
    tracked = truth.either(edge.live for edge in edges.values())
    if any(node.opaque or node.is_join for node in way):
        tracked = truth.both(tracked, truth.maybe("the gradient goes through code that is not known"))
    refused = any(each.derivative == "refused" for each in way)
    node = Node("grad", span, tuple(edges.values()), tracked=tracked, path=autograd.path, implemented=not refused)
    node.stack = autograd.stack
    node.has_saved, node.saved = True, tuple(saved.values())
    return node


def on_the_way(autograd: Autograd, executed: Iterable[Node], target: Tensor) -> list[Node]:
    """The nodes through which a gradient comes to a tensor."""
    return list(_way_to(list(executed), target, _Hooked(autograd)))


class _Hooked:
    """What hooks make of the gradients on the way: `edges` are what theirs depend on besides."""

    def __init__(self, autograd: Autograd) -> None:
        self._ask = autograd.asked
        self._kept: dict[tuple[int, int], bool] = {}
        self.edges: list[Edge] = []

    def lets_through(self, edge: Edge) -> bool:
        """Whether the gradient that goes on from an edge depends on the one that came along it."""
        tensor, node = edge.tensor, edge.node
        if tensor is None or self._ask is None:
            return True
        result = node is not None and node.tracked.possible
        if not (node.hooks if result and node is not None else tensor.hooks):
            return True
        key = (id(node), tensor.output) if result else (id(tensor), -1)
        if key not in self._kept:
            kept = True
            for output, hook in node.hooks if result and node is not None else [(-1, h) for h in tensor.hooks]:
                if not result or output == tensor.output:
                    depends, others = self._ask(hook, tensor)
                    kept = kept and depends
                    self.edges += others
            self._kept[key] = kept
        return self._kept[key]


def _way_to(nodes: list[Node], target: Tensor, hooked: _Hooked) -> dict[Node, list[Edge]]:
    """The nodes on which the gradient of a tensor may depend, each with its edges on the way there."""
    end = target.maker if target.is_leaf.no else None
    way: dict[Node, list[Edge]] = {}
    for node in sorted(nodes, key=lambda each: each.order):
        along = [
            edge
            for edge in node.edges
            if edge.live.possible
            and edge.flows
            and (edge.node in way or (edge.tensor is target if end is None else edge.node is end))
            and hooked.lets_through(edge)
        ]
        if along:
            way[node] = along
    return way


def _depends_on(node: Node, edge: Edge) -> list[Edge]:
    """The tensors on which the gradient along one edge of a node depends, as edges; those that carry a graph."""
    if node.derivative == "constant":
        return []
    used = [s for s in node.saved if not s.used_for or edge.name in s.used_for]
    dividend = node.derivative == "quotient" and bool(node.edges) and edge.name == node.edges[0].name
    if node.derivative == "linear" or dividend:
        used = [s for s in used if s.operand != edge.name]
    edges = [s.tensor.edge() for s in used]
    if node.derivative in ("whole", "norm"):
        own = node.derivative == "norm" and edge.name in ("", "input")
        used = [s for s in used if edge.name != "bias" and (own or s.operand != edge.name)]
        takes = {s.operand for s in used}
        taken = [e for e in node.edges if e.live.possible and e.name != "bias"]
        return [e if not e.name or e.name in takes else replace(e, flows=False) for e in taken]
    inside = node.derivative == "inside" or (not node.saved and node.has_saved and not node.derivative)
    if inside or (used and not node.derivative and all(s.tensor.floating.no for s in used)):
        # It keeps values that it computed on the way (`cross_entropy` the probabilities), and they depend on what went
        # in.
        edges = list(node.edges)
    return [each for each in edges if each.live.possible]
