"""What takes a cut away, for the kinds that are written as one call; and for all of them that one way meets.

`total += loss.item()` and later `torch.tensor(total)`: both have to go before a gradient comes through.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..autograd.graph import Cut, Node
from ..facts import Cause, Facts
from ..report import Edit, Fix, Span, apply_edits
from ..source.edit_base import Edits
from ..source.edits import drop_method_call, rename_call, unwrap_call

_DROPPED = ("dtype", "requires_grad", "device")
_MATH = frozenset(
    {"exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "log1p", "expm1", "log2", "log10", "pow", "atan2"}
)

Remedy = tuple[str, Edits]
"""A title and the edits."""


def without_cuts(facts: Facts, cause: Cause, applicability: str = "unsafe") -> Fix | None:
    """The fix that takes the cut of a cause away, and every later one between it and the loss; None if one stays."""
    path = cause.leaves[0].path
    later = path[: path.index(cause.cut)][::-1] if cause.cut in path else []
    found: list[Remedy] = []
    places: set[Span] = set()
    for node, cut in [(cause.cut, cause.why), *((node, node.cut or _copy(facts, node)) for node in later)]:
        if cut is None or node.span in places:
            continue
        if node.span is None or not facts.here(node.span) or cut.kind not in _BUILDERS:
            return None
        if any(_inside(node.span, other) for other in places):
            continue  # `torch.tensor(loss.item())` is gone as a whole.
        remedy = _BUILDERS[cut.kind](facts, node, cut)
        if remedy is None:
            return None
        places.add(_whole(facts, node, cut))
        found.append(remedy)
    edits = _together(facts, [edits for _, edits in found])
    if not found or edits is None:
        return None
    return facts.fix(", and ".join(dict.fromkeys(title for title, _ in found)), applicability, edits)


def _copy(facts: Facts, node: Node) -> Cut | None:
    """The cut that `torch.tensor(numbers)` will be, once they are tensors."""
    call = facts.node_at(node.span)
    name = node.name.rpartition(".")[2]
    makes = isinstance(call, ast.Call) and (name in _MAKES or name in ("Variable", "Parameter"))
    return Cut("rewrap", node.span, node.name) if makes and node.span is not None else None


_MAKES = frozenset({"tensor", "as_tensor", "asarray", "scalar_tensor", "Tensor", "FloatTensor", "DoubleTensor"})


def _inside(span: Span, other: Span) -> bool:
    return other.path == span.path and other.start <= span.start and span.end <= other.end


def _whole(facts: Facts, node: Node, cut: Cut) -> Span:
    """What a remedy rewrites: the call, or the one around it that makes a tensor of its value again."""
    call = facts.node_at(node.span)
    wrap = facts.parsed.parents.get(call) if call is not None else None
    assert node.span is not None
    if cut.kind == "left-torch" and isinstance(call, ast.Call) and _wraps(wrap, call):
        assert wrap is not None
        return facts.source.span(wrap)
    return node.span


def _together(facts: Facts, every: list[Edits]) -> Edits | None:
    edits: tuple[Edit, ...] = tuple(dict.fromkeys(each for one in every for each in one))
    try:
        ast.parse(apply_edits(facts.source.text, edits))
    except (ValueError, SyntaxError):
        return None
    return edits


# -- one cut ------------------------------------------------------------------------------------------------------


def _detach(facts: Facts, node: Node, cut: Cut) -> Remedy | None:
    written = facts.node_at(node.span)
    if cut.detail == "state_dict()" or not isinstance(written, (ast.Call, ast.Attribute)):
        return None
    return _made(f"drop `{cut.detail}`", drop_method_call(facts.parsed, written))


def _left(facts: Facts, node: Node, cut: Cut) -> Remedy | None:
    call, written = facts.node_at(node.span), cut.detail
    if not isinstance(call, ast.Call):
        return None
    wrap, tensor = facts.parsed.parents.get(call), _taken_from(call, written)
    if tensor is not None and (_is_index(facts, call) or _wants_number(wrap)):
        return None
    if tensor is not None and isinstance(wrap, ast.Call) and _wraps(wrap, call):
        # `torch.tensor(loss.item(), requires_grad=True)`: without `.item()` it would still be a new leaf.
        bare = _attached(tensor)
        return _made(f"use `{facts.text(bare, 30)}` itself", unwrap_call(facts.parsed, wrap, bare))
    if tensor is not None:
        bare = _attached(tensor)
        taken = f"`{facts.text(bare, 30)}` itself" if bare is not tensor else ""
        title = f"use {taken}" if taken else f"drop `.{written}()`" if written == "item" else f"drop `{written}()`"
        if taken or written != "item":
            return _made(title, unwrap_call(facts.parsed, call, bare))
        return _made(title, drop_method_call(facts.parsed, call))
    name = written.removeprefix("math.")
    if written.startswith("math.") and name in _MATH:
        return _made(f"use `torch.{name}`", rename_call(facts.parsed, call, f"torch.{name}"))
    return None


def _attached(tensor: ast.expr) -> ast.expr:
    """`loss` of `loss.detach()` and `loss.data`, whose value is taken right after."""
    while True:
        if isinstance(tensor, ast.Call) and isinstance(tensor.func, ast.Attribute) and tensor.func.attr in _STEPS:
            tensor = tensor.func.value
        elif isinstance(tensor, ast.Attribute) and tensor.attr == "data":
            tensor = tensor.value
        else:
            return tensor


_STEPS = frozenset({"detach", "cpu"})


def _is_index(facts: Facts, call: ast.Call) -> bool:
    """Whether the number steers something: `range(int(t))`, `x[int(t)]`, or a name that is used so."""
    parent = facts.parsed.parents.get(call)
    if isinstance(parent, (ast.Slice, ast.Subscript)) and call is not getattr(parent, "value", None):
        return True
    names: set[str] = set()
    if isinstance(parent, ast.Tuple):
        parent = facts.parsed.parents.get(parent)
    if isinstance(parent, ast.Assign):
        names = {each.id for target in parent.targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    indices = [each.slice for each in ast.walk(facts.parsed.tree) if isinstance(each, ast.Subscript)] if names else []
    return any(isinstance(part, ast.Name) and part.id in names for each in indices for part in ast.walk(each))


def _wants_number(around: ast.AST | None) -> bool:
    """Whether the call around takes numbers only, or makes a tensor of its own that knows nothing of a tensor's."""
    if not isinstance(around, ast.Call):
        return False
    name = around.func.attr if isinstance(around.func, ast.Attribute) else getattr(around.func, "id", "")
    return name in _OF_NUMBERS


_OF_NUMBERS = frozenset({"full", "full_like", "new_full", "linspace", "logspace", "arange", "range"})


def _taken_from(node: ast.Call, written: str) -> ast.expr | None:
    """The tensor whose value `x.item()` or `float(x)` takes."""
    if written == "item" and isinstance(node.func, ast.Attribute):
        return node.func.value
    return node.args[0] if written in ("float", "int") and len(node.args) == 1 else None


def _wraps(wrap: ast.AST | None, call: ast.Call) -> bool:
    """Whether a call is written as one that makes a tensor of its only argument's value."""
    if not isinstance(wrap, ast.Call) or wrap.args != [call]:
        return False
    name = wrap.func.attr if isinstance(wrap.func, ast.Attribute) else getattr(wrap.func, "id", "")
    return name in _MAKES or name == "Variable"


def _rewrapped(facts: Facts, node: Node, cut: Cut) -> Remedy | None:
    call = facts.node_at(node.span)
    if not isinstance(call, ast.Call) or not call.args or _is_parameter_of(facts, call):
        return None
    data = call.args[0]
    # Of one tensor there would be one edge; a name that is handed in says nothing else of a list.
    several = sum(edge.tensor is not None or edge.node is not None for edge in node.edges) > 1
    listed = isinstance(data, (ast.Name, ast.Attribute)) and (several or is_list(facts, data))
    if isinstance(data, (ast.List, ast.Tuple, ast.ListComp)) or listed:
        plain = data.elts if isinstance(data, (ast.List, ast.Tuple)) else []
        if any(isinstance(each, (ast.List, ast.Tuple, ast.Constant, ast.UnaryOp)) for each in plain):
            return None  # Numbers among the tensors, or rows: a person has to write that.
        if isinstance(data, (ast.List, ast.Tuple)) and not plain:
            return None
        return _made("use `torch.stack`", rename_call(facts.parsed, call, "torch.stack", _DROPPED))
    if isinstance(data, (ast.SetComp, ast.GeneratorExp, ast.Dict)):
        return None
    bare = _attached(data)
    return _made(f"use `{facts.text(bare, 30)}` itself", unwrap_call(facts.parsed, call, bare))


_SETTERS = ("setattr", "__setattr__", "register_parameter")


def _is_parameter_of(facts: Facts, call: ast.Call) -> bool:
    """Whether `nn.Parameter(...)` is given to an attribute, where a computed tensor may not take its place."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    parent = facts.parsed.parents.get(call)
    if isinstance(parent, ast.Call):
        return name == "Parameter" and getattr(parent.func, "id", getattr(parent.func, "attr", "")) in _SETTERS
    return (
        name == "Parameter"
        and isinstance(parent, ast.Assign)
        and any(isinstance(each, ast.Attribute) for each in parent.targets)
    )


def is_list(facts: Facts, data: ast.Name | ast.Attribute) -> bool:
    """Whether the name, or an attribute of this name, is given a list or tuple in this file."""
    name = _last_name(data)
    for node in ast.walk(facts.parsed.tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_last_name(one) == name and _makes_list(value) for one, value in _bound(targets, node.value)):
                return True
    return False


def _bound(targets: Sequence[ast.expr], value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What an assignment binds, name by name: `a, b = [], []` two lists, `a, b = zip(*pairs)` two tuples."""
    for target in targets:
        if not isinstance(target, (ast.Tuple, ast.List)):
            yield target, value
        elif isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
            yield from zip(target.elts, value.elts, strict=True)
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "zip":
            yield from ((each, value) for each in target.elts)


def _makes_list(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in ("list", "tuple", "sorted", "zip")
    return isinstance(value, (ast.List, ast.Tuple, ast.ListComp))


def _last_name(node: ast.expr) -> tuple[type, str] | None:
    if isinstance(node, ast.Name):
        return ast.Name, node.id
    return (ast.Attribute, node.attr) if isinstance(node, ast.Attribute) else None


def _made(title: str, edits: Edits | None) -> Remedy | None:
    return (title, edits) if edits else None


_BUILDERS = {"detach": _detach, "data": _detach, "left-torch": _left, "rewrap": _rewrapped}
