"""In-place operations written out of place.

y.add_(1)            y = y + 1
self.h.clamp_(0)     self.h = self.h.clamp(0)
y += e               y = y + e
x[i] = v             x = x.clone()  (a line in front)
F.relu(x, inplace=True), nn.ReLU(True)      without the argument
"""

from __future__ import annotations

import ast

from ..report import Edit
from .edit_base import Edits, checked, edit
from .edit_blocks import insert_line_before
from .edit_calls import append_call, remove_argument, remove_keyword
from .edit_precedence import operand_text
from .parse import Parsed

_OPERATORS = {"add_": ("+", 11), "sub_": ("-", 11), "mul_": ("*", 12), "div_": ("/", 12)}
AUGMENTED: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("+", 11), ast.Sub: ("-", 11), ast.Mult: ("*", 12), ast.Div: ("/", 12), ast.FloorDiv: ("//", 12),
    ast.Mod: ("%", 12), ast.MatMult: ("@", 12), ast.Pow: ("**", 13), ast.LShift: ("<<", 10), ast.RShift: (">>", 10),
    ast.BitAnd: ("&", 9), ast.BitXor: ("^", 8), ast.BitOr: ("|", 7),
}  # fmt: skip

# Methods that end in `_` and have no namesake without it that returns the same value.
NO_NAMESAKE = frozenset({
    "requires_grad_", "detach_", "set_", "resize_", "resize_as_", "share_memory_", "apply_", "map_", "map2_",
    "normal_", "uniform_", "random_", "exponential_", "cauchy_", "log_normal_", "geometric_", "bernoulli_", "retain_",
    "copy_", "zero_", "fill_", "fill_diagonal_", "swap_", "rename_", "squeeze__", "as_strided_",
})  # fmt: skip
_FILLED = {"zero_": "zeros_like", "fill_": "full_like"}

# Position of the `inplace` argument, from the signatures of torch.nn and torch.nn.functional.
_INPLACE_AT = {
    "ReLU": 0, "ReLU6": 0, "SELU": 0, "SiLU": 0, "Mish": 0, "Hardswish": 0, "Hardsigmoid": 0, "ELU": 1, "CELU": 1,
    "LeakyReLU": 1, "Dropout": 1, "Dropout1d": 1, "Dropout2d": 1, "Dropout3d": 1, "AlphaDropout": 1,
    "FeatureAlphaDropout": 1, "Threshold": 2, "RReLU": 2, "Hardtanh": 2,
    "relu": 1, "relu6": 1, "selu": 1, "silu": 1, "mish": 1, "hardswish": 1, "hardsigmoid": 1, "elu": 2, "celu": 2,
    "leaky_relu": 2, "threshold": 3, "hardtanh": 3, "dropout": 3, "dropout1d": 3, "dropout2d": 3, "dropout3d": 3,
    "alpha_dropout": 3, "feature_alpha_dropout": 3, "rrelu": 4,
}  # fmt: skip


def inplace_to_outofplace(parsed: Parsed, node: ast.AST, torch: str = "torch") -> Edits | None:
    """Rewrite one in-place operation: a call, its expression statement, an augmented or an indexed assignment.

    `torch` is what the module is called in the file (for `zeros_like`). None when there is no such form: no
    out-of-place namesake (`normal_`), an assigned-to part of something that is no name, attribute or item.
    """
    if isinstance(node, ast.Expr):
        node = node.value
    if isinstance(node, ast.AugAssign):
        return _augmented(parsed, node)
    if isinstance(node, ast.Assign):
        return clone_before(parsed, node)
    if not isinstance(node, ast.Call):
        return None
    name = _called(node)
    if name.endswith("_") and not name.endswith("__"):
        return _inplace_call(parsed, node, name, torch)
    return drop_inplace_argument(parsed, node)


def assign_detached(parsed: Parsed, stmt: ast.stmt | None) -> Edits | None:
    """`t.detach_()` as `t = t.detach()`, where that is the whole statement and `t` a name or an attribute."""
    call = stmt.value if isinstance(stmt, ast.Expr) else None
    if stmt is None or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    if call.func.attr != "detach_" or not _is_target(call.func.value):
        return None
    start, end = parsed.source.offsets(stmt)
    name = parsed.source.segment(call.func.value)
    return checked(parsed, [edit(parsed, start, end, f"{name} = {name}.detach()")], [stmt])


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _is_target(node: ast.expr) -> bool:
    """Whether the expression can be assigned to again: a name or an attribute of one."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def drop_inplace_argument(parsed: Parsed, call: ast.Call) -> Edits | None:
    """Drop `inplace=True`, or the `True` at the position the torch module or function has it."""
    if any(one.arg == "inplace" for one in call.keywords):
        return remove_keyword(parsed, call, "inplace")
    position = _INPLACE_AT.get(_called(call))
    if position is None or len(call.args) != position + 1:
        return None
    argument = call.args[position]
    if isinstance(argument, ast.Constant) and argument.value is True:
        return remove_argument(parsed, call, argument)
    return None


def clone_before(parsed: Parsed, node: ast.Assign | ast.AugAssign) -> Edits | None:
    """`x = x.clone()` on a line in front of `x[i] = v` or `x[i] += v`."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        while isinstance(target, ast.Subscript):
            inner = target.value
            if _is_target(inner):
                name = parsed.source.segment(inner)
                return insert_line_before(parsed, node, f"{name} = {name}.clone()")
            target = inner
    return None


def clone_reads(parsed: Parsed, node: ast.Assign | ast.AugAssign, before: bool) -> Edits | None:
    """`x[i] = f(x[j])` as `x[i] = f(x[j].clone())`: what the value reads of the tensor that is written to is a copy.

    With `before`, `x = x.clone()` stands in front as well. None if the value reads nothing of it.
    """
    target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
    while isinstance(target, ast.Subscript):
        target = target.value
    if not _is_target(target):
        return None
    name = ast.dump(_loaded(target))
    reads = [each for each in ast.walk(node.value) if isinstance(each, ast.expr) and ast.dump(each) == name]
    edits: list[Edit] = []
    for each in reads:
        read: ast.AST = each
        parent = parsed.parents.get(read)
        while isinstance(parent, ast.Subscript) and parent.value is read:
            read, parent = parent, parsed.parents.get(parent)
        if isinstance(parent, ast.Attribute) and parent.attr in _OF_ITS_SHAPE:
            continue
        if not isinstance(read, ast.expr) or parsed.source.segment(read).endswith(".clone()"):
            return None
        edits += append_call(parsed, read, ".clone()") or ()
    if not edits:
        return None
    if before:
        front = insert_line_before(
            parsed, node, f"{parsed.source.segment(target)} = {parsed.source.segment(target)}.clone()"
        )
        if front is None:
            return None
        edits = [*front, *edits]
    return checked(parsed, edits, [node])


_OF_ITS_SHAPE = frozenset({"shape", "size", "dtype", "device", "ndim", "dim", "numel"})


def _loaded(node: ast.expr) -> ast.expr:
    """The same name or attribute as it is written where it is read."""
    return ast.parse(ast.unparse(node), mode="eval").body


def _augmented(parsed: Parsed, node: ast.AugAssign) -> Edits | None:
    if isinstance(node.target, ast.Subscript):
        return clone_before(parsed, node)
    if not _is_target(node.target):
        return None
    source = parsed.source
    sign, level = AUGMENTED[type(node.op)]
    target_end = source.offsets(node.target)[1]
    value_start, value_end = source.offsets(node.value)
    between = source.text[target_end:value_start]
    at = between.find(sign + "=")
    if at < 0:
        return None
    name = source.segment(node.target)
    start, end = target_end + at, target_end + at + len(sign) + 1
    # Brackets written around the value lie between the sign and the value; then none are missing.
    bracketed = "(" in between[at + len(sign) + 1 :]
    # `x+=1` has no blanks to keep.
    left, right = "" if at else " ", "" if source.text[end].isspace() else " "
    edits = [edit(parsed, start, end, f"{left}= {name} {sign}{right}")]
    if not bracketed and operand_text(parsed, node.value, level) != source.segment(node.value):
        edits += [edit(parsed, value_start, value_start, "("), edit(parsed, value_end, value_end, ")")]
    return checked(parsed, edits, [node])


def _inplace_call(parsed: Parsed, call: ast.Call, name: str, torch: str) -> Edits | None:
    parent = parsed.parents.get(call)
    whole = isinstance(parent, ast.Expr)
    changed = [parent] if parent is not None else []
    source = parsed.source
    if not isinstance(call.func, ast.Attribute) or _is_function(call):
        return _functional(parsed, call, name)
    receiver = call.func.value
    if whole and _is_target(receiver):
        target = source.segment(receiver)
        start, end = source.offsets(call)
        operator = _OPERATORS.get(name)
        if operator and len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], ast.Starred):
            sign, level = operator
            argument = operand_text(parsed, call.args[0], level)
            text = f"{target} = {target} {sign} {argument}"
            # A comment between the brackets would be lost; the method form below keeps it.
            if operation := checked(parsed, [edit(parsed, start, end, text)], changed):
                return operation
        if name in _FILLED:
            arguments = [target, *(source.segment(one) for one in (*call.args, *call.keywords))]
            text = f"{target} = {torch}.{_FILLED[name]}({', '.join(arguments)})"
            return checked(parsed, [edit(parsed, start, end, text)], changed)
    methods = _chain(call) if whole else [call.func]
    if not methods or any(one.attr in NO_NAMESAKE for one in methods):
        return None
    edits = [_without_underscore(parsed, one) for one in methods if one.attr.endswith("_")]
    if whole:
        base = methods[-1].value
        if not _is_target(base):
            return None
        start = source.offsets(call)[0]
        edits.append(edit(parsed, start, start, f"{source.segment(base)} = "))
    stmt = parsed.statement_of(call)
    return checked(parsed, edits, [stmt] if stmt else [])


def _chain(call: ast.Call) -> list[ast.Attribute]:
    """The methods of `x.add_(1).mul_(2)`, outermost first; empty when something else is in the chain."""
    found: list[ast.Attribute] = []
    node: ast.expr = call
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        found.append(node.func)
        node = node.func.value
    return found


def _is_function(call: ast.Call) -> bool:
    """Whether the receiver looks like a module of functions (`torch.relu_`, `F.relu_`) and not like a tensor."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    text = ast.unparse(receiver) if receiver is not None and _is_target(receiver) else ""
    return text in ("torch", "F") or text.endswith(("functional", "torch"))


def _functional(parsed: Parsed, call: ast.Call, name: str) -> Edits | None:
    """`torch.relu_(x)` becomes `x = torch.relu(x)` as a statement, and loses the underscore elsewhere."""
    source = parsed.source
    if name in NO_NAMESAKE or not call.args:
        return None
    end = source.offsets(call.func)[1]
    edits: list[Edit] = [edit(parsed, end - 1, end, "")]
    parent = parsed.parents.get(call)
    if isinstance(parent, ast.Expr):
        if not _is_target(call.args[0]):
            return None
        start = source.offsets(call)[0]
        edits.append(edit(parsed, start, start, f"{source.segment(call.args[0])} = "))
    stmt = parsed.statement_of(call)
    return checked(parsed, edits, [stmt] if stmt else [])


def _without_underscore(parsed: Parsed, attribute: ast.Attribute) -> Edit:
    end = parsed.source.offsets(attribute)[1]
    return edit(parsed, end - 1, end, "")
