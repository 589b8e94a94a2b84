"""One broken statement in, the nearest readable one out.

Headers are completed when a colon or closing brackets are all that is missing; otherwise they become the most cautious
header of their kind, so that their body survives. Simple statements are not completed (a half-typed call is not the
call that was meant) but still bind the names they assign.
"""

from __future__ import annotations

import ast
import re

BROKEN = "__broken__"
"""An unbound name that stands for a value nothing is known about."""

_WORD = re.compile(r"(?:async\s+)?([A-Za-z_]\w*)")
_HEADERS = frozenset({"def", "class", "if", "elif", "else", "for", "while", "with", "try", "except", "finally"})
_SOFT_HEADERS = frozenset({"match", "case"})
_TARGETS = re.compile(
    r"(?P<targets>[A-Za-z_][\w.]*(?:\[[^\]=]*\])?(?:\s*,\s*[A-Za-z_][\w.]*)*)\s*(?::[^=]*)?"
    r"(?:(?:[-+*/%@&|^]|//|\*\*|<<|>>)?=(?!=)|:=)"
)
_NAME_AFTER = re.compile(r"(?:async\s+)?(def|class)\s+([A-Za-z_]\w*)")
_CALL_ON = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)\.\w+\s*\(")
_FOR_TARGET = re.compile(r"(?:async\s+)?for\s+(.+?)\s+in\b")


def parses_alone(statement: str) -> bool:
    """Whether one logical line, dedented, is a readable statement or header in the context its keyword needs."""
    word = _word(statement)
    before, after = "", ""
    if statement.startswith("@"):
        after = "\ndef f(): pass"
    elif word in ("elif", "else"):
        before = "if 1: pass\n"
    elif word in ("except", "finally"):
        before = "try: pass\n"
    elif word == "try":
        after = "\nfinally: pass"
    elif word == "case" and _parses(f"match 1:\n {statement}\n  pass"):
        return True
    if _parses(before + statement + after):
        return True
    # A header without its body ends in a colon; a comment may follow, so the body goes to a line of its own.
    return (word in _HEADERS | _SOFT_HEADERS and _parses(f"{before}{statement}\n pass{after}")) or (
        word == "match" and _parses(f"{statement}\n case _: pass")
    )


def mend(code: str, closers: str, has_body: bool, force: bool = False) -> str:
    """What replaces a broken logical line, indent included.

    `code` is the line without its comment, `closers` the brackets it leaves open, `has_body` whether an indented block
    follows. `force`: the line can be read by itself but not where it stands (an `else` without `if`). A completed line
    starts with `code` itself.
    """
    body = code.lstrip(" \t\f")
    indent = code[: len(code) - len(body)]
    word = _word(body)
    if body.startswith("@"):
        return code + closers if closers and parses_alone(body + closers) else ""
    header = word in _HEADERS or (word in _SOFT_HEADERS and has_body)
    if header or has_body:
        missing = missing_body(body)
        tail = ":" if has_body else f": {missing}"
        if header and not force:
            completed = [code + closers + tail]
            if body.endswith(":"):
                completed = [code[:-1].rstrip() + closers + tail, code + ("" if has_body else f" {missing}")]
            for candidate in completed:
                if parses_alone(candidate.lstrip(" \t\f")):
                    return candidate
        return indent + _cautious_header(body, word, force) + tail[1:]
    return indent + _cautious_statement(body, word, closed=not closers)


def missing_body(header: str) -> str:
    """The body of a header that has none. What a function returns that is not written yet is not known;
    `__init__` returns None."""
    named = _NAME_AFTER.match(header.lstrip(" \t\f"))
    return f"return {BROKEN}" if named and named[1] == "def" and named[2] != "__init__" else "pass"


def _cautious_header(body: str, word: str, force: bool) -> str:
    """A header of the same kind that claims as little as possible."""
    named = _NAME_AFTER.match(body)
    if named and not force:
        return f"def {named[2]}(*_, **__):" if named[1] == "def" else f"class {named[2]}:"
    target = _FOR_TARGET.match(body)
    candidates = {
        "with": "if 1:",
        "for": f"for {target[1]} in {BROKEN}:" if target else f"for _ in {BROKEN}:",
        "while": f"while {BROKEN}:",
        "elif": f"elif {BROKEN}:",
        "else": "else:",
        "try": "if 1:",
        "except": "except Exception:",
        "finally": "finally:",
        "case": f"case _ if {BROKEN}:",
    }
    candidate = candidates.get(word, "") if not force else ""
    return candidate if candidate and parses_alone(candidate) else f"if {BROKEN}:"


def _cautious_statement(body: str, word: str, closed: bool) -> str:
    match = _TARGETS.match(body)
    if match:
        bound = f"{match['targets']} = {BROKEN}"
        if _parses(bound):
            return bound
    if word == "return":
        return f"return {BROKEN}"
    # `net.add_module("out", <your code>)`: whatever it says, it was written to change `net`. While somebody types a
    # call its bracket is open, and nothing is changed yet.
    call = _CALL_ON.match(body) if closed else None
    changed = f"{BROKEN}({call[1]})" if call else ""
    return changed if changed and _parses(changed) else "pass"


def _word(statement: str) -> str:
    match = _WORD.match(statement)
    return match[1] if match else ""


def _parses(text: str) -> bool:
    try:
        ast.parse(text, "<gradsight source>")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
