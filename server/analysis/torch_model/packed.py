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
_MOST = 8
"""Calls that are looked back at."""


@function("torch.nn.utils.rnn.pack_padded_sequence", "torch.nn.utils.rnn.pack_sequence")
def _pack(rt: Runtime, call: Call) -> Value:
    found = opaque.call(rt, None, [*call.args, *call.kwargs.values()], call.site, "a packed sequence")
    if isinstance(found, Unknown) and found.node is not None:
        found.node.note = _NOTE
    return found


def is_packed(tensor: Tensor) -> bool:
    """Whether what stands for a tensor is a packed sequence, or may be one: a recurrent network gives one for one, and
    code that nobody sees may do so too."""
    seen: set[Node] = set()
    queue = [tensor.node] if tensor.node is not None else []
    for node in queue:
        if node.note == _NOTE:
            return True
        if node in seen or len(seen) > _MOST:
            continue
        seen.add(node)
        given = node.edges if node.opaque else node.edges[:1] if node.name in _RECURRENT else ()
        queue += [edge.node for edge in given if edge.node is not None]
    return False
