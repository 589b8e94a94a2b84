"""What `out=` does when something requires grad: refused, tracked, or written without a history.

Operations with a derivative refuse. Those made of others may refuse inside, copy their result into `out` (which then
has a grad_fn), give it a grad_fn that only raises, or compute without autograd; no schema tells which, so each is run.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .auto import guesses
from .facts import Row
from .measure import bound_call, call_row
from .probe import can_require_grad, clone, tensors_in
from .samples import CAP, Sample
from .special import SPECIAL

REFUSED = "don't support automatic differentiation"
_ENOUGH = 4


def complete_outs(rows: list[Row], function: Callable[..., Any], samples: list[Sample]) -> None:
    """Say in the facts of the `out=` rows what was seen: outputs "r" (refused), "g" or "n"."""
    plain = [row for row in rows if row.parameter("out") is None]
    for row in rows:
        if row.fact is None or not row.fact.out:
            continue
        seen = []
        for values in itertools.islice(_values(row, plain, function, samples), 3 * CAP):
            looked = _look(row, function, values)
            seen += [looked] if looked is not None else []
            if len(seen) == _ENOUGH:
                break
        width = len(row.fact.outputs)
        if seen and all(each == "r" for each in seen):
            row.fact.outputs = "r" * width
        elif seen and all(each != "r" and len(each) == width for each in seen):
            row.fact.outputs = "".join("g" if all(each[i] in "gx" for each in seen) else "n" for i in range(width))
            row.fact.backward = not any("x" in each for each in seen)


def _values(
    row: Row, plain: list[Row], function: Callable[..., Any], samples: list[Sample]
) -> Iterator[dict[str, Any]]:
    own = [p.name for p in row.params if p.name != "out"]
    for sample in samples:
        bound = bound_call(plain, function, sample)
        if bound is not None and [p.name for p in bound[0].params] == own:
            yield bound[1].values
    short = row.native.removeprefix("torch.nn.functional.")
    yield from ({n: v() for n, v in written.items()} for written in SPECIAL.get(short, []))
    yield from guesses(row)


def _look(row: Row, function: Callable[..., Any], values: dict[str, Any]) -> str | None:
    """What one call does when all that can requires grad; None if it cannot be run."""
    if not any(can_require_grad(value) for value in values.values()):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = call_row(row, function, {name: clone(value, False) for name, value in values.items()})
            outs = [torch.empty_like(t) for t in tensors_in(result)]
            call_row(row, function, {name: clone(value, True) for name, value in values.items()})
        except Exception:  # inputs that were not made for this overload, or that may not require grad
            return None
        single = next(p for p in row.params if p.name == "out").code == "T"
        given = {**{name: clone(value, True) for name, value in values.items()}, "out": outs[0] if single else outs}
        try:
            call_row(row, function, given)
        except RuntimeError as error:
            return "r" if REFUSED in str(error) else None
        except (TypeError, ValueError):
            return None
    return "".join(_code(out) for out in outs)


def _code(out: torch.Tensor) -> str:
    """ "n" without a history; "x" where its grad_fn only says that there is no derivative; else "g"."""
    if not out.requires_grad:
        return "n"
    try:
        out.sum().abs().backward(retain_graph=True)
    except RuntimeError as error:
        return "x" if "not implemented" in str(error) else "g"
    return "g"
