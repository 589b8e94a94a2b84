"""Parameters that are computed from others whenever they are asked for: `torch.nn.utils.parametrize` and its elders.

`register_parametrization` moves a parameter into `module.parametrizations.<name>`, and the module's attribute is what
the parametrizations make of it (torch/nn/utils/parametrize.py). `weight_norm`, `spectral_norm` and pruning of old keep
parameters of other names beside it, and a hook computes it before each forward (torch/nn/utils/weight_norm.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..autograd.heap import MISSING
from ..autograd.operation import Operand, Operation, Save
from ..autograd.tensor import Tensor
from ..values import Call, Choice, Instance, ModuleObject, Runtime, Site, Value
from .effects import apply

PARTS = "parametrizations"
RECOMPUTED = "recomputed"
"""Where the options of a module name the parameters that a hook computes before each forward, and how."""
OWN = "torch.nn.utils.parametrizations."
Owner = Instance | ModuleObject


def of(owner: Owner, name: str) -> ModuleObject | None:
    """What a module computes one of its parameters from; None if it does not."""
    parts = owner.attributes.get(PARTS)
    if type(parts) is ModuleObject and name in parts.keys:
        found = parts.items[parts.keys.index(name)]
        return found if isinstance(found, ModuleObject) else None
    return None


def recomputed(owner: Owner) -> dict[str, str]:
    """Parameters that a hook computes before each forward, and how; those of any branch where branches differ."""
    kinds = owner.config.get(RECOMPUTED, {}) if isinstance(owner, ModuleObject) else {}
    ways = [each for _, each in kinds.alternatives] if isinstance(kinds, Choice) else [kinds]
    return {name: kind for way in ways if isinstance(way, dict) for name, kind in way.items()}


def value(rt: Runtime, owner: Owner, name: str, site: Site) -> Value:
    """The parameter as it is computed now; MISSING if it is an ordinary one."""
    listed = of(owner, name)
    if listed is None:
        return MISSING
    cache = rt.autograd.mode.cache
    key = (id(owner), name)
    if cache is not None and key in cache:
        return cache[key]
    given: list[Value] = [each for each in listed.attributes.values() if isinstance(each, Tensor)]
    for item in listed.items:
        made = isinstance(item, ModuleObject) and _OF_TORCH.get(item.dotted.removeprefix(OWN))
        given = [made(rt, given, site) if made else rt.call(item, Call(given, {}, site))]
    result = given[0] if given else MISSING
    if cache is not None:
        rt.heap.put(cache, key, result)
    return result


def forwarded(rt: Runtime, owner: ModuleObject, given: dict[str, Tensor], site: Site) -> dict[str, Tensor]:
    """The parameters with which a module of torch runs: its own, and those that are computed for this call."""
    parts = owner.attributes.get(PARTS)
    if type(parts) is ModuleObject:
        computed = {name: value(rt, owner, name, site) for name in parts.keys}
        given = {**given, **{name: each for name, each in computed.items() if isinstance(each, Tensor)}}
    kinds = owner.config.get(RECOMPUTED, {})
    if not isinstance(kinds, dict):
        return _of_several(rt, owner, given, site)
    for name, kind in kinds.items():
        given = {key: each for key, each in given.items() if not key.startswith(f"{name}_")}
        given[name] = recompute(rt, owner, name, kind, site)
    return given


def _of_several(rt: Runtime, owner: ModuleObject, given: dict[str, Tensor], site: Site) -> dict[str, Tensor]:
    """The same where it hangs on a branch by which norm: computed from all that either of them may compute from."""
    found = dict(given)
    ends = (key.rpartition("_") for key in owner.attributes)
    for name in dict.fromkeys(name for name, _, end in ends if end in ("g", "v", "orig")):
        sources = [owner.attributes.get(f"{name}_{each}") for each in ("g", "v", "orig")]
        tensors = [each for each in sources if isinstance(each, Tensor)]
        if tensors:
            found = {other: each for other, each in found.items() if not other.startswith(f"{name}_")}
            found[name] = _run(rt, "norm", {str(i): each for i, each in enumerate(tensors)}, (), site)
    return found


def assigned(rt: Runtime, owner: Value, name: str, site: Site) -> bool:
    """`module.weight = values` where it is computed: they are written into what it is computed from."""
    listed = of(owner, name) if isinstance(owner, (Instance, ModuleObject)) else None
    if listed is None:
        return False
    for each in listed.attributes.values():
        if isinstance(each, Tensor):
            rt.autograd.bump(each, name, site.span)
    return True


# ------------------------------------------------------------------ what each kind computes


def _run(rt: Runtime, name: str, given: dict[str, Value], saves: tuple[Save, ...], site: Site) -> Tensor:
    operands = tuple(Operand(key, each) for key, each in given.items() if isinstance(each, Tensor))
    operation = Operation(name, site.span, operands, saves=saves, holds_numbers=True)
    result = apply(rt, operation, site)[0]
    shaped = operands[-1].tensor if operands else None
    if shaped is not None:
        result.form = replace(shaped.form, plain=True) if shaped.form.shape is not None else shaped.form
    return result


def _weight_norm(rt: Runtime, given: list[Value], site: Site) -> Tensor:
    both = frozenset({"g", "v"})
    named = dict(zip(("g", "v"), given, strict=False))
    return _run(rt, "weight_norm", named, (Save("g", both), Save("v", both)), site)


def _spectral_norm(rt: Runtime, given: list[Value], site: Site) -> Tensor:
    """The weight divided by its norm, which depends on the weight."""
    return _run(rt, "spectral_norm", {"weight": given[0]}, (Save("weight", frozenset({"weight"})),), site)


def _kept_inside(name: str) -> Callable[[Runtime, list[Value], Site], Tensor]:
    """What keeps only what it computed itself: the mask that a pruned weight is multiplied by."""
    return lambda rt, given, site: _run(rt, name, {"weight": given[0]}, (), site)


_OF_TORCH: dict[str, Callable[[Runtime, list[Value], Site], Tensor]] = {
    "weight_norm": _weight_norm,
    "spectral_norm": _spectral_norm,
    "orthogonal": _kept_inside("orthogonal"),
    "prune": _kept_inside("mul"),
}


def recompute(rt: Runtime, owner: Owner, name: str, kind: str, site: Site) -> Tensor:
    """What a hook of old computes for a parameter; the module's attribute afterwards."""
    sources = [owner.attributes.get(f"{name}_{end}") for end in (("g", "v") if kind == "weight_norm" else ("orig",))]
    result = _OF_TORCH[kind](rt, sources, site)
    rt.heap.put(owner.attributes, name, result)
    return result
