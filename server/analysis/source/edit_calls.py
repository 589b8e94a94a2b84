"""Edits on calls and expressions: drop a method call, unwrap a call, set and remove keywords, wrap, replace."""

from __future__ import annotations

import ast

from ..report import Edit
from .edit_base import (
    Edits,
    checked,
    delete_statement,
    edit,
)
from .edit_precedence import level_needed, precedence
from .lexer import lex
from .parse import Parsed

_SIMPLE = (ast.Name, ast.Attribute, ast.Subscript)


def _guard(parsed: Parsed, edits: list[Edit] | None, node: ast.AST) -> Edits | None:
    stmt = parsed.statement_of(node)
    # An expression may be nested in the headers of several compound statements only through lambdas: one is enough.
    return checked(parsed, edits, [stmt] if stmt is not None else [])


def drop_method_call(parsed: Parsed, node: ast.Call | ast.Attribute) -> Edits | None:
    """`x.detach()` becomes `x`, `f(a + b).data` becomes `f(a + b)`.

    As a whole statement (`x.detach_()`) it goes away when nothing but names is left; so does `x = x.detach()`.
    None for an attribute that is assigned to, and for what is no method call or attribute.
    """
    attribute = node.func if isinstance(node, ast.Call) else node
    if not isinstance(attribute, ast.Attribute) or not isinstance(attribute.ctx, ast.Load):
        return None
    stmt = parsed.parents.get(node)
    alone = isinstance(stmt, ast.Expr) and _only_names(attribute.value)
    if isinstance(stmt, ast.stmt) and (alone or _would_assign_itself(stmt, node, attribute.value)):
        return checked(parsed, delete_statement(parsed, stmt), [stmt])
    return _guard(parsed, drop_method_edits(parsed, node, attribute), node)


def _would_assign_itself(stmt: ast.stmt, node: ast.expr, kept: ast.expr) -> bool:
    """Whether `x = x.detach()` would become `x = x`."""
    if not isinstance(stmt, ast.Assign) or stmt.value is not node or len(stmt.targets) != 1:
        return False
    target = stmt.targets[0]
    return isinstance(target, ast.Name) and isinstance(kept, ast.Name) and target.id == kept.id


def _only_names(node: ast.expr) -> bool:
    return all(isinstance(one, (*_SIMPLE, ast.Constant, ast.expr_context)) for one in ast.walk(node))


def drop_method_edits(parsed: Parsed, node: ast.expr, attribute: ast.Attribute) -> list[Edit] | None:
    """The cut from the dot to the end of the call, and the brackets that are then needless; not yet checked."""
    source, text = parsed.source, parsed.source.text
    start, end = source.offsets(node)
    name_end = source.offsets(attribute)[1]
    dot = text.rfind(".", 0, name_end - len(attribute.attr))
    value_end = source.offsets(attribute.value)[1]
    if dot < value_end:
        return None
    cut = dot
    blank_start = value_end + len(text[value_end:dot].rstrip())
    rest = text[end : source.line_end(source.position_at(end).line)].strip()
    if not text[blank_start:dot].strip() and ("\n" not in text[blank_start:dot] or not rest):
        cut = blank_start
    edits = [edit(parsed, cut, end, "")]
    parent = parsed.parents.get(node)
    value_start = source.offsets(attribute.value)[0]
    stands_alone = isinstance(parent, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)) and parent.value is node
    head, tail = text[start:value_start], text[value_end:cut]
    if stands_alone and head == "(" and tail == ")" and "\n" not in text[start:cut] and precedence(attribute.value):
        edits = [edit(parsed, start, value_start, ""), edit(parsed, value_end, end, "")]
    return edits


def unwrap_call(parsed: Parsed, call: ast.expr, keep: ast.expr) -> Edits | None:
    """Put one of its own parts in place of a call: `torch.tensor(t)` becomes `t`, `float(a + b) * 2` `(a + b) * 2`.
    What would become `t = t` goes away as a whole.

    `keep` is a node inside `call`. Two edits around the part, so comments inside it survive.
    """
    source = parsed.source
    start, end = source.offsets(call)
    first, last = source.offsets(keep)
    if not start <= first <= last <= end or (start, end) == (first, last):
        return None
    stmt = parsed.parents.get(call)
    if isinstance(stmt, ast.stmt) and _would_assign_itself(stmt, call, keep):
        return checked(parsed, delete_statement(parsed, stmt), [stmt])
    needed = level_needed(parsed, call)
    kept = source.text[first:last]
    wrap = precedence(keep) <= needed or ("\n" in kept and precedence(keep) < 16 and not _inside_brackets(parsed, call))
    left, right = ("(", ")") if wrap else ("", "")
    return _guard(parsed, [edit(parsed, start, first, left), edit(parsed, last, end, right)], call)


def _inside_brackets(parsed: Parsed, node: ast.AST) -> bool:
    parent = parsed.parents.get(node)
    while parent is not None and not isinstance(parent, ast.stmt):
        if isinstance(parent, (ast.Call, ast.List, ast.Dict, ast.Set, ast.Subscript)):
            return True
        parent = parsed.parents.get(parent)
    return False


def rename_call(parsed: Parsed, call: ast.Call, name: str, drop: tuple[str, ...] = ()) -> Edits | None:
    """Call `name` instead, without the keywords in `drop`: `math.exp(t)` becomes `torch.exp(t)`."""
    source = parsed.source
    if source.segment(call.func) == name and not any(one.arg in drop for one in call.keywords):
        return None
    edits = [edit(parsed, *source.offsets(call.func), name)]
    for keyword in call.keywords:
        if keyword.arg in drop:
            edits.append(without_argument(parsed, call, keyword))
    return _guard(parsed, edits, call)


def replace_expr(parsed: Parsed, node: ast.expr, text: str) -> Edits | None:
    """Write `text` in place of an expression, in brackets where its place needs them."""
    try:
        new = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if precedence(new) <= level_needed(parsed, node):
        text = f"({text})"
    return _guard(parsed, [edit(parsed, *parsed.source.offsets(node), text)], node)


def append_call(parsed: Parsed, node: ast.expr, call: str) -> Edits | None:
    """Write `call` (".requires_grad_()") behind an expression, which gets brackets where it is no primary."""
    source = parsed.source
    start, end = source.offsets(node)
    if source.text.startswith(call, end) or source.segment(node).endswith(call):
        return None
    if precedence(node) >= 16 or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))):
        return _guard(parsed, [edit(parsed, end, end, call)], node)
    if source.text[start - 1 : start] == "(" and source.text[end : end + 1] == ")":
        parent = parsed.parents.get(node)
        if not isinstance(parent, ast.Call):
            if source.text.startswith(call, end + 1):
                return None
            return _guard(parsed, [edit(parsed, end + 1, end + 1, call)], node)
    return _guard(parsed, [edit(parsed, start, start, "("), edit(parsed, end, end, ")" + call)], node)


# -- arguments --------------------------------------------------------------------------------------------------


def set_keyword(parsed: Parsed, call: ast.Call, name: str, value: str) -> Edits | None:
    """Give a call the keyword argument `name=value`: replaced where it stands, else added at the end.

    Trailing commas and one-argument-a-line layouts are kept. None when the call cannot take another argument
    (`sum(x for x in y)`) or already has this one.
    """
    source, text = parsed.source, parsed.source.text
    for keyword in call.keywords:
        if keyword.arg == name:
            if source.segment(keyword.value) == value:
                return None
            return _guard(parsed, [edit(parsed, *source.offsets(keyword.value), value)], call)
    if len(call.args) == 1 and not call.keywords and isinstance(call.args[0], ast.GeneratorExp):
        return None
    close = source.offsets(call)[1] - 1
    arguments = _arguments(call)
    if not arguments:
        return _guard(parsed, [edit(parsed, close, close, f"{name}={value}")], call)
    last = max(arguments, key=lambda one: source.offsets(one)[1])
    last_start, last_end = source.offsets(last)
    line = source.position_at(last_start).line
    indent = source.indent_of(line)
    own_line = text[source.line_start(line) : last_start] == indent and line != call.lineno
    comma = next((one for one in _commas(parsed, last_end, close)), None)
    if comma is not None:
        at = comma + 1
        if own_line:
            comment = source.comment_offsets.get(source.position_at(comma).line)
            at = comment[1] if comment and comment[0] < close else at
            return _guard(parsed, [edit(parsed, at, at, f"{source.newline}{indent}{name}={value},")], call)
        return _guard(parsed, [edit(parsed, at, at, f" {name}={value}")], call)
    at = _code_end_before(parsed, last_end, close)
    separator = f",{source.newline}{indent}" if own_line else ", "
    comment = source.comment_offsets.get(source.position_at(at).line)
    if own_line and comment and at <= comment[0] < close:
        added = f"{source.newline}{indent}{name}={value}"
        return _guard(parsed, [edit(parsed, at, at, ","), edit(parsed, comment[1], comment[1], added)], call)
    return _guard(parsed, [edit(parsed, at, at, f"{separator}{name}={value}")], call)


def remove_keyword(parsed: Parsed, call: ast.Call, name: str) -> Edits | None:
    """Take the keyword argument `name` away, with its comma."""
    keyword = next((one for one in call.keywords if one.arg == name), None)
    return None if keyword is None else _guard(parsed, [without_argument(parsed, call, keyword)], call)


def remove_argument(parsed: Parsed, call: ast.Call, argument: ast.expr) -> Edits | None:
    """Take the last positional argument away, with its comma; None for any other (the rest would shift)."""
    if not call.args or call.args[-1] is not argument:
        return None
    return _guard(parsed, [without_argument(parsed, call, argument)], call)


def _arguments(call: ast.Call) -> list[ast.AST]:
    return [*call.args, *call.keywords]


def without_argument(parsed: Parsed, call: ast.Call, argument: ast.AST) -> Edit:
    """The edit that takes an argument and its comma away; not yet checked."""
    source = parsed.source
    ordered = sorted(_arguments(call), key=lambda one: source.offsets(one)[0])
    index = next(i for i, one in enumerate(ordered) if one is argument)
    start, end = source.offsets(argument)
    close = source.offsets(call)[1] - 1
    if index + 1 < len(ordered):
        following = source.offsets(ordered[index + 1])[0]
        comment = source.comment_offsets.get(source.position_at(end).line)
        if comment and end <= comment[0] < following:
            comma = next(_commas(parsed, end, following), end - 1)
            return edit(parsed, start, comma + 1, "")
        return edit(parsed, start, following, "")
    if index:
        # From behind the argument before, its brackets included, to behind this one: a trailing comma stays.
        before = _code_end_before(parsed, source.offsets(ordered[index - 1])[1], start, stop=",")
        comma = next(_commas(parsed, before, start), None)
        if comma is not None and "#" not in source.text[comma:start]:
            return edit(parsed, comma, _code_end_before(parsed, end, close, stop=","), "")
        return edit(parsed, start, _code_end_before(parsed, end, close, stop=","), "")
    comma = next(_commas(parsed, end, close), None)
    return edit(parsed, start, comma + 1 if comma is not None else _code_end_before(parsed, end, close), "")


def _commas(parsed: Parsed, start: int, end: int):
    """The offsets of the commas between two offsets that are outside strings and comments."""
    text = parsed.source.text
    position = start
    for token in lex(text, start):
        if token.start >= end:
            break
        yield from (i for i in range(position, token.start) if text[i] == ",")
        position = token.end
    yield from (i for i in range(position, end) if text[i] == ",")


def _code_end_before(parsed: Parsed, start: int, end: int, stop: str = "") -> int:
    """The offset after the last code character between `start` and `end` (closing brackets around an argument)."""
    text = parsed.source.text
    last = position = start
    for token in lex(text, start):
        if token.start >= end:
            break
        between = text[position : token.start]
        if stop and stop in between:
            break
        if between.strip():
            last = position + len(between.rstrip())
        if token.kind not in ("comment", "newline", "continuation"):
            last = token.end
        position = token.end
    else:
        return last
    return last


__all__ = [
    "append_call",
    "drop_method_call",
    "remove_argument",
    "remove_keyword",
    "rename_call",
    "replace_expr",
    "set_keyword",
    "unwrap_call",
]
