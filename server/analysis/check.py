"""The front door of the analysis: a snapshot of a text in, a report out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from .report import FileReport
from .settings import Settings


class Cancelled(Exception):
    """Raised inside an analysis whose token was cancelled."""


class Token(Protocol):
    """Polled once per function and per loop pass; `threading.Event` fits."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A text at one moment. `path` is what findings carry (absolute, or as the user typed it); `version` is echoed."""

    path: str
    text: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """What surrounds a file: the roots imports are looked up in, settings, and open editor texts by absolute path."""

    roots: tuple[str, ...] = ()
    settings: Settings = Settings()
    open_texts: dict[str, str] = field(default_factory=dict)


def check(snapshot: Snapshot, project: Project | None = None, token: Token | None = None) -> FileReport:
    """Analyse one file.

    Takes an immutable snapshot; returns its findings, problems, sinks and hover facts. A text that does not parse is
    analysed without its broken statements, each reported as a `Problem`. Raises Cancelled when `token` is set.
    """
    return FileReport(path=snapshot.path)
