"""Dict keys: which values of the program can be told apart as keys."""

from __future__ import annotations

from collections.abc import Hashable

from ..autograd.heap import MISSING
from ..values import Builtin, ClassValue, External, FunctionValue, Instance, TorchName, Value

_CONSTANTS = (int, float, complex, str, bytes, bool, type(None))
_BY_IDENTITY = (ClassValue, FunctionValue, TorchName, External, Builtin)


def key_of(value: Value) -> Hashable:
    """The value as a key; MISSING if it is not known well enough to be told from other keys."""
    if isinstance(value, (*_CONSTANTS, *_BY_IDENTITY)):
        return value
    if isinstance(value, Instance):
        return value if value.cls.enum else MISSING
    if type(value) is tuple:
        return value if all(key_of(item) is not MISSING for item in value) else MISSING
    return MISSING
