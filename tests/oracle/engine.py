"""The engine's side: `predict` of the package, with a crash made into data."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .compare import Prediction


@dataclass(frozen=True)
class Crashed:
    """A prediction that never came: the engine raised."""

    unsure: str | None
    raises: tuple[int, str, int | None] | None = None
    grads: dict[str, str] = field(default_factory=dict)
    may_raise: frozenset[tuple[int, str]] = frozenset()


def ask(text: str) -> Prediction:
    """What the engine predicts for a program; if it raises, a prediction whose `unsure` starts with "crash"."""
    from gradsight.analysis.predict import predict

    try:
        return predict(text)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return Crashed(f"crash: {type(error).__name__} in {frame.name}: {str(error)[:80]}")
