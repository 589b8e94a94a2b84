"""What one run showed about one finding, sorted out of the probe's messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..analysis.source.notebook import FILE, Lines
from .plan import Watched
from .room import Heard
from .verdicts import LeafGrad, Raised, Verdict


@dataclass(frozen=True, slots=True)
class Leaf:
    """A tensor after the sink. `touched` is False when this sink added nothing to a gradient that was there before.

    `print` tells gradients of two runs apart.
    """

    grad: LeafGrad
    requires_grad: bool
    is_leaf: bool
    steps: tuple[str, ...]
    touched: bool
    print: tuple[float, ...] | None = None

    @property
    def severed(self) -> bool:
        """Whether this sink gave it no gradient."""
        return self.grad.grad == "none" or not self.touched


@dataclass(frozen=True, slots=True)
class After:
    """A target statement has run: what it raised, and every leaf. `root` tells the losses of two runs apart."""

    target: str
    number: int
    raised: Raised | None
    trace: str
    leaves: tuple[Leaf, ...]
    root: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A tensor at the moment its `.grad` was read."""

    name: str
    grad: str
    norm: float | None
    is_leaf: bool


Decision = tuple[Verdict, str, "Raised | None", Sequence[Leaf]]
"""A verdict, its reason, what was raised, and the leaves it is about."""


@dataclass(slots=True)
class Facts:
    """Everything about one finding; `how` is how the program ended ("" when it never said).

    `kept` is what a second run showed in which autograd saved copies, where the rule asks for one. `lines` says what
    sentences call a line.
    """

    heard: Heard
    watched: Watched
    afters: list[After] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    seen: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    how: str = ""
    raised: Raised | None = None
    trace: str = ""
    code: Any = None
    dirty: list[dict[str, Any]] = field(default_factory=list)
    final: tuple[Leaf, ...] = ()
    kept: Facts | None = None
    lines: Lines = FILE

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """After the last target that ran; else at the end of the program."""
        return self.afters[-1].leaves if self.afters else self.final

    def names_of_sources(self) -> list[str]:
        """The names under which the sources were seen, and those their sentences quote."""
        names = [m["name"] for ident in self.watched.sources for m in self.seen.get(ident, ())]
        trace = self.watched.finding.trace
        for ident in self.watched.sources:
            index = self.watched.steps[ident]
            if index >= 0:
                names += re.findall(r"`([\w.\[\]']+)`", trace[index].message)
        return list(dict.fromkeys(names))

    def wanted(self) -> tuple[Leaf, ...]:
        """The leaves this finding is about: its sources, by identity, else by name, else every trainable leaf."""
        leaves = self.leaves
        own = [leaf for leaf in leaves if set(leaf.steps) & set(self.watched.sources)]
        if own:
            return tuple(own)
        for name in self.names_of_sources():
            bare = name[5:] if name.startswith("self.") else name
            own = [leaf for leaf in leaves if _named(leaf.grad.name, name) or _named(leaf.grad.name, bare)]
            if own:
                return tuple(own)
        return tuple(leaf for leaf in leaves if leaf.requires_grad and leaf.is_leaf)


def _named(leaf: str, name: str) -> bool:
    return leaf == name or leaf.startswith((name + ".", name + "[")) or leaf.endswith("." + name) or f".{name}." in leaf


def raised_of(data: dict[str, Any] | None) -> Raised | None:
    """The exception of a message."""
    return Raised(data["type"], data["message"], data.get("line")) if data else None


def _numbers(values: list[float] | None) -> tuple[float, ...] | None:
    return tuple(values) if values is not None else None


def _leaves(items: list[dict[str, Any]]) -> tuple[Leaf, ...]:
    return tuple(
        Leaf(
            LeafGrad(item["name"], item.get("line"), item["grad"], item.get("norm")),
            bool(item.get("requires_grad")),
            bool(item.get("is_leaf")),
            tuple(item.get("steps", ())),
            bool(item.get("touched", True)),
            _numbers(item.get("print")),
        )
        for item in items
    )


def facts_of(heard: Heard, watched: Watched, lines: Lines = FILE) -> Facts:
    """Sorts the messages of a run."""
    facts = Facts(heard, watched, lines=lines)
    for message in heard.messages:
        kind = message.get("kind")
        if kind == "after" and message["id"] in watched.targets:
            error = message.get("raised")
            facts.afters.append(
                After(
                    message["id"],
                    message["number"],
                    raised_of(error),
                    (error or {}).get("trace", ""),
                    _leaves(message.get("leaves", [])),
                    _numbers(message.get("root")),
                )
            )
        elif kind == "read" and set(message["ids"]) & set(watched.targets):
            leaf = bool(message["facts"].get("is_leaf"))
            facts.reads.append(Read(message["name"], message["grad"], message.get("norm"), leaf))
        elif kind == "seen" and message["id"] in watched.steps:
            facts.seen.setdefault(message["id"], []).append(message)
        elif kind == "dirty":
            facts.dirty.append(message)
        elif kind == "end":
            facts.how = message["how"]
            facts.raised = raised_of(message.get("raised"))
            facts.trace = (message.get("raised") or {}).get("trace", "")
            facts.code = message.get("code")
            facts.final = _leaves(message.get("leaves", []))
    return facts
