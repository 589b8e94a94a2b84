"""Attributes of unknown values: what is asked of a value tells what it is (duck typing).

`x.detach()` makes an unknown `x` a tensor, `x.parameters()` a module; `x.shape` or `x.items()` say nothing.
"""

from __future__ import annotations

import ast

from ..autograd import truth
from ..autograd.heap import MISSING, remember
from ..values import (
    Call,
    DictValue,
    IterValue,
    ListValue,
    NativeMethod,
    Runtime,
    Scalar,
    Site,
    Unknown,
    Value,
    unknown_tensor,
)
from . import dispatch, frameworks, module_tree, opaque
from .registry import PROPERTIES

_TENSOR_ONLY = frozenset(
    """
    detach detach_ item tolist numpy backward requires_grad_ retain_grad data grad requires_grad is_leaf grad_fn
    unsqueeze squeeze view reshape permute transpose contiguous expand matmul mm bmm softmax log_softmax sigmoid
    tanh relu exp log sqrt pow abs mean sum prod norm std var argmax argmin clamp masked_fill gather scatter
    scatter_ index_select flatten chunk unbind long float half double bool int clone zero_ fill_ add_ sub_ mul_
    div_ copy_ cumsum topk flip repeat type_as new_zeros new_ones new_tensor register_hook max min eq ne gt lt
    ge le logsumexp
    """.split()
)
"""Attributes that only a tensor has."""
_MODULE_ONLY = frozenset(
    """
    parameters named_parameters state_dict load_state_dict train eval zero_grad modules named_modules children
    register_buffer
    """.split()
)
"""Attributes that only a module has."""


_CASTS = ("double", "half", "float", "bfloat16")


def _is_object(owner: Unknown, site: Site) -> bool:
    """Whether a cast is of what an unknown class makes: `Process(scale=scale).double()` is the process itself."""
    made = site.node.value if isinstance(site.node, ast.Attribute) else None
    if owner.tensor is not None or not isinstance(made, ast.Call):
        return False
    name = made.func.attr if isinstance(made.func, ast.Attribute) else getattr(made.func, "id", "")
    return name[:1].isupper() and not name.isupper()


def attribute(rt: Runtime, owner: Unknown, name: str, site: Site) -> Value:
    """An attribute of an unknown value, which may say what it is; MISSING where it says nothing."""
    framework = frameworks.attribute_of_unknown(rt, owner, name)
    if framework is not MISSING:
        return framework
    if name in _MODULE_ONLY or (
        owner.module_like and name in ("to", "cuda", "cpu", "apply", "requires_grad_", "half", "float")
    ):
        return NativeMethod(owner, name, lambda call: _of_module(rt, owner, name, call))
    if name in _CASTS and _is_object(owner, site):
        return NativeMethod(owner, name, lambda call: owner)
    if name in ("to", "cuda", "cpu", "size", "dim", "numel", "type"):
        if name in ("size", "dim", "numel"):
            return NativeMethod(owner, name, lambda call: Scalar("int" if call.args or name != "size" else "shape"))
        return NativeMethod(owner, name, lambda call: owner)
    if name == "shape" and (owner.node is not None or owner.symbolic or owner.plain):
        return Scalar("shape")
    if name in PROPERTIES and name in _TENSOR_ONLY:
        if name == "data" and owner.node is None and owner.tensor is None and not owner.symbolic:
            return MISSING
        return PROPERTIES[name](rt, unknown_tensor(owner), site)
    if name in _TENSOR_ONLY:
        return NativeMethod(owner, name, lambda call: dispatch.method(rt, owner, name, call))
    if owner.node is not None or owner.plain:
        value = Unknown(owner.reason, name=name, deps=(owner,), symbolic=owner.symbolic, node=owner.node)
        value.plain = owner.plain
        remember(owner.attributes, name, value)
        return value
    return MISSING


def _of_module(rt: Runtime, owner: Unknown, name: str, call: Call) -> Value:
    if name == "zero_grad" and rt.truth(call.argument(0, "set_to_none", True)) is not False:
        opaque.ordered(rt, owner, name, call.site)
    group = module_tree.parameters_of_unknown(owner)
    parameters = [group, *(tensor for _, tensor in module_tree.parts_of_unknown(owner))]
    if name == "parameters":
        return IterValue(parameters, True)
    if name == "named_parameters":
        return IterValue([(Scalar("str"), tensor) for tensor in parameters], True)
    if name == "requires_grad_":
        flag = truth.of(rt.truth(call.argument(0, "requires_grad", True)), "the flag is not known")
        for tensor in parameters:
            rt.heap.write(tensor, "requires_grad", flag)
        return owner
    if name == "load_state_dict":
        rt.autograd.bump(group, "load_state_dict", call.site.span)
        return Unknown("load_state_dict()")
    if name in ("modules", "children"):
        return ListValue([Unknown("a submodule", deps=(owner,))], open_=True)
    if name == "named_modules":
        return ListValue([(Scalar("str"), Unknown("a submodule", deps=(owner,)))], open_=True)
    if name == "state_dict":
        return DictValue(rest=Unknown("an entry of a state_dict"))
    return owner
