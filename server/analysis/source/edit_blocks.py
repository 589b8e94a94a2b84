"""Edits on blocks and whole lines: out of a `with`, without a `with` or a decorator, new lines before and after."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .edit_base import (
    Edits,
    body_of,
    checked,
    delete_statement,
    edit,
    ends_its_line,
    first_line,
    keeps_comment,
    last_line,
    line_block,
    owns_its_lines,
    reindented,
    reindented_text,
    starts_its_line,
)
from .names_used import jumps, reads, writes
from .parse import Parsed

WithNode = ast.With | ast.AsyncWith


def move_out_of_with(
    parsed: Parsed, with_node: WithNode, stmt: ast.stmt, item: ast.withitem | None = None
) -> Edits | None:
    """Move one statement of the block out of it.

    It goes in front of the `with` if nothing earlier in the block is needed by it, else behind if nothing later needs
    it, else the block is split in two. As the only statement it takes the `with` away (or just `item`, when the `with`
    has several). None when no place is safe: the statement shares a line, needs a name the `with` binds, or leaves the
    block by `return`, `break` or `continue` from its middle.
    """
    body = with_node.body
    index = next((i for i, one in enumerate(body) if one is stmt), None)
    if index is None:
        return None
    if len(body) == 1:
        return drop_with(parsed, with_node, item)
    if not all(owns_its_lines(parsed, one) for one in body) or body[0].lineno == with_node.lineno:
        return None
    others = [one for one in with_node.items if one is not item] if item else with_node.items[1:]
    bound = {name for one in with_node.items if one.optional_vars for name in writes(one.optional_vars)}
    if others or bound & (reads(stmt) | writes(stmt)):
        return None
    earlier, later = body[:index], body[index + 1 :]
    if not earlier or _independent(stmt, earlier):
        edits = _move_before(parsed, with_node, stmt)
    elif not later:
        edits = _unindent_tail(parsed, with_node, stmt)
    elif _independent(stmt, later):
        edits = _move_behind(parsed, with_node, stmt)
    elif not bound and not jumps(stmt):
        edits = _split(parsed, with_node, stmt)
    else:
        return None
    return checked(parsed, edits, [with_node], moved=stmt)


def _independent(stmt: ast.stmt, others: Sequence[ast.stmt]) -> bool:
    """Whether the statement may change places with the others: neither writes what the other reads or writes."""
    if jumps(stmt) or any(jumps(one) for one in others):
        return False
    read, written = reads(stmt), writes(stmt)
    for one in others:
        theirs = writes(one)
        if theirs & (read | written) or written & reads(one):
            return False
    return True


def _lines_with_comments(parsed: Parsed, stmt: ast.stmt) -> tuple[int, int]:
    """The lines of a statement and of the comments attached above it."""
    source = parsed.source
    first = first_line(stmt)
    indent = source.indent_of(first)
    while first > 1:
        above = source.line_text(first - 1)
        if not above.startswith(indent + "#") or first - 1 in source.lines_in_strings:
            break
        first -= 1
    return first, last_line(stmt)


def _indents(parsed: Parsed, with_node: WithNode, stmt: ast.stmt) -> tuple[str, str]:
    return parsed.source.indent_of(first_line(stmt)), parsed.source.indent_of(with_node.lineno)


def _move_before(parsed: Parsed, with_node: WithNode, stmt: ast.stmt) -> list:
    old, new = _indents(parsed, with_node, stmt)
    first, last = _lines_with_comments(parsed, stmt)
    target = parsed.source.line_start(with_node.lineno)
    moved = reindented_text(parsed, first, last, old, new)
    return [edit(parsed, target, target, moved), _cut_lines(parsed, first, last)]


def _move_behind(parsed: Parsed, with_node: WithNode, stmt: ast.stmt) -> list:
    source = parsed.source
    old, new = _indents(parsed, with_node, stmt)
    first, last = _lines_with_comments(parsed, stmt)
    moved = reindented_text(parsed, first, last, old, new)
    target = source.line_start(last_line(with_node) + 1)
    if target == len(source.text) and not source.text.endswith(("\n", "\r")):
        moved = source.newline + moved.rstrip("\r\n")
    return [edit(parsed, target, target, moved), _cut_lines(parsed, first, last)]


def _cut_lines(parsed: Parsed, first: int, last: int):
    start, end = line_block(parsed, first, last)
    text = parsed.source.text
    if end == len(text) and not text.endswith(("\n", "\r")):
        start = parsed.source.line_end(first - 1)
    return edit(parsed, start, end, "")


def _unindent_tail(parsed: Parsed, with_node: WithNode, stmt: ast.stmt) -> list:
    old, new = _indents(parsed, with_node, stmt)
    first, last = _lines_with_comments(parsed, stmt)
    return reindented(parsed, first, _trailing_comments(parsed, last, old), old, new)


def _split(parsed: Parsed, with_node: WithNode, stmt: ast.stmt) -> list:
    source = parsed.source
    old, new = _indents(parsed, with_node, stmt)
    first, last = _lines_with_comments(parsed, stmt)
    start = source.offsets(with_node)[0]
    end = _header_end(parsed, with_node)
    header = new + source.text[start:end] + source.newline
    target = source.line_start(last + 1)
    return [*reindented(parsed, first, last, old, new), edit(parsed, target, target, header)]


def _header_end(parsed: Parsed, with_node: WithNode) -> int:
    """The offset after the colon of the header."""
    source = parsed.source
    after = max(source.offsets(one)[1] for one in with_node.items)
    comments = [source.comment_offsets[line] for line in range(with_node.lineno, with_node.body[0].lineno + 1)
                if line in source.comment_offsets]  # fmt: skip
    position = after
    while position < len(source.text) and source.text[position] != ":":
        inside = next((end for start, end in comments if start <= position < end), None)
        position = inside if inside is not None else position + 1
    return position + 1


def _trailing_comments(parsed: Parsed, last: int, indent: str) -> int:
    """The last of the comment lines that follow a block at its indent."""
    source = parsed.source
    number = last
    while number < source.line_count:
        number += 1
        text = source.line_text(number)
        if text.startswith(indent + "#") and indent:
            last = number
        elif text.strip():
            break
    return last


def drop_with(parsed: Parsed, with_node: WithNode, item: ast.withitem | None = None) -> Edits | None:
    """Take a `with` away and keep its body, or only `item` where the `with` has several.

    None when the body needs a name that the dropped item binds, or when several items are there and none is named.
    """
    source = parsed.source
    if len(with_node.items) > 1:
        return None if item is None else _drop_item(parsed, with_node, item)
    bound = with_node.items[0].optional_vars
    if bound is not None and any(writes(bound) & reads(one) for one in with_node.body):
        return None
    start = source.offsets(with_node)[0]
    below = first_line(with_node.body[0])
    if below == with_node.lineno:
        return checked(parsed, [edit(parsed, start, source.offsets(with_node.body[0])[0], "")], [with_node])
    if not starts_its_line(parsed, with_node.body[0]):
        return None
    old, new = _indents(parsed, with_node, with_node.body[0])
    header_end = _header_end(parsed, with_node)
    header_line = source.position_at(header_end).line
    comments = [source.text[slice(*source.comment_offsets[line])] for line in range(with_node.lineno, header_line + 1)
                if line in source.comment_offsets]  # fmt: skip
    kept = "".join(new + one + source.newline for one in comments if keeps_comment(one))
    edits = [edit(parsed, *line_block(parsed, with_node.lineno, header_line), kept)]
    last = _trailing_comments(parsed, last_line(with_node), old)
    edits += reindented(parsed, header_line + 1, last, old, new)
    return checked(parsed, edits, [with_node])


def _drop_item(parsed: Parsed, with_node: WithNode, item: ast.withitem) -> Edits | None:
    source = parsed.source
    index = next((i for i, one in enumerate(with_node.items) if one is item), None)
    if index is None:
        return None
    needed_in: list[ast.AST] = [*with_node.body, *with_node.items[index + 1 :]]
    if item.optional_vars is not None and any(writes(item.optional_vars) & reads(one) for one in needed_in):
        return None
    spans = [source.offsets(one) for one in with_node.items]
    if index + 1 < len(spans):
        cut = (spans[index][0], spans[index + 1][0])
    else:
        cut = (spans[index - 1][1], spans[index][1])
    return checked(parsed, [edit(parsed, *cut, "")], [with_node])


def drop_decorator(
    parsed: Parsed, function: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, decorator: ast.expr
) -> Edits | None:
    """Take one decorator away, with its line; a comment on that line stays."""
    source = parsed.source
    if not any(one is decorator for one in function.decorator_list):
        return None
    start, end = source.offsets(decorator)
    first, last = source.position_at(start).line, source.position_at(end).line
    while first > 1 and not source.line_text(first).lstrip().startswith("@"):
        first -= 1
    if ")" in source.text[end : source.line_end(last)].partition("#")[0]:
        end = source.line_end(last)
    comment = source.comment_offsets.get(last)
    text = source.text[slice(*comment)] if comment else ""
    kept = source.indent_of(first) + text + source.newline if text and keeps_comment(text) else ""
    return checked(parsed, [edit(parsed, *line_block(parsed, first, last), kept)], [function])


def put_under(parsed: Parsed, stmt: ast.stmt, header: str) -> Edits | None:
    """Put one statement into a block of its own: `header` is `with torch.no_grad():`.

    Joins the block right above it if that has the same header. None where the statement shares its lines.
    """
    source = parsed.source
    if not owns_its_lines(parsed, stmt) or isinstance(stmt, ast.Return):
        return None
    first, last = first_line(stmt), last_line(stmt)
    indent = source.indent_of(first)
    if first == 1 and source.text.startswith("\ufeff"):
        return None
    deeper = indent + ("\t" if indent.endswith("\t") else "    ")
    text = reindented_text(parsed, first, last, indent, deeper)
    start, end = line_block(parsed, first, last)
    if end == len(source.text) and not source.text.endswith(("\n", "\r")):
        text = text.rstrip("\r\n")
    before = _neighbour(parsed, stmt, -1)
    joins = (
        isinstance(before, ast.With)
        and header == f"with {source.segment(before.items[0])}:"
        and first_line(before.body[0]) > before.lineno
    )
    edits = [edit(parsed, start, end, text if joins else indent + header + source.newline + text)]
    return checked(parsed, edits, [stmt], moved=stmt)


def insert_line_before(parsed: Parsed, stmt: ast.stmt, text: str) -> Edits | None:
    """Insert `text` as a statement in front of another, at its indent; nothing if it stands there already."""
    source = parsed.source
    before = _neighbour(parsed, stmt, -1)
    if before is not None and source.segment(before).strip() == text.strip():
        return None
    if not starts_its_line(parsed, stmt):
        start = source.offsets(stmt)[0]
        return checked(parsed, [edit(parsed, start, start, f"{text}; ")]) if "\n" not in text else None
    line = first_line(stmt)
    start = source.line_start(line)
    indent = source.indent_of(line)
    inserted = "".join(indent + one + source.newline for one in text.split("\n"))
    if line == 1 and source.text.startswith("\ufeff"):
        start, inserted = 1, inserted.replace("\ufeff", "")
    return checked(parsed, [edit(parsed, start, start, inserted)])


def move_behind(parsed: Parsed, stmt: ast.stmt, anchor: ast.stmt) -> Edits | None:
    """Move a statement behind a later one of the same block; None where that is not what they are."""
    block = body_of(parsed, stmt)
    places = [next((i for i, one in enumerate(block) if one is each), -1) for each in (stmt, anchor)]
    if places[0] >= places[1]:
        return None
    text = parsed.source.segment(stmt)
    if "\n" in text:
        first = first_line(stmt)
        text = reindented_text(parsed, first, last_line(stmt), parsed.source.indent_of(first), "").rstrip("\r\n")
    inserted = insert_line_after(parsed, anchor, text)
    if inserted is None:
        return None
    return checked(parsed, [*delete_statement(parsed, stmt), *inserted], moved=stmt)


def move_into(parsed: Parsed, stmt: ast.stmt, anchor: ast.stmt) -> Edits | None:
    """Move a one-line statement behind one of another block, at the indent there; None for a longer one."""
    text = parsed.source.segment(stmt)
    inserted = insert_line_after(parsed, anchor, text) if "\n" not in text else None
    if inserted is None:
        return None
    return checked(parsed, [*delete_statement(parsed, stmt), *inserted], moved=stmt)


def insert_line_after(parsed: Parsed, stmt: ast.stmt, text: str) -> Edits | None:
    """Insert `text` as a statement behind another, at its indent; nothing if it stands there already."""
    source = parsed.source
    after = _neighbour(parsed, stmt, 1)
    if after is not None and source.segment(after).strip() == text.strip():
        return None
    if not ends_its_line(parsed, stmt) or not starts_its_line(parsed, stmt):
        end = source.offsets(stmt)[1]
        return checked(parsed, [edit(parsed, end, end, f"; {text}")]) if "\n" not in text else None
    last = last_line(stmt)
    indent = source.indent_of(first_line(stmt)).replace("\ufeff", "")
    target = source.line_start(last + 1)
    inserted = "".join(indent + one + source.newline for one in text.split("\n"))
    if target == len(source.text) and not source.text.endswith(("\n", "\r")):
        inserted = source.newline + inserted[: -len(source.newline)]
    return checked(parsed, [edit(parsed, target, target, inserted)])


def _neighbour(parsed: Parsed, stmt: ast.stmt, step: int) -> ast.stmt | None:
    block = body_of(parsed, stmt)
    index = next(i for i, one in enumerate(block) if one is stmt) + step
    return block[index] if 0 <= index < len(block) else None
