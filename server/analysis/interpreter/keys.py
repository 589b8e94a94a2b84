"""Dict keys: which values of the program can be told apart as keys."""

from __future__ import annotations

from collections.abc import Hashable

from ..autograd.heap import MISSING
from ..values import Builtin, ClassValue, External, FunctionValue, Instance, TorchName, Value

_BY_IDENTITY = (ClassValue, FunctionValue, TorchName, External, Builtin)

CONSTANTS = (int, float, complex, str, bytes, bool, type(None))
"""Kinds of value that are what they are in Python, to be computed with and compared as they are."""


def key_of(value: Value) -> Hashable:
    """The value as a key; MISSING if it is not known well enough to be told from other keys."""
    if isinstance(value, (*CONSTANTS, *_BY_IDENTITY)):
        return value
    if isinstance(value, Instance):
        return value if value.cls.enum else MISSING
    if type(value) is tuple:
        return value if all(key_of(item) is not MISSING for item in value) else MISSING
    return MISSING
