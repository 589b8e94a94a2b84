"""Classes and factories of other libraries, as far as somebody who read their source has told.

What is known comes with the project (`Project.known`, filled by `names.resolver` between two runs); what was asked for
and is not known is listed, so that it can be found out before the next run. Nothing is looked up here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ..torch_model.module_tree import parameters_of_unknown
from ..values import Call, External, TorchName, Unknown, Value

MODULE = "module"
"""The answer for a class that derives from `torch.nn.Module`, and for what makes an instance of one."""

MAX_QUESTIONS = 60
_OWN = frozenset({"", "numpy", "tqdm", "matplotlib", "pytest", "setuptools"}) | frozenset(sys.stdlib_module_names)


class ThirdParty:
    """The answers of one run and its questions, in the order they came up."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self.known = known or {}
        self.unknown: dict[str, None] = {}

    def says(self, dotted: str) -> str | None:
        """What calling a dotted name gives; None, and a question, where that is not known."""
        if dotted.partition(".")[0] in _OWN:
            return None
        answer = self.known.get(dotted)
        if answer is None and len(self.unknown) < MAX_QUESTIONS:
            self.unknown[dotted] = None
        return answer

    def made_by(self, dotted: str, call: Call) -> Value:
        """The module that calling `dotted` makes, with its parameters as one group; None if it makes none."""
        if self.says(dotted) != MODULE:
            return None
        short = dotted.rpartition(".")[2]
        value = Unknown(f"`{short}`, a module of `{dotted.partition('.')[0]}`", name=short)
        parameters_of_unknown(value).origin = call.site.span
        return value

    def bases(self, bases: tuple[Value, ...]) -> tuple[Value, ...]:
        """The bases of a class, with `torch.nn.Module` after one that derives from it out of sight."""
        found: list[Value] = []
        for base in bases:
            found.append(base)
            if isinstance(base, External) and self.says(base.dotted) == MODULE:
                found.append(TorchName("torch.nn.Module"))
        return tuple(found)
