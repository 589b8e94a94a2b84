"""`backward()` on the abstract graph: what raises, and which leaf has a gradient afterwards.

The engine of PyTorch runs nodes in the order of their sequence numbers, the newest first
(torch/csrc/autograd/engine.cpp); so of several nodes that would raise, the newest one does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..report import Span
from . import truth
from .engine import Autograd
from .graph import Edge, Node, Saved, Version, contradicts, first_change_after, first_write_after
from .inplace import expandable
from .reach import Reach, reach
from .tensor import Grad, Tensor
from .truth import NO, YES, Truth


@dataclass(frozen=True, slots=True)
class Raise:
    """What PyTorch raises in a backward: kinds "no-grad-fn", "freed", "saved-modified", "saved-detached",
    "unused-input", "leaf-moved", "inference", "other".

    `certain` is False when it depends on a branch or on the backend. `node` is where, `saved` and `culprit` say which
    saved tensor was changed and by which write; `silent` marks a write that the version counter does not see. `leaf`
    may not take a gradient: its own was put there at `by`.
    """

    kind: str
    certain: bool
    node: Node | None = None
    saved: Saved | None = None
    culprit: Version | None = None
    silent: bool = False
    leaf: Tensor | None = None
    by: Span | None = None

    @property
    def order(self) -> int:
        """Nodes with higher orders run before it is raised."""
        return self.node.order if self.node is not None else 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a backward did: what raised or may raise, and the leaves it reached.

    `silent` are saved tensors with other contents than they had: nothing is raised, and the gradient is wrong. `asked`
    are the tensors whose gradients were asked for, None for those of all leaves.
    """

    span: Span
    roots: tuple[Tensor, ...]
    raises: Raise | None
    doubts: tuple[Raise, ...]
    reach: Reach
    freed_before: tuple[Node, ...] = ()
    early: frozenset[int] = field(default=frozenset())
    silent: tuple[Raise, ...] = ()
    asked: frozenset[int] | None = None


_OF_CUSTOM = re.compile(r"result|saved|\d")
"""Operands of custom functions by number or as what is saved beside: these, and results, are given a grad_fn anew.

Source: unpack in torch/csrc/autograd/saved_variable.cpp, with a `saved_for`.
"""


def _changed(autograd: Autograd, node: Node, saved: Saved) -> list[Raise]:
    found = []
    current = saved.tensor.counter.version
    if current is not saved.version:
        outcomes = current.outcomes()
        certain = saved.version not in outcomes
        for version in outcomes:
            if version.alternatives or version is saved.version or version.span is None:
                continue
            if version.order < node.order:
                # Written before the node saved anything: a state that a join has brought along.
                continue
            if contradicts(version.path, node.path) or contradicts(version.path, autograd.path):
                continue
            sure = certain and saved.sure and version.path <= autograd.path
            found.append(Raise("saved-modified", sure, node, saved, first_write_after(saved.version, version)))
        return found
    last = saved.tensor.node
    if last is not None and last.name == "_add_batch_dim" and last.edges and last.edges[0].tensor is not None:
        # What `vmap` makes of a tensor is the tensor itself to autograd.
        last = last.edges[0].tensor.node
    if last is not None and last.name == "detach_" and last.order > node.order:
        before = last.edges[0].node
        if before is not None and before.tracked.yes and not _OF_CUSTOM.match(saved.operand):
            # It was no leaf when it was saved and has no grad_fn now (saved_variable.cpp, unpack).
            culprit = Version("detach_", last.span, last.path)
            culprit.stack = last.stack
            itself = _kept_itself(node, saved)
            return (
                [] if itself is False else [Raise("saved-detached", saved.sure and bool(itself), node, saved, culprit)]
            )
    return _changed_unseen(autograd, node, saved)


_KEEP_THE_TENSOR = frozenset(
    "mul rmul multiply div truediv true_divide rtruediv divide pow square mm bmm mv dot addmm baddbmm "
    "sin cos sinh cosh asin acos atan atan2 atanh log log2 log10 log1p logaddexp erf erfc lgamma hypot lerp dist "
    "addcmul addcdiv conv1d conv2d conv3d convtranspose1d convtranspose2d convtranspose3d mse_loss mseloss".split()
)
"""Operations that save an operand itself. Others save a view of it (`linear`), which `t.data = v` leaves alone.

Measured on torch 2.13, by setting `.data` between the operation and its backward.
"""


_GIVE_WHAT_CAME = frozenset(
    "add radd sub rsub subtract mul rmul multiply div truediv rtruediv true_divide divide pow rpow maximum minimum "
    "fmod fmax fmin mod remainder where lerp addcmul addcdiv atan2 hypot logaddexp logaddexp2 xlogy copysign clamp "
    "masked_fill ldexp".split()
)
"""Operations that give each operand a gradient of the size of their result, whatever was broadcast (measured)."""


_KEEP_VIEWS = frozenset(["einsum", "inner", "kron", "tensordot", "scaled_dot_product_attention"])
"""Operations that lay out their operands first, and save that."""


_LEFT_ITSELF = frozenset([(1, 1), (2, 1), (2, 2), (1, 3)])
_RIGHT_ITSELF = frozenset([(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)])
"""Dimensions of the two operands of `matmul` (3: or more) with which it saves the one as it is (measured)."""


def matmul_takes(left: int, right: int) -> tuple[bool, bool]:
    """Whether `matmul` of operands with so many dimensions takes the left and the right one as they are."""
    dimensions = min(left, 3), min(right, 3)
    return dimensions in _LEFT_ITSELF, dimensions in _RIGHT_ITSELF


def _kept_itself(node: Node, saved: Saved) -> bool | None:
    """Whether an operand was saved as the tensor it is, and not as a view of it; None if its shape decides.

    Measured on torch 2.13: `linear` saves its weight turned; stacks of matrices are laid flat first.
    """
    name = _base_name(node)
    if name in _KEEP_VIEWS or (name == "linear" and saved.operand == "weight"):
        return False
    if name == "linear":
        return None if saved.tensor.shape is None else len(saved.tensor.shape) <= 2
    if name in ("matmul", "rmatmul"):
        shapes = [edge.tensor.shape if edge.tensor is not None else None for edge in node.edges[:2]]
        if len(shapes) < 2 or shapes[0] is None or shapes[1] is None:
            return None
        return matmul_takes(len(shapes[0]), len(shapes[1]))[0 if saved.operand == node.edges[0].name else 1]
    return True


def _base_name(node: Node) -> str:
    return node.name.strip("_").lower()


def _changed_unseen(autograd: Autograd, node: Node, saved: Saved) -> list[Raise]:
    """Other contents at the same version: `.data`, an array over the same memory, a fused optimizer.

    An input may be kept as the tensor it is, so that `t.data = v` changes what backward reads; a result is kept as its
    memory, which that leaves alone (torch/csrc/autograd/saved_variable.cpp).
    """
    tensor = saved.tensor
    result = saved.operand.startswith("result") and not tensor.is_leaf.yes
    memory = saved.memory if result and saved.memory is not None else tensor.memory
    if memory.version is saved.contents:
        return []
    outcomes = memory.version.outcomes()
    if memory is saved.memory:
        # What it may have held when it was saved, in one branch or another, is no change since.
        before = saved.contents.outcomes()
        culprits = [
            first_change_after(saved.contents, v)
            for v in outcomes
            if v not in before and not v.alternatives and v.span is not None
        ]
    elif tensor.swapped is not None and memory.version is not saved.contents and _base_name(node) in _KEEP_THE_TENSOR:
        culprits = [tensor.swapped]
    else:
        culprits = []
    certain = saved.sure and saved.contents not in outcomes
    return [
        Raise("silently-wrong", certain and culprit.path <= autograd.path, node, saved, culprit, True)
        for culprit in culprits
        if culprit.order > node.order
        and not contradicts(culprit.path, node.path)
        and not contradicts(culprit.path, autograd.path)
    ]


def _first(raises: list[Raise]) -> Raise | None:
    """What is raised: by the newest node; of several tensors that it saved, by the one it looks at first.

    Those are the operands in the order of their names, then the results (tools/autograd/gen_autograd_functions.py);
    what Python calls `input` is `self` there.
    """
    first = max(raises, key=lambda each: each.order, default=None)
    if first is None or first.saved is None:
        return first
    operands = [(each.saved.operand, each) for each in raises if each.saved is not None and each.node is first.node]
    return min(operands, key=lambda pair: (pair[0].startswith("result"), "self" if pair[0] == "input" else pair[0]))[1]


_OF_PARTS = frozenset("LSTM GRU RNN LSTMCell GRUCell RNNCell MultiheadAttention lstm gru rnn_tanh rnn_relu".split())
"""Layers that are one node here and many in PyTorch: before one of these raises, others may have given gradients."""


def _refused(
    autograd: Autograd, found: Reach, inputs: Sequence[Tensor] | None, executed: dict[Node, None], create: Truth
) -> list[Raise]:
    """Leaves that may not take the gradient that comes to them (accumulate_grad.{h,cpp}).

    One whose `.grad` is an inference tensor, which may not be added to in place; one that an in-place operation has
    made a non-leaf since. It is raised right after the last node that feeds the leaf.
    """
    chosen = None if inputs is None else {id(tensor) for tensor in inputs}
    in_place = create.no and not autograd.mode.inference
    refused = []
    for leaf, sure in found.leaves.items():
        if not sure.yes or not leaf.requires_grad.yes or not (chosen is None or id(leaf) in chosen):
            continue
        moved = leaf.node is not None and leaf.node.tracked.yes
        if moved or (in_place and leaf.grad.inference and leaf.grad.present.yes):
            last = found.newest_first_user(leaf)
            node = next((n for n in executed if n.order == last), None)
            kind, by = ("leaf-moved", None) if moved else ("inference", leaf.grad.by)
            refused.append(Raise(kind, True, node, leaf=leaf, by=by))
    return refused


def _giving_other_sizes(executed: Iterable[Node]) -> list[Node]:
    """The nodes that give a tensor a gradient of other sizes than the one that made it takes (`Node.expects`).

    Source: validate_outputs in torch/csrc/autograd/engine.cpp.
    """
    if all(node.expects is None for node in executed):
        return []
    found = []
    for node in executed:
        for edge in node.edges:
            below = edge.node
            if below is None or below.expects is None or not edge.live.possible or not edge.flows:
                continue
            if _base_name(node) not in _GIVE_WHAT_CAME or not expandable(below.expects, _shape_made(node)):
                found.append(node)
                break
    return found


def _shape_made(node: Node) -> tuple[int, ...]:
    """The sizes of what a node made, as far as they still stand; an operation in place has those of what it changed."""
    made = node.result
    if made is None and node.edges:
        made = node.edges[0].tensor
    return (made.shape if made is not None else None) or ()


def _leading_to(found: Reach, inputs: Sequence[Tensor], accumulate: bool) -> dict[Node, None]:
    """The nodes that run when only `inputs` are asked for: those on a path from a root to an input.

    `autograd.grad` stops before an input's own grad_fn; `backward(inputs=...)` runs it too
    (torch/csrc/autograd/engine.cpp, init_to_execute).
    """
    leaves = {id(tensor) for tensor in inputs if tensor.is_leaf.possible}
    ends = {tensor.maker for tensor in inputs if tensor.node is not None and tensor.is_leaf.no}
    needed: dict[Node, bool] = {}
    for start in found.nodes:
        stack = [(start, False)]
        while stack:
            node, done = stack.pop()
            if done:
                needed[node] = any(
                    (edge.tensor is not None and id(edge.tensor) in leaves and edge.live.possible)
                    or edge.node in ends
                    or (edge.node is not None and needed.get(edge.node, False))
                    for edge in node.edges
                )
            elif node not in needed:
                needed[node] = False
                stack.append((node, True))
                stack += [(e.node, False) for e in node.edges if e.node in found.nodes and e.node not in needed]
    return {node: None for node in found.nodes if needed.get(node, False) or (accumulate and node in ends)}


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


def gradient_graph(autograd: Autograd, executed: Iterable[Node], target: Tensor, span: Span) -> Node | None:
    """The graph that `create_graph` gives the gradient of `target`; None for a gradient that is a constant.

    The gradient depends on what the nodes on the way to `target` saved, where it requires grad: the gradient of
    `x ** 3` on `x`, that of `x * 2` on nothing.
    """
    way = _way_to(list(executed), target)
    # Of what several nodes saved, one edge each: gradients of gradients would hold a multiple of it at every step.
    edges: dict[tuple[int, int, int, bool], Edge] = {}
    saved: dict[int, Saved] = {}
    for node, along in way.items():
        for edge in along:
            for each in _depends_on(node, edge):
                edges.setdefault((id(each.tensor), id(each.node), id(each.live), each.flows), each)
        for one in node.saved:
            saved[id(one)] = one
    if not edges:
        return None
    tracked = truth.either(edge.live for edge in edges.values())
    if any(node.opaque or node.is_join for node in way):
        tracked = truth.both(tracked, truth.maybe("the gradient goes through code that is not known"))
    node = Node("grad", span, tuple(edges.values()), tracked=tracked, path=autograd.path)
    node.stack = autograd.stack
    node.has_saved, node.saved = True, tuple(saved.values())
    return node


def _way_to(nodes: list[Node], target: Tensor) -> dict[Node, list[Edge]]:
    """The nodes on a path to a tensor, each with its edges that lie on one."""
    end = target.maker if target.is_leaf.no else None
    way: dict[Node, list[Edge]] = {}
    for node in sorted(nodes, key=lambda each: each.order):
        along = [
            edge
            for edge in node.edges
            if edge.live.possible
            and edge.flows
            and (edge.node in way or (edge.tensor is target if end is None else edge.node is end))
        ]
        if along:
            way[node] = along
    return way


def backward(
    autograd: Autograd,
    roots: Sequence[Tensor],
    span: Span,
    *,
    retain: Truth = NO,
    create: Truth = NO,
    accumulate: bool = True,
    inputs: Sequence[Tensor] | None = None,
) -> Outcome:
    """Run backward from `roots`; writes `.grad` of leaves (if `accumulate`) and frees saved tensors.

    `inputs` limits which tensors accumulate (`backward(inputs=...)`, `autograd.grad`). Never raises: what PyTorch
    would raise is in the outcome. `create` gives the gradients a graph of their own (`gradient_graph`).
    """
    for root in roots:
        autograd.refresh(root)
    found = reach(roots)
    wants = truth.either(root.requires_grad for root in roots) if roots else NO
    raises: list[Raise] = []
    doubts: list[Raise] = []
    silent: list[Raise] = []
    if any(root.live.no for root in roots):
        return Outcome(span, tuple(roots), Raise("no-grad-fn", True), (), found)
    if any(root.node is not None and root.node.expects is not None for root in roots):
        # The gradient to begin with has the sizes of the root, and is looked at before anything runs.
        return Outcome(span, tuple(roots), Raise("other", True), (), found)
    if not wants.yes:
        doubts.append(Raise("no-grad-fn", False))
    executed = found.nodes if inputs is None else _leading_to(found, inputs, accumulate)
    for node in executed:
        sure_node = node in found.sure_nodes and wants.yes
        if node.name == "CheckpointFunction" and inputs is not None:
            # Its backward runs another one inside, which cannot stop where this one is to (torch/utils/checkpoint.py).
            (raises if sure_node else doubts).append(Raise("other", sure_node, node))
            continue
        if node.freed.possible and node.has_saved:
            certain = node.freed.yes and sure_node
            (raises if certain else doubts).append(Raise("freed", certain, node))
        for saved in node.saved:
            for change in _changed(autograd, node, saved):
                certain = change.certain and sure_node
                item = Raise(change.kind, certain, node, saved, change.culprit, change.silent)
                (silent if change.silent else raises if certain else doubts).append(item)
        if not node.implemented and node.tracked.yes and not (node.freed.possible and node.has_saved):
            # A function of the user's own looks at what it saved before it gives back too few gradients.
            (raises if sure_node else doubts).append(Raise("other", sure_node, node))
    for node in _giving_other_sizes(executed):
        certain = node in found.sure_nodes and wants.yes
        (raises if certain else doubts).append(Raise("other", certain, node))
    if accumulate and wants.yes:
        raises += _refused(autograd, found, inputs, executed, create)
    first = _first(raises)
    early: set[int] = set()
    if first is not None and first.node is not None:
        early = {id(leaf) for leaf in found.leaves if found.newest_first_user(leaf) > first.node.order}
        accumulated = [leaf for leaf in found.leaves if id(leaf) in early]
        # What it gave is looked at before anything else.
        at_once = first.saved is not None and first.saved.operand.startswith("result")
        if accumulate and first.node.name in _OF_PARTS and not at_once:
            for leaf in found.leaves:
                if found.newest_first_user(leaf) == first.node.order and leaf.grad.present.no:
                    autograd.heap.write(leaf, "grad", Grad(truth.maybe("a part of the layer may have run"), span))
    else:
        accumulated = list(found.leaves)
    if accumulate:
        chosen = None if inputs is None else {id(t) for t in inputs}
        for leaf in accumulated:
            if leaf.requires_grad.no:
                # Frozen after it was used: its accumulator drops the gradient (accumulate_grad.cpp, apply).
                continue
            if chosen is None or id(leaf) in chosen:
                present = found.leaves[leaf] if wants.yes else truth.join(leaf.grad.present, YES)
                if leaf.grad.present.yes:
                    present = YES
                graph = gradient_graph(autograd, executed, leaf, span) if create.possible else None
                autograd.heap.write(leaf, "grad", Grad(present, span, graph or leaf.grad.graph))
        for tensor in inputs or ():
            if tensor not in found.leaves and found.uses(tensor, roots):
                autograd.heap.write(tensor, "grad", Grad(YES, span))
    ends = {tensor.maker for tensor in inputs or ()}
    for tensor, node in found.retained:
        # The hook runs before the node, and where its gradient is asked for; also in `autograd.grad`.
        if first is not None and node.order < first.order:
            continue
        if inputs is None or node in executed or node in ends:
            autograd.heap.write(tensor, "grad", Grad(YES if wants.yes else truth.maybe("it depends"), span))
    freed_before = tuple(n for n in found.nodes if n.freed.possible)
    if not retain.yes:
        for node in executed:
            if node.has_saved and not node.freed.yes:
                sure = node in found.sure_nodes and wants.yes
                freed = YES if retain.no and sure else truth.maybe("an earlier backward may have freed it")
                autograd.heap.write(node, "freed", freed)
    asked = None if inputs is None else frozenset(id(tensor) for tensor in inputs)
    return Outcome(
        span, tuple(roots), first, tuple(doubts), found, freed_before, frozenset(early), tuple(silent), asked
    )
