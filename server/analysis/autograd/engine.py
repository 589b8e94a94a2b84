"""The abstract autograd engine of one run.

`Autograd` holds what is global in PyTorch (grad mode, inference mode) and applies operations. It is built in layers, a
file each: `views.py` (histories as they are now), `forward.py` (out of place), `inplace.py` (writes), and here what
needs no operation: tensors without their history, flags, and one tensor out of several. It raises `AutogradError` where
PyTorch raises for certain; the caller decides whether the program stops there.
Source: docs/source/notes/autograd.rst ("Locally disabling gradient computation") of PyTorch.
"""

from __future__ import annotations

from . import truth
from .graph import Cut, Node
from .inplace import InPlace
from .operation import AutogradError
from .tensor import ANY_FORM, UNKNOWN_DEVICE, Tensor
from .truth import NO, Truth


class Autograd(InPlace):
    """The abstract autograd engine of one run."""

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
            result.lies_in = tensor.either or tensor.lies_in
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
        elif flag.yes and leaf.yes and tensor.node is not None and tensor.node.is_join:
            # One tensor that a branch may have filled: whatever was written, it is the leaf.
            self.heap.write(tensor, "node", None)

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
