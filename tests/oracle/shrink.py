"""Makes a program on which engine and torch disagree small, as long as they disagree in the same way.

Works on the syntax tree, so that it shrinks any program: removes statements (halves first, then single ones), puts the
body of a block in the block's place, and replaces expressions by their parts.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

Keep = Callable[[str], bool]


class Budget:
    """How many programs may still be tried, and which were."""

    def __init__(self, keep: Keep, tries: int) -> None:
        self.keep = keep
        self.left = tries
        self.seen: set[str] = set()

    def holds(self, tree: ast.Module) -> bool:
        """Whether the tree still shows what is looked for."""
        try:
            text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
            compile(text, "<shrunk>", "exec")
        except (SyntaxError, ValueError, TypeError, AttributeError):
            return False
        if text in self.seen or self.left <= 0:
            return False
        self.seen.add(text)
        self.left -= 1
        return self.keep(text)


def shrink(text: str, keep: Keep, tries: int = 1500) -> str:
    """The smallest program found for which `keep` holds; the text itself when it does not hold at all."""
    if not keep(text):
        return text
    tree = ast.parse(text)
    budget = Budget(keep, tries)
    while budget.left > 0:
        before = ast.dump(tree)
        for reduce in (remove_statements, unwrap_blocks, simplify_expressions):
            tree = reduce(tree, budget)
        if ast.dump(tree) == before:
            break
    return ast.unparse(tree) + "\n"


def bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements in the tree, outer ones first."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list) and statements:
                yield statements


def remove_statements(tree: ast.Module, budget: Budget) -> ast.Module:
    size = max(len(tree.body) // 2, 1)
    while size:
        number = 0
        while number < sum(1 for _ in bodies(tree)):
            start = len(list(bodies(tree))[number]) - size
            while start > -size:
                candidate = copy.deepcopy(tree)
                statements = list(bodies(candidate))[number]
                del statements[max(start, 0) : start + size]
                if not statements and candidate.body is not statements:
                    statements.append(ast.Pass())
                if budget.holds(candidate):
                    tree = candidate
                    if number >= sum(1 for _ in bodies(tree)):
                        break
                start -= size
            number += 1
        size //= 2
    return tree


def unwrap_blocks(tree: ast.Module, budget: Budget) -> ast.Module:
    """Put a block's statements where the block is; drop an `else`."""
    changed = True
    while changed and budget.left > 0:
        changed = False
        for number, statements in enumerate(list(bodies(tree))):
            for index, node in enumerate(statements):
                for part in ("body", "orelse"):
                    if not getattr(node, part, None) or isinstance(node, ast.ClassDef):
                        continue
                    candidate = copy.deepcopy(tree)
                    place = list(bodies(candidate))[number]
                    place[index : index + 1] = getattr(place[index], part)
                    if budget.holds(candidate):
                        tree, changed = candidate, True
                        break
                if changed:
                    break
            if changed:
                break
    return tree


def simplify_expressions(tree: ast.Module, budget: Budget) -> ast.Module:
    """Replace expressions by their parts, drop arguments, keywords and decorators."""
    number = 0
    while budget.left > 0:
        change = 0
        while True:
            candidate = copy.deepcopy(tree)
            nodes = list(ast.walk(candidate))
            if number >= len(nodes):
                return tree
            if not apply(nodes[number], change):
                break
            if budget.holds(candidate):
                tree, change = candidate, 0  # what follows has moved up
            else:
                change += 1
        number += 1
    return tree


def apply(node: ast.AST, change: int) -> bool:
    """Apply the change of this number inside the node; False when there are fewer."""
    changes: list[Callable[[], None]] = []
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            changes += [lambda n=name, p=part: setattr(node, n, p) for part in parts(value)]  # type: ignore[misc]
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.expr):
                    changes += [lambda v=value, i=index, p=part: v.__setitem__(i, p) for part in parts(item)]  # type: ignore[misc]
                if isinstance(item, ast.keyword) or name == "decorator_list" or (name == "elts" and len(value) > 1):
                    changes.append(lambda v=value, i=index: v.__delitem__(i))  # type: ignore[misc]
    if change >= len(changes):
        return False
    changes[change]()
    return True


def parts(node: ast.expr) -> list[ast.expr]:
    """Expressions that may stand in for this one."""
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Call):
        inner = [a for a in node.args if not isinstance(a, ast.Constant)][:2]
        return ([node.func.value] if isinstance(node.func, ast.Attribute) else []) + inner
    if isinstance(node, ast.Attribute | ast.Subscript):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    return []
