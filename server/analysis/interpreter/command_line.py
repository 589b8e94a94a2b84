"""`argparse`: what a program is started with are numbers, words and flags, and no tensors.

Values stay open (`--alpha` may be anything), their kinds are known: a number of the command line carries no gradient.
What the namespace gets elsewhere (`args.device = ...`, `setup(args)`) is like any attribute of an unknown object.
"""

from __future__ import annotations

from collections.abc import Callable

from ..values import Builtin, Call, NativeMethod, Scalar, Unknown, Value
from .machine import Machine

_KINDS = ("int", "float", "bool", "str")


def parser(machine: Machine, call: Call) -> Value:
    """`argparse.ArgumentParser(...)`."""
    return _group(machine, Unknown("the command line"))


def _group(machine: Machine, namespace: Unknown) -> Unknown:
    value = Unknown("an argument parser")

    def add(call: Call) -> Value:
        name = _destination(call)
        if name:
            machine.heap.put(namespace.attributes, name, _declared(call))
        return Unknown("an argument")

    methods: dict[str, Callable[[Call], Value]] = {
        "add_argument": add,
        "add_argument_group": lambda call: _group(machine, namespace),
        "add_mutually_exclusive_group": lambda call: _group(machine, namespace),
        "parse_args": lambda call: namespace,
        "parse_known_args": lambda call: (namespace, Unknown("further arguments")),
    }
    value.attributes.update({name: NativeMethod(value, name, method) for name, method in methods.items()})
    return value


def _destination(call: Call) -> str:
    """The attribute an argument goes to: `dest`, else its first long name, else its name."""
    given = call.kwargs.get("dest")
    names = [each for each in call.args if isinstance(each, str)]
    if isinstance(given, str) or not names:
        return given if isinstance(given, str) else ""
    long = next((each for each in names if each.startswith("--")), names[0])
    return long.lstrip("-").replace("-", "_")


def _declared(call: Call) -> Value:
    """The value of one argument: of a known kind where that is plain, else data of an unknown kind."""
    kind, action, default = call.kwargs.get("type"), call.kwargs.get("action"), call.kwargs.get("default")
    if "nargs" not in call.kwargs:
        if action in ("store_true", "store_false"):
            return Scalar("bool")
        if action == "count":
            return Scalar("int")
        named = kind.name if isinstance(kind, Builtin) else ""
        if named in _KINDS and action is None and default is not None:
            return Scalar(named)
    value = Unknown("an argument of the command line")
    value.plain = True
    return value
