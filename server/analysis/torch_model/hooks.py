"""Hooks of a module: forward hooks run with every call of it (torch/nn/modules/module.py, `_call_impl`).

A full backward hook, also one that runs before, sends inputs and outputs through a custom function, whose results may
not be modified in place (torch/utils/hooks.py, `BackwardHook`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ..autograd.operation import Operand, Operation
from ..autograd.tensor import Tensor
from ..values import Call, Instance, ModuleObject, NativeMethod, Runtime, Unknown, Value
from . import effects

_AFTER, _BEFORE, _BACK = "forward_hooks", "forward_pre_hooks", "full_backward_hooks"


def _store(owner: Value) -> dict[str, Value] | None:
    if isinstance(owner, ModuleObject):
        return owner.config
    return owner.data if isinstance(owner, Instance) else None


def _register(key: str) -> Callable[[Runtime, Value, Call], Value]:
    def register(rt: Runtime, owner: Value, call: Call) -> Value:
        """`register_forward_hook(hook)`; what comes back can `remove` it again."""
        handle = Unknown("a hook handle")
        store = _store(owner)
        if store is None or not call.has(0, "hook"):
            return handle
        entry = (call.argument(0, "hook"), rt.truth(call.kwargs.get("with_kwargs", False)))
        rt.heap.put(store, key, (*store.get(key, ()), entry))

        def remove(_call: Call) -> Value:
            rt.heap.put(store, key, tuple(each for each in store.get(key, ()) if each is not entry))
            return None

        attributes: dict[Hashable, Value] = handle.attributes
        attributes["remove"] = NativeMethod(handle, "remove", remove)
        return handle

    return register


on_forward = _register(_AFTER)
before_forward = _register(_BEFORE)
on_backward = _register(_BACK)


def around(rt: Runtime, owner: Value, call: Call, forward: Callable[[Call], Value]) -> Value:
    """Run a module's `forward` between its hooks: those before may replace its arguments, those after its result."""
    store = _store(owner)
    if store is None or not (_AFTER in store or _BEFORE in store or _BACK in store):
        return forward(call)
    for hook, with_kwargs in store.get(_BEFORE, ()):
        args = [owner, tuple(call.args)]
        changed = rt.call(hook, Call(args, {}, call.site)) if not with_kwargs else None
        if isinstance(changed, tuple):
            call = Call(list(changed), call.kwargs, call.site, call.open_args)
        elif changed is not None and not isinstance(changed, Unknown):
            call = Call([changed], call.kwargs, call.site, call.open_args)
    seen = bool(store.get(_BACK))
    if seen:
        call = Call([_passed(rt, each, call) for each in call.args], call.kwargs, call.site, call.open_args)
    result = forward(call)
    for hook, with_kwargs in store.get(_AFTER, ()):
        args = [owner, tuple(call.args), *([_options(call)] if with_kwargs else []), result]
        changed = rt.call(hook, Call(args, {}, call.site))
        if changed is not None and not (isinstance(changed, Unknown) and changed.node is None):
            result = changed
    if seen:
        several = isinstance(result, tuple)
        passed = tuple(_passed(rt, each, call) for each in (result if several else (result,)))
        result = passed if several else passed[0]
    return result


def _passed(rt: Runtime, value: Value, call: Call) -> Value:
    """The view that a tensor comes back as from the custom function of a backward hook."""
    if not isinstance(value, Tensor) or not value.requires_grad.yes or not rt.autograd.mode.enabled.yes:
        return value
    operation = Operation(
        "BackwardHookFunction", call.site.span, (Operand("self", value),), view="view", view_of="self"
    )
    result = effects.apply(rt, operation, call.site)[0]
    result.form, result.view_kind = value.form, "custom"
    return result


def _options(call: Call) -> Value:
    from ..values import DictValue

    return DictValue(dict(call.kwargs))
