"""Products of several matrices, which are made of `mm` and are views of what it gives.

`torch.linalg.multi_dot` multiplies in the order that costs least (aten/src/ATen/native/LinearAlgebra.cpp,
`matrix_chain_order`), so which factors are kept for which gradient depends on the sizes. `torch.tensordot` turns and
flattens both operands to matrices (aten/src/ATen/native/Linear.cpp), itself where no reshape has to copy.
"""

from __future__ import annotations

from ..autograd.operation import Operand, Operation, Save
from ..autograd.tensor import Form, Tensor
from ..values import Call, ListValue, Runtime, Site, Value
from . import autocast, effects, inference, ops
from .arguments import as_tensor
from .registry import function
from .sizes import known, numel
from .table import TABLE


@function("torch.linalg.multi_dot", "torch.chain_matmul", "torch.functional.chain_matmul")
def _multi_dot(rt: Runtime, call: Call) -> Value:
    given = call.args[0] if len(call.args) == 1 and not isinstance(call.args[0], Tensor) else tuple(call.args)
    listed = given.items if isinstance(given, ListValue) and not given.open else given
    tensors = [as_tensor(each) for each in listed] if isinstance(listed, (tuple, list)) else []
    factors = [each for each in tensors if each is not None]
    if not factors or len(factors) < len(tensors) or call.kwargs or call.open_args or rt.autograd.mode.casts:
        return _by_table(rt, call)
    if len(factors) == 1:
        return factors[0] if call.name.endswith("chain_matmul") else _by_table(rt, call)
    shapes = [each.shape for each in factors]
    if any(shape is None or not known(shape) or not 1 <= len(shape) <= 2 for shape in shapes):
        # Of two factors the order is known, whatever their sizes.
        return _product(rt, factors[0], factors[1], call.site, None) if len(factors) == 2 else _by_table(rt, call)
    rows = [shape[0] if shape and len(shape) == 2 else 1 for shape in shapes]
    if shapes[0] is not None and len(shapes[0]) == 1:
        rows[0] = 1
    last = shapes[-1] or ()
    if len(last) == 1:
        rows[-1] = last[0]
    sizes = [*rows, last[1] if len(last) == 2 else 1]
    result = _chain(rt, factors, sizes, 0, len(factors) - 1, call.site)
    ends = [size for size, end in ((sizes[0], shapes[0]), (sizes[-1], last)) if len(end or ()) == 2]
    return _turned(rt, result, tuple(ends), call.site)


def _by_table(rt: Runtime, call: Call) -> Value:
    op = TABLE.function(call.name)
    return ops.run(rt, op, call) if op is not None else None


def _chain(rt: Runtime, factors: list[Tensor], sizes: list[int], first: int, last: int, site: Site) -> Tensor:
    """The product of `factors[first:last + 1]`, with the split that needs the fewest multiplications."""
    if first == last:
        return factors[first]
    split = _splits(sizes, len(factors))[first, last]
    left = _chain(rt, factors, sizes, first, split, site)
    right = _chain(rt, factors, sizes, split + 1, last, site)
    return _mm(rt, "multi_dot", left, right, (sizes[first], sizes[last + 1]), site)


def _splits(sizes: list[int], count: int) -> dict[tuple[int, int], int]:
    if count == 3:
        a, b, c, d = sizes
        # Of three the second pair goes first only where that is cheaper.
        return {(0, 2): 1 if (a * c) * (b + d) <= (b * d) * (a + c) else 0, (0, 1): 0, (1, 2): 1}
    costs = {(i, i): 0 for i in range(count)}
    splits: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for first in range(count - length):
            last = first + length
            at = range(first, last)
            price = {
                k: costs[first, k] + costs[k + 1, last] + sizes[first] * sizes[k + 1] * sizes[last + 1] for k in at
            }
            splits[first, last] = min(at, key=price.__getitem__)
            costs[first, last] = price[splits[first, last]]
    return splits


def _mm(rt: Runtime, name: str, left: Tensor, right: Tensor, shape: tuple[int, ...] | None, site: Site) -> Tensor:
    operands: tuple[Operand, ...] = (Operand("left", left), Operand("right", right))
    saves: tuple[Save, ...] = (Save("left", frozenset({"right"})), Save("right", frozenset({"left"})))
    if not rt.autograd.mode.inference:
        operands = tuple(inference.taken(name, operands))
    if rt.autograd.mode.casts:
        saves = autocast.kept(name, saves, operands)
    operation = Operation(name, site.span, operands, saves=saves, derivative="linear")
    result = effects.apply(rt, operation, site)[0]
    result.form = Form(shape, plain=True)
    return result


def _turned(rt: Runtime, product: Tensor, shape: tuple[int, ...] | None, site: Site) -> Tensor:
    """A view of a product that no one else holds."""
    view = Operation("view", site.span, (Operand("self", product),), view="view", view_of="self")
    result = effects.apply(rt, view, site)[0]
    result.form = Form(shape, plain=True)
    return result


def _product(rt: Runtime, left: Tensor, right: Tensor, site: Site, shape: tuple[int, ...] | None) -> Tensor:
    return _turned(rt, _mm(rt, "multi_dot", left, right, shape, site), shape, site)


@function("torch.tensordot", "torch.functional.tensordot")
def _tensordot(rt: Runtime, call: Call) -> Value:
    left, right = (as_tensor(call.argument(i, name)) for i, name in enumerate(("a", "b")))
    dims = call.argument(2, "dims", 2)
    shapes = [each.shape if each is not None else None for each in (left, right)]
    if left is None or right is None or None in shapes or call.kwargs.get("out") is not None or call.open_args:
        return _by_table(rt, call)
    a, b = (shape or () for shape in shapes)
    summed = _summed(dims, a, b)
    if summed is None or not known(a) or not known(b) or any(a[i] != b[j] for i, j in zip(*summed, strict=True)):
        return _by_table(rt, call)
    first, second = summed
    free_a = [i for i in range(len(a)) if i not in first]
    free_b = [j for j in range(len(b)) if j not in second]
    inner = numel(tuple(a[i] for i in first)) or 1
    rows, columns = (numel(tuple(s[i] for i in free)) or 1 for s, free in ((a, free_a), (b, free_b)))
    one = _matrix(rt, left, [*free_a, *first], (rows, inner), call.site)
    other = _matrix(rt, right, [*second, *free_b], (inner, columns), call.site)
    product = _mm(rt, "tensordot", one, other, (rows, columns), call.site)
    return _turned(rt, product, (*(a[i] for i in free_a), *(b[j] for j in free_b)), call.site)


def _summed(dims: Value, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[list[int], list[int]] | None:
    """The dimensions of each operand over which is summed."""
    if isinstance(dims, int) and not isinstance(dims, bool):
        if not 0 <= dims <= min(len(a), len(b)):
            return None
        return list(range(len(a) - dims, len(a))), list(range(dims))
    pair = dims.items if isinstance(dims, ListValue) and not dims.open else dims
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        return None
    found: list[list[int]] = []
    for each, shape in zip(pair, (a, b), strict=True):
        given = each.items if isinstance(each, ListValue) and not each.open else each
        places = list(given) if isinstance(given, (tuple, list)) else [given]
        if not all(isinstance(i, int) and -len(shape) <= i < len(shape) for i in places):
            return None
        found.append([i % len(shape) for i in places])
    return (found[0], found[1]) if len(found[0]) == len(found[1]) else None


def _matrix(rt: Runtime, tensor: Tensor, order: list[int], shape: tuple[int, int], site: Site) -> Tensor:
    """An operand, its dimensions in this order, as a matrix: a view of it or a copy."""
    turned: Value = tensor
    if order != sorted(order):
        turned = ops.method(rt, "permute", Call([tensor, *order], {}, site))
    if isinstance(turned, Tensor) and turned.shape == shape:
        return turned
    flat = ops.method(rt, "reshape", Call([turned, *shape], {}, site))
    return flat if isinstance(flat, Tensor) else tensor
