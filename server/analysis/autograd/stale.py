"""What a node has saved for backward, and whether it is still what it was.

The version counter of a saved tensor is compared with the one it was saved at. What the counter does not see, other
contents at the same version, makes a gradient that is silently wrong.
Source: torch/csrc/autograd/saved_variable.cpp.
"""

from __future__ import annotations

import re

from .engine import Autograd
from .graph import Node, Saved, Version, contradicts, first_change_after, first_write_after
from .outcome import Raise

_OF_CUSTOM = re.compile(r"result|saved|\d")
"""Operands of custom functions by number or as what is saved beside: these, and results, are given a grad_fn anew.

Source: unpack in torch/csrc/autograd/saved_variable.cpp, with a `saved_for`.
"""


_KEEP_THE_TENSOR = frozenset(
    "mul rmul multiply div truediv true_divide rtruediv divide pow square mm bmm mv dot addmm baddbmm "
    "sin cos sinh cosh asin acos atan atan2 atanh log log2 log10 log1p logaddexp erf erfc lgamma hypot lerp dist "
    "addcmul addcdiv conv1d conv2d conv3d convtranspose1d convtranspose2d convtranspose3d mse_loss mseloss".split()
)
"""Operations that save an operand itself. Others save a view of it (`linear`), which `t.data = v` leaves alone.

Measured on torch 2.13, by setting `.data` between the operation and its backward.
"""


_KEEP_VIEWS = frozenset(["einsum", "inner", "kron", "tensordot", "scaled_dot_product_attention"])
"""Operations that lay out their operands first, and save that."""


_LEFT_ITSELF = frozenset([(1, 1), (2, 1), (2, 2), (1, 3)])
_RIGHT_ITSELF = frozenset([(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)])
"""Dimensions of the two operands of `matmul` (3: or more) with which it saves the one as it is (measured)."""


def matmul_takes(left: int, right: int) -> tuple[bool, bool]:
    """Whether `matmul` of operands with so many dimensions takes the left and the right one as they are."""
    dimensions = min(left, 3), min(right, 3)
    return dimensions in _LEFT_ITSELF, dimensions in _RIGHT_ITSELF


def stale(autograd: Autograd, node: Node, saved: Saved) -> list[Raise]:
    """What a backward through `node` makes of one tensor it saved: nothing if that is as it was.

    Kinds: "saved-modified", "saved-detached", and "silently-wrong" with `silent`, which nobody raises.
    """
    if saved.tensor.counter.version is not saved.version:
        return _written(autograd, node, saved)
    gone = _detached_by(node, saved)
    if gone is None:
        return _changed_unseen(autograd, node, saved)
    itself = _kept_itself(node, saved)
    return [] if itself is False else [Raise("saved-detached", saved.sure and bool(itself), node, saved, gone)]


def _written(autograd: Autograd, node: Node, saved: Saved) -> list[Raise]:
    """The writes that may have moved the version counter on."""
    found = []
    outcomes = saved.tensor.counter.version.outcomes()
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


def _detached_by(node: Node, saved: Saved) -> Version | None:
    """The `detach_()` by which a tensor that was no leaf when it was saved has no grad_fn now; None where none did.

    Source: unpack in torch/csrc/autograd/saved_variable.cpp.
    """
    last = saved.tensor.node
    if last is not None and last.name == "_add_batch_dim" and last.edges and last.edges[0].tensor is not None:
        # What `vmap` makes of a tensor is the tensor itself to autograd.
        last = last.edges[0].tensor.node
    if last is None or last.name != "detach_" or last.order <= node.order:
        return None
    before = last.edges[0].node
    if before is None or not before.tracked.yes or _OF_CUSTOM.match(saved.operand):
        return None
    gone = Version("detach_", last.span, last.path)
    gone.stack = last.stack
    return gone


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
    elif tensor.swapped is not None and memory.version is not saved.contents and node.base_name in _KEEP_THE_TENSOR:
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


def _kept_itself(node: Node, saved: Saved) -> bool | None:
    """Whether an operand was saved as the tensor it is, and not as a view of it; None if its shape decides.

    Measured on torch 2.13: `linear` saves its weight turned; stacks of matrices are laid flat first.
    """
    name = node.base_name
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
