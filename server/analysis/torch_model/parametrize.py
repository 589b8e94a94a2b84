"""What makes and removes parametrizations: `torch.nn.utils.parametrize`, `weight_norm`, `spectral_norm`, pruning.

What a module computes from them is in `parametrized`.
"""

from __future__ import annotations

from ..autograd.heap import MISSING
from ..autograd.tensor import Tensor
from ..values import Call, GradModeValue, Instance, ListValue, ModuleObject, Runtime, Site, Value
from . import modules
from .creation import parameter
from .parametrized import OWN, PARTS, RECOMPUTED, Owner, of, recompute, recomputed
from .registry import function

_LIST = "torch.nn.utils.parametrize.ParametrizationList"


def _original(owner: Value, name: Value) -> Tensor | None:
    held = owner.attributes.get(name) if isinstance(owner, (Instance, ModuleObject)) and isinstance(name, str) else None
    return held if isinstance(held, Tensor) and held.is_parameter and not held.note else None


def _attach(rt: Runtime, owner: Owner, name: str, originals: list[Tensor], item: Value, site: Site) -> None:
    listed = ModuleObject(_LIST, None, site)
    if len(originals) == 1:
        listed.attributes["original"] = originals[0]
    else:
        listed.attributes.update({f"original{i}": each for i, each in enumerate(originals)})
    listed.items = (item,)
    rt.heap.put(owner.attributes, name, MISSING)
    parts = owner.attributes.get(PARTS)
    if type(parts) is not ModuleObject:
        parts = ModuleObject("torch.nn.ModuleDict", None, site)
        rt.heap.put(owner.attributes, PARTS, parts)
    rt.heap.write(parts, "keys", (*parts.keys, name))
    rt.heap.write(parts, "items", (*parts.items, listed))


@function("torch.nn.utils.parametrize.register_parametrization")
def _register(rt: Runtime, call: Call) -> Value:
    owner, name, item = (call.argument(i, n) for i, n in enumerate(("module", "tensor_name", "parametrization")))
    listed = of(owner, name) if isinstance(owner, (Instance, ModuleObject)) and isinstance(name, str) else None
    if listed is not None:
        rt.heap.write(listed, "items", (*listed.items, item))
        return owner
    original = _original(owner, name)
    if original is None or not isinstance(owner, (Instance, ModuleObject)) or not isinstance(name, str):
        return owner
    inverse = item.cls.find("right_inverse") if isinstance(item, Instance) else None
    parts = rt.call(inverse[0], Call([item, original], {}, call.site)) if inverse is not None else None
    several = parts.items if isinstance(parts, ListValue) and not parts.open else parts
    originals = [original]
    if isinstance(several, tuple) and several and all(isinstance(each, Tensor) for each in several):
        originals = [parameter(rt, each, call.site, original.requires_grad, name) for each in several]
        modules.replacing(rt, owner, name, original, originals[0], call.site)
    _attach(rt, owner, name, originals, item, call.site)
    return owner


@function("torch.nn.utils.parametrize.remove_parametrizations")
def _remove(rt: Runtime, call: Call) -> Value:
    owner, name = call.argument(0, "module"), call.argument(1, "tensor_name")
    listed = of(owner, name) if isinstance(owner, (Instance, ModuleObject)) and isinstance(name, str) else None
    if listed is None or not isinstance(owner, (Instance, ModuleObject)) or not isinstance(name, str):
        return owner
    tensors = [each for each in listed.attributes.values() if isinstance(each, Tensor)]
    kept = tensors[0] if len(tensors) == 1 else parameter(rt, None, call.site, name=name)
    parts = owner.attributes[PARTS]
    place = parts.keys.index(name)
    if len(parts.keys) == 1:
        rt.heap.put(owner.attributes, PARTS, MISSING)
    else:
        rt.heap.write(parts, "keys", (*parts.keys[:place], *parts.keys[place + 1 :]))
        rt.heap.write(parts, "items", (*parts.items[:place], *parts.items[place + 1 :]))
    rt.autograd.bump(kept, "remove_parametrizations", call.site.span)
    rt.heap.put(owner.attributes, name, kept)
    return owner


def _twins(rt: Runtime, owner: Owner, name: str, original: Tensor, site: Site) -> list[Tensor]:
    """Length and direction of a weight: new parameters in its place."""
    made = [parameter(rt, None, site, original.requires_grad, name) for _ in range(2)]
    made[1].form, made[0].device, made[1].device = original.form, original.device, original.device
    modules.replacing(rt, owner, name, original, made[0], site)
    return made


@function(*(OWN + name for name in ("weight_norm", "spectral_norm", "orthogonal")))
def _of_torch(rt: Runtime, call: Call) -> Value:
    owner, name = call.argument(0, "module"), call.argument(1, "name", "weight")
    original = _original(owner, name)
    if original is None or not isinstance(owner, (Instance, ModuleObject)) or not isinstance(name, str):
        return owner
    two = call.name.endswith(".weight_norm")
    originals = _twins(rt, owner, name, original, call.site) if two else [original]
    _attach(rt, owner, name, originals, ModuleObject(call.name, None, call.site), call.site)
    return owner


_PRUNED = (
    "identity",
    "random_unstructured",
    "l1_unstructured",
    "random_structured",
    "ln_structured",
    "custom_from_mask",
)


@function(
    "torch.nn.utils.weight_norm",
    "torch.nn.utils.spectral_norm",
    *(f"torch.nn.utils.prune.{name}" for name in _PRUNED),
)
def _by_hook(rt: Runtime, call: Call) -> Value:
    owner, name = call.argument(0, "module"), call.argument(1, "name", "weight")
    original = _original(owner, name)
    if original is None or not isinstance(owner, ModuleObject) or not isinstance(name, str):
        return owner
    kind = "prune" if ".prune." in call.name else call.name.rpartition(".")[2]
    rt.heap.put(owner.attributes, name, MISSING)
    if kind == "weight_norm":
        for end, each in zip("gv", _twins(rt, owner, name, original, call.site), strict=True):
            rt.heap.put(owner.attributes, f"{name}_{end}", each)
    else:
        rt.heap.put(owner.attributes, f"{name}_orig", original)
    rt.heap.put(owner.config, RECOMPUTED, {**recomputed(owner), name: kind})
    recompute(rt, owner, name, kind, call.site)
    return owner


@function("torch.nn.utils.remove_weight_norm", "torch.nn.utils.remove_spectral_norm", "torch.nn.utils.prune.remove")
def _without_hook(rt: Runtime, call: Call) -> Value:
    owner, name = call.argument(0, "module"), call.argument(1, "name", "weight")
    kinds = recomputed(owner) if isinstance(owner, ModuleObject) else {}
    if not isinstance(owner, ModuleObject) or not isinstance(name, str) or name not in kinds:
        return owner
    kept = owner.attributes.get(f"{name}_orig")
    if kinds[name] != "prune" or not isinstance(kept, Tensor):
        kept = parameter(rt, None, call.site, name=name)
    for end in ("_g", "_v", "_orig"):
        if f"{name}{end}" in owner.attributes:
            rt.heap.put(owner.attributes, f"{name}{end}", MISSING)
    rt.heap.put(owner.attributes, name, MISSING)
    rt.heap.put(owner.attributes, name, kept)
    rt.heap.put(owner.config, RECOMPUTED, {key: kind for key, kind in kinds.items() if key != name})
    return owner


@function("torch.nn.utils.parametrize.cached")
def _cached(rt: Runtime, call: Call) -> Value:
    """`with cached():` computes each of them once."""
    return GradModeValue("cached", None, "parametrize.cached()", call.site)
