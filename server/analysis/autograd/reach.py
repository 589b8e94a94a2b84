"""Reached and severed leaves, and the path between a leaf and a loss.

`reach(loss)` follows only edges gradient flows along. `severed` follows every edge, also those that a cut closed, and
gives the leaves that come in only over a cut, each with the path and the cut nearest to the leaf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..made_often import made_often
from .graph import Edge, Node
from .tensor import Tensor
from .truth import YES, Truth, maybe


def _leaf_of(tensor: Tensor | None, node: Node | None) -> Tensor | None:
    """The tensor itself when it was a leaf at the time of use."""
    if tensor is None:
        return None
    if node is None or (node.tracked.no and not node.is_join):
        return tensor
    return None


@dataclass(frozen=True, slots=True)
class Reach:
    """What gradient flows to: `leaves` with yes (on every run) or maybe; nodes in the order found.

    `unfed` are the nodes that run with no gradient at all.
    """

    leaves: dict[Tensor, Truth]
    nodes: dict[Node, None]
    sure_nodes: dict[Node, None]
    users: dict[Tensor, int]
    retained: tuple[tuple[Tensor, Node], ...]
    unfed: frozenset[Node]

    def newest_first_user(self, leaf: Tensor) -> int:
        """The order of the oldest node that feeds the leaf: its gradient is there once that one ran."""
        return self.users.get(leaf, 0)

    def uses(self, tensor: Tensor, roots: Sequence[Tensor]) -> bool:
        """Whether gradient comes to a non-leaf: not to an output of a node of which only others were used."""
        maker = tensor.maker
        if maker not in self.nodes:
            return False
        if any(root.node is maker and root.output == tensor.output for root in roots):
            return True
        ends = (edge for node in self.nodes for edge in node.edges if edge.node is maker)
        return any(edge.tensor is None or edge.tensor.output == tensor.output for edge in ends)


def _walk(
    roots: Sequence[Tensor], only_sure: bool, through_zero: bool = True
) -> tuple[dict[Tensor, None], dict[Node, None], dict[Tensor, int], frozenset[Node]]:
    leaves: dict[Tensor, None] = {}
    nodes: dict[Node, None] = {}
    users: dict[Tensor, int] = {}
    todo: list[tuple[Node, bool]] = []
    defined: set[Node] = set()
    sure, ended = _Sure(), False
    for root in roots:
        leaf = _leaf_of(root, root.node)
        if leaf is not None:
            if root.requires_grad.possible and not (only_sure and root.requires_grad.maybe):
                leaves[leaf] = None
        elif root.node is not None:
            todo.append((root.node, True))
    while todo:
        node, has_gradient = todo.pop()
        if node in nodes and (not has_gradient or node in defined):
            continue
        if has_gradient:
            defined.add(node)
        if not node.is_join:
            if node.tracked.no or (only_sure and not node.tracked.yes):
                continue
            nodes[node] = None
        else:
            nodes[node] = None
            if only_sure:
                for thing in sure.of(node):
                    if isinstance(thing, Node):
                        nodes[thing] = None
                    elif has_gradient:
                        leaves[thing] = None
                continue
        if node.zero and not through_zero:
            continue
        for edge in node.edges:
            if edge.live.no or not edge.flows or (only_sure and edge.live.maybe):
                continue
            leaf = _leaf_of(edge.tensor, edge.node)
            gives = (has_gradient or (node.materializes and through_zero)) and edge.defined
            if leaf is not None:
                # It waits for every node that feeds it, also for one that brings nothing.
                users[leaf] = min(users.get(leaf, node.order), node.order)
                if gives:
                    leaves[leaf] = None
            elif edge.node is not None:
                todo.append((edge.node, gives))
                ended = ended or not gives
    return leaves, nodes, users, frozenset(nodes.keys() - defined) if ended else frozenset()


class _Sure:
    """What a node reaches on every run, leaves and nodes: of a join what all alternatives reach, else what any input.

    Sets are bits of a number, and each node is looked at once: joins of joins make graphs with very many paths.
    """

    def __init__(self) -> None:
        self._bit: dict[Tensor | Node, int] = {}
        self._things: list[Tensor | Node] = []
        self._known: dict[Node, int] = {}

    def of(self, node: Node) -> list[Tensor | Node]:
        """The leaves and nodes, in the order they were met."""
        todo = [node]
        while todo:
            current = todo[-1]
            if current in self._known:
                todo.pop()
                continue
            before = len(todo)
            if current.is_join or current.tracked.yes:
                todo += [n for e in current.edges if (n := self._behind(e)) is not None and n not in self._known]
            if len(todo) == before:
                todo.pop()
                self._known[current] = self._bits(current)
        bits = self._known[node]
        return [thing for index, thing in enumerate(self._things) if bits >> index & 1]

    @staticmethod
    def _gives(edge: Edge) -> bool:
        return edge.live.yes and edge.flows and edge.defined

    def _behind(self, edge: Edge) -> Node | None:
        return edge.node if self._gives(edge) and _leaf_of(edge.tensor, edge.node) is None else None

    def _bits(self, node: Node) -> int:
        found: int | None = None
        if not node.is_join and not node.tracked.yes:
            return 0
        for edge in node.edges:
            bits = 0
            if self._gives(edge):
                leaf = _leaf_of(edge.tensor, edge.node)
                if leaf is not None:
                    bits = self._bit_of(leaf)
                elif edge.node is not None and (edge.tensor is not None or not node.is_join or _of_two(node)):
                    bits = self._known.get(edge.node, 0)
            found = bits if found is None else found & bits if node.is_join else found | bits
        return (found or 0) | (0 if node.is_join else self._bit_of(node))

    def _bit_of(self, thing: Tensor | Node) -> int:
        if thing not in self._bit:
            self._bit[thing] = 1 << len(self._things)
            self._things.append(thing)
        return self._bit[thing]


def _of_two(join: Node) -> bool:
    """Whether a join of histories has all of them: of a tensor that had none before the branch it keeps one only."""
    return len(join.edges) > 1 or any(edge.node is not None and edge.node.is_join for edge in join.edges)


def zeros_on_the_way(roots: Sequence[Tensor], leaves: Iterable[Tensor]) -> list[Severed]:
    """Of the leaves a backward reaches, those it reaches only through operations whose gradient is zero everywhere.

    Each with the path and the zero operation nearest to the leaf.
    """
    live = _walk(roots, only_sure=False, through_zero=False)[0]
    wanted = {id(leaf) for leaf in leaves if leaf not in live}
    if not wanted:
        return []
    parent: dict[Node, Node | None] = {root.node: None for root in roots if root.node is not None}
    queue = list(parent)
    found: dict[int, Severed] = {}
    for node in queue:
        for edge in node.edges:
            leaf = _leaf_of(edge.tensor, edge.node)
            if leaf is not None and id(leaf) in wanted and id(leaf) not in found and edge.live.possible and edge.flows:
                path = _path_to(node, parent)
                zero = next((n for n in reversed(path) if n.zero), None)
                if zero is not None:
                    found[id(leaf)] = Severed(leaf, zero, path)
            if edge.node is not None and edge.node not in parent:
                parent[edge.node] = node
                queue.append(edge.node)
    return list(found.values())


def reach(roots: Sequence[Tensor]) -> Reach:
    """The leaves and nodes a backward from `roots` visits."""
    leaves, nodes, users, unfed = _walk(roots, only_sure=False)
    if all(n.tracked.yes and not n.is_join and all(not e.live.maybe for e in n.edges) for n in nodes):
        sure_leaves, sure_nodes = leaves, nodes
    else:
        sure_leaves, sure_nodes, *_ = _walk(roots, only_sure=True)
    unsure = maybe("the path to the loss depends on a branch or on unknown code")
    retained = tuple((n.result, n) for n in nodes if n.result is not None and _retains(n.result, n))
    certain = {leaf: YES if leaf in sure_leaves else unsure for leaf in leaves}
    return Reach(certain, nodes, sure_nodes, users, retained, unfed)


def _retains(tensor: Tensor, node: Node) -> bool:
    """Whether the gradient that comes to a node is kept for its result; `detach_` leaves the hook where it was."""
    made = tensor.maker
    while made is not None and made.name == "detach_" and made is not node and made.edges:
        made = made.edges[0].node
    return tensor.retains_grad and made is node


@made_often
@dataclass(frozen=True, slots=True)
class Severed:
    """A leaf that reaches the loss only over cuts: `path` from the loss down to the leaf, `cut` nearest to the leaf.

    `live` is whether the leaf required grad where it was used.
    """

    leaf: Tensor
    cut: Node
    path: tuple[Node, ...]
    live: Truth = YES

    @property
    def learns(self) -> Truth:
        """Whether the leaf requires grad, or did where it was used and was frozen afterwards."""
        return self.leaf.requires_grad if self.leaf.requires_grad.possible else self.live


def severed(roots: Sequence[Tensor], reached: Iterable[Tensor], without: Iterable[Node] = ()) -> list[Severed]:
    """Leaves (with requires_grad) that only come in over a cut, found breadth first from the loss.

    `without` are nodes that no way leads through.
    """
    return list({id(each.leaf): each for each in _each_severed(roots, reached, without)}.values())


def is_severed(root: Tensor) -> bool:
    """Whether any leaf comes into a tensor over a cut only; no further than to the first."""
    return next(_each_severed((root,), (), ()), None) is not None


def _each_severed(roots: Sequence[Tensor], reached: Iterable[Tensor], without: Iterable[Node]) -> Iterator[Severed]:
    reached_set = set(map(id, reached))
    parent: dict[Node, Node | None] = dict.fromkeys(without)
    cut_above: dict[Node, Node | None] = {}
    queue: list[Node] = []
    for root in roots:
        if root.node is not None and root.node not in parent:
            parent[root.node] = None
            cut_above[root.node] = root.node if root.node.cut is not None else None
            queue.append(root.node)
    found: set[int] = set()
    for node in queue:
        for edge in node.edges:
            tensor = edge.tensor
            if not edge.flows and edge.live.yes and node.cut is None:
                # Only its shape went in (`view_as`), or its values where they have no derivative.
                continue
            if tensor is not None and edge.live.possible and id(tensor) not in reached_set and id(tensor) not in found:
                leaf = _leaf_of(tensor, edge.node)
                cut = cut_above[node]
                if leaf is not None and cut is not None and (leaf.requires_grad.possible or edge.live.yes):
                    found.add(id(leaf))
                    yield Severed(leaf, cut, _path_to(node, parent), edge.live)
            below = edge.node
            if below is not None and below not in parent:
                parent[below] = node
                cut_above[below] = below if below.cut is not None else cut_above[node]
                queue.append(below)


def _path_to(node: Node, parent: dict[Node, Node | None]) -> tuple[Node, ...]:
    path: list[Node] = []
    step: Node | None = node
    while step is not None:
        path.append(step)
        step = parent[step]
    return tuple(reversed(path))


def constants(roots: Sequence[Tensor]) -> list[Tensor]:
    """Floating-point leaves without requires_grad on the way to `roots`, nearest first: what could have learned."""
    seen: dict[int, Tensor] = {}
    visited: set[Node] = set()
    queue = [root.node for root in roots if root.node is not None]
    for root in roots:
        if root.node is None:
            seen[id(root)] = root
    for node in queue:
        if node in visited:
            continue
        visited.add(node)
        for edge in node.edges:
            tensor = edge.tensor
            if tensor is not None and edge.node is None and tensor.floating.possible and not edge.live.yes:
                seen.setdefault(id(tensor), tensor)
            if edge.node is not None and edge.node not in visited:
                queue.append(edge.node)
    return list(seen.values())


def untracked(roots: Sequence[Tensor]) -> list[Tensor]:
    """Every floating-point tensor on the way to `roots` that is a leaf to PyTorch because nothing in it is tracked.

    Results of operations on plain tensors (`torch.ones(1) * 1.5`) are among them.
    """
    found: dict[int, Tensor] = {}
    visited: set[Node] = set()
    queue = [root.edge() for root in roots]
    for edge in queue:
        tensor, node = edge.tensor, edge.node
        plain = node is None or (node.tracked.no and node.cut is None)
        if tensor is not None and plain and tensor.floating.possible:
            found.setdefault(id(tensor), tensor)
        if node is not None and node not in visited:
            visited.add(node)
            queue += node.edges
    return list(found.values())
