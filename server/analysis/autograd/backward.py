"""`backward()` on the abstract graph: what raises, and which leaf has a gradient afterwards.

The engine of PyTorch runs nodes in the order of their sequence numbers, the newest first
(torch/csrc/autograd/engine.cpp); so of several nodes that would raise, the newest one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..report import Span
from . import truth
from .engine import Autograd
from .gradient_graph import gradient_graph
from .graph import Node
from .inplace import expandable
from .outcome import Outcome, Raise
from .reach import Reach, reach
from .stale import stale
from .tensor import Grad, Tensor
from .truth import NO, YES, Truth


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
    at_once = _raised_at_once(roots)
    if at_once is not None:
        return Outcome(span, tuple(roots), at_once, (), found)
    wants = truth.either(root.requires_grad for root in roots) if roots else NO
    executed = found.nodes if inputs is None else _leading_to(found, inputs, accumulate)
    run = _Run(autograd, roots, span, found, executed, wants, create, accumulate, inputs)
    wrong = run.what_is_wrong()
    first = _first(wrong.raises)
    fed = run.fed_before(first)
    if accumulate:
        run.give(fed)
        run.give_in_part(first)
    run.keep(first)
    freed_before = tuple(n for n in found.nodes if n.freed.possible)
    if not retain.yes:
        run.free(retain)
    early = frozenset(map(id, fed)) if first is not None and first.node is not None else frozenset[int]()
    asked = None if inputs is None else frozenset(map(id, inputs))
    return Outcome(
        span, tuple(roots), first, tuple(wrong.doubts), found, freed_before, early, tuple(wrong.silent), asked
    )


def spoilt(autograd: Autograd, roots: Sequence[Tensor]) -> Raise | None:
    """What a backward from one of `roots` raises, as surely as there is one: it meets a saved tensor changed since.

    Only for operations that require grad in any case. To be asked before the effects of what computed them are taken
    back; nothing of the state changes but the histories of views.
    """
    for root in roots:
        autograd.refresh(root)
        if not root.requires_grad.yes:
            continue
        changes = [
            change
            for node in reach([root]).sure_nodes
            if node.tracked.yes
            for saved in node.saved
            for change in stale(autograd, node, saved)
        ]
        first = _first([each for each in changes if each.certain and each.kind == "saved-modified"])
        if first is not None:
            return first
    return None


def _raised_at_once(roots: Sequence[Tensor]) -> Raise | None:
    """What is raised before anything runs."""
    if any(root.live.no for root in roots):
        return Raise("no-grad-fn", True)
    if any(root.node is not None and root.node.expects is not None for root in roots):
        # The gradient to begin with has the sizes of the root.
        return Raise("other", True)
    return None


@dataclass(slots=True)
class _Wrong:
    """What raises for certain, what may raise, and what nobody raises although the gradient is wrong."""

    raises: list[Raise] = field(default_factory=list)
    doubts: list[Raise] = field(default_factory=list)
    silent: list[Raise] = field(default_factory=list)

    def add(self, found: Raise) -> None:
        (self.silent if found.silent else self.raises if found.certain else self.doubts).append(found)


@dataclass(frozen=True, slots=True)
class _Run:
    """One backward: how it was called, the nodes it runs (`executed`), and whether there is anything to run (`wants`).

    The methods are its stages, in the order in which `backward` goes through them.
    """

    autograd: Autograd
    roots: Sequence[Tensor]
    span: Span
    found: Reach
    executed: dict[Node, None]
    wants: Truth
    create: Truth
    accumulate: bool
    inputs: Sequence[Tensor] | None

    def _surely_runs(self, node: Node) -> bool:
        return node in self.found.sure_nodes and self.wants.yes

    def what_is_wrong(self) -> _Wrong:
        """All that raises or may raise; which of it comes first is the caller's to say."""
        wrong = _Wrong()
        if not self.wants.yes:
            wrong.add(Raise("no-grad-fn", False))
        for node in self.executed:
            if node.slices and node in self.found.unfed:
                # It looks at nothing it saved (torch/csrc/autograd/functions/tensor.cpp, CopySlices::apply_impl).
                continue
            sure = self._surely_runs(node)
            if node.name == "CheckpointFunction" and self.inputs is not None:
                # Its backward runs another one inside, which cannot stop where this one is to
                # (torch/utils/checkpoint.py).
                wrong.add(Raise("other", sure, node))
                continue
            freed = node.freed.possible and node.has_saved
            if freed:
                wrong.add(Raise("freed", node.freed.yes and sure, node))
            for saved in node.saved:
                for change in stale(self.autograd, node, saved):
                    wrong.add(change if sure else replace(change, certain=False))
            if not node.implemented and node.tracked.yes and not freed:
                # A function of the user's own looks at what it saved before it gives back too few gradients.
                wrong.add(Raise("other", sure, node))
        for node in _giving_other_sizes(self.executed):
            wrong.add(Raise("other", self._surely_runs(node), node))
        if self.accumulate and self.wants.yes:
            wrong.raises += _refused(self.autograd, self.found, self.inputs, self.executed, self.create)
        return wrong

    def fed_before(self, first: Raise | None) -> list[Tensor]:
        """The leaves that a gradient comes to: all of them, or those whose last node runs before what raises."""
        leaves = list(self.found.leaves)
        if first is None or first.node is None:
            return leaves
        return [leaf for leaf in leaves if self.found.newest_first_user(leaf) > first.node.order]

    def give(self, leaves: Iterable[Tensor]) -> None:
        """Write `.grad` of the leaves, and of the other tensors asked for."""
        found, heap, span = self.found, self.autograd.heap, self.span
        chosen = None if self.inputs is None else set(map(id, self.inputs))
        for leaf in leaves:
            # One frozen after it was used has an accumulator that drops the gradient (accumulate_grad.cpp, apply).
            if leaf.requires_grad.no or not (chosen is None or id(leaf) in chosen):
                continue
            present = found.leaves[leaf] if self.wants.yes else truth.join(leaf.grad.present, YES)
            if leaf.grad.present.yes:
                present = YES
            graph = gradient_graph(self.autograd, self.executed, leaf, span) if self.create.possible else None
            over = leaf.grad if leaf.grad.present.yes else None
            heap.write(leaf, "grad", Grad(present, span, graph or leaf.grad.graph, over=over))
        for tensor in self.inputs or ():
            if tensor not in found.leaves and found.uses(tensor, self.roots):
                heap.write(tensor, "grad", Grad(YES, span))

    def give_in_part(self, first: Raise | None) -> None:
        """A layer of many nodes may have given some leaves theirs before the part of it that raises ran."""
        if first is None or first.node is None or first.node.name not in _OF_PARTS:
            return
        if first.saved is not None and first.saved.operand.startswith("result"):
            return  # What it gave is looked at before anything else.
        for leaf in self.found.leaves:
            if self.found.newest_first_user(leaf) == first.node.order and leaf.grad.present.no:
                part = Grad(truth.maybe("a part of the layer may have run"), self.span)
                self.autograd.heap.write(leaf, "grad", part)

    def keep(self, first: Raise | None) -> None:
        """`retain_grad()`: its hook runs before the node, and where its gradient is asked for; also in `grad`."""
        ends = {tensor.maker for tensor in self.inputs or ()}
        for tensor, node in self.found.retained:
            if first is not None and node.order < first.order:
                continue
            if self.inputs is None or node in self.executed or node in ends:
                present = YES if self.wants.yes else truth.maybe("it depends")
                self.autograd.heap.write(tensor, "grad", Grad(present, self.span))

    def free(self, retain: Truth) -> None:
        """Let go of what the nodes saved."""
        for node in self.executed:
            if node.has_saved and not node.freed.yes:
                sure = retain.no and self._surely_runs(node)
                freed = YES if sure else truth.maybe("an earlier backward may have freed it")
                self.autograd.heap.write(node, "freed", freed)


_OF_PARTS = frozenset("LSTM GRU RNN LSTMCell GRUCell RNNCell MultiheadAttention lstm gru rnn_tanh rnn_relu".split())
"""Layers that are one node here and many in PyTorch: before one of these raises, others may have given gradients."""


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


_GIVE_WHAT_CAME = frozenset(
    "add radd sub rsub subtract mul rmul multiply div truediv rtruediv true_divide divide pow rpow maximum minimum "
    "fmod fmax fmin mod remainder where lerp addcmul addcdiv atan2 hypot logaddexp logaddexp2 xlogy copysign clamp "
    "masked_fill ldexp".split()
)
"""Operations that give each operand a gradient of the size of their result, whatever was broadcast (measured)."""


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
            if node.base_name not in _GIVE_WHAT_CAME or not expandable(below.expects, _shape_made(node)):
                found.append(node)
                break
    return found


def _shape_made(node: Node) -> tuple[int, ...]:
    """The sizes of what a node made, as far as they still stand; an operation in place has those of what it changed."""
    made = node.result
    if made is None and node.edges:
        made = node.edges[0].tensor
    return (made.shape if made is not None else None) or ()


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
