"""Operations on abstract tensors: tracked, cut, in place, on views.

`Autograd` holds what is global in PyTorch (grad mode, inference mode) and applies operations. It raises
`AutogradError` where PyTorch raises for certain; the caller decides whether the program stops there.
Sources: torch/csrc/autograd/{VariableTypeUtils.h (check_inplace), variable.cpp (handle_view_on_rebase),
functions/utils.h (rebase_history)}, docs/source/notes/autograd.rst ("Locally disabling gradient computation").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..made_often import made_often
from ..report import Span
from . import truth
from .graph import ALWAYS, Cut, Edge, Node, Path, Saved, Version, join_versions
from .heap import Heap
from .tensor import ANY_FORM, UNKNOWN_DEVICE, Tensor
from .truth import NO, YES, Truth

_MADE = {
    "multi": "it is an output of a function that returns multiple views",
    "no_grad": "it is a view that was created in no_grad mode",
    "inference": "it is a view that was created in inference mode",
    "custom": "it is a view that was created inside a custom function",
}


class AutogradError(Exception):
    """PyTorch raises here. `kind` names the error as the oracle test does; `tensor` is what it is about."""

    def __init__(self, kind: str, message: str, tensor: Tensor | None = None, certain: bool = True) -> None:
        super().__init__(message)
        self.kind, self.message, self.tensor, self.certain = kind, message, tensor, certain


@made_often
@dataclass(frozen=True, slots=True)
class Operand:
    """An input of an operation: a tensor, or a Python number or array that remembers where it came from (`node`).

    `defined` is False where a custom function's backward gives None for it.
    """

    name: str
    tensor: Tensor | None = None
    node: Node | None = None
    differentiable: bool = True
    defined: bool = True


@made_often
@dataclass(frozen=True, slots=True)
class Save:
    """What an operation keeps for backward: an operand's name or "result", if any operand in `when` requires grad."""

    what: str
    when: frozenset[str]
    sure: bool = True


@made_often
@dataclass(frozen=True, slots=True)
class Operation:
    """One call of one operation, in autograd's terms.

    `outputs` holds "grad", "nograd" (integers, comparisons: never differentiable) or "zero" (the gradient is
    identically zero) for each tensor that comes back. `view` is "", "view" or "multi"; `view_of` names the operand.
    `derivative` tells on what its gradient depends (for a second derivative): "" on all that it saved, "linear" not on
    the operand it is taken for, "quotient" so for the first operand alone, "constant" on nothing.
    `holds_numbers`: it keeps something for backward that no one can modify (sizes aside), which a freed graph lacks.
    `untracked`: it goes past autograd, whatever its operands require.
    """

    name: str
    span: Span
    operands: tuple[Operand, ...]
    outputs: tuple[str, ...] = ("grad",)
    saves: tuple[Save, ...] = ()
    view: str = ""
    view_of: str = ""
    holds_numbers: bool = False
    implemented: bool = True
    opaque: str = ""
    note: str = ""
    derivative: str = ""
    untracked: bool = False


@dataclass(frozen=True, slots=True)
class Mode:
    """Grad mode as it is now, and who set it so (`cut` is what an operation's result gets when it is off).

    `casts`: under autocast.
    """

    enabled: Truth = YES
    cut: Cut | None = None
    inference: bool = False
    casts: bool = False


class Autograd:
    """The abstract autograd engine of one run."""

    def __init__(self, heap: Heap) -> None:
        self.heap = heap
        self.mode = Mode()
        self.path: Path = ALWAYS
        self.stack: tuple[Any, ...] = ()

    def set_mode(self, mode: Mode) -> None:
        """Change grad mode (remembered for branches)."""
        self.heap.write(self, "mode", mode)

    # ------------------------------------------------------------------ operations

    def refresh(self, tensor: Tensor, asked: bool = True) -> Tensor:
        """Bring a view's history up to date: after a write to its memory its grad_fn is made anew from its base.

        That happens only when the grad_fn is `asked` for: by a tracked operation that is differentiable in it, by
        `.grad_fn`, `.is_leaf`, `register_hook` and backward; not by `.detach()`, `.requires_grad`, `.item()` or an
        untracked operation (measured on torch 2.13).
        Source: `VariableHooks::grad_fn` in torch/csrc/autograd/variable.cpp. A view that may not be brought up to date
        stays as it is; `require_current` raises for it.
        """
        base = tensor.view_of
        if base is None:
            return tensor
        if tensor.idle and tensor.requires_grad is not base.requires_grad and tensor.floating.possible:
            self.heap.write(tensor, "requires_grad", base.requires_grad)
        if not asked or tensor.seen is tensor.counter.version or tensor.view_kind != "view":
            return tensor
        own = NO if tensor.node is None else tensor.node.tracked
        if tensor.floating.no or (own.no and base.requires_grad.no):
            return tensor
        tracked = truth.either((own, base.requires_grad))
        node = Node("view", tensor.origin, (base.edge(),), tracked=tracked, path=self.path)
        node.stack = self.stack
        self.heap.write(tensor, "node", node)
        self.heap.write(tensor, "requires_grad", tracked)
        self.heap.write(tensor, "idle", False)
        self.heap.write(tensor, "seen", tensor.counter.version)
        return tensor

    def behind(self, tensor: Tensor) -> tuple[Edge, ...]:
        """What a tensor's contents come from, for explanation: for a view that is not up to date its base as well."""
        base = tensor.view_of
        if base is None or tensor.seen is tensor.counter.version:
            return (tensor.edge(),)
        return tensor.edge(), base.edge()

    def require_current(self, tensor: Tensor) -> None:
        """Raise AutogradError when PyTorch cannot say what the grad_fn of a view is: its memory was written since.

        Source: `handle_view_on_rebase` in torch/csrc/autograd/variable.cpp (it asks how the view was made).
        """
        self.refresh(tensor)
        base = tensor.view_of
        if base is None or tensor.view_kind == "view" or tensor.floating.no:
            return
        own = tensor.node is not None and tensor.node.tracked.yes
        if not own and not base.requires_grad.yes:
            return
        if tensor.seen not in tensor.counter.version.outcomes():
            raise AutogradError(
                "view-inplace", f"{_MADE[tensor.view_kind]} and its base or another view of it was modified", tensor
            )

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
                device=self._device(operation.operands),
                origin=operation.span,
            )
            result.inference = result.uncounted = self.mode.inference
            result.output = len(results)
            node.result = node.result or result
            if operation.view and base is not None:
                self._make_view(result, base, operation.view)
            results.append(result)
        if grad_node is not None and tracked.possible:
            self._save(grad_node, operation, tuple(results), operation.saves)
        return tuple(results)

    def _device(self, operands: Sequence[Operand]) -> Any:
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

    def _make_view(self, result: Tensor, base: Tensor, kind: str) -> None:
        """Make `result` a view of `base` (`as_view` in torch/csrc/autograd/variable.cpp)."""
        result.counter, result.memory = base.counter, base.memory
        differentiable = result.floating.possible
        result.floating = base.floating if differentiable else NO
        result.inference = result.uncounted = base.inference
        result.seen = result.counter.version
        if base.floating.no:
            result.requires_grad = NO
        if base.inference:
            return
        result.view_of = base.base
        if self.mode.inference:
            result.view_kind = "inference"
        elif self.mode.enabled.no:
            result.view_kind = "no_grad"
        elif kind == "multi":
            result.view_kind = "multi"
        else:
            result.view_kind = base.view_kind or "view"
        if result.node is not None and result.node.tracked.no and result.floating.possible:
            result.idle, result.requires_grad = True, result.view_of.requires_grad

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
                sure = save.sure and guard.yes
                for each in tensor.either or (tensor,):
                    keep_sure = sure and not tensor.either
                    version, contents = each.counter.version, each.memory.version
                    saved.append(Saved(each, version, contents, save.what, keep_sure, save.when, each.memory))
        node.saved += tuple(saved)

    # ------------------------------------------------------------------ in place

    def bump(self, tensor: Tensor, what: str, span: Span, *, silent: bool = False) -> None:
        """Record a write: a new version (not through `.data`, whose counter is its own) and new contents."""
        for each in tensor.either or (tensor,):
            version = Version(what, span, self.path, previous=each.counter.version, over=each.memory.version)
            version.stack = self.stack
            weak = bool(tensor.either)
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
                    "view-inplace", f"{_MADE[tensor.view_kind]}, and it is being modified in place", tensor, certain
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
        base = target.base
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
        node.has_saved = base is not target and tracked.possible
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

    # ------------------------------------------------------------------ flags and aliases

    def cut_off(self, tensor: Tensor, cut: Cut, name: str, *, share: str) -> Tensor:
        """A tensor with the values of `tensor` and no history: `share` is "counter" (detach), "memory" (data), ""."""
        self.refresh(tensor, False)
        reason = cut if tensor.requires_grad.possible else None
        node = Node(name, cut.span, self.behind(tensor), tracked=NO, path=self.path, cut=reason)
        node.stack = self.stack
        result = Tensor(node=node, floating=tensor.floating, device=tensor.device, origin=cut.span)
        node.result = result
        result.inference = tensor.inference or (self.mode.inference and share == "")
        result.uncounted = result.inference and self.mode.inference
        if share:
            result.memory = tensor.memory
        if share == "counter":
            result.counter = tensor.counter
            if tensor.either:
                result.either = tensor.either
        result.scalar, result.dtype = tensor.scalar, tensor.dtype
        result.form = tensor.form
        return result

    def detach_(self, tensor: Tensor, cut: Cut) -> None:
        """`tensor.detach_()`: the tensor forgets its history. Raises AutogradError on a view.

        In inference mode nothing happens: the kernel below autograd's gives the tensor back.
        """
        if self.mode.inference:
            return
        self.refresh(tensor)
        if tensor.view_of is not None:
            # What an unknown container was given and gives back is called a view of it for lack of a better word.
            sure = tensor.base is None or tensor.base.note not in ("symbolic", "unknown")
            raise AutogradError("view-detach", "Can't detach views in-place. Use detach() instead.", tensor, sure)
        if tensor.requires_grad.possible:
            node = Node("detach_", cut.span, (tensor.edge(),), tracked=NO, path=self.path, cut=cut)
            self.heap.write(tensor, "node", node)
            self.heap.write(tensor, "requires_grad", NO)

    def require_grad(self, tensor: Tensor, flag: Truth, *, attribute: bool = False) -> None:
        """`tensor.requires_grad_(flag)`, or (`attribute`) `tensor.requires_grad = flag`.

        Raises AutogradError on integers, when a non-leaf is told False, and by assignment on every non-leaf
        (torch/csrc/autograd/python_variable.cpp, THPVariable_set_requires_grad).
        """
        # What is asked for is the grad_fn as it is, also of a view whose memory was written since.
        if attribute and tensor.is_leaf.no:
            raise AutogradError("non-leaf-flag", "you can only change requires_grad flags of leaf variables.", tensor)
        if flag.possible and tensor.floating.no:
            raise AutogradError("other", "only Tensors of floating point dtype can require gradients", tensor, flag.yes)
        if tensor.inference and not self.mode.inference and flag.yes:
            raise AutogradError(
                "inference",
                "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.",
                tensor,
            )
        leaf = tensor.is_leaf
        if leaf.no:
            if flag.no:
                raise AutogradError(
                    "non-leaf-flag", "you can only change requires_grad flags of leaf variables.", tensor
                )
            return
        if tensor.idle and flag.no:
            return
        if flag.no and tensor.view_of is not None and tensor.view_of.requires_grad.yes:
            # The flag of its own goes, that of the base stays (DifferentiableViewMeta::requires_grad).
            self.heap.write(tensor, "idle", True)
            return
        self.heap.write(tensor, "requires_grad", flag if leaf.yes else truth.join(flag, tensor.requires_grad))
        self.heap.write(tensor, "idle", False)
        if tensor.either and leaf.yes:
            # One of several leaves: whichever it is gets the flag, and its uses from now on carry it.
            for each in tensor.either:
                self.heap.write(each, "requires_grad", flag)
            edges = tuple(each.edge() for each in tensor.either)
            self.heap.write(tensor, "node", Node("join", tensor.origin, edges, tracked=NO, is_join=True))

    def joined(self, *tensors: Tensor) -> Tensor:
        """The tensor that a variable holds when it is one of several, depending on a branch or an unknown index."""
        for tensor in tensors:
            self.refresh(tensor)
        first = tensors[0]
        device, name, form = first.device, first.name, first.form
        flag, floating, tracked = first.requires_grad, first.floating, _has_fn(first)
        either = dict.fromkeys(first.either or (first,))
        for tensor in tensors[1:]:
            flag, floating = truth.join(flag, tensor.requires_grad), truth.join(floating, tensor.floating)
            tracked = truth.join(tracked, _has_fn(tensor))
            device = device if device.kind == tensor.device.kind else UNKNOWN_DEVICE
            name = name or tensor.name
            form = form if form == tensor.form else ANY_FORM
            either.update(dict.fromkeys(tensor.either or (tensor,)))
        edges = tuple(tensor.edge() for tensor in tensors)
        result = Tensor(
            requires_grad=flag,
            node=Node("join", first.origin, edges, tracked=tracked, is_join=True),
            floating=floating,
            device=device,
            origin=first.origin,
            name=name,
            is_parameter=all(tensor.is_parameter for tensor in tensors),
        )
        result.counter, result.memory = first.counter, first.memory
        result.either = tuple(either)
        result.scalar = all(tensor.scalar for tensor in tensors)
        result.form = form
        return result


def _has_fn(tensor: Tensor) -> Truth:
    return NO if tensor.node is None else tensor.node.tracked
