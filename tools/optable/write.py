"""Writing the table: facts and signatures interned, names sorted, the same bytes for the same facts."""

from __future__ import annotations

import json
from typing import Any

import torch

from .facts import Fact, Row


class Writer:
    """Collects rows and renders the JSON text."""

    def __init__(self) -> None:
        self.signatures: dict[str, int] = {}
        self.facts: dict[str, int] = {}
        self.data: dict[str, Any] = {
            "torch": torch.__version__.partition("+")[0],
            "functions": {},
            "methods": {},
            "properties": [],
            "aliases": {},
            "modules": {},
        }

    def signature(self, text: str) -> int:
        return self.signatures.setdefault(text, len(self.signatures))

    def rows(self, rows: list[Row]) -> list[int]:
        """The flat ``[signature, fact, signature, fact, ...]`` of a name."""
        flat: list[int] = []
        for row in rows:
            flat += self.row(row)
        return flat

    def row(self, row: Row) -> list[int]:
        fact = row.fact or row.schema
        assert fact is not None
        return [self.signature(row.signature()), self._fact(fact, [p.name.lstrip("*") for p in row.params])]

    def _fact(self, fact: Fact, names: list[str]) -> int:
        at = {name: i for i, name in enumerate(names)}

        def place(what: str) -> int | str:
            return at[what] if what in at else "r" + what.removeprefix("result")

        saves = sorted(
            ([place(what), sorted(at[n] for n in when), int(sure)] for (what, when), sure in fact.saves.items()),
            key=repr,
        )
        flags = ("o" if fact.out else "") + ("" if fact.backward else "x") + ("" if fact.measured else "u")
        encoded = [
            sorted(at[n] for n in fact.diff),
            saves,
            fact.outputs,
            fact.structure,
            fact.view,
            None if fact.view_of is None else at[fact.view_of],
            [at[n] for n in fact.mutates],
            None if fact.returns_self is None else at[fact.returns_self],
            flags,
        ]
        text = json.dumps(encoded, separators=(",", ":"))
        return self.facts.setdefault(text, len(self.facts))

    def render(self) -> str:
        """The file's text: one line per section entry, so that a diff of two versions can be read."""
        order = {"torch": self.data["torch"], "sigs": list(self.signatures), "facts": list(self.facts)}
        lines = ["{", f'"torch":{json.dumps(order["torch"])},']
        lines.append('"sigs":[\n' + ",\n".join(json.dumps(s) for s in order["sigs"]) + "\n],")
        lines.append('"facts":[\n' + ",\n".join(order["facts"]) + "\n],")
        lines.append('"properties":' + json.dumps(sorted(self.data["properties"]), separators=(",", ":")) + ",")
        for section in ("functions", "methods", "aliases", "modules"):
            entries = sorted(self.data[section].items())
            body = ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in entries)
            lines.append(f'"{section}":{{\n{body}\n}}' + ("" if section == "modules" else ","))
        return "\n".join([*lines, "}", ""])
