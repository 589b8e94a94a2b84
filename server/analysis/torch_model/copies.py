"""`copy.copy` and `copy.deepcopy` of tensors, modules and what holds them."""

from __future__ import annotations

import ast

from ..autograd.tensor import Grad, Tensor
from ..values import Choice, DictValue, Instance, ListValue, ModuleObject, Runtime, Site, Unknown, Value
from .effects import note_copy
from .module_tree import group_of


def copied(
    rt: Runtime, value: Value, site: Site, deep: bool, memo: dict[int, Value], held_as: str | None = ""
) -> Value:
    """A copy; `memo` holds the copies there are, by the ids of what they are copies of.

    A deep copy of a tensor that is no leaf is an error of the program; `held_as` is the attribute that led to it, None
    if an object on the way may have a way of its own to copy itself.
    """
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, Tensor):
        if deep and value.is_leaf.no and held_as is not None:
            rt.error(
                "deepcopy",
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol"
                " at the moment.",
                site,
                value,
                held_as=held_as,
            )
        result = Tensor(
            requires_grad=value.requires_grad,
            floating=value.floating,
            device=value.device,
            origin=site.span,
            name=value.name,
            is_parameter=value.is_parameter,
        )
        memo[id(value)] = result
        if deep and held_as is not None and not value.is_parameter and value.grad.present.possible:
            # Parameters have a way of their own, without it (torch/_tensor.py, torch/nn/parameter.py: `__deepcopy__`).
            result.grad = Grad(value.grad.present, value.grad.by)
        if deep:
            note_copy(rt, result, value, site.span, True, _of_a_part(site.node))
        return result
    if isinstance(value, Instance):
        instance = Instance(value.cls)
        memo[id(value)] = instance
        instance.data.update(value.data)
        own = held_as is None or value.cls.find("__deepcopy__") is not None or value.cls.unknown_base()
        instance.attributes.update(
            {k: copied(rt, v, site, deep, memo, None if own else k) if deep else v for k, v in value.attributes.items()}
        )
        if "torch" in value.data:
            instance.data["torch"] = copied(rt, value.data["torch"], site, deep, memo, None if own else held_as)
        return instance
    if isinstance(value, ModuleObject):
        module = ModuleObject(value.dotted, value.op, value.site)
        memo[id(value)] = module
        module.config, module.keys, module.open, module.training = (
            dict(value.config),
            value.keys,
            value.open,
            value.training,
        )
        if deep:
            module.attributes.update(
                {
                    k: copied(rt, v, site, deep, memo, None if held_as is None else k)
                    for k, v in value.attributes.items()
                }
            )
            module.items = tuple(copied(rt, v, site, deep, memo, held_as) for v in value.items)
        else:
            # The tables of parameters and modules are the same objects (torch/nn/modules/module.py has no `__copy__`).
            module.attributes, module.items = value.attributes, value.items
        return module
    if isinstance(value, ListValue):
        return ListValue(
            tuple(copied(rt, v, site, deep, memo, held_as) if deep else v for v in value.items), value.kind, value.open
        )
    if isinstance(value, DictValue):
        return DictValue(
            {k: copied(rt, v, site, deep, memo, held_as) if deep else v for k, v in value.items.items()}, value.rest
        )
    if isinstance(value, Unknown):
        copy = Unknown(value.reason, name=value.name, symbolic=value.symbolic)
        copy.module_like = value.module_like
        if value.parameters is not None:
            copy.parameters = group_of(copy, value.parameters.requires_grad)
            copy.parameters.note = value.parameters.note
        return copy
    if isinstance(value, Choice):
        return Choice(tuple((path, copied(rt, each, site, deep, memo, held_as)) for path, each in value.alternatives))
    return value


def _of_a_part(node: ast.AST | None) -> bool:
    """Whether a call copies what is written as an attribute of an object."""
    return isinstance(node, ast.Call) and bool(node.args) and isinstance(node.args[0], ast.Attribute)
