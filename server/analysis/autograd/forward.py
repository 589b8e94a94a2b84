"""Operations out of place: which results require grad, by which node, and what is saved for backward.

Sources: torch/csrc/autograd/VariableTypeUtils.h, tools/autograd/gen_variable_type.py of PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import truth
from .graph import Cut, Edge, Node, Saved
from .operation import AutogradError, Operand, Operation, Save
from .tensor import UNKNOWN_DEVICE, Tensor
from .truth import NO, YES, Truth
from .views import Views


class Forward(Views):
    """`apply`: an operation makes new tensors."""

    def apply(self, operation: Operation) -> tuple[Tensor, ...]:
        """Run an out-of-place operation; one tensor for each of its outputs.

        Raises AutogradError when an inference tensor would have to be saved.
        """
        views = self._views(operation.operands)
        base = None
        if operation.view:
            base = next((o.tensor for o in operation.operands if o.name == operation.view_of), None)
        # A view of an inference tensor is one too, and none has the dispatch keys of autograd.
        past = operation.view and base is not None and base.inference and not self.mode.inference
        wants = NO if operation.untracked or past else self._wanted(operation.operands)
        tracked = truth.both(wants, self.mode.enabled)
        if tracked.possible:
            self._ask(views)
        if tracked.yes:
            self._require_current(operation.operands)
        edges = self._edges(operation.operands)
        results: list[Tensor] = []
        grad_node: Node | None = None
        for kind in operation.outputs:
            differentiable = kind != "nograd"
            cut = None
            if not differentiable:
                carries = any(edge.live.possible for edge in edges)
                cut = Cut("non-differentiable", operation.span, operation.name) if carries else None
            elif not tracked.yes and wants.possible and not self.mode.enabled.yes:
                cut = self.mode.cut
            node = grad_node if differentiable else None
            if node is None:
                node = Node(
                    operation.name,
                    operation.span,
                    edges,
                    tracked=tracked if differentiable else NO,
                    path=self.path,
                    cut=cut,
                    opaque=operation.opaque,
                    zero=kind == "zero",
                    implemented=operation.implemented,
                    note=operation.note,
                    derivative=operation.derivative,
                )
                node.stack = self.stack
                if differentiable:
                    grad_node = node
            result = Tensor(
                requires_grad=node.tracked,
                node=node,
                floating=YES if differentiable else NO,
                device=_device(operation.operands),
                origin=operation.span,
            )
            result.inference = result.uncounted = self.mode.inference
            result.output = len(results)
            node.result = node.result or result
            if operation.view and base is not None:
                self.make_view(result, base, operation.view)
            results.append(result)
        if grad_node is not None and tracked.possible:
            self._save(grad_node, operation, tuple(results), operation.saves)
        return tuple(results)

    def _edges(self, operands: Sequence[Operand]) -> tuple[Edge, ...]:
        edges = []
        for operand in operands:
            tensor = operand.tensor
            if tensor is not None:
                live = NO if tensor.idle else tensor.requires_grad
                edges.append(Edge(tensor.node, tensor, live, operand.differentiable, operand.name, operand.defined))
            elif operand.node is not None:
                edges.append(Edge(operand.node, None, NO))
        return tuple(edges)

    def _require_current(self, operands: Sequence[Operand]) -> None:
        for operand in operands:
            tensor = operand.tensor
            if tensor is not None and tensor.view_of is not None and operand.differentiable:
                self.require_current(tensor)

    def _views(self, operands: Sequence[Operand]) -> list[Operand]:
        """The operands that are views, with their flags as the flags of their bases make them."""
        views = [o for o in operands if o.tensor is not None and o.tensor.view_of is not None]
        for operand in views:
            if operand.tensor is not None:
                self.refresh(operand.tensor, False)
        return views

    def _ask(self, views: Sequence[Operand]) -> None:
        """Bring up to date those that a tracked operation takes the grad_fn of."""
        for operand in views:
            if operand.tensor is not None and operand.differentiable:
                self.refresh(operand.tensor)

    def _wanted(self, operands: Sequence[Operand]) -> Truth:
        unsure: Truth | None = None
        for operand in operands:
            tensor = operand.tensor
            if tensor is not None and operand.differentiable:
                flag = tensor.requires_grad
                if flag.yes:
                    return YES
                if unsure is None and flag.maybe:
                    unsure = flag
        return unsure or NO

    def _save(self, node: Node, operation: Operation, results: tuple[Tensor, ...], saves: Sequence[Save]) -> None:
        """Keep tensors for backward, each at the version it has now."""
        if operation.holds_numbers:
            node.has_saved = True
        if not saves:
            return
        by_name: dict[str, list[Operand]] = {}
        learning: set[str] = set()
        for operand in operation.operands:
            if operand.name in by_name:
                by_name[operand.name].append(operand)
            else:
                by_name[operand.name] = [operand]
            if operand.differentiable and operand.tensor is not None:
                learning.add(operand.name)
        saved = []
        outside = not self.mode.inference
        if len(learning) != 1:
            learning = set()
        for save in saves:
            # Of a single input the flag decides, of several where gradient goes (gen_variable_type.py, guard_for).
            guard = truth.either(
                o.tensor.requires_grad if save.when == learning else o.tensor.live
                for name in save.when
                for o in by_name.get(name, ())
                if o.tensor is not None
            )
            if guard.no:
                continue
            node.has_saved = True
            if save.what.startswith("result"):
                index = int(save.what[6:] or 0)
                kept = [results[index]] if index < len(results) else []
            else:
                kept = [o.tensor for o in by_name.get(save.what, ()) if o.tensor is not None]
            for tensor in kept:
                if (tensor.inference or tensor.uncounted) and outside and guard.yes and node.tracked.yes:
                    raise AutogradError("inference", "Inference tensors cannot be saved for backward.", tensor)
                if self.mode.packs:
                    continue
                places = tensor.places
                keep_sure = save.sure and guard.yes and places[0] is tensor
                for each in places:
                    version, contents = each.counter.version, each.memory.version
                    saved.append(Saved(each, version, contents, save.what, keep_sure, save.when, each.memory))
        node.saved += tuple(saved)


def _device(operands: Sequence[Operand]) -> Any:
    devices = [o.tensor.device for o in operands if o.tensor is not None and not o.tensor.scalar]
    if not devices:
        devices = [o.tensor.device for o in operands if o.tensor is not None]
    if devices:
        first = devices[0]
        for device in devices:
            if device is not first and device.kind != first.kind:
                break
        else:
            return first
    known = [d for d in devices if d.kind != "unknown"]
    return known[0] if known else UNKNOWN_DEVICE
