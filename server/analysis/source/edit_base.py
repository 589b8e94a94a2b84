"""What all builders of edits share: small edits by offsets, statements and their lines, and the guard `checked`."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ..report import Edit
from .lexer import comments
from .parse import Parsed, parse

Edits = tuple[Edit, ...]

_TOOL_COMMENT = re.compile(r"#\s*(?:noqa|type:|pragma|pylint|gradsight|fmt:|ruff:|nosec)", re.IGNORECASE)


def edit(parsed: Parsed, start: int, end: int, text: str) -> Edit:
    """Replace the characters between two offsets."""
    return Edit(parsed.source.span_of_offsets(start, end), text)


def apply(parsed: Parsed, edits: Iterable[Edit]) -> str:
    """The text after the edits. Raises ValueError when two overlap."""
    text, _ = _apply(parsed, edits, 0, len(parsed.source.text))
    return text


def _apply(parsed: Parsed, edits: Iterable[Edit], start: int, end: int) -> tuple[str, int]:
    source = parsed.source
    pieces: list[str] = []
    last = start
    for one in sorted(edits, key=lambda e: (e.span.start, e.span.end)):
        first, after = source.offset_at(one.span.start), source.offset_at(one.span.end)
        if first < last or after < first:
            raise ValueError(f"overlapping edits at line {one.span.start.line}")
        pieces += [source.text[last:first], one.text]
        last = after
    pieces.append(source.text[last:end])
    return "".join(pieces), last


def checked(
    parsed: Parsed,
    edits: Sequence[Edit] | None,
    changed: Sequence[ast.AST] = (),
    moved: ast.stmt | None = None,
) -> Edits | None:
    """The edits, or None unless they are harmless to everything but the nodes in `changed`.

    The result must differ and parse, every other statement must still be there in the same order, and no comment may
    be lost (those that speak to tools about a removed line may). Of a compound statement in `changed` only the header
    is excused; `moved` may stand elsewhere but must stand somewhere. Only the innermost definition around the edits, or
    the top-level statements they touch, is parsed again.
    """
    if not edits:
        return None
    first, last = _innermost(parsed, *_touched_lines(parsed, edits))
    source = parsed.source
    start, end = source.line_start(first), source.line_start(last + 1)
    before = source.text[start:end]
    try:
        after, _ = _apply(parsed, edits, start, end)
    except ValueError:
        return None
    if after == before:
        return None
    # An indented definition is read below a header that costs no line of its own statements.
    header = "if 1:\n" if source.indent_of(first).strip("\f\ufeff") else ""
    old, new = parse(parsed.path, header + before), parse(parsed.path, header + after)
    if len(new.problems) > len(old.problems) or (parsed.problems == () and new.problems):
        return None
    excused = set(_leaves(changed, deep=False))
    moving = set(_leaves([moved] if moved is not None else []))
    statements = _leaves(new.tree.body)
    if not moving <= set(statements) or not _subsequence(_leaves(old.tree.body), statements, excused | moving):
        return None
    lost = _comments(before) - _comments(after)
    return None if lost else tuple(edits)


def _innermost(parsed: Parsed, first: int, last: int) -> tuple[int, int]:
    """The lines of the innermost definition that holds the lines; the lines themselves where none does."""
    body, lines = parsed.tree.body, None
    while True:
        for stmt in body:
            if isinstance(stmt, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                start, end = first_line(stmt), stmt.end_lineno or stmt.lineno
                if start <= first and last <= end:
                    body, lines = stmt.body, (start, end)
                    break
        else:
            break
    return lines or _top_level(parsed, first, last)


def _touched_lines(parsed: Parsed, edits: Sequence[Edit]) -> tuple[int, int]:
    # What is inserted at the start of a line may belong to the block of the line above.
    first = min(one.span.start.line - (one.span.start.column == 1) for one in edits) or 1
    return first, max(one.span.end.line for one in edits)


def _top_level(parsed: Parsed, first: int, last: int) -> tuple[int, int]:
    """The lines grown to whole top-level statements."""
    spans = [(first_line(stmt), stmt.end_lineno or stmt.lineno) for stmt in parsed.tree.body]
    grown = True
    while grown:
        grown = False
        for start, end in spans:
            if start <= last and end >= first and (start < first or end > last):
                first, last, grown = min(first, start), max(last, end), True
    return first, last


def _leaves(nodes: Sequence[ast.AST], deep: bool = True) -> list[str]:
    """The simple statements and compound headers below the nodes, in order, as comparable texts."""
    found: list[str] = []
    for node in nodes:
        if not isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            continue
        if not hasattr(node, "body") and not hasattr(node, "cases"):
            found.append(ast.dump(node))
            continue
        found.append(type(node).__name__ + str(getattr(node, "name", "")))
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and name in ("body", "orelse", "finalbody", "handlers", "cases"):
                found += _leaves(value) if deep else []
            elif isinstance(value, ast.AST):
                found.append(ast.dump(value))
            elif isinstance(value, list):
                found += [ast.dump(part) for part in value if isinstance(part, ast.AST)]
    return found


def _subsequence(old: list[str], new: list[str], excused: set[str]) -> bool:
    position = 0
    for dump in old:
        if dump in excused:
            continue
        try:
            position = new.index(dump, position) + 1
        except ValueError:
            return False
    return True


def _comments(text: str) -> Counter[str]:
    found = (text[token.start : token.end].rstrip() for token in comments(text))
    return Counter(comment for comment in found if not _TOOL_COMMENT.match(comment))


def keeps_comment(comment: str) -> bool:
    """Whether a comment on a removed line should stay; one that speaks to a tool about that line should not."""
    return not _TOOL_COMMENT.match(comment)


# -- statements and their lines ---------------------------------------------------------------------------------


def first_line(node: ast.AST) -> int:
    """The first line of a statement, its decorators included."""
    decorators = getattr(node, "decorator_list", None)
    line: int = node.lineno  # type: ignore[attr-defined]
    return min(line, decorators[0].lineno) if decorators else line


def last_line(node: ast.AST) -> int:
    """The last line of a node."""
    return getattr(node, "end_lineno", None) or node.lineno  # type: ignore[attr-defined,no-any-return]


def body_of(parsed: Parsed, stmt: ast.stmt) -> list[ast.stmt]:
    """The list of statements a statement stands in."""
    parent = parsed.parents.get(stmt)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and any(one is stmt for one in block):
            return block
    return [stmt]


def starts_its_line(parsed: Parsed, stmt: ast.stmt) -> bool:
    """Whether only blanks stand before the statement on its line."""
    source = parsed.source
    start, _ = source.offsets(stmt)
    line = first_line(stmt)
    if line != stmt.lineno:
        return True
    return not source.parse_text[source.line_start(line) : start].strip()


def ends_its_line(parsed: Parsed, stmt: ast.stmt) -> bool:
    """Whether only blanks and a comment stand after the statement on its last line."""
    source = parsed.source
    _, end = source.offsets(stmt)
    rest = source.text[end : source.line_end(last_line(stmt))].strip()
    return not rest or rest.startswith("#")


def owns_its_lines(parsed: Parsed, stmt: ast.stmt) -> bool:
    """Whether no other code shares a line with the statement."""
    return starts_its_line(parsed, stmt) and ends_its_line(parsed, stmt)


def line_block(parsed: Parsed, first: int, last: int) -> tuple[int, int]:
    """Offsets of whole lines, their last line end included."""
    return parsed.source.line_start(first), parsed.source.line_start(last + 1)


def reindented(parsed: Parsed, first: int, last: int, old: str, new: str) -> list[Edit]:
    """Edits that replace the indent `old` by `new` on the lines; lines inside strings and blank ones stay."""
    source = parsed.source
    edits = []
    for number in range(first, last + 1):
        text = source.line_text(number)
        if number in source.lines_in_strings or not text.strip() or not text.startswith(old):
            continue
        start = source.line_start(number)
        common = 0
        if old.startswith(new):
            common = len(new)
        edits.append(edit(parsed, start + common, start + len(old), new[common:]))
    return edits


def reindented_text(parsed: Parsed, first: int, last: int, old: str, new: str) -> str:
    """The lines as one text with another indent, each ending in a line end."""
    source = parsed.source
    pieces = []
    for number in range(first, last + 1):
        start, end = line_block(parsed, number, number)
        text = source.text[start:end]
        if number not in source.lines_in_strings and text.strip() and text.startswith(old):
            text = new + text[len(old) :]
        pieces.append(text)
    joined = "".join(pieces)
    return joined if joined.endswith(("\n", "\r")) else joined + source.newline


def _with_semicolon(parsed: Parsed, stmt: ast.stmt, block: list[ast.stmt]) -> tuple[int, int]:
    """The offsets of a statement that shares a line, and of the semicolon between it and its neighbour there."""
    source = parsed.source
    start, end = source.offsets(stmt)
    index = block.index(stmt)
    if index + 1 < len(block) and block[index + 1].lineno == last_line(stmt):
        return start, source.offsets(block[index + 1])[0]
    if index and last_line(block[index - 1]) == stmt.lineno:
        return source.offsets(block[index - 1])[1], end
    return start, end


def delete_statement(parsed: Parsed, stmt: ast.stmt) -> list[Edit]:
    """Remove a statement, with the semicolon that parts it from another one on its line; where a block would be left
    empty, `pass` takes its place."""
    source = parsed.source
    start, end = source.offsets(stmt)
    block = body_of(parsed, stmt)
    if len(block) == 1 and not isinstance(parsed.parents.get(stmt), ast.Module):
        return [edit(parsed, start, end, "pass")]
    if not owns_its_lines(parsed, stmt):
        return [edit(parsed, *_with_semicolon(parsed, stmt, block), "")]
    last = last_line(stmt)
    comment = source.comment_offsets.get(last)
    if comment and keeps_comment(source.text[slice(*comment)]):
        return [edit(parsed, start, comment[0], "")]
    return [edit(parsed, *line_block(parsed, first_line(stmt), last), "")]
