"""Instances and inputs for ``torch.nn`` classes: torch's module database, and those it leaves out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.testing._internal.common_modules import module_db

# Enough to see biases on and off, masks, reductions; by count, so that two runs agree.
CAP = 10
RECURRENT = {"RNN", "GRU", "LSTM"}


@dataclass
class Instance:
    """How to build a module and what to call it with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[Any, ...]
    named: dict[str, Any]

    def to(self, dtype: torch.dtype) -> Instance:
        """The same with its floating-point inputs in another precision."""

        def cast(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(cast(v) for v in value)
            return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value

        return Instance(self.args, self.kwargs, cast(self.inputs), {n: cast(v) for n, v in self.named.items()})


def _x(*shape: int) -> torch.Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape))) * 0.8 + 0.1


def _index(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.int64)


def _layer(kind: type[nn.Module]) -> nn.Module:
    return kind(4, 2, 8).to(torch.float64)


def _extra() -> dict[str, tuple[tuple[Any, ...], dict[str, Any], tuple[Any, ...]]]:
    image = _x(1, 4, 4, 4)
    return {
        **{
            n: ((), {}, (_x(2, 3),)) for n in ["Dropout", "AlphaDropout", "Flatten", "Identity", "Hardsigmoid", "RReLU"]
        },
        "Dropout1d": ((), {}, (_x(2, 3, 4),)),
        "Dropout2d": ((), {}, (image,)),
        "Dropout3d": ((), {}, (_x(1, 2, 3, 4, 4),)),
        "FeatureAlphaDropout": ((), {}, (_x(1, 2, 3, 4, 4),)),
        "PixelShuffle": ((2,), {}, (image,)),
        "PixelUnshuffle": ((2,), {}, (image,)),
        "ChannelShuffle": ((2,), {}, (image,)),
        "CrossMapLRN2d": ((2,), {}, (image,)),
        "CosineSimilarity": ((), {}, (_x(2, 3), _x(2, 3) + 1)),
        "PairwiseDistance": ((), {}, (_x(2, 3), _x(2, 3) + 1)),
        "EmbeddingBag": ((10, 3), {}, (_index(2, 4),)),
        "AdaptiveLogSoftmaxWithLoss": ((8, 10, [4]), {}, (_x(5, 8), _index(5))),
        "Fold": (((4, 5), (2, 2)), {}, (_x(1, 12, 12),)),
        "Unfold": (((2, 2),), {}, (_x(1, 3, 4, 5),)),
        "MaxUnpool1d": ((2,), {}, (_x(1, 1, 2), torch.tensor([[[0, 2]]]))),
        "MaxUnpool2d": ((2,), {}, (_x(1, 1, 2, 2), torch.tensor([[[[0, 2], [8, 10]]]]))),
        "MaxUnpool3d": ((2,), {}, (_x(1, 1, 1, 1, 1), _index(1, 1, 1, 1, 1))),
        "TransformerEncoder": ((_layer(nn.TransformerEncoderLayer), 1), {}, (_x(3, 2, 4),)),
        "TransformerDecoder": ((_layer(nn.TransformerDecoderLayer), 1), {}, (_x(3, 2, 4), _x(5, 2, 4))),
        "Transformer": ((4, 2, 1, 1, 8), {}, (_x(3, 2, 4), _x(5, 2, 4))),
        "TransformerEncoderLayer": ((4, 2, 8), {}, (_x(3, 2, 4),)),
        "TransformerDecoderLayer": ((4, 2, 8), {}, (_x(3, 2, 4), _x(5, 2, 4))),
        "MultiheadAttention": ((4, 2), {}, (_x(3, 2, 4), _x(5, 2, 4), _x(5, 2, 4) + 1)),
        "RNN": ((3, 4), {}, (_x(5, 2, 3), _x(1, 2, 4))),
        "GRU": ((3, 4), {}, (_x(5, 2, 3), _x(1, 2, 4))),
        "LSTM": ((3, 4), {}, (_x(5, 2, 3), (_x(1, 2, 4), _x(1, 2, 4)))),
        "TripletMarginLoss": ((), {}, (_x(2, 3), _x(2, 3) + 1, _x(2, 3) - 1)),
        "TripletMarginWithDistanceLoss": ((), {}, (_x(2, 3), _x(2, 3) + 1, _x(2, 3) - 1)),
        "Unflatten": ((1, (2, 2)), {}, (_x(3, 4),)),
        "Upsample": ((), {"scale_factor": 2}, (image,)),
        "UpsamplingBilinear2d": ((), {"scale_factor": 2}, (image,)),
        "UpsamplingNearest2d": ((), {"scale_factor": 2}, (image,)),
        "InstanceNorm1d": ((4,), {"affine": True}, (_x(2, 4, 3),)),
        "InstanceNorm2d": ((4,), {"affine": True}, (image,)),
        "InstanceNorm3d": ((2,), {"affine": True}, (_x(1, 2, 3, 4, 4),)),
    }


def instances() -> dict[str, list[Instance]]:
    """Class name -> instances, the plainest construction first."""
    found: dict[str, list[Instance]] = {}
    for name, (args, kwargs, inputs) in _extra().items():
        found[name] = [Instance(args, kwargs, inputs, {})]
        if name in RECURRENT:
            found[name].append(Instance(args, kwargs, inputs[:1], {}))
    for info in module_db:
        name = info.name.removeprefix("nn.")
        if name.startswith(("Lazy", "Transformer")) or name in RECURRENT or name == "MultiheadAttention":
            continue
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            drawn = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=False, training=True)
        drawn = [d for d in drawn if d.forward_input is not None]
        drawn = drawn if len(drawn) <= CAP else [drawn[i * len(drawn) // CAP] for i in range(CAP)]
        for d in drawn:
            built, given = d.constructor_input, d.forward_input
            found.setdefault(name, []).append(Instance(built.args, built.kwargs, given.args, given.kwargs))
    for listed in found.values():
        listed.sort(key=lambda i: (len(i.kwargs), len(i.args)))
    return found
