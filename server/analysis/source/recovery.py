"""The tree of a text that does not parse, without its broken statements.

The parser names a line; the logical line there is mended or replaced, and the parser is asked again. Lines never move,
and columns are corrected where an indent had to change, so every other statement keeps its place.

    with torch.no_grad(          # mended: with torch.no_grad():
        y = x *                  # replaced: y = __broken__
    loss = y.sum()               # kept

What replaces a broken statement keeps what is known about it: an assignment still binds its names, to the unbound name
`BROKEN`, which means nothing is known of the value; a header whose condition cannot be read still holds its body.
"""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from ..report import Problem
from .lexer import lex
from .logical import LogicalLine, LogicalLines, indent_width, logical_lines
from .mending import BROKEN, mend, missing_body, parses_alone
from .text import SourceText

_MAX_ROUNDS = 40
_MAX_WORK = 8_000_000  # characters parsed over all rounds: about a second
_MANY_NULS = 16

_ON_LINE = re.compile(r"on line (\d+)")
_DETECTED = re.compile(r" \(detected at line \d+\)")
_DECORATED = re.compile(r"(?:def|class|async)\b|@")


def recover(source: SourceText, error: Exception) -> tuple[ast.Module, tuple[Problem, ...]]:
    """The tree of what can be read of a text whose parse raised `error`, and a problem for each place left out."""
    if source.text.count("\0") > _MANY_NULS:
        return _empty(), (Problem(source.path, f"line {_nul_line(source)}: null byte (this looks like a binary file)"),)
    return _Recovery(source).run()


def _empty() -> ast.Module:
    return ast.Module(body=[], type_ignores=[])


def _nul_line(source: SourceText) -> int:
    return source.position_at(source.text.index("\0")).line


class _Quoted(NamedTuple):
    """First and last line of a triple-quoted string, and whether it never ends."""

    first: int
    last: int
    unterminated: bool


class _Recovery:
    def __init__(self, source: SourceText) -> None:
        self.source = source
        text = source.parse_text
        bounds = [(source.line_start(n), source.line_end(n)) for n in range(1, source.line_count + 1)]
        self.lines = [text[start:end] for start, end in bounds]
        self.shifts: dict[int, int] = {}  # line -> characters its columns must be moved right by
        self._logical = LogicalLines()
        self._quotes: list[_Quoted] = []
        self.broken: dict[int, tuple[int, str]] = {}  # first line -> last line, message
        if "\0" in text:
            self.lines = [line.replace("\0", " ") for line in self.lines]
            self._report(_nul_line(source), _nul_line(source), "null byte")

    def run(self) -> tuple[ast.Module, tuple[Problem, ...]]:
        rounds = max(3, min(_MAX_ROUNDS, _MAX_WORK // (len(self.source.text) + 1)))
        tree = self._rounds(rounds)
        if tree is None:
            self._mend_all()
            tree = self._rounds(rounds)
        if tree is None:
            tree = self._by_chunks()
        self._correct_columns(tree)
        return tree, self._problems()

    # -- asking the parser --------------------------------------------------------------------------------------

    def _parse(self, lines: list[str] | None = None) -> ast.Module | Exception:
        from .parse import FILE_NAME

        try:
            return ast.parse("\n".join(self.lines if lines is None else lines), FILE_NAME)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return error

    def _rounds(self, rounds: int) -> ast.Module | None:
        for _ in range(rounds):
            result = self._parse()
            if isinstance(result, ast.Module):
                return result
            if not isinstance(result, SyntaxError) or not self._step(result):
                return None
        return None

    def _step(self, error: SyntaxError) -> bool:
        """Mend what one error complains about. False when that changed nothing."""
        before = list(self.lines)
        line = min(max(error.lineno or len(self.lines), 1), len(self.lines))
        message = _said(error)
        logical, again = self._logical.of(self.lines)
        if not logical:
            return False
        index = _at(logical, line)
        quotes = self._quotes = self._triple_quoted(again)
        if quotes and quotes[-1].unterminated:
            self._stray_triple_quote(quotes, "unterminated triple-quoted string literal")
        elif isinstance(error, TabError):
            self._spaces_for_tabs(logical, line, message)
        elif message.startswith("expected an indented block"):
            match = _ON_LINE.search(message)
            header = _at(logical, int(match[1])) if match else max(index - 1, 0)
            self._insert(logical[header], f" {missing_body(self.lines[logical[header].first - 1])}")
            self._report(logical[header].first, logical[header].last, "expected an indented block")
        elif message == "unexpected indent":
            target = logical[index - 1].indent if index else 0
            self._reindent(logical, index, target - logical[index].indent, message)
        elif message.startswith("unindent does not match"):
            self._reindent(logical, index, _enclosing(logical, index) - logical[index].indent, message)
        elif message.startswith("expected 'except' or 'finally'"):
            self._try_without_end(logical, index, message)
        else:
            self._mend_at(logical, index, line, message)
        return self.lines != before

    # -- mending statements -------------------------------------------------------------------------------------

    def _mend_at(self, logical: list[LogicalLine], index: int, line: int, message: str) -> None:
        """Mend the logical line an error names, or the one before when that is the one that cannot be read."""
        if self._alone(logical[index]):
            before = index - 1
            if (
                index
                and self.lines[logical[before].first - 1].lstrip().startswith("@")
                and not (_DECORATED.match(self.lines[logical[index].first - 1].lstrip()))
            ):
                index, line, message = before, logical[before].first, "a decorator without a function or class"
                self._blank(logical[before])
                self._report(line, logical[before].last, message)
                return
            if index and not self._alone(logical[before]):
                index = before
                line = logical[before].first
        self._mend(logical, index, line, message)
        # Prose left behind by a broken docstring fails line by line; it is one problem and should be one round.
        for following in range(index + 1, len(logical)):
            if self._alone(logical[following]):
                break
            self._mend(logical, following, logical[following].first, message)

    def _mend(self, logical: list[LogicalLine], index: int, line: int, message: str) -> None:
        one = logical[index]
        has_body = index + 1 < len(logical) and logical[index + 1].indent > one.indent
        text = "\n".join(self.lines[one.first - 1 : one.last])
        code = text[: one.code_end - one.start]
        mended = mend(code, one.open_brackets, has_body, force=self._alone(one))
        rest = text[len(code) :] if mended.startswith(code) else ""
        new = (mended + rest).split("\n")
        new += [""] * (one.last - one.first + 1 - len(new))
        self.lines[one.first - 1 : one.last] = new
        self._report(one.first, one.last, message, line)

    def _alone(self, one: LogicalLine) -> bool:
        return parses_alone("\n".join(self.lines[one.first - 1 : one.last]).lstrip(" \t\f"))

    def _mend_all(self) -> None:
        """Mend every logical line that cannot be read by itself."""
        logical = logical_lines(self.lines)
        for index, one in enumerate(logical):
            if not self._alone(one):
                self._mend(logical, index, one.first, _said(self._parse(self.lines[one.first - 1 : one.last])))

    def _insert(self, one: LogicalLine, text: str) -> None:
        """Insert text after the code of a logical line, before its comment."""
        before = sum(len(line) + 1 for line in self.lines[one.first - 1 : one.last - 1])
        line = self.lines[one.last - 1]
        column = min(max(one.code_end - one.start - before, 0), len(line))
        self.lines[one.last - 1] = line[:column] + text + line[column:]

    def _blank(self, one: LogicalLine) -> None:
        for number in range(one.first, one.last + 1):
            self.lines[number - 1] = ""

    def _try_without_end(self, logical: list[LogicalLine], index: int, message: str) -> None:
        """A `try` without `except` is read as a block that always runs."""
        handled: set[int] = set()
        for one in reversed(logical[: index + 1]):
            text = self.lines[one.first - 1].lstrip()
            if text.startswith(("except", "finally")):
                handled.add(one.indent)
            elif text.startswith("try") and text[3:].lstrip().startswith(":"):
                if one.indent not in handled:
                    indent = self.lines[one.first - 1][: -len(text)]
                    self.lines[one.first - 1] = indent + "if 1" + text[3:].lstrip()
                    self._report(one.first, one.last, message)
                    return
                handled.discard(one.indent)
        self._mend(logical, index, logical[index].first, message)

    def _stray_triple_quote(self, quotes: list[_Quoted], message: str) -> None:
        """Find the line whose triple quote has no partner.

        The parser blames the last one of the file, or prose further up: a stray quote turns every string behind it
        inside out. The text in front of the last quote shows where the code stops making sense; the stray is one of the
        quotes just before that place, and the right one is that without which the parser gets furthest.
        """
        final = quotes[-1].first
        result = self._parse(self.lines[: final - 1])
        candidates = [final]
        if isinstance(result, SyntaxError) and result.lineno and not self._ends_early(result, final - 1):
            before = [line for quoted in quotes for line in (quoted.first, quoted.last) if line <= result.lineno]
            candidates += list(dict.fromkeys(reversed(before)))[:5]
        best, best_score = final, (-1, 0)
        distinct = list(dict.fromkeys(candidates))
        for candidate in distinct if len(distinct) > 1 else ():
            score = self._score_without(candidate)
            if score > best_score:
                best, best_score = candidate, score
        line = self.lines[best - 1]
        code = re.split(r"'''|\"\"\"", line)[0].rstrip()
        opens = any(quoted.first == best for quoted in quotes)
        # A docstring's place needs nothing; `x = """` still binds x.
        self.lines[best - 1] = mend(code + " (", "", False) if opens and code else ""
        self._report(best, best, message)

    def _ends_early(self, error: SyntaxError, count: int) -> bool:
        """Whether the first `count` lines make sense and only lack the block that the string would have begun."""
        code = next((n for n in range(count, 0, -1) if self.lines[n - 1].strip()), 0)
        return (error.lineno or 0) >= code and (error.msg or "").startswith("expected an indented block")

    def _score_without(self, line: int) -> tuple[int, int]:
        """How far the parser gets in the text without a line, and how many statements it then sees."""
        trial = list(self.lines)
        trial[line - 1] = ""
        outcome = self._parse(trial)
        if isinstance(outcome, ast.Module):
            return len(trial) + 1, sum(isinstance(node, ast.stmt) for node in ast.walk(outcome))
        if not isinstance(outcome, SyntaxError) or "triple-quoted" in (outcome.msg or ""):
            return 0, 0
        return outcome.lineno or 0, 0

    def _triple_quoted(self, start: int) -> list[_Quoted]:
        """The triple-quoted strings; those before the line `start`, where no string is open, are known."""
        text = "\n".join(self.lines[start - 1 :])
        found = [quoted for quoted in self._quotes if quoted.first < start]
        line, position = start, 0
        for token in lex(text):
            if token.kind in ("string", "unterminated") and text.startswith(("'''", '"""'), token.start):
                line += text.count("\n", position, token.start)
                last = line + text.count("\n", token.start, token.end)
                found.append(_Quoted(line, last, token.kind == "unterminated"))
                line, position = last, token.end
        return found

    # -- indents ------------------------------------------------------------------------------------------------

    def _reindent(self, logical: list[LogicalLine], index: int, change: int, message: str) -> None:
        """Move a block sideways, from the logical line at `index` to the first that is less indented."""
        floor = logical[index].indent
        for one in logical[index:]:
            if one.indent < floor:
                break
            self._set_indent(one.first, one.indent + change)
        self._report(logical[index].first, logical[index].last, message)

    def _set_indent(self, number: int, width: int) -> None:
        line = self.lines[number - 1]
        body = line.lstrip(" \t\f")
        new = " " * max(width, 0) + body
        self.shifts[number] = self.shifts.get(number, 0) + len(line) - len(new)
        self.lines[number - 1] = new

    def _spaces_for_tabs(self, logical: list[LogicalLine], line: int, message: str) -> None:
        for one in logical:
            self._set_indent(one.first, indent_width(self.lines[one.first - 1]))
        self._report(line, line, message)

    def _correct_columns(self, tree: ast.Module) -> None:
        if not any(self.shifts.values()):
            return
        for node in ast.walk(tree):
            line = getattr(node, "lineno", None)
            if line is None:
                continue
            node.col_offset = max(node.col_offset + self.shifts.get(line, 0), 0)  # type: ignore[attr-defined]
            end = node.end_lineno  # type: ignore[attr-defined]
            node.end_col_offset = max(node.end_col_offset + self.shifts.get(end, 0), 0)  # type: ignore[attr-defined]

    # -- the last resort ----------------------------------------------------------------------------------------

    def _by_chunks(self) -> ast.Module:
        """Read each top-level statement by itself and drop those that still cannot be read."""
        logical = logical_lines(self.lines)
        starts = [one.first for one in logical if one.indent == 0] or [1]
        kept: list[ast.stmt] = []
        for start, end in zip([1, *starts], [*starts, len(self.lines) + 1], strict=True):
            if start >= end:
                continue
            result = self._parse(self.lines[start - 1 : end - 1])
            if isinstance(result, ast.Module):
                for stmt in result.body:
                    kept.append(ast.increment_lineno(stmt, start - 1))
            elif "".join(self.lines[start - 1 : end - 1]).strip():
                self._report(start, start, _said(result))
        return ast.Module(body=kept, type_ignores=[])

    # -- problems -----------------------------------------------------------------------------------------------

    def _report(self, first: int, last: int, message: str, line: int | None = None) -> None:
        """Remember one broken place; what adjoins or lies in a known one belongs to it."""
        for known, (known_last, _) in self.broken.items():
            if known <= first <= known_last + 1:
                self.broken[known] = (max(known_last, last), self.broken[known][1])
                return
        self.broken[first] = (last, f"line {line or first}: {message}")

    def _problems(self) -> tuple[Problem, ...]:
        found = []
        for first, (last, message) in sorted(self.broken.items()):
            start = self.source.span_of_line(first).start
            end = self.source.span_of_line(last).end
            span = self.source.span_of_offsets(self.source.offset_at(start), self.source.offset_at(end))
            found.append(Problem(self.source.path, message, span))
        return tuple(found)


def _at(logical: list[LogicalLine], line: int) -> int:
    """The index of the logical line that holds a physical line, or of the last one before it."""
    found = 0
    for index, one in enumerate(logical):
        if one.first > line:
            break
        found = index
    return found


def _enclosing(logical: list[LogicalLine], index: int) -> int:
    """The indent of the innermost open block that is deeper than a line whose indent fits none."""
    width = logical[index].indent
    stack = [0]
    for one in logical[:index]:
        while stack and stack[-1] > one.indent:
            stack.pop()
        if not stack or one.indent > stack[-1]:
            stack.append(one.indent)
    return min((level for level in stack if level > width), default=width)


def _said(error: ast.Module | Exception) -> str:
    if isinstance(error, SyntaxError):
        return _DETECTED.sub("", error.msg or "invalid syntax")
    return "too deeply nested to analyse"


__all__ = ["BROKEN", "recover"]
