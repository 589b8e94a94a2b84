"""Measuring ``torch.nn`` classes: their parameters, the flags that remove them, and what calling them does."""

from __future__ import annotations

import copy
import inspect
import itertools
import logging
import warnings
from typing import Any

import torch
from torch import nn

from .facts import Fact, Parameter, Row
from .merge import merge
from .module_inputs import RECURRENT, Instance, instances
from .probe import Call, Seen, look, tensors_in
from .public import python_signature
from .write import Writer

log = logging.getLogger(__name__)

_RNN = "input_size:i hidden_size:i num_layers:i= {}bias:b= batch_first:b= dropout:f= bidirectional:b= {}"
_RNN_DEFAULTS = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
# Constructors that take ``*args`` and say nothing about them.
_CONSTRUCTORS = {
    "RNN": (_RNN.format("nonlinearity:S= ", "device:D= dtype:d="), {**_RNN_DEFAULTS, "nonlinearity": "tanh"}),
    "GRU": (_RNN.format("", "device:D= dtype:d="), _RNN_DEFAULTS),
    "LSTM": (_RNN.format("", "proj_size:i= device:D= dtype:d="), {**_RNN_DEFAULTS, "proj_size": 0}),
}
_SAME_AS = {"SyncBatchNorm": "BatchNorm2d", "NLLLoss2d": "NLLLoss"}


def add_modules(writer: Writer) -> list[str]:
    """Add every class that can be measured to the writer; returns those that cannot."""
    lacking = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, listed in sorted(instances().items()):
            log.debug("module %s", name)
            entry = _entry(writer, getattr(nn, name), listed)
            if entry is None:
                lacking.append(f"torch.nn.{name}")
            else:
                writer.data["modules"][f"torch.nn.{name}"] = entry
    modules = writer.data["modules"]
    lazy = [n for n in dir(nn) if n.startswith("Lazy")]
    for name in [*_SAME_AS, *lazy]:
        source = modules.get("torch.nn." + _SAME_AS.get(name, name.removeprefix("Lazy")))
        if source is not None:
            signature, defaults = _constructor(getattr(nn, name))
            modules[f"torch.nn.{name}"] = {**source, "i": writer.signature(signature), "d": defaults}
    return lacking


def _entry(writer: Writer, cls: type[nn.Module], listed: list[Instance]) -> dict[str, Any] | None:
    signature, defaults = _constructor(cls)
    plain = _build(cls, listed[0], {})
    if plain is None:
        return None
    parameters, buffers, optional = _owned(cls, listed[0], plain, defaults)
    forward = _forward(cls, listed, {}, parameters, buffers)
    if forward is None:
        return None
    row, structure = forward
    entry: dict[str, Any] = {
        "i": writer.signature(signature),
        "d": defaults,
        "p": parameters,
        "o": optional,
        "b": buffers,
        "f": writer.row(row),
        "s": structure,
    }
    if "inplace" in defaults:
        inplace = _forward(cls, listed, {"inplace": True}, parameters, buffers)
        if inplace is not None:
            entry["n"] = writer.row(inplace[0])
    return entry


def _constructor(cls: type[nn.Module]) -> tuple[str, dict[str, Any]]:
    """The constructor's signature without self, and those defaults that JSON can hold."""
    if cls.__name__ in _CONSTRUCTORS:
        return _CONSTRUCTORS[cls.__name__]
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    defaults = {p.name: p.default for p in parameters if isinstance(p.default, (bool, int, float, str, type(None)))}
    params = [p for p in (python_signature(cls.__init__) or [])[1:] if p.name != "*args"]
    return Row(params, None).signature(), defaults


def _build(cls: type[nn.Module], instance: Instance, changed: dict[str, Any]) -> nn.Module | None:
    torch.manual_seed(0)
    try:
        return cls(*copy.deepcopy(instance.args), **{**instance.kwargs, **changed}).to(torch.float64).train()
    except Exception:  # a flag may not go with the other arguments
        return None


def _owned(
    cls: type[nn.Module], instance: Instance, plain: nn.Module, defaults: dict[str, Any]
) -> tuple[list[str], list[str], dict[str, str]]:
    """Parameters and buffers an instance can own, and which flags must be true for each (joined by ``&``)."""

    def names(module: nn.Module) -> tuple[list[str], list[str]]:
        return [n for n, _ in module.named_parameters()], [n for n, _ in module.named_buffers()]

    parameters, buffers = names(plain)
    flags: dict[str, list[str]] = {}
    for flag, default in defaults.items():
        if not isinstance(default, bool):
            continue
        on, off = _build(cls, instance, {flag: True}), _build(cls, instance, {flag: False})
        if on is None or off is None:
            continue
        for mine, with_flag, without in zip((parameters, buffers), names(on), names(off), strict=True):
            for name in with_flag:
                if name not in without:
                    flags.setdefault(name, []).append(flag)
                    if name not in mine:
                        mine.append(name)
    return parameters, buffers, {name: "&".join(sorted(needed)) for name, needed in sorted(flags.items())}


def _forward(
    cls: type[nn.Module], listed: list[Instance], changed: dict[str, Any], parameters: list[str], buffers: list[str]
) -> tuple[Row, str] | None:
    """The row of a call, in terms of forward's inputs and the module's own tensors, and the shape of its result."""
    inputs = (python_signature(cls.forward) or [])[1:]
    looks: list[Seen] = []
    known: dict[tuple[str, str], bool] = {}
    # oneDNN takes over recurrent layers in single precision and saves more: what differs is kept as not sure.
    dtypes = [torch.float64, torch.float32] if cls.__name__ in RECURRENT else [torch.float64]
    for instance, dtype in itertools.product(listed, dtypes):
        module = _build(cls, instance, changed)
        if module is None:
            continue
        if dtype != torch.float64:
            module, instance = module.to(dtype), instance.to(dtype)
            known = {}
        call = _call(module, instance, inputs)
        if call is not None and (seen := look(call, known)) is not None:
            looks.append(seen)
        for i, p in enumerate(inputs):
            value = call.values.get(p.name) if call is not None else None
            if p.code == "o" and tensors_in(value):
                inputs[i] = Parameter(
                    p.name, "T" if isinstance(value, torch.Tensor) else "T*", p.default, p.keyword_only
                )
    if not looks:
        return None
    tensors = {p.name for p in inputs if p.is_tensor} | {*parameters, *buffers}
    fact: Fact = merge(looks, tensors)
    tree = min(looks, key=lambda s: s.flags).tree
    if "(" in tree[1:]:
        structure = "nested:" + tree
    else:
        structure = {"T": "one", "o": "none"}.get(tree, "tuple")
    own = [Parameter(name, "T?", True, True) for name in (*parameters, *buffers)]
    if {s.relation for s in looks} == {"s"} and not fact.mutates:
        fact.view, fact.view_of, fact.returns_self = "n", None, looks[0].source
    return Row([*inputs, *own], fact), structure


def _call(module: nn.Module, instance: Instance, inputs: list[Parameter]) -> Call | None:
    if len(instance.inputs) > len(inputs):
        return None
    values: dict[str, Any] = {p.name: v for p, v in zip(inputs, instance.inputs, strict=False)}
    values |= instance.named
    given = list(values)
    own = {n: p.detach() for n, p in module.named_parameters()}
    fixed = dict(module.named_buffers())
    values |= own | fixed

    def run(arguments: dict[str, Any]) -> Any:
        fresh = copy.deepcopy(module)
        for name in (*own, *fixed):
            _replace(fresh, name, arguments[name], buffer=name in fixed)
        positional = [arguments[n] for n in given if n not in instance.named]
        return fresh(*positional, **{n: arguments[n] for n in instance.named})

    return Call(values, run, frozenset(fixed))


def _replace(module: nn.Module, dotted: str, value: torch.Tensor, *, buffer: bool) -> None:
    """Put a tensor in a parameter's place, as the plain attribute forward will read."""
    path, _, name = dotted.rpartition(".")
    owner = module.get_submodule(path)
    if buffer:
        owner._buffers[name] = value
        return
    del owner._parameters[name]
    setattr(owner, name, value)
