"""`torch.func.functional_call`: a module runs with other tensors in the place of its parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator

from ..autograd.heap import MISSING
from ..values import Call, DictValue, Instance, ModuleObject, Runtime, Unknown, Value
from .modules import children, is_module, named_parameters
from .registry import function


@function("torch.func.functional_call", "torch.nn.utils.stateless.functional_call")
def _functional_call(rt: Runtime, call: Call) -> Value:
    module, given, args = (
        call.argument(0, "module"),
        call.argument(1, "parameter_and_buffer_dicts"),
        call.argument(2, "args"),
    )
    options = call.argument(3, "kwargs")
    given = call.kwargs.get("parameters_and_buffers", given)
    dicts = given if isinstance(given, tuple) else (given,)
    if not is_module(module) or not all(isinstance(each, DictValue) for each in dicts):
        deps = [*call.args, *call.kwargs.values()]
        return rt.torch.opaque(module, deps, call.site, "`functional_call`")
    positional = list(args) if isinstance(args, tuple) else [args] if args is not None else []
    named = {str(k): v for k, v in options.items.items()} if isinstance(options, DictValue) else {}
    held = list(_swap(rt, module, dicts))
    try:
        return rt.call(module, Call(positional, named, call.site))
    finally:
        for owner, name, value in held:
            rt.heap.put(owner.attributes, name, value)


def _swap(
    rt: Runtime, module: Value, dicts: tuple[DictValue, ...]
) -> Iterator[tuple[Instance | ModuleObject, str, Value]]:
    """Put the given tensors in; (owner, name, value before) of each place."""
    given: dict[str, Value] = {str(name): value for each in dicts for name, value in each.items.items()}
    rest = next((each.rest for each in dicts if each.rest is not None), None)
    for dotted, _ in named_parameters(module) if rest is not None else ():
        given.setdefault(dotted, rest)
    for dotted, value in given.items():
        path, _, name = dotted.rpartition(".")
        owner = _inside(module, path)
        before = owner.attributes.get(name, MISSING) if isinstance(owner, (Instance, ModuleObject)) else MISSING
        if owner is not None and before is not MISSING and not isinstance(value, Unknown):
            rt.heap.put(owner.attributes, name, value)
            yield owner, name, before


def _inside(module: Value, path: str) -> Instance | ModuleObject | None:
    for part in path.split(".") if path else ():
        module = next((child for name, child in children(module) if name == part), None)
        if module is None:
            return None
    return module if isinstance(module, (Instance, ModuleObject)) else None
