"""The entry point that a project names, run instead of the file itself: `verify.entry`.

pytest tests/test_step.py::test_one       a test, with pytest's own options
scripts/train.py --epochs 1               a script with its arguments; `python` may stand before it
python -m package.train --epochs 1        a module run as `__main__`
package.train:main(epochs=1)              a function; its arguments are literals
"""

from __future__ import annotations

import ast
import shlex
from dataclasses import dataclass
from typing import Any, Literal

_PYTHONS = ("python", "python3")


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` is the script, module or `module:function`; `arguments` the words after it, or those of the call."""

    kind: Literal["pytest", "script", "module", "function"]
    text: str
    name: str = ""
    arguments: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()

    def document(self) -> dict[str, Any]:
        """The probe's side of it. Of a call it gets the text, as not every literal is JSON."""
        if self.kind == "function":
            return {"kind": self.kind, "text": self.text, "name": self.name, "call": self.text.partition(":")[2]}
        return {"kind": self.kind, "text": self.text, "name": self.name, "arguments": list(self.arguments)}


def parse_entry(text: str) -> Entry:
    """The entry point that a setting means. Raises ValueError with one sentence where it means none."""
    function = _function(text)
    if function is not None:
        return function
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"The entry point `{text}` cannot be read: {str(error).lower()}.") from None
    if words and words[0] in _PYTHONS:
        words = words[1:]
        if len(words) > 1 and words[0] == "-m":
            kind: Literal["pytest", "module"] = "pytest" if words[1] == "pytest" else "module"
            return Entry(kind, text, words[1], tuple(words[2:]))
    if words and words[0] in ("pytest", "py.test"):
        return Entry("pytest", text, "pytest", tuple(words[1:]))
    if words and words[0].endswith(".py"):
        return Entry("script", text, words[0], tuple(words[1:]))
    raise ValueError(
        f"The entry point `{text}` is none that can be run: it is `pytest ...`, a script, `python -m ...` or"
        " `module:function(...)`."
    )


def _function(text: str) -> Entry | None:
    """`package.module:function(1, key="x")`, also without parentheses; None if the text has another form."""
    module, colon, call = text.strip().partition(":")
    if not colon or not all(part.isidentifier() for part in module.split(".")):
        return None
    try:
        node = ast.parse(call.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    called = node.func if isinstance(node, ast.Call) else node
    dotted = ast.unparse(called)
    if not all(part.isidentifier() for part in dotted.split(".")):
        return None
    arguments: list[Any] = []
    keywords: list[tuple[str, Any]] = []
    if isinstance(node, ast.Call):
        try:
            arguments = [ast.literal_eval(each) for each in node.args]
            keywords = [(str(each.arg), ast.literal_eval(each.value)) for each in node.keywords if each.arg]
        except ValueError:
            raise ValueError(f"The arguments of the entry point `{text}` are not all literals.") from None
        if len(keywords) < len(node.keywords):
            raise ValueError(f"The arguments of the entry point `{text}` are not all literals.")
    return Entry("function", text.strip(), f"{module}:{dotted}", tuple(arguments), tuple(keywords))
