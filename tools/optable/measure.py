"""Completing rows whose facts the YAML does not know: bind samples to overloads, probe, merge."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any

import torch

from gradsight.analysis.torch_model.binding import bind
from gradsight.analysis.torch_model.table import parse_signature

from .auto import KEPT, guesses
from .facts import Parameter, Row
from .merge import merge
from .probe import Call, Seen, look, tensors_in
from .samples import CAP, Sample
from .special import SPECIAL

log = logging.getLogger(__name__)


def kind_of(value: Any) -> str:
    """The argument kind, as ``table.pick`` takes it, of a real value."""
    if isinstance(value, torch.Tensor):
        return "tensor"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float, complex)):
        return "number"
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)):
        if not value:
            return "unknown"
        if any(isinstance(v, torch.Tensor) for v in value):
            return "tensors"
        return "ints" if all(isinstance(v, int) for v in value) else "other"
    return {str: "str", torch.dtype: "dtype", torch.device: "device"}.get(type(value), "other")


def bound_call(rows: list[Row], function: Callable[..., Any], sample: Sample) -> tuple[Row, Call] | None:
    """The overload a sample binds to, and the call with its arguments by parameter name."""
    args, kwargs = sample
    positional = [kind_of(a) for a in args]
    keywords = {k: kind_of(v) for k, v in kwargs.items()}
    for strictness in (2, 1, 0):
        for row in rows:
            binding = bind(parse_signature(row.signature()), positional, keywords, strictness)
            if binding is None:
                continue
            values: dict[str, Any] = {}
            for name, place in binding.items():
                if isinstance(place, int):
                    values[name] = args[place]
                elif isinstance(place, str):
                    values[name] = kwargs[place]
                else:
                    values[name] = [args[i] for i in place]
            places = sorted(
                (p[0] if isinstance(p, tuple) else p, n) for n, p in binding.items() if not isinstance(p, str)
            )

            def run(given: dict[str, Any], places: Any = places, binding: Any = binding) -> Any:
                positionals: list[Any] = []
                for _, name in places:
                    positionals += given[name] if isinstance(binding[name], tuple) else [given[name]]
                named = {place: given[name] for name, place in binding.items() if isinstance(place, str)}
                return function(*positionals, **named)

            return row, Call(values, run)
    return None


def complete(rows: list[Row], function: Callable[..., Any], samples: list[Sample]) -> None:
    """Fill in the facts of the rows that lack one; those nothing could be made to run keep none."""
    if all(row.fact is not None for row in rows):
        return
    looks: dict[int, list[Seen]] = {}
    known: dict[int, dict[tuple[str, str], bool]] = {}
    fixed = set(getattr(function, "keywords", ()))
    for args, kwargs in samples:
        if fixed and args and isinstance(args[-1], bool):
            args = args[:-1]
        bound = bound_call(rows, function, (args, {k: v for k, v in kwargs.items() if k not in fixed}))
        if bound is None or bound[0].fact is not None:
            continue
        row, call = bound
        if len(looks.get(id(row), ())) >= CAP:
            continue
        _observe_kinds(row, call)
        seen = look(call, known.setdefault(id(row), {}))
        if seen is not None:
            looks.setdefault(id(row), []).append(seen)
    for row in rows:
        if row.fact is not None:
            continue
        if id(row) not in looks:
            looks[id(row)] = _guessed(row, function)
        found = looks[id(row)]
        if row.schema is not None and row.schema.structure == "t":
            for seen in found:
                seen.structure = "t" if seen.structure == "l" else seen.structure
        if found:
            row.fact = merge(found, {p.name.lstrip("*") for p in row.params if p.is_tensor})
            _schema_knows_better(row)


def _observe_kinds(row: Row, call: Call) -> None:
    """A Python signature without annotations learns from what it is given which parameters are tensors."""
    for i, p in enumerate(row.params):
        value = call.values.get(p.name.lstrip("*"))
        if p.code in ("o", "i", "f", "b", "S") and tensors_in(value):
            code = "T" if isinstance(value, torch.Tensor) else "T*"
            row.params[i] = Parameter(p.name, "T?" if code == "T" and p.default else code, p.default, p.keyword_only)


def _guessed(row: Row, function: Callable[..., Any]) -> list[Seen]:
    found: list[Seen] = []
    known: dict[tuple[str, str], bool] = {}
    log.debug("guessing arguments of %s", row.native or function)
    written = SPECIAL.get(row.native.removeprefix("torch.nn.functional."), [])
    for values in itertools.chain(({n: v() for n, v in w.items()} for w in written), guesses(row)):
        call = Call(values, lambda given: call_row(row, function, given))
        seen = look(call, known)
        if seen is not None:
            found.append(seen)
        if len(found) >= KEPT:
            break
    return found


def call_row(row: Row, function: Callable[..., Any], given: dict[str, Any]) -> Any:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for p in row.params:
        name = p.name.lstrip("*")
        if name not in given:
            continue
        if p.name.startswith("*"):
            args += given[name]
        elif p.keyword_only or kwargs or len(args) < row.params.index(p):
            kwargs[name] = given[name]
        else:
            args.append(given[name])
    return function(*args, **kwargs)


def _schema_knows_better(row: Row) -> None:
    """A schema that promises a possible view wins over samples that all happened to give one answer."""
    fact, schema = row.fact, row.schema
    if fact is None or schema is None:
        return
    if schema.view == "v" and fact.view == "n" and not fact.returns_self:
        fact.view, fact.view_of = "?", schema.view_of
    fact.mutates = sorted({*fact.mutates, *schema.mutates})
    if schema.returns_self:
        fact.returns_self, fact.view, fact.view_of = schema.returns_self, "n", None
    if schema.structure == "l" and fact.structure == "t":
        fact.structure, fact.outputs = "l", fact.outputs[:1]
        fact.saves = {("result" if w.startswith("result") else w, g): sure for (w, g), sure in fact.saves.items()}
