"""Writes: new versions, what PyTorch forbids, and whose history changes (a view's write is its base's).

Sources: torch/csrc/autograd/VariableTypeUtils.h (check_inplace), functions/utils.h (rebase_history).
"""

from __future__ import annotations

from ..report import Span
from . import truth
from .forward import Forward
from .graph import Edge, Node, Version, join_versions
from .operation import AutogradError, Operation
from .tensor import Tensor
from .truth import NO, YES, Truth
from .views import MADE


class InPlace(Forward):
    """`apply_inplace`: an operation writes into a tensor that is there."""

    def bump(self, tensor: Tensor, what: str, span: Span, *, silent: bool = False) -> None:
        """Record a write: a new version (not through `.data`, whose counter is its own) and new contents."""
        places = tensor.places
        for each in places:
            version = Version(what, span, self.path, previous=each.counter.version, over=each.memory.version)
            version.stack = self.stack
            weak = places[0] is not tensor
            if not silent:
                new = join_versions(version, each.counter.version) if weak else version
                self.heap.write(each.counter, "version", new)
            new = join_versions(version, each.memory.version) if weak else version
            self.heap.write(each.memory, "version", new)

    def check_inplace(self, tensor: Tensor, wants: Truth, untracked: bool = False) -> None:
        """What PyTorch forbids before an in-place write. Raises AutogradError.

        Source: check_inplace in torch/csrc/autograd/VariableTypeUtils.h.
        """
        tracked = NO if untracked else truth.both(wants, self.mode.enabled)
        if tensor.uncounted and not self.mode.inference:
            # The counter is asked after the checks of autograd (ADInplaceOrViewType).
            if tracked.yes and tensor.requires_grad.yes and tensor.is_leaf.yes:
                raise AutogradError(
                    "leaf-inplace",
                    "a leaf Variable that requires grad is being used in an in-place operation.",
                    tensor,
                )
            raise AutogradError(
                "inference", "Inplace update to inference tensor outside InferenceMode is not allowed.", tensor
            )
        if tracked.no:
            return
        certain = tracked.yes
        if tensor.view_of is not None:
            if tensor.view_kind != "view":
                raise AutogradError(
                    "view-inplace", f"{MADE[tensor.view_kind]}, and it is being modified in place", tensor, certain
                )
            if tensor.requires_grad.possible and tensor.base.is_leaf.yes:
                raise AutogradError(
                    "leaf-inplace",
                    "a view of a leaf Variable that requires grad is being used in an in-place operation.",
                    tensor,
                    certain and tensor.requires_grad.yes,
                )
        if tensor.requires_grad.possible and tensor.is_leaf.yes:
            raise AutogradError(
                "leaf-inplace",
                "a leaf Variable that requires grad is being used in an in-place operation.",
                tensor,
                certain and tensor.requires_grad.yes,
            )

    def apply_inplace(self, operation: Operation, target: Tensor) -> Tensor:
        """Run an in-place operation on `target` (one of the operands, or written without being read).

        Raises AutogradError where PyTorch forbids it; a doubtful one (`certain` False) is raised before any effect
        too, and the caller may go on with `force_inplace`. The check looks at the target's grad_fn as it is: a view
        that was not brought up to date since its base was written with tracking still counts as a leaf.
        """
        self._views(operation.operands)
        self.refresh(target, False)
        # The requires_grad of every input counts, that of the target too (compute_requires_grad).
        wants = truth.either((self._wanted(operation.operands), target.requires_grad))
        self.check_inplace(target, wants, operation.untracked)
        return self.force_inplace(operation, target)

    def force_inplace(self, operation: Operation, target: Tensor) -> Tensor:
        """The effect of an in-place operation without the checks."""
        wants = truth.either((self._wanted(operation.operands), target.requires_grad))
        tracked = truth.both(wants, self.mode.enabled) if target.floating.possible and not operation.untracked else NO
        if self.mode.inference and target.requires_grad.possible:
            tracked = NO
        if tracked.possible:
            self._ask(operation.operands)
            self.refresh(target)
        if tracked.yes:
            self._require_current([o for o in operation.operands if o.tensor is not target])
        base = target if operation.reshapes else target.base
        if base is target:
            edges = self._edges(operation.operands)
        else:
            # CopySlices: the base's history takes the place of the view's.
            others = [o for o in operation.operands if o.tensor is not target]
            edges = (base.edge(name="self"), *self._edges(others))
        cut = self.mode.cut if wants.possible and not self.mode.enabled.yes else None
        keeps_history = tracked.no and target.requires_grad.possible
        node = Node(
            operation.name,
            operation.span,
            edges,
            tracked=tracked,
            path=self.path,
            cut=cut,
            zero=operation.outputs[:1] == ("zero",),
            implemented=operation.implemented,
            note=operation.note,
            derivative=operation.derivative,
        )
        node.stack = self.stack
        # CopySlices lets go of the operation inside it when the graph is freed (functions/tensor.cpp).
        node.slices = base is not target
        node.has_saved = node.slices and tracked.possible
        if tracked.possible:
            before = tuple(s for s in operation.saves if not s.what.startswith("result"))
            self._save(node, operation, (target,), before)
        self.bump(target, operation.name, operation.span, silent=False)
        if tracked.possible:
            after = tuple(s for s in operation.saves if s.what.startswith("result"))
            self._save(node, operation, (target,), after)
        if keeps_history:
            return target
        if base is target:
            self.heap.write(target, "node", node)
            self.heap.write(target, "requires_grad", tracked)
            if tracked.possible and target.view_of is not None:
                self.heap.write(target, "seen", target.counter.version)
        else:
            self.heap.write(base, "node", node)
            self.heap.write(base, "requires_grad", tracked)
            view = Node("view", operation.span, (base.edge(),), tracked=tracked, path=self.path)
            self.heap.write(target, "node", view)
            self.heap.write(target, "requires_grad", tracked)
            self.heap.write(target, "idle", tracked.no)
            if tracked.possible:
                # Without tracking there is no rebase, and the view's history stays behind its memory.
                self.heap.write(target, "seen", target.counter.version)
        return target

    def resized(self, tensor: Tensor, span: Span, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        """The sizes of a tensor were changed without tracking: its grad_fn takes a gradient of those `before`.

        One that has only dimensions in front of them, or other sizes in the place of 1, is summed to them; any other is
        refused by the node that gives it (torch/csrc/autograd/input_metadata.cpp, is_expandable_to_shape). A view is
        no matter: its history is made anew from its base.
        """
        made = tensor.maker
        if made is None or not made.tracked.yes or tensor.view_of is not None or tensor.either or tensor.lies_in:
            return
        last = tensor.node
        expected = before if last is None or last.expects is None else last.expects
        if expandable(expected, after):
            self.heap.write(tensor, "node", made)
            return
        edge = Edge(made, tensor, YES)
        node = Node("resized", span, (edge,), tracked=YES, path=self.path)
        node.expects, node.stack = expected, self.stack
        self.heap.write(tensor, "node", node)


def expandable(sizes: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a tensor of these sizes can be expanded to others, all of them known."""
    wide = wanted[max(len(wanted) - len(sizes), 0) :]
    return len(wanted) >= len(sizes) and all(size in (1, other) for size, other in zip(sizes, wide, strict=True))
