"""Writes random small torch programs from a seed: `generate(seed, profile)` gives a `Program`.

The generator keeps a rough model of every value (shape, dtype, whether it requires grad, what may share its memory), so
that programs are valid Python and torch does not fail over shapes, and so that errors of autograd happen about as often
as not. The model decides only what is *written*; what happens is torch's word alone.
"""

from __future__ import annotations

import random

from . import (
    computed,
    containers,
    custom,
    cuts,
    decorated,
    functions,
    hooks,
    idioms,
    inplace,
    keeping,
    layers,
    leaves,
    loops,
    modes,
    modules,
    operations,
    sinks,
    stepping,
    transforms,
    views,
)
from .model import Builder, Program

#: the kinds of statements: name -> (maker, weight in each profile; a profile that is not named does not use the kind)
MAKERS = {
    "leaf": (leaves.leaf, {"straight": 2.0, "modules": 1.5, "loops": 1.0}),
    "flag": (leaves.flag, {"straight": 1.2, "modules": 0.6, "loops": 0.5}),
    "operation": (operations.operation, {"straight": 8.0, "modules": 5.0, "loops": 4.0}),
    "view": (views.view, {"straight": 3.0, "modules": 1.5, "loops": 1.5}),
    "inplace": (inplace.inplace, {"straight": 3.0, "modules": 2.0, "loops": 2.0}),
    "setitem": (inplace.setitem, {"straight": 1.2, "modules": 0.8, "loops": 0.8}),
    "cut": (cuts.cut, {"straight": 1.5, "modules": 1.2, "loops": 1.0}),
    "mode": (modes.block, {"straight": 1.0, "modules": 0.8, "loops": 0.5}),
    "switch": (modes.switch, {"straight": 0.25, "modules": 0.2, "loops": 0.1}),
    "backward": (sinks.backward, {"straight": 0.9, "modules": 0.4, "loops": 0.5}),
    "grad": (sinks.grad, {"straight": 0.5, "modules": 0.3, "loops": 0.3}),
    "read": (sinks.read, {"straight": 0.8, "modules": 0.4, "loops": 0.4}),
    "function": (functions.function, {"modules": 2.5, "loops": 0.8}),
    "branch": (functions.branch, {"modules": 1.5, "loops": 0.8}),
    "module": (modules.module, {"modules": 2.5, "loops": 1.0}),
    "container": (containers.container, {"straight": 0.4, "modules": 1.0, "loops": 2.0}),
    "loop": (loops.loop, {"loops": 3.0}),
    "training": (loops.training, {"loops": 1.5}),
    "optimizer": (stepping.stepping, {"straight": 0.7, "modules": 0.3, "loops": 0.3}),
    "decorated": (decorated.decorated, {"straight": 0.3, "modules": 0.3, "loops": 0.2}),
    "reshaped": (inplace.reshaped, {"straight": 0.25, "modules": 0.1, "loops": 0.1}),
    "custom": (custom.custom, {"straight": 0.3, "modules": 0.7, "loops": 0.6}),
    "hook": (hooks.on_tensor, {"straight": 0.4, "modules": 0.3, "loops": 0.2}),
    "out": (keeping.out_argument, {"straight": 0.5, "modules": 0.2, "loops": 0.2}),
    "checkpoint": (transforms.checkpointed, {"straight": 0.15, "modules": 0.5, "loops": 0.2}),
    "func": (transforms.functional, {"straight": 0.15, "modules": 0.5, "loops": 0.2}),
    "layer": (layers.layer, {"modules": 0.8, "loops": 0.4}),
    "amp": (layers.autocast, {"straight": 0.15, "modules": 0.4, "loops": 0.2}),
    "idiom": (idioms.idiom, {"modules": 1.5, "loops": 0.8}),
    "computed": (computed.computed, {"modules": 0.4, "loops": 0.1}),
    "state": (computed.state, {"modules": 0.4, "loops": 0.1}),
    "keeping": (keeping.keeping, {"modules": 0.5, "loops": 0.6}),
}

PROFILES = ("straight", "modules", "loops")


def generate(seed: int, profile: str, disabled: frozenset[str] = frozenset()) -> Program:
    """The program of a seed. The same seed, profile and disabled kinds give the same text on every machine."""
    builder = Builder(random.Random(f"{profile}:{seed}"), profile)
    builder.makers = {
        name: (make, weights[profile])
        for name, (make, weights) in MAKERS.items()
        if profile in weights and name not in disabled
    }
    builder.emit("import torch", "import")
    builder.emit("import torch.nn as nn", "import")
    builder.emit("import torch.nn.functional as F", "import")
    builder.emit("import torch.utils.checkpoint", "import")
    for _ in range(builder.rng.randint(1, 3)):
        leaves.leaf(builder)
    leaves.trainable(builder)
    for _ in range(builder.rng.randint(2, 12)):
        builder.statement()
    sinks.last(builder)
    return builder.program(seed)
