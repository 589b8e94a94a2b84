"""`no_grad`, `enable_grad`, `inference_mode`, `set_grad_enabled`: as contexts, decorators and calls."""

from __future__ import annotations

from dataclasses import replace

from ..autograd.heap import MISSING, Table
from ..autograd.truth import NO, YES, Truth, maybe
from ..values import Call, FunctionValue, GradModeValue, Runtime, Site, TorchName, Value
from .registry import function

_OFF = ("torch.no_grad", "torch.autograd.no_grad", "torch.autograd.grad_mode.no_grad")
_ON = ("torch.enable_grad", "torch.autograd.enable_grad", "torch.autograd.grad_mode.enable_grad")
_INFERENCE = ("torch.inference_mode", "torch.autograd.grad_mode.inference_mode")
_SET = ("torch.set_grad_enabled", "torch.autograd.set_grad_enabled", "torch.autograd.grad_mode.set_grad_enabled")
_PACKING = ("saved_tensors_hooks", "save_on_cpu", "allow_mutation_on_saved_tensors")
NAMES = frozenset((*_OFF, *_ON, *_INFERENCE, *_SET))


@function(*_OFF)
def _no_grad(rt: Runtime, call: Call) -> Value:
    return _or_function(rt, GradModeValue("no_grad", False, "torch.no_grad()", call.site), call)


@function(*_ON)
def _enable_grad(rt: Runtime, call: Call) -> Value:
    return _or_function(rt, GradModeValue("enable_grad", True, "torch.enable_grad()", call.site), call)


@function(*_INFERENCE)
def _inference_mode(rt: Runtime, call: Call) -> Value:
    if call.args and isinstance(call.args[0], FunctionValue):
        return _or_function(rt, GradModeValue("inference_mode", False, "torch.inference_mode()", call.site, True), call)
    on = rt.truth(call.argument(0, "mode", True))
    if on is False:
        return GradModeValue("inference_mode", True, "torch.inference_mode(False)", call.site)
    return GradModeValue("inference_mode", False if on else None, "torch.inference_mode()", call.site, bool(on))


@function(*(f"torch.autograd.graph.{name}" for name in _PACKING))
def _packing(rt: Runtime, call: Call) -> Value:
    """Inside, backward reads copies, or what a hook of the program gives: no version is compared
    (torch/csrc/autograd/saved_variable.cpp, unpack)."""
    return GradModeValue("packing", None, call.name, call.site)


@function(*_SET)
def _set_grad_enabled(rt: Runtime, call: Call) -> Value:
    """Takes effect when it is called; as a context it puts the old mode back at the end."""
    enabled = rt.truth(call.argument(0, "mode", True))
    text = "torch.set_grad_enabled(False)" if enabled is False else "torch.set_grad_enabled(...)"
    value = GradModeValue("set_grad_enabled", enabled, text, call.site, previous=rt.autograd.mode)
    enter(rt, value)
    return value


def _or_function(rt: Runtime, value: GradModeValue, call: Call) -> Value:
    if call.args and isinstance(call.args[0], FunctionValue):
        return decorate(rt, value, call.args[0], call.site)
    return value


def enter(rt: Runtime, value: GradModeValue, function: Value = None) -> None:
    """Turn the mode on."""
    if value.kind == "autocast":
        rt.autograd.set_mode(replace(rt.autograd.mode, casts=value.enabled is not False))
        return
    if value.kind == "packing":
        rt.autograd.set_mode(replace(rt.autograd.mode, packs=True))
        return
    if value.kind == "cached":
        rt.autograd.set_mode(replace(rt.autograd.mode, cache=Table()))
        return
    flag: Truth = YES if value.enabled is True else NO if value.enabled is False else maybe("the flag is not known")
    mode = rt.autograd.mode
    if mode.inference and value.enabled is True and value.kind != "inference_mode":
        # enable_grad in inference_mode has no effect; inference_mode(False) there ends it (c10/core/InferenceMode.h).
        return
    cut = None if flag.yes else value.cut(function)
    inference = value.inference or (mode.inference and value.kind != "inference_mode")
    rt.autograd.set_mode(replace(mode, enabled=flag, cut=cut, inference=inference))


def decorate(rt: Runtime, manager: Value, target: Value, site: Site) -> Value:
    """`@torch.no_grad()` and its kin on a function or class (there, only `__init__` is wrapped); else MISSING."""
    if isinstance(manager, TorchName) and manager.dotted in NAMES:
        name = manager.dotted.rpartition(".")[2]
        manager = GradModeValue(
            name, name == "enable_grad", f"torch.{name}()", site, inference=name == "inference_mode"
        )
    if not isinstance(manager, GradModeValue):
        return MISSING
    if manager.previous is not None:
        rt.autograd.set_mode(manager.previous)
    if isinstance(target, FunctionValue):
        target.contexts = ((manager, site), *target.contexts)
    return target
