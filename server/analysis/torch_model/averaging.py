"""`torch.optim.swa_utils`: a model that is the average of what another one was.

Its parameters are copies of the other's, and `update_parameters` writes into them (torch/optim/swa_utils.py).
"""

from __future__ import annotations

from ..values import Call, ModuleObject, Runtime, Unknown, Value
from . import copies
from .module_tree import is_module, named_parameters
from .modules import AVERAGED
from .registry import function


@function(AVERAGED)
def _averaged(rt: Runtime, call: Call) -> Value:
    model = call.argument(0, "model")
    if not is_module(model) and not (isinstance(model, Unknown) and model.module_like):
        return Unknown("an averaged model", deps=(model,))
    value = ModuleObject(AVERAGED, None, call.site)
    value.attributes["module"] = copies.copied(rt, model, call.site, True, {})
    return value


@function(
    "torch.optim.swa_utils.SWALR",
    "torch.optim.swa_utils.update_bn",
    "torch.optim.swa_utils.get_ema_multi_avg_fn",
    "torch.optim.swa_utils.get_swa_multi_avg_fn",
    "torch.optim.swa_utils.get_ema_avg_fn",
    "torch.optim.swa_utils.get_swa_avg_fn",
)
def _other(rt: Runtime, call: Call) -> Value:
    return Unknown(f"`{call.name}`")


def update(rt: Runtime, owner: Value, call: Call) -> Value:
    """`averaged.update_parameters(model)`: a write into each parameter, of a model that averages."""
    if not isinstance(owner, ModuleObject) or owner.dotted != AVERAGED:
        return rt.torch.opaque(owner, [*call.args, *call.kwargs.values()], call.site, "`.update_parameters()`")
    for _, each in named_parameters(owner):
        rt.autograd.bump(each, "update_parameters", call.site.span)
    return None
