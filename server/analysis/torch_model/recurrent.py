"""Recurrent layers: the parameters of the layers above the first, and which of them keep their output for backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..autograd.operation import Operand, Save
from ..values import Value
from . import dtypes

_RECURRENT = frozenset(["LSTM", "GRU", "RNN"])
_MOST_LAYERS = 16


def parameters(name: str, first: Sequence[str], config: dict[str, Value]) -> tuple[str, ...]:
    """The names of a module's parameters in the order of torch, from those of its `first` layer (nn/modules/rnn.py).

    As they are where `num_layers` or `proj_size` is not known, and for a module of another kind.
    """
    layers, projection = config.get("num_layers", 1), config.get("proj_size", 0)
    if name not in _RECURRENT or not isinstance(layers, int) or not isinstance(projection, int):
        return tuple(first)
    if projection:
        first = [each for plain in first for each in _with_projection(plain)]
    return tuple(each.replace("_l0", f"_l{layer}") for layer in range(min(layers, _MOST_LAYERS)) for each in first)


def _with_projection(name: str) -> tuple[str, ...]:
    last = name in ("bias_hh_l0", "bias_hh_l0_reverse")
    return (name, name.replace("bias_hh", "weight_hr")) if last else (name,)


def switch(name: str) -> str:
    """The name by which the table knows the parameter of the first layer that stands in the same place."""
    stem, _, rest = name.replace("weight_hr", "weight_hh").partition("_l")
    return f"{stem}_l0" + ("_reverse" if rest.endswith("_reverse") else "")


def kept(name: str, saves: tuple[Save, ...], operands: Sequence[Operand], config: dict[str, Value]) -> tuple[Save, ...]:
    """What a layer keeps: an LSTM its output, on a CPU that of mkldnn and on CUDA that of cuDNN.

    Not where the output is put together from two directions, nor with a projection or in double precision, for which
    there is another kernel (aten/src/ATen/native/RNN.cpp, use_mkldnn; measured on torch 2.13).
    """
    if name != "LSTM" or config.get("bidirectional", False) is not False or config.get("proj_size", 0) != 0:
        return saves
    given = operands[0].tensor if operands else None
    if given is None or given.device.kind not in ("cpu", "cuda", "either") or dtypes.of(given) != "float32":
        return saves
    return tuple(replace(save, sure=True) if save.what == "result0" else save for save in saves)
