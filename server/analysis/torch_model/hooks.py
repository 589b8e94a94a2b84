"""Forward hooks of a module: they run with every call of it (torch/nn/modules/module.py, `_call_impl`)."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ..values import Call, Instance, ModuleObject, NativeMethod, Runtime, Unknown, Value

_AFTER, _BEFORE = "forward_hooks", "forward_pre_hooks"


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


def around(rt: Runtime, owner: Value, call: Call, forward: Callable[[Call], Value]) -> Value:
    """Run a module's `forward` between its hooks: those before may replace its arguments, those after its result."""
    store = _store(owner)
    if store is None or not (_AFTER in store or _BEFORE in store):
        return forward(call)
    for hook, with_kwargs in store.get(_BEFORE, ()):
        args = [owner, tuple(call.args)]
        changed = rt.call(hook, Call(args, {}, call.site)) if not with_kwargs else None
        if isinstance(changed, tuple):
            call = Call(list(changed), call.kwargs, call.site, call.open_args)
        elif changed is not None and not isinstance(changed, Unknown):
            call = Call([changed], call.kwargs, call.site, call.open_args)
    result = forward(call)
    for hook, with_kwargs in store.get(_AFTER, ()):
        args = [owner, tuple(call.args), *([_options(call)] if with_kwargs else []), result]
        changed = rt.call(hook, Call(args, {}, call.site))
        if changed is not None and not (isinstance(changed, Unknown) and changed.node is None):
            result = changed
    return result


def _options(call: Call) -> Value:
    from ..values import DictValue

    return DictValue(dict(call.kwargs))
