"""The standard library and numpy, as far as gradients are concerned: what they do to a tensor that comes in."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..values import (
    Call,
    DictValue,
    External,
    FunctionValue,
    IterValue,
    ListValue,
    Scalar,
    Unknown,
    Value,
)
from . import builtins, command_line, iterators, records
from .contexts import ExitStackValue
from .machine import DeadEnd, Machine

_PLAIN = frozenset(
    """
    random time os sys json logging warnings datetime re pathlib tqdm pickle marshal shelve csv struct hashlib base64
    zlib gzip subprocess
    """.split()
)
"""Modules whose functions link nothing to what they are given: bytes, files and numbers have no history."""


def call(machine: Machine, dotted: str, call: Call) -> Value:
    """Call a function of another library."""
    top = dotted.partition(".")[0]
    handler = MODELLED.get(dotted)
    if handler is not None:
        return handler(machine, call)
    if top == "math":
        return _math(machine, dotted, call)
    if top == "numpy":
        return machine.torch.numpy_call(dotted, call)
    if top in _PLAIN:
        return _plain(machine, dotted, call)
    made = machine.third_party.made_by(dotted, call)
    return made if made is not None else machine.call_unknown(External(dotted), call, f"a call into `{top}`")


def _math(machine: Machine, dotted: str, call: Call) -> Value:
    function = getattr(math, dotted[5:], None)
    if function is not None and call.args and all(isinstance(a, (int, float)) for a in call.args):
        try:
            result = function(*call.args)
            return result if isinstance(result, (int, float, bool)) else Scalar("float")
        except (ValueError, OverflowError, TypeError):
            return Scalar("float")
    if call.args:
        return machine.each(
            call.args[0], lambda each: machine.torch.to_number(each, "float", call.site, written=dotted)
        )
    return Scalar("float")


def _plain(machine: Machine, dotted: str, call: Call) -> Value:
    last = dotted.rpartition(".")[2]
    if dotted in ("sys.exit", "os._exit"):
        raise DeadEnd
    if last == "tqdm" or dotted.endswith(("trange", "tqdm.auto.tqdm")):
        return call.args[0] if call.args else Unknown("tqdm()")
    if dotted.startswith("random.") and last in ("random", "uniform", "gauss", "normalvariate"):
        return Scalar("float")
    if dotted.startswith("random.") and last in ("randint", "randrange", "getrandbits"):
        return Scalar("int")
    if dotted in ("random.choice",) and call.args:
        items, _ = machine.iterate(call.args[0], call.site)
        return machine.join_all(items) if items else Unknown("random.choice()")
    if dotted == "random.sample" and call.args:
        items, _ = machine.iterate(call.args[0], call.site)
        return ListValue(items, open_=True)
    if dotted.startswith("time."):
        return Scalar("float")
    return Unknown(f"`{dotted}()`", deps=tuple(call.args))


def _copy(machine: Machine, call: Call) -> Value:
    return machine.torch.copy_value(call.args[0], call.site, deep=False) if call.args else None


def _deepcopy(machine: Machine, call: Call) -> Value:
    return machine.torch.copy_value(call.args[0], call.site, deep=True) if call.args else None


_PICKLED = "pickle.dumps()"


def _dumps(machine: Machine, call: Call) -> Value:
    data = Unknown("pickle.dumps()")
    if call.args:
        # As it is now: what is changed afterwards is not in the bytes.
        data.attributes[_PICKLED] = machine.torch.copy_value(call.args[0], call.site, deep=True, pickled=True)
    return data


def _loads(machine: Machine, call: Call) -> Value:
    data = call.args[0] if call.args else None
    if isinstance(data, Unknown) and _PICKLED in data.attributes:
        return machine.torch.copy_value(data.attributes[_PICKLED], call.site, deep=True, pickled=True)
    return _plain(machine, "pickle.loads", call)


def _partial(machine: Machine, call: Call) -> Value:
    from ..values import NativeMethod

    if not call.args:
        return Unknown("partial()")
    function, first, kwargs = call.args[0], call.args[1:], dict(call.kwargs)

    def run(inner: Call) -> Value:
        return machine.call(function, Call([*first, *inner.args], {**kwargs, **inner.kwargs}, inner.site))

    return NativeMethod(function, "partial", run)


def _same(machine: Machine, call: Call) -> Value:
    return call.args[0] if call.args else Unknown("a decorator")


def _defaultdict(machine: Machine, call: Call) -> Value:
    factory = call.args[0] if call.args else None
    result = DictValue(call.args[1].items if len(call.args) > 1 and isinstance(call.args[1], DictValue) else None)
    if factory is not None:
        result.factory = (factory,)
    return result


def _ordered(machine: Machine, call: Call) -> Value:
    return builtins.call(machine, "dict", call)


def _deque(machine: Machine, call: Call) -> Value:
    if not call.args:
        return ListValue(())
    items, open_ = machine.iterate(call.args[0], call.site)
    return ListValue(items, "list", open_)


def _remember(machine: Machine, call: Call) -> Value:
    """`lru_cache`, bare or with options."""
    function = call.args[0] if call.args else None
    if isinstance(function, FunctionValue):
        function.cache = {}
        return function
    return External("functools.cache")


def _reduce(machine: Machine, call: Call) -> Value:
    if len(call.args) < 2:
        return Unknown("reduce() of nothing", deps=tuple(call.args))
    items, _ = machine.iterate(call.args[1], call.site)
    if len(call.args) > 2:
        items = [call.args[2], *items]
    if not items:
        return Unknown("reduce() of nothing")
    total = items[0]
    for item in items[1:]:
        total = machine.call(call.args[0], Call([total, item], {}, call.site))
    return total


def _nullcontext(machine: Machine, call: Call) -> Value:
    return IterValue(call.args[:1] or [None])


def _namespace(machine: Machine, call: Call) -> Value:
    value = Unknown("a namespace")
    value.attributes.update(call.kwargs)
    return value


MODELLED: dict[str, Callable[[Machine, Call], Value]] = {
    **iterators.FUNCTIONS,
    "copy.copy": _copy,
    "copy.deepcopy": _deepcopy,
    "pickle.dumps": _dumps,
    "pickle.loads": _loads,
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "functools.wraps": lambda machine, call: External("functools.identity"),
    "functools.identity": _same,
    "functools.lru_cache": _remember,
    "functools.cache": _remember,
    "contextlib.ExitStack": lambda machine, call: ExitStackValue(),
    "contextlib.AsyncExitStack": lambda machine, call: ExitStackValue(),
    "dataclasses.dataclass": lambda machine, call: External("dataclasses.dataclass"),
    "dataclasses.field": records.field,
    "dataclasses.replace": records.replace,
    "dataclasses.asdict": records.as_dict,
    "argparse.ArgumentParser": command_line.parser,
    "attr.ib": records.field,
    "attrs.field": records.field,
    "collections.namedtuple": records.named_tuple,
    "typing.NamedTuple": records.named_tuple,
    "collections.defaultdict": _defaultdict,
    "collections.OrderedDict": _ordered,
    "collections.deque": _deque,
    "contextlib.nullcontext": _nullcontext,
    "importlib.import_module": lambda machine, call: machine.importer.import_module(machine, call),
    "types.SimpleNamespace": _namespace,
    "tqdm.tqdm": _same,
    "tqdm.auto.tqdm": _same,
}
"""Functions and classes of other libraries that have a model here, by dotted name."""


def _range(machine: Machine, call: Call) -> Value:
    return builtins.call(machine, "range", call)


MODELLED["tqdm.trange"] = _range
