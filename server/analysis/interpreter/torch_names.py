"""What `from torch.nn import *` binds: the public names of torch's modules that the engine has facts about."""

from __future__ import annotations

from functools import lru_cache

from ..torch_model.registry import FUNCTIONS
from ..torch_model.table import TABLE
from ..values import External, TorchName, Value

_MORE = {
    "torch": "nn optim autograd cuda utils linalg Tensor tensor no_grad enable_grad set_grad_enabled inference_mode "
    "device float32 float64 float16 bfloat16 int64 int32 float double half long manual_seed save load",
    "torch.nn": "Module Parameter functional init utils Sequential ModuleList ModuleDict ParameterList ParameterDict",
    "torch.optim": "Adam AdamW SGD RMSprop Adagrad Adadelta Adamax NAdam RAdam ASGD LBFGS Rprop SparseAdam Optimizer",
    "torch.autograd": "Function Variable grad backward no_grad enable_grad set_grad_enabled",
}

USUAL_NAMES: dict[str, Value] = {
    "torch": TorchName("torch"),
    "nn": TorchName("torch.nn"),
    "F": TorchName("torch.nn.functional"),
    "optim": TorchName("torch.optim"),
    "np": External("numpy"),
}
"""What these names mean where nothing that can be read binds them: a notebook takes them by a star from its helpers
(`from fastai.vision.all import *`), or another file runs first (`%run setup.py`)."""


@lru_cache(maxsize=16)
def public(module: str) -> tuple[str, ...]:
    """The names of a module of torch, without its underscored ones."""
    prefix = module + "."
    names = dict.fromkeys(_MORE.get(module, "").split())
    for dotted in (*TABLE.names(), *FUNCTIONS):
        rest = dotted[len(prefix) :] if dotted.startswith(prefix) else ""
        if rest and "." not in rest and not rest.startswith("_"):
            names[rest] = None
    return tuple(names)
