"""Packed sequences: what `pack_padded_sequence` makes, and what a recurrent network makes of it.

A `PackedSequence` is a named tuple whose `data` is an ordinary tensor with a history (torch/nn/utils/rnn.py).
"""

from __future__ import annotations

from ..autograd.graph import Node
from ..autograd.tensor import Tensor
from ..values import Call, Runtime, Unknown, Value
from . import opaque
from .registry import function

_NOTE = "packed"
_RECURRENT = ("RNN", "LSTM", "GRU")


@function("torch.nn.utils.rnn.pack_padded_sequence", "torch.nn.utils.rnn.pack_sequence")
def _pack(rt: Runtime, call: Call) -> Value:
    found = opaque.call(rt, None, [*call.args, *call.kwargs.values()], call.site, "a packed sequence")
    if isinstance(found, Unknown) and found.node is not None:
        found.node.note = _NOTE
    return found


def is_packed(tensor: Tensor) -> bool:
    """Whether what stands for a tensor is a packed sequence: a recurrent network gives one for one."""
    node: Node | None = tensor.node
    while node is not None and node.note != _NOTE:
        below = node.edges[0].node if node.name in _RECURRENT and node.edges else None
        node = below
    return node is not None
