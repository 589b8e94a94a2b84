"""Modules and what is in them: which values are modules, their children, their parameters by name."""

from __future__ import annotations

from collections.abc import Iterator

from ..autograd import truth
from ..autograd.heap import remember
from ..autograd.tensor import CPU, Tensor
from ..autograd.truth import YES, Truth, maybe
from ..values import (
    Choice,
    ClassValue,
    DictValue,
    External,
    Instance,
    ListValue,
    ModuleObject,
    TorchName,
    Unknown,
    Value,
)
from .containers import names

BASE = ("torch.nn.Module", "torch.nn.modules.module.Module", "torch.nn.modules.Module")
LOADED = "loaded"
"""The note on the parameters of a module from a file that tells whether they require grad."""
_FRAMEWORK_BASES = ("LightningModule", "Module", "PreTrainedModel", "ModelMixin")


def is_module_class(cls: Value) -> bool:
    """Whether a class of the program is an `nn.Module`."""
    if not isinstance(cls, ClassValue):
        return False
    if cls.is_module is None:
        cls.is_module = _derives_from_module(cls)
    return cls.is_module


def _derives_from_module(cls: ClassValue) -> bool:
    for base in cls.mro():
        if isinstance(base, TorchName) and (base.dotted in BASE or base.dotted.startswith("torch.nn.")):
            return True
        if isinstance(base, External) and base.dotted.rpartition(".")[2] in _FRAMEWORK_BASES:
            return True
    return False


def is_module(value: Value) -> bool:
    """Whether a value is a module the engine can look into."""
    return isinstance(value, ModuleObject) or (isinstance(value, Instance) and is_module_class(value.cls))


def children(value: Value) -> Iterator[tuple[str, Value]]:
    """The direct children by name: attributes that are modules, elements of containers."""
    if isinstance(value, ModuleObject):
        yield from zip(names(value), value.items, strict=False)
    attributes = value.attributes if isinstance(value, (Instance, ModuleObject)) else {}
    for name, child in attributes.items():
        if type(child) is not Tensor and (is_module(child) or (isinstance(child, Unknown) and child.module_like)):
            yield name, child
    inner = value.data.get("torch") if isinstance(value, Instance) else None
    if inner is not None:
        yield from children(inner)


def named_parameters(value: Value, prefix: str = "", seen: set[int] | None = None) -> list[tuple[str, Tensor]]:
    """Every parameter once, with its dotted name. An unknown child counts as one group of parameters."""
    found: list[tuple[str, Tensor]] = []
    _add_parameters(value, prefix, set() if seen is None else seen, found)
    return found


def _add_parameters(value: Value, prefix: str, seen: set[int], found: list[tuple[str, Tensor]]) -> None:
    # Asked in every call of `parameters()` and by several rules, of trees of hundreds of layers.
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Unknown):
        found.append((prefix.rstrip("."), parameters_of_unknown(value)))
        found += parts_of_unknown(value, prefix, seen)
        return
    if not isinstance(value, (Instance, ModuleObject)):
        return
    layers: list[tuple[str, Value]] = []
    unknown: list[tuple[str, Value]] = []
    for name, child in value.attributes.items():
        kind = type(child)
        if kind is Tensor:
            if child.is_parameter and id(child) not in seen:
                seen.add(id(child))
                found.append((prefix + name, child))
        elif kind is ModuleObject or (kind is Instance and is_module_class(child.cls)):
            layers.append((name, child))
        elif kind is Unknown:
            unknown.append((name, child))
            if child.module_like:
                layers.append((name, child))
        elif kind is Choice:
            layers += [(name, each) for each in _alternatives(child)]
    if isinstance(value, ModuleObject):
        for index, item in enumerate(value.items):
            name = value.keys[index] if value.keys and index < len(value.keys) else str(index)
            if isinstance(item, Tensor) and id(item) not in seen:
                seen.add(id(item))
                found.append((prefix + name, item))
        for index, item in enumerate(value.items):
            name = value.keys[index] if value.keys and index < len(value.keys) else str(index)
            if isinstance(item, Unknown) or is_module(item):
                _add_parameters(item, f"{prefix}{name}.", seen, found)
    else:
        inner = value.data.get("torch")
        if inner is not None:
            # What the object was given since is there in place of what torch's `__init__` registered.
            seen |= {id(inner.attributes[name]) for name in inner.attributes.keys() & value.attributes.keys()}
            _add_parameters(inner, prefix, seen, found)
    for name, child in layers:
        _add_parameters(child, f"{prefix}{name}.", seen, found)
    for name, child in unknown:
        if child.parameters is not None and id(child) not in seen:
            # Being held does not make it a module: what was called before may be a transform of data.
            seen.add(id(child))
            found.append((prefix + name, child.parameters))
            found += parts_of_unknown(child, f"{prefix}{name}.", seen)


def _alternatives(value: Choice) -> list[Value]:
    """The layers of which a module has one or another, by a branch of its `__init__`."""
    return [each for _, each in value.alternatives if is_module(each)]


def parts_of_unknown(value: Unknown, prefix: str = "", seen: set[int] | None = None) -> list[tuple[str, Tensor]]:
    """Parameters of an unknown module that are known: of what was put into it (`net.fc = nn.Linear(...)`), asked for by
    name (`net.layer4.parameters()`), or perhaps behind what was called by name (`net.layer4(x)`, `net.sample(x)`)."""
    seen = {id(value)} if seen is None else seen
    found: list[tuple[str, Tensor]] = []
    for name, child in list(value.attributes.items()):
        part = f"{prefix}{name}" if isinstance(name, str) else prefix.rstrip(".")
        if isinstance(child, Tensor) and child.is_parameter and id(child) not in seen:
            seen.add(id(child))
            found.append((part, child))
        elif is_module(child):
            found += named_parameters(child, f"{part}.", seen)
        elif isinstance(child, Unknown) and id(child) not in seen:
            seen.add(id(child))
            if child.parameters is not None:
                found.append((part, child.parameters))
            found += parts_of_unknown(child, f"{part}.", seen)
    return found


def behind(value: Unknown, depth: int = 4) -> list[Tensor]:
    """The parameters of the unknown modules that an unknown attribute was taken from."""
    found: list[Tensor] = []
    for owner in value.deps if depth else ():
        if isinstance(owner, Unknown):
            if owner.module_like and owner.parameters is not None:
                found += [owner.parameters, *(tensor for _, tensor in parts_of_unknown(owner))]
            found += behind(owner, depth - 1)
    return found


def entries_of(value: Value, depth: int = 3) -> list[Value]:
    """What a plain list, tuple or dict holds, also in the containers in it; nothing of anything else."""
    found: list[Value] = []
    if isinstance(value, DictValue):
        found = [*value.items.values(), value.rest]
    elif isinstance(value, (ListValue, tuple)):
        found = list(value.items) if isinstance(value, ListValue) else list(value)
    inner = (entries_of(each, depth - 1) for each in found if depth and isinstance(each, (DictValue, ListValue, tuple)))
    return found + [item for items in inner for item in items]


def unlisted(value: Value) -> list[Tensor]:
    """The parameters inside a plain container, and those of modules there: `parameters()` lists none."""
    items = [each for item in entries_of(value) for each in _either(item)]
    direct = [item for item in items if isinstance(item, Tensor) and item.is_parameter]
    return direct + [tensor for item in items if is_module(item) for _, tensor in named_parameters(item)]


def _either(value: Value) -> list[Value]:
    return [each for _, each in value.alternatives] if isinstance(value, Choice) else [value]


def left_aside(owner: Instance) -> tuple[tuple[str, tuple[Tensor, ...]], ...]:
    """Attributes of a module with leaves that learn and that `parameters()` does not list: a plain tensor that was told
    to require grad, layers in a list; unless others are beside them that it does list."""
    known = _perhaps_listed(owner)
    found = []
    for name, value in owner.attributes.items():
        tensors: list[Tensor] = []
        for each in _either(value):
            plain = isinstance(each, Tensor) and not each.is_parameter and each.is_leaf.yes
            tensors += [each] if plain else unlisted(each)
        learns = all(each.requires_grad.yes and not each.group and id(each) not in known for each in tensors)
        if tensors and learns:
            found.append((name, tuple(tensors)))
    return tuple(found)


def _perhaps_listed(owner: Instance) -> set[int]:
    """The tensors that `parameters()` lists, whichever way the branches before it went."""
    listed = [tensor for _, tensor in named_parameters(owner)]
    for module in modules(owner):
        held = (*module.attributes.values(), *getattr(module, "items", ())) if is_module(module) else ()
        either = [each for value in held if isinstance(value, Choice) for each in _either(value) if is_module(each)]
        listed += [tensor for each in either for _, tensor in named_parameters(each)]
    return {id(each) for tensor in listed for each in (tensor, *tensor.either)}


def parameters_of_unknown(value: Unknown, *, loaded: bool = False) -> Tensor:
    """The parameters of an unknown module as one leaf; of a `loaded` one, whose flags a file tells, if any."""
    if value.parameters is None:
        group = group_of(value, maybe(value.reason) if loaded else YES)
        if loaded:
            group.note = LOADED
        remember(value, "parameters", group)
    if not value.module_like:
        remember(value, "module_like", True)
    parameters: Tensor = value.parameters  # type: ignore[assignment]
    if is_undecided(parameters):
        remember(parameters, "requires_grad", YES)
    return parameters


def is_undecided(group: Tensor) -> bool:
    """Whether nothing is known of the flag of an unknown module's parameters: neither a file nor a branch tells it."""
    return group.requires_grad.maybe and group.note != LOADED and group.requires_grad.why != truth.BRANCH


def group_of(value: Unknown, flag: Truth) -> Tensor:
    """A leaf that stands for all parameters of an unknown module, with the flag they have."""
    tensor = Tensor(requires_grad=flag, is_parameter=True, name=value.name or "parameters")
    tensor.group, tensor.note = True, "unknown"
    tensor.device = CPU
    tensor.made = tensor.counter.made = tensor.memory.made = _there_since(value)
    return tensor


def _there_since(value: Unknown) -> int:
    """When an unknown module was made: a part of one with the whole, what a call gave then, all else before anybody
    looked."""
    while True:
        whole = next((dep for dep in value.deps if isinstance(dep, Unknown)), None)
        if whole is None:
            return 0 if value.symbolic or value.name else value.attributes.born  # type: ignore[attr-defined]
        if not any(part is value for part in whole.attributes.values()):
            return 0
        value = whole


def modules(value: Value, seen: set[int] | None = None) -> list[Value]:
    """The module and everything below it."""
    found: list[Value] = []
    _add_modules(value, set() if seen is None else seen, found)
    return found


def _add_modules(value: Value, seen: set[int], found: list[Value]) -> None:
    if id(value) in seen or isinstance(value, Tensor):
        return
    seen.add(id(value))
    found.append(value)
    _add_below(value, seen, found)


def _add_below(value: Value, seen: set[int], found: list[Value]) -> None:
    # What `children` gives, without the names: every rule that goes through all modules comes here.
    kind = type(value)
    if kind is not Instance and kind is not ModuleObject:
        return
    if kind is ModuleObject:
        for item in value.items[: len(value.keys)] if value.keys else value.items:
            _add_modules(item, seen, found)
    for child in value.attributes.values():
        kind_of_child = type(child)
        if (
            kind_of_child is ModuleObject
            or (kind_of_child is Instance and is_module_class(child.cls))
            or (kind_of_child is Unknown and child.module_like)
        ):
            _add_modules(child, seen, found)
        elif kind_of_child is Choice:
            for each in _alternatives(child):
                _add_modules(each, seen, found)
    inner = value.data.get("torch") if kind is Instance else None
    if inner is not None:
        _add_below(inner, seen, found)


def module_at(module: Value, path: str) -> Instance | ModuleObject | None:
    """The module below another one by its dotted name; itself for an empty one."""
    for part in path.split(".") if path else ():
        module = next((child for name, child in children(module) if name == part), None)
        if module is None:
            return None
    return module if isinstance(module, (Instance, ModuleObject)) else None
