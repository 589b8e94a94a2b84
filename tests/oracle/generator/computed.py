"""Layers whose weight is computed from other parameters, and the state of layers: copies, state dicts, replacements."""

from __future__ import annotations

from .model import Builder
from .modules import rows

#: what makes the weight a computed one; the layer goes in as it is made
WRAPPED = (
    "nn.utils.weight_norm({layer})",
    "nn.utils.spectral_norm({layer})",
    "nn.utils.parametrizations.weight_norm({layer})",
    "nn.utils.parametrizations.spectral_norm({layer})",
    "nn.utils.parametrizations.orthogonal({layer})",
    'nn.utils.prune.l1_unstructured({layer}, "weight", amount=0.3)',
)
#: bodies of the forward of a parametrization
FORMULAS = ("w * 2", "w.exp()", "w.tanh()", "w.detach() + w", "w.detach()", "w + w.t()", "w / w.norm()")


def computed(b: Builder) -> bool:
    """A layer with a computed weight, used once or more."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    net = b.fresh("net")
    registered = b.chance(0.5)
    if registered:
        cls = b.fresh("Formula")
        with b.block(f"class {cls}(nn.Module):", "computed:class"), b.block("def forward(self, w):", "computed:class"):
            b.emit(f"return {b.rng.choice(FORMULAS)}", "computed:formula")
        b.emit(f"{net} = nn.Linear(3, 3)", "computed:layer")
        b.emit(f'nn.utils.parametrize.register_parametrization({net}, "weight", {cls}())', "computed:registered")
    else:
        way = b.rng.choice(WRAPPED)
        if "prune" in way:
            b.emit("import torch.nn.utils.prune", "computed:import")
        b.emit(f"{net} = {way.format(layer='nn.Linear(3, 3)')}", f"computed:{way.partition('(')[0]}")
    if registered and b.chance(0.4):
        with b.block("with nn.utils.parametrize.cached():", "computed:cached"):
            _use(b, net)
        return True
    _use(b, net)
    return True


def _use(b: Builder, net: str) -> None:
    given = rows(b)
    first, second = b.fresh("loss"), b.fresh("loss")
    b.emit(f"{first} = {net}({given.name}).sum()", "computed:call")
    way = b.rng.choice(["twice", "step", "weight", "once", "between"])
    if way == "between":
        with b.block("with torch.no_grad():", "computed:written"):
            b.emit(f"for each in {net}.parameters(): each.mul_(0.5)", "computed:written")
    if way == "step":
        optimizer = b.fresh("opt")
        b.emit(f"{optimizer} = torch.optim.SGD({net}.parameters(), lr=0.1)", "computed:optimizer")
        b.emit(f"{first}.backward()", "computed:backward")
        b.emit(f"{optimizer}.step()", "computed:step")
        b.emit(f"{net}({given.name}).sum().backward()", "computed:backward")
    elif way in ("twice", "weight"):
        again = f"{net}({given.name}).exp().sum()" if way == "twice" else f"{net}.weight.pow(2).sum()"
        b.emit(f"{second} = {again}", f"computed:{way}")
        b.emit(f"{first}.backward()", "computed:backward")
        b.emit(f"{second}.backward()", "computed:backward")
    else:
        b.emit(f"{first}.backward()", "computed:backward")
    b.went_backward()


#: statements about a layer `{net}` and its copy `{other}`, before a backward
STATES = (
    "{other}.load_state_dict({net}.state_dict())",
    "{other}.load_state_dict({net}.state_dict(), assign=True)",
    "{net}.load_state_dict({other}.state_dict(), assign=True)",
    '{net}.state_dict()["weight"].mul_(2)',
    '{net}.state_dict(keep_vars=True)["weight"].sum().backward()',
    "{net}.reset_parameters()",
    "{net}.weight = nn.Parameter(torch.zeros(3, 3))",
    "{net}.weight.data = torch.zeros(3, 3)",
    "{net}.requires_grad_(False)",
    "{other}.weight = {net}.weight",
    "{net}.double().float()",
    "{net}.zero_grad(set_to_none=False)",
    "nn.init.zeros_({net}.weight)",
    "nn.utils.vector_to_parameters(nn.utils.parameters_to_vector({other}.parameters()), {net}.parameters())",
)
#: what the copy of a layer is
COPIES = (
    "copy.deepcopy({net})",
    "nn.Linear(3, 3)",
    "copy.copy({net})",
    "torch.optim.swa_utils.AveragedModel({net}).module",
)


def state(b: Builder) -> bool:
    """A layer and a copy of it: something happens to one of them between forward and backward."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    net, other, loss = b.fresh("net"), b.fresh("net"), b.fresh("loss")
    given = rows(b)
    b.emit("import copy", "state:import")
    b.emit(f"{net} = nn.Linear(3, 3)", "state:layer")
    b.emit(f"{other} = {b.rng.choice(COPIES).format(net=net)}", "state:copy")
    b.emit(f"{loss} = {net}({given.name}).pow(2).sum() + {other}({given.name}).sum()", "state:forward")
    for _ in range(b.rng.randint(0, 2)):
        what = b.rng.choice(STATES)
        b.emit(what.format(net=net, other=other), f"state:{what.partition('(')[0]}")
    b.emit(f"{loss}.backward()", "state:backward")
    b.went_backward()
    return True
