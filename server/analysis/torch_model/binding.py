"""Matching a call's arguments to a signature, the way torch's ``PythonArgParser`` does.

The parser's rules that matter here (torch/csrc/utils/python_arg_parser.cpp): overloads are tried in order; a number is
taken for a tensor by some arithmetic functions; a signature with one positional list-of-ints parameter collects
positional ints; ``input`` and ``self`` name the same parameter; a keyword ``None`` for ``out`` counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .table import Param

Binding = dict[str, "int | str | tuple[int, ...]"]

# Which argument kinds a parameter kind takes: exactly, and as a second try (a tensor of one element as a number,
# a number where a tensor is wanted: ``x.add(2)``).
_EXACT = {
    "tensor": {"tensor"},
    "tensor?": {"tensor", "none"},
    "tensors": {"tensors"},
    "scalar": {"number", "bool"},
    "int": {"number"},
    "ints": {"ints"},
    "float": {"number"},
    "bool": {"bool"},
    "str": {"str"},
    "dtype": {"dtype"},
    "device": {"device", "str"},
    "generator": {"other", "none"},
    "other": {"tensor", "number", "tensors", "ints", "bool", "str", "none", "dtype", "device", "other"},
}
_LENIENT = {
    "tensor": {"number", "bool"},
    "tensor?": {"number", "bool"},
    "tensors": {"tensor", "ints", "other"},
    "scalar": {"tensor", "other"},
    "int": {"tensor", "bool", "other"},
    "ints": {"number", "tensors", "tensor", "other"},
    "float": {"tensor", "bool", "other"},
    "bool": {"number", "other"},
    "str": {"other"},
    "dtype": {"other", "none"},
    "device": {"number", "other", "none"},
    "generator": set(),
    "other": set(),
}

_NUMPY_NAMES = {"axis": ("dim",), "keepdims": ("keepdim",), "x1": ("input", "self"), "x2": ("other",)}


def bind(
    params: Sequence[Param], positional: Sequence[str], keywords: Mapping[str, str], strictness: int
) -> Binding | None:
    """Bind argument kinds to ``params``. ``strictness``: 2 exact kinds, 1 with conversions, 0 by number and name only.

    Returns a map from parameter name to position, keyword, or tuple of positions; None if the call does not fit.
    """
    places = [p for p in params if not p.keyword_only and not p.variadic]
    variadic = next((p for p in params if p.variadic), None)
    bound: Binding = {}
    count = len(positional)
    if count > len(places):
        collected = _collected(params, places, variadic, positional, strictness)
        if collected is None:
            return None
        name, first = collected
        bound[name] = tuple(range(first, count))
        count = first
    for index in range(count):
        param = places[index]
        if positional[index] == "unknown" and param.kind in ("dtype", "device") and strictness == 2:
            return None  # `t.view(x)` of an unknown `x`: a shape, rather than the dtype that another overload takes.
        if not _fits(param, positional[index], strictness, last=index == len(positional) - 1):
            return None
        bound[param.name] = index
    return _bind_keywords(params, bound, keywords, strictness)


def _collected(
    params: Sequence[Param], places: Sequence[Param], variadic: Param | None, kinds: Sequence[str], strictness: int
) -> tuple[str, int] | None:
    """The parameter that takes the surplus positional arguments, and where they start."""
    if variadic is not None:
        return variadic.name, len(places)
    own = [p for p in places if p.name != "self"] if places and places[0].name == "self" else list(places)
    if len(own) != 1 or own[0].kind != "ints":
        return None
    first = len(places) - 1
    allowed = {"number", "unknown"} if strictness == 2 else {"number", "unknown", "tensor", "other"}
    if strictness and any(kind not in allowed for kind in kinds[first:]):
        return None
    return own[0].name, first


def _bind_keywords(
    params: Sequence[Param], bound: Binding, keywords: Mapping[str, str], strictness: int
) -> Binding | None:
    by_name = {p.name: p for p in params}
    for keyword, kind in keywords.items():
        name = keyword
        if name not in by_name and name in ("input", "self", "x"):
            name = next((n for n in ("input", "self") if n in by_name), name)
        param = by_name.get(name)
        if param is None and name == "out" and kind == "none":
            continue
        if param is None:
            name, param = _numpy_spelling(keyword, by_name)
        if param is None or name in bound or not _fits(param, kind, strictness, last=False):
            return None
        bound[name] = keyword
    if any(not p.default and p.name not in bound for p in params):
        return None
    return bound


def _numpy_spelling(keyword: str, by_name: Mapping[str, Param]) -> tuple[str, Param | None]:
    """torch takes numpy's names for the same things: ``axis``, ``keepdims``, ``x1``/``x2``."""
    for ours in _NUMPY_NAMES.get(keyword, ()):
        if ours in by_name:
            return ours, by_name[ours]
    return keyword, None


def _fits(param: Param, kind: str, strictness: int, *, last: bool) -> bool:
    if kind == "unknown" or strictness == 0:
        return not (strictness == 0 and param.name == "out" and kind == "none")
    if kind == "none" and param.default and param.name != "out":
        return True
    if kind in _EXACT[param.kind]:
        return True
    # ``sum(1)``: a list of known length takes a single int; ``view(2)``: so does a lone trailing list of ints.
    if param.kind == "ints" and kind == "number" and (param.single or last):
        return True
    return strictness == 1 and kind in _LENIENT[param.kind]
