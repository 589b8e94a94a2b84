"""Rewrites the program so that it reports what it does, line numbers kept.

    y = x * 2                 y = x * 2
                              __gradsight__.seen("f0.1", "y", y)
    loss.backward()           try:
                                  __gradsight__.begin(["t0"])
                                  loss.backward()
                              except BaseException:
                                  __gradsight__.raised(["t0"])
                                  raise
                              finally:
                                  __gradsight__.done(["t0"])
    print(x.grad)             print(__gradsight__.read(["t0"], "x", x).grad)      # in a target statement only

An observed span that is an expression wraps it; one that is a statement observes what it assigns; any other span
observes the innermost statement it starts in. A target in the head of a compound statement
(`if x.grad is None:`) wraps that head's expression. What cannot be placed is returned, never guessed.
"""

from __future__ import annotations

import ast
import re

RECORDER = "__gradsight__"
_COMPOUND = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    *(getattr(ast, name) for name in ("TryStar", "Match") if hasattr(ast, name)),
)


class Rewritten:
    """The tree, and where things are: `unplaced` ids, `functions` (target id -> the classes and
    functions around it), `names` (name -> first line that binds it), `once` (targets outside of loops and
    functions)."""

    def __init__(self, tree, unplaced, functions, names, once):
        self.tree = tree
        self.once = once
        self.unplaced = unplaced
        self.functions = functions
        self.names = names


def rewrite(text, filename, observe, targets):
    """Parses `text` and places the observations and targets of the plan. Raises SyntaxError like `compile`."""
    tree = ast.parse(text, filename)
    lines = lines_of(text)
    index = _Index(tree)
    unplaced = []
    for item in observe:
        if not _observe(index, _span(lines, item["span"]), item["id"]):
            unplaced.append(item["id"])
    functions = {}
    once = []
    for item in targets:
        if item.get("span") is None:
            continue
        span = _span(lines, item["span"])
        owner = index.function_at(span)
        if owner:
            functions[item["id"]] = owner
        elif not index.in_loop(span):
            once.append(item["id"])
        statement = index.statement_at(span)
        if isinstance(statement, ast.Return) and "backward" not in ast.unparse(statement):
            unplaced.append(item["id"])  # a returned loss: the caller's `backward` decides
        elif not _target(index, span, item["id"]):
            unplaced.append(item["id"])
    names = _assigned_lines(tree)
    tree = ast.fix_missing_locations(_Apply(index).visit(tree))
    return Rewritten(tree, unplaced, functions, names, once)


def lines_of(text):
    """The lines with their ends, as Python counts them: a form feed or U+2028 ends none."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def _span(lines, span):
    """(line, column, line, column), 1-based characters, to ast's bytes from 0."""
    line, column, end_line, end_column = span

    def offset(number, col):
        if not 1 <= number <= len(lines):
            return 0
        return len(lines[number - 1][: col - 1].encode("utf-8"))

    return (line, offset(line, column), end_line, offset(end_line, end_column))


def _range(node):
    return (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)


def _holds(outer, inner):
    return outer[:2] <= inner[:2] and inner[2:] <= outer[2:]


def _starts_in(outer, inner):
    return outer[:2] <= inner[:2] < outer[2:]


class _Index:
    """Every expression and statement with its place, its parent and its enclosing functions."""

    def __init__(self, tree):
        self.expressions = {}
        self.statements = []
        self.parents = {}
        self.wraps = {}
        self.after = {}
        self.guards = {}
        self.heads = {}
        self.reads = {}
        self._walk(tree)

    def _walk(self, root):
        for node in ast.walk(root):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
            if isinstance(node, ast.expr):
                # Of nodes in one place (`x` the expression of an Expr statement) the outermost comes first.
                self.expressions.setdefault(_range(node), node)
            elif isinstance(node, ast.stmt):
                self.statements.append(node)

    def statement_of(self, node):
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def statement_at(self, span):
        """The innermost statement the span starts in."""
        best = None
        for node in self.statements:
            if _starts_in(_range(node), span) and (best is None or _holds(_range(best), _range(node))):
                best = node
        return best

    def function_at(self, span):
        """Names of the classes and functions around the span, outermost first; empty at module level."""
        chain = []
        node = self.statement_at(span)
        while node is not None:
            node = self.parents.get(node)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                chain.append((type(node).__name__, node.name))
        chain.reverse()
        return chain if any(kind != "ClassDef" for kind, _ in chain) else []

    def in_loop(self, span):
        node = self.statement_at(span)
        while node is not None:
            if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
                return True
            node = self.parents.get(node)
        return False

    def head_expression(self, statement, span):
        """The expression in the head of a compound statement that holds the span."""
        for child in ast.iter_child_nodes(statement):
            candidates = [child]
            if isinstance(child, ast.withitem):
                candidates = [child.context_expr]
            for node in candidates:
                if isinstance(node, ast.expr) and _starts_in(_range(node), span) and _loads(node):
                    return node
        return None


def _loads(node):
    if isinstance(node, (ast.Starred, ast.Slice, ast.FormattedValue)):
        return False
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def _observe(index, span, ident):
    node = index.expressions.get(span)
    if node is not None and isinstance(index.parents.get(node), ast.Expr):
        return _observe_statement(index, index.parents[node], ident)
    if node is not None and _loads(node):
        index.wraps.setdefault(node, []).append((ident, _name_of(index, node)))
        return True
    if node is not None and isinstance(getattr(node, "ctx", None), ast.Store):
        statement = index.statement_of(node)
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            index.after.setdefault(statement, []).extend((ident, n) for n in _observable(node))
            return True
    statement = index.statement_at(span)
    if statement is None:
        return False
    if isinstance(statement, _COMPOUND):
        head = index.head_expression(statement, span)
        if head is None or isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return False
        index.wraps.setdefault(head, []).append((ident, _text(head)))
        return True
    return _observe_statement(index, statement, ident)


def _observe_statement(index, statement, ident):
    if isinstance(statement, ast.Assign):
        targets = [part for target in statement.targets for part in _observable(target)]
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        targets = _observable(statement.target) if statement.value is not None else []
    elif isinstance(statement, (ast.Expr, ast.Return)) and statement.value is not None:
        name = _text(statement.value)
        value = statement.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            name = _text(value.func.value)
        index.wraps.setdefault(value, []).append((ident, name))
        return True
    else:
        return False
    index.after.setdefault(statement, []).extend((ident, node) for node in targets)
    return bool(targets)


def _observable(target):
    """Parts of an assignment's target that can be read back without side effects worth speaking of."""
    if isinstance(target, (ast.Name, ast.Attribute)):
        return [target]
    if isinstance(target, ast.Starred):
        return _observable(target.value)
    if isinstance(target, (ast.Tuple, ast.List)):
        return [part for element in target.elts for part in _observable(element)]
    if isinstance(target, ast.Subscript):
        return _observable(target.value)
    return []


def _target(index, span, ident):
    statement = index.statement_at(span)
    if statement is None:
        return False
    if isinstance(statement, _COMPOUND):
        head = index.head_expression(statement, span)
        if head is None or isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return False
        index.heads.setdefault(head, []).append(ident)
        inside = head
    else:
        index.guards.setdefault(statement, []).append(ident)
        inside = statement
    for node in ast.walk(inside):
        if isinstance(node, ast.Attribute) and node.attr == "grad" and isinstance(node.ctx, ast.Load):
            index.reads.setdefault(node.value, []).append(ident)
    return True


def _text(node):
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "..."


def _name_of(index, node):
    """The variable that receives the value, where the expression is the whole right side; else its own text."""
    parent = index.parents.get(node)
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1 and isinstance(parent.targets[0], ast.Name):
        return parent.targets[0].id
    return _text(node)


def _assigned_lines(tree):
    """Name -> first line where it is bound."""
    lines = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            lines[node.id] = min(node.lineno, lines.get(node.id, node.lineno))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            text = _text(node)
            lines[text] = min(node.lineno, lines.get(text, node.lineno))
        elif isinstance(node, ast.arg):
            lines.setdefault(node.arg, node.lineno)
    return lines


class _Apply(ast.NodeTransformer):
    """Puts in what the index decided."""

    def __init__(self, index):
        self.index = index

    def visit(self, node):
        done = self.generic_visit(node)
        index = self.index
        if isinstance(node, ast.expr):
            if node in index.reads:
                done = _call("read", node, _strings(index.reads[node]), ast.Constant(_text(node)), done)
            for ident, name in index.wraps.get(node, ()):
                done = _call("value", node, ast.Constant(ident), ast.Constant(name), done)
            if node in index.heads:
                done = _call("head", node, _strings(index.heads[node]), done)
            return done
        if isinstance(node, ast.stmt):
            return self._statement(node, done)
        return done

    def _statement(self, node, done):
        index = self.index
        body = [done]
        for ident, target in index.after.get(node, ()):
            load = ast.parse(ast.unparse(target), mode="eval").body
            for part in ast.walk(load):
                ast.copy_location(part, node)
            body.append(_statement(node, _call("seen", node, ast.Constant(ident), ast.Constant(_text(target)), load)))
        idents = index.guards.get(node)
        if not idents:
            return body if len(body) > 1 else done
        handler = ast.ExceptHandler(
            type=ast.Name("BaseException", ast.Load()),
            name=None,
            body=[_statement(node, _call("raised", node, _strings(idents))), ast.Raise(exc=None, cause=None)],
        )
        guarded = ast.Try(
            body=[_statement(node, _call("begin", node, _strings(idents))), *body],
            handlers=[handler],
            orelse=[],
            finalbody=[_statement(node, _call("done", node, _strings(idents)))],
        )
        for part in (guarded, handler, handler.type, handler.body[1]):
            ast.copy_location(part, node)
        return guarded


def _strings(items):
    return ast.List([ast.Constant(item) for item in dict.fromkeys(items)], ast.Load())


def _call(method, place, *arguments):
    call = ast.Call(
        func=ast.Attribute(ast.Name(RECORDER, ast.Load()), method, ast.Load()), args=list(arguments), keywords=[]
    )
    ast.copy_location(call, place)
    for part in (call.func, call.func.value, *arguments):
        if not hasattr(part, "lineno"):
            for inner in ast.walk(part):
                ast.copy_location(inner, place)
    return call


def _statement(place, call):
    return ast.copy_location(ast.Expr(call), place)
