"""`torch.func`'s ways with a module's state.

`functional_call` runs a module with other tensors in the place of its parameters and buffers; `stack_module_state`
makes one set of parameters of many.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..autograd.heap import MISSING
from ..autograd.operation import Operand, Operation
from ..autograd.tensor import Tensor
from ..values import Call, DictValue, Instance, ListValue, ModuleObject, Runtime, Unknown, Value
from .effects import apply, note_copy
from .module_tree import is_module, module_at, named_parameters
from .registry import SETTERS, function


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


@function("torch.func.stack_module_state")
def _stack_module_state(rt: Runtime, call: Call) -> Value:
    """Parameters of several modules in one, by name: new leaves with their values (torch/_functorch/functional_call.py,
    construct_stacked_leaf), which the modules know nothing of."""
    given = call.argument(0, "models")
    models = list(given.items) if isinstance(given, ListValue) and not given.open else []
    if not models or not all(is_module(each) for each in models):
        return Unknown("stack_module_state()", deps=tuple(call.args))
    stacked: dict[Value, Value] = {}
    for name, first in named_parameters(models[0]):
        stacked[name] = Tensor(requires_grad=first.requires_grad, origin=call.site.span, name=name)
    for model in models:
        for name, each in named_parameters(model):
            leaf = stacked.get(name)
            if isinstance(leaf, Tensor):
                note_copy(rt, leaf, each, call.site.span, True)
    return DictValue(stacked), DictValue(rest=Unknown("buffers of several modules"))


@function("torch.nn.utils.parameters_to_vector", "torch.nn.utils.convert_parameters.parameters_to_vector")
def _parameters_to_vector(rt: Runtime, call: Call) -> Value:
    """All parameters behind one another; the vector has their history."""
    tensors = [each for each in rt.tensors_in(call.argument(0, "parameters")) if isinstance(each, Tensor)]
    if not tensors:
        return Unknown("parameters_to_vector()", deps=tuple(call.args))
    operands = tuple(Operand(f"tensors.{index}", each) for index, each in enumerate(tensors))
    return apply(rt, Operation("cat", call.site.span, operands), call.site)[0]


@function("torch.nn.utils.vector_to_parameters", "torch.nn.utils.convert_parameters.vector_to_parameters")
def _vector_to_parameters(rt: Runtime, call: Call) -> Value:
    """`param.data = ` a part of the vector, for each: its numbers without its history, under the counter there was.

    Each gets bytes of its own: the parts of the vector have none in common.
    """
    vector = call.argument(0, "vec")
    for each in rt.tensors_in(call.argument(1, "parameters")):
        SETTERS["data"](rt, each, None, call.site)
        if isinstance(vector, Tensor):
            note_copy(rt, each, vector, call.site.span)
    return None


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
        owner = module_at(module, path)
        before = owner.attributes.get(name, MISSING) if isinstance(owner, (Instance, ModuleObject)) else MISSING
        if owner is not None and before is not MISSING and not isinstance(value, Unknown):
            rt.heap.put(owner.attributes, name, value)
            yield owner, name, before
