"""`torch.autocast`: products take casts of their operands, so what they save is not what the program can change.

The operations that run in lower precision: aten/src/ATen/autocast_mode.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..autograd.operation import Operand, Save
from ..values import Call, GradModeValue, Runtime, Value
from .registry import function

_LOWER = frozenset(
    """
    matmul __matmul__ __rmatmul__ mm bmm mv addmm addbmm baddbmm addmv addr linear bilinear einsum chain_matmul prelu
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d scaled_dot_product_attention
    Linear Bilinear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LSTM GRU RNN MultiheadAttention
    """.split()
)


def lowers(name: str) -> bool:
    """Whether autocast runs an operation in lower precision."""
    return name in _LOWER


@function("torch.autocast", "torch.amp.autocast", "torch.cuda.amp.autocast", "torch.cpu.amp.autocast")
def _autocast(rt: Runtime, call: Call) -> Value:
    enabled = rt.truth(call.kwargs.get("enabled", True))
    return GradModeValue("autocast", enabled, "torch.autocast()", call.site)


def kept(name: str, saves: tuple[Save, ...], operands: Sequence[Operand]) -> tuple[Save, ...]:
    """What an operation under autocast saves: of operands in full precision casts, which nobody else holds."""
    if name not in _LOWER:
        return saves
    made = [(o.name, o.tensor.node) for o in operands if o.tensor is not None]
    lower = {name for name, node in made if node is not None and node.name in _LOWER}
    return tuple(replace(save, sure=False) for save in saves if save.what.startswith("result") or save.what in lower)
