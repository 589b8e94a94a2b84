"""How the tests of edit builders are written: a program before, the node meant, the program after.

Each case also runs with CRLF line ends, tab indents, no newline at the end, and `é😀` in front; each result must parse,
and the builder must have nothing left to do on it.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable

from gradsight.analysis.report import Edit, apply_edits
from gradsight.analysis.source.parse import Parsed, parse

Builder = Callable[[Parsed, ast.AST], "tuple[Edit, ...] | None"]


def node_of(parsed: Parsed, text: str, kind: type[ast.AST] = ast.AST) -> ast.AST | None:
    """The first node whose source starts with `text` (of a kind), statements first."""
    nodes = [n for n in ast.walk(parsed.tree) if isinstance(n, kind) and hasattr(n, "lineno")]
    nodes.sort(key=lambda n: (not isinstance(n, ast.stmt), n.lineno, n.col_offset))
    return next((n for n in nodes if parsed.source.segment(n).startswith(text)), None)


def expr_of(parsed: Parsed, text: str) -> ast.AST | None:
    """The first expression whose source is exactly `text`."""
    return next(
        (n for n in ast.walk(parsed.tree) if isinstance(n, ast.expr) and parsed.source.segment(n) == text), None
    )


def _tabs(text: str) -> str:
    return re.sub(r"(?m)^(?: {4})+", lambda m: "\t" * (len(m.group()) // 4), text)


VARIANTS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "tabs": _tabs,
    "no newline at the end": lambda text: text.rstrip("\n"),
    "characters outside ASCII": lambda text: "# é😀\n" + text,
    "statement before": lambda text: 's = "é😀"\n' + text,
}


def rewrite(before: str, build: Builder, select: Callable[[Parsed], ast.AST | None]) -> str | None:
    parsed = parse("t.py", before)
    assert not parsed.problems, parsed.problems
    node = select(parsed)
    assert node is not None, "no such node"
    edits = build(parsed, node)
    if edits is None:
        return None
    after = apply_edits(before, edits)
    again = parse("t.py", after)
    assert not again.problems, (after, again.problems)
    node = select(again)
    if node is not None and (more := build(again, node)) is not None:
        assert apply_edits(after, more) == after, ("applied twice", after, apply_edits(after, more))
    return after


def check(before: str, after: str | None, build: Builder, select: Callable[[Parsed], ast.AST | None]) -> None:
    """Assert what a builder makes of a program, in all variants; `after` None: it must decline."""
    before = textwrap.dedent(before).lstrip("\n")
    expected = None if after is None else textwrap.dedent(after).lstrip("\n")
    for name, variant in VARIANTS.items():
        got = rewrite(variant(before), build, select)
        if expected is None:
            assert got is None, f"{name}: expected no edits, got:\n{got}"
        else:
            assert got == variant(expected), f"{name}:\n{got!r}\nexpected\n{variant(expected)!r}"
