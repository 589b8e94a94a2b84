"""Many looks at one overload become one fact; where they disagree the fact says so."""

from __future__ import annotations

from collections import Counter

from .facts import Fact
from .probe import Seen


def merge(looks: list[Seen], parameters: set[str]) -> Fact:
    """The fact all looks support. A save seen in some of the looks only is kept as not sure."""
    fact = Fact()
    plainest = min(looks, key=lambda s: s.flags)
    fact.structure = plainest.structure
    looks = same = [s for s in looks if s.structure == fact.structure]
    # A tuple that always has the same length, of results that are no views, is a tuple; the rest depends on the input.
    if fact.structure == "l" and len({len(s.outputs) for s in same}) == 1 and not _views(same) and same[0].is_tuple:
        fact.structure = "t"
    if fact.structure == "l":
        fact.outputs = "g" if any("g" in s.outputs for s in same) else "n"
    else:
        width = Counter(len(s.outputs) for s in same).most_common(1)[0][0]
        rows = [s.outputs for s in same if len(s.outputs) == width]
        fact.outputs = "".join("g" if any(r[i] == "g" for r in rows) else "n" for i in range(width))
    fact.diff = {name for s in looks for name, rg in s.diff.items() if rg} & parameters
    _saves(fact, looks, parameters)
    fact.mutates = sorted({name for s in looks for name in s.mutates} & parameters)
    _relation(fact, looks, parameters)
    graded = [s for s in looks if "g" in s.outputs]
    fact.backward = not graded or any(s.backward for s in graded)
    if graded and all(s.zero for s in graded):
        fact.outputs = fact.outputs.replace("g", "z")
    return fact


def _views(looks: list[Seen]) -> bool:
    return any(s.relation in "vm" for s in looks)


def _saves(fact: Fact, looks: list[Seen], parameters: set[str]) -> None:
    by_what: dict[str, dict[bool, set[str]]] = {}
    for what, grad in sorted({key for s in looks for key, saved in s.saves.items() if saved}):
        verdicts = [s.saves[what, grad] for s in looks if (what, grad) in s.saves]
        if grad not in parameters or (what not in parameters and not what.startswith("result")):
            continue
        by_what.setdefault(what, {}).setdefault(all(verdicts), set()).add(grad)
    count = len(fact.outputs)
    for what, kinds in by_what.items():
        name = what
        if what.startswith("result"):
            # Elements of a list share one entry; a single result has no number.
            name = "result" if count == 1 else "result0" if what == "result" else what
            if name != "result" and int(name[6:]) >= count:
                continue
        for sure, grads in kinds.items():
            key = name, frozenset(grads)
            fact.saves[key] = fact.saves.get(key, sure) and sure


def _relation(fact: Fact, looks: list[Seen], parameters: set[str]) -> None:
    sources = [s.source for s in looks if s.source in parameters]
    if not sources:
        return
    source = Counter(sources).most_common(1)[0][0]
    kinds = {s.relation for s in looks} - {""}
    if source in fact.mutates and kinds == {"s"}:
        fact.returns_self = source
    elif kinds in ({"v"}, {"m"}):
        fact.view, fact.view_of = kinds.pop(), source
    elif kinds != {"n"}:
        fact.view, fact.view_of = "?", source
