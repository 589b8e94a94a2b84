"""Plain data between the routes: a fact speaks in parameter names; writing turns names into positions."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Fact:
    """What a call does to gradients. Fields as in ``table.Overload``; ``saves`` maps (what, guards) to sure."""

    diff: set[str] = field(default_factory=set)
    saves: dict[tuple[str, frozenset[str]], bool] = field(default_factory=dict)
    outputs: str = ""
    structure: str = "1"
    view: str = "n"
    view_of: str | None = None
    mutates: list[str] = field(default_factory=list)
    returns_self: str | None = None
    out: bool = False
    backward: bool = True
    measured: bool = True

    def renamed(self, names: dict[str, str]) -> Fact:
        """The same fact with parameters spelled differently (``self`` is ``input`` in functions)."""

        def new(name: str | None) -> str | None:
            return name if name is None else names.get(name, name)

        return Fact(
            {new(n) for n in self.diff},
            {(new(w), frozenset(new(n) for n in when)): sure for (w, when), sure in self.saves.items()},
            self.outputs,
            self.structure,
            self.view,
            new(self.view_of),
            [new(n) for n in self.mutates],
            new(self.returns_self),
            self.out,
            self.backward,
            self.measured,
        )


@dataclass(frozen=True)
class Parameter:
    """One parameter of a signature; ``code`` as in ``table.KINDS``."""

    name: str
    code: str
    default: bool = False
    keyword_only: bool = False

    @property
    def is_tensor(self) -> bool:
        return self.code.startswith("T")


@dataclass
class Row:
    """One overload under one Python name: its signature, the fact if known, and the aten overload behind it."""

    params: list[Parameter]
    fact: Fact | None
    native: str = ""
    schema: Fact | None = None
    """What the schema alone says, for composites that could not be measured."""

    def signature(self) -> str:
        words = []
        keyword_only = False
        for p in self.params:
            if p.keyword_only and not keyword_only:
                words.append("*")
                keyword_only = True
            words.append(f"{p.name}:{p.code}{'=' if p.default else ''}")
        return " ".join(words)

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.params if p.name.lstrip("*") == name), None)
