"""Operations by the table: bind the call, ask the table what the operation does, and tell autograd."""

from __future__ import annotations

import ast
from dataclasses import replace

from ..autograd.operation import AutogradError, Operand, Operation, Save
from ..autograd.tensor import ANY_FORM, Tensor
from ..autograd.truth import NO
from ..events import Copied
from ..report import Span
from ..values import Call, DType, ListValue, Runtime, Site, Unknown, Value
from . import autocast, dtypes, inference, memory, shapes, strides
from .arguments import as_tensor, kind_of, operands_for
from .binding import Binding
from .keeps import KEEPS_NOTHING, KEEPS_OPERANDS, derivative
from .table import TABLE, ModuleOp, Op, Overload, pick

_INTEGER_STAYS = frozenset(
    [
        "add",
        "sub",
        "mul",
        "neg",
        "sum",
        "prod",
        "cat",
        "stack",
        "clone",
        "expand",
        "repeat",
        "view",
        "reshape",
        "flatten",
        "T",
        "transpose",
        "permute",
        "squeeze",
        "unsqueeze",
        "__add__",
        "__radd__",
        "__sub__",
        "__rsub__",
        "__mul__",
        "__rmul__",
        "__neg__",
        "__getitem__",
        "__floordiv__",
        "__mod__",
        "select",
        "narrow",
        "split",
        "chunk",
        "unbind",
        "cumsum",
        "gather",
        "index_select",
        "masked_select",
        "max",
        "min",
        "abs",
        "clamp",
        "flip",
        "roll",
        "where",
        "sort",
        "topk",
        "contiguous",
        "__and__",
        "__or__",
        "__xor__",
        "__invert__",
        "__lshift__",
        "__rshift__",
        "randperm_like",
        "t",
        "mT",
        "maximum",
        "minimum",
    ]
)
_LIST_OUTPUTS = 3
_VIEWS = {"no": "", "view": "view", "multi": "multi", "maybe": "view"}


_NO_OUT = (
    "{}(): functions with out=... arguments don't support automatic differentiation, "
    "but one of the arguments requires grad."
)
_RESHAPING = frozenset(["unsqueeze", "squeeze", "t", "transpose", "swapaxes", "swapdims", "resize", "resize_as"])

_picked: dict[tuple[int, tuple[str, ...], tuple[tuple[str, str], ...]], tuple[Overload, Binding] | None] = {}


def _pick(
    op: Op, positional: tuple[str, ...], keywords: tuple[tuple[str, str], ...]
) -> tuple[Overload, Binding] | None:
    """`pick`, remembered: programs call the same operation with the same kinds of arguments over and over.

    The key is the identity of the operation, which the table keeps alive, because hashing its rows costs more.
    """
    key = (id(op), positional, keywords)
    if key not in _picked:
        _picked[key] = pick(op, positional, dict(keywords))
    return _picked[key]


_saves: dict[int, tuple[Save, ...]] = {}


def _saves_of(overload: Overload) -> tuple[Save, ...]:
    """What an overload keeps, in autograd's terms; made once, under the identity of the table's row."""
    found = _saves.get(id(overload))
    if found is None:
        found = _saves[id(overload)] = tuple(Save(s.what, s.when, s.sure) for s in overload.saves)
    return found


def run(rt: Runtime, op: Op, call: Call, *, name: str = "") -> Value:
    """Call a function or method of the table (for a method, `args[0]` is the tensor).

    Gives the result in the structure the table says; an unknown if the call fits no overload.
    """
    picked = _pick(op, tuple(map(kind_of, call.args)), tuple((k, kind_of(v)) for k, v in call.kwargs.items()))
    short = name or op.name.rpartition(".")[2]
    if picked is None:
        return rt.torch.opaque(
            None, [*call.args, *call.kwargs.values()], call.site, f"a call of `{short}` that does not fit"
        )  # type: ignore[attr-defined]
    overload, binding = picked
    bound: dict[str, Value] = {}
    for parameter, where in binding.items():
        if isinstance(where, int):
            bound[parameter] = call.args[where]
        elif isinstance(where, str):
            bound[parameter] = call.kwargs[where]
        else:
            bound[parameter] = tuple(call.args[i] for i in where)
    return run_overload(rt, overload, bound, call.site, short)


def run_overload(rt: Runtime, overload: Overload, bound: dict[str, Value], site: Site, name: str) -> Value:
    """Apply one overload to bound arguments."""
    drops = name.startswith("dropout") or name.endswith("dropout")
    if drops and (bound.get("training", bound.get("train", True)) is False or bound.get("p", 0.5) == 0):
        # Also of the form that works in place (aten/src/ATen/native/Dropout.cpp).
        return bound.get("input", bound.get("self"))
    if name == "flatten" and _is_flat(bound):
        return bound.get("self", bound.get("input"))
    operands: list[Operand] = []
    for parameter in overload.params:
        if parameter.name in bound:
            operands += operands_for(parameter.name, bound[parameter.name], parameter.name in overload.diff)
    mutated = overload.mutates
    if mutated and any(parameter.name == "max_norm" for parameter in overload.params):
        # Embeddings renormalise their weight only when they are told to which norm, and then under no_grad
        # (torch/nn/functional.py, _no_grad_embedding_renorm_).
        weight = as_tensor(bound.get("weight"))
        if weight is not None and isinstance(bound.get("max_norm"), (int, float)):
            rt.autograd.bump(weight, name, site.span)
        mutated = ()
    inplace_flag = bound.get("inplace") is True
    target_name = mutated[0] if mutated else "input" if inplace_flag else ""
    saves = _certain(name, bound, _saves_of(overload))
    if rt.autograd.mode.casts:
        saves = autocast.kept(name, saves, operands)
    # What may return a view (`einsum`) does so for one operand only; with several it computes.
    copies = overload.view == "maybe" and sum(o.tensor is not None for o in operands) > 1
    shape = shapes.after(name, bound)
    copies = copies or _must_copy(name, bound, shape)
    dtype = bound.get("dtype")
    reinterpreted = name == "view" and isinstance(dtype, DType) and not dtype.floating
    untracked = False
    if not rt.autograd.mode.inference and any(o.tensor is not None and o.tensor.inference for o in operands):
        untracked = inference.bypasses(name, bound, operands)
        if rt.autograd.mode.enabled.yes and inference.refuses(name, bound, operands):
            rt.error("other", _NO_OUT.format(name), site, as_tensor(bound.get("self", bound.get("input"))))
    operation = Operation(
        name,
        site.span,
        tuple(operands),
        outputs=("nograd",) if reinterpreted else overload.outputs or ("grad",),
        saves=saves,
        view="" if copies else _VIEWS[overload.view],
        view_of="" if copies else overload.view_of,
        holds_numbers=_holds_numbers(name, overload, bound),
        untracked=untracked,
        implemented=overload.backward,
        derivative=derivative(shapes.plain_name(name)),
    )
    if overload.out_variant and bound.get("out") is not None:
        return _out(rt, overload, operation, bound["out"], site)
    if target_name:
        target = as_tensor(bound.get(target_name))
        if target is None:
            return Unknown(f"an in-place `{name}`")
        reshaped = shapes.plain_name(name) in _RESHAPING
        form = ANY_FORM if shape is None or not reshaped else strides.view(name, bound, shape)
        in_place(rt, operation, target, site)
        if reshaped:
            rt.heap.write(target, "form", form)
        return target
    if overload.structure == "none":
        return None
    if overload.structure == "list":
        outputs = operation.outputs[:1] * _count_outputs(name, bound)
        operation = replace(operation, outputs=outputs)
    results = apply(rt, operation, site)
    if name == "einsum" and copies:
        # It is a view of a product that no one else holds.
        inner = Operation("view", site.span, (Operand("self", results[0]),), view="view", view_of="self")
        results = apply(rt, inner, site)
    _integers(operation, results)
    if shape is not None and results:
        if operation.view:
            strides.lay_out_views(name, bound, shape, results)
        else:
            form = strides.computed(name, bound, shape)
            for result in results:
                result.form = form
    if overload.structure == "one":
        return results[0]
    if overload.structure == "list":
        exact = _exact_count(name, bound)
        return tuple(results) if exact else ListValue(results, open_=True)
    return tuple(results)


def _holds_numbers(name: str, overload: Overload, bound: dict[str, Value]) -> bool:
    """Whether it keeps something beside the tensors it saves; `lerp` by a number keeps only that number."""
    plain = shapes.plain_name(name)
    if plain == "lerp" and isinstance(bound.get("weight"), (int, float)):
        return False
    if plain in KEEPS_OPERANDS or (plain == "pad" and bound.get("mode", "constant") == "constant"):
        return False
    return name not in KEEPS_NOTHING and not overload.view_of and bool(overload.diff)


def _is_flat(bound: dict[str, Value]) -> bool:
    """`flatten` of one dimension (or of one of several) is the tensor itself."""
    tensor = as_tensor(bound.get("self", bound.get("input")))
    if tensor is None or not tensor.shape:
        return False
    ends = (bound.get("start_dim", 0), bound.get("end_dim", -1))
    return all(isinstance(end, int) for end in ends) and ends[0] % len(tensor.shape) == ends[1] % len(tensor.shape)


def _must_copy(name: str, bound: dict[str, Value], shape: shapes.Shape | None) -> bool:
    """Whether `reshape` certainly copies: a transposed matrix laid flat (aten/src/ATen/native/TensorShape.cpp)."""
    if name not in ("reshape", "flatten", "ravel", "reshape_as"):
        return False
    tensor = as_tensor(bound.get("self", bound.get("input")))
    if tensor is None or tensor.form.plain:
        return False
    if name == "ravel":
        return strides.contiguous(tensor.form) is False
    return strides.must_copy(tensor.form, shape)


def apply(rt: Runtime, operation: Operation, site: Site) -> tuple[Tensor, ...]:
    """Run an out-of-place operation; what PyTorch forbids becomes an event, and loose tensors come back."""

    try:
        results = rt.autograd.apply(operation)
    except AutogradError as error:
        rt.error(error.kind, error.message, site, error.tensor, error.certain)
        return tuple(Tensor(origin=operation.span) for _ in operation.outputs)
    lowered = rt.autograd.mode.casts and autocast.lowers(operation.name)
    tensors = [o.tensor for o in operation.operands if o.tensor is not None]
    dtype = dtypes.LOWER if lowered else dtypes.promoted(tensors) if any(t.dtype for t in tensors) else ""
    if dtype:
        for result in results:
            if not result.floating.no:
                result.dtype = dtype
    return results


def _certain(name: str, bound: dict[str, Value], saves: tuple[Save, ...]) -> tuple[Save, ...]:
    """What the table leaves open because it depends on the arguments, where these decide it.

    Matrices and vectors are saved as they are, batches of them may be copied first; `kl_div` multiplies with the target
    unless that is a logarithm; `smooth_l1_loss` is another function where `beta` is 0.
    """
    if name in ("matmul", "__matmul__", "__rmatmul__"):
        tensors = [t for t in map(as_tensor, bound.values()) if t is not None]
        decided = all(t.shape is not None and len(t.shape) <= 2 for t in tensors)
        if not decided and len(tensors) == 2 and tensors[1].shape is not None and len(tensors[1].shape) <= 2:
            # A stack times a matrix or a vector: that one is taken as it is, once for all.
            stack = tensors[0].shape is not None and len(tensors[0].shape) > 2
            return tuple(replace(s, sure=True) if stack and s.what == "other" else s for s in saves)
    elif name == "smooth_l1_loss":
        beta = bound.get("beta", 1.0)
        decided = isinstance(beta, (int, float)) and beta > 0
    else:
        decided = name == "kl_div" and bound.get("log_target", False) is False
    return tuple(Save(s.what, s.when) for s in saves) if decided else saves


def _exact_count(name: str, bound: dict[str, Value]) -> int | None:
    if name in ("chunk", "tensor_split"):
        count = bound.get("chunks", bound.get("sections", bound.get("indices_or_sections")))
        return count if isinstance(count, int) and 0 < count <= 32 else None
    tensor = as_tensor(bound.get("self", bound.get("input", bound.get("tensor"))))
    shape = tensor.shape if tensor is not None else None
    if name == "unbind" or (name == "split" and "split_size_or_sections" not in bound and "split_size" in bound):
        dim = bound.get("dim", 0)
        size = shape[dim] if shape and isinstance(dim, int) and -len(shape) <= dim < len(shape) else shapes.UNKNOWN
        step = 1 if name == "unbind" else bound["split_size"]
        if isinstance(step, int) and step > 0 and 0 < size <= 16 * step:
            return -(-size // step)
    if name in ("split", "split_with_sizes"):
        sizes = bound.get("split_size_or_sections", bound.get("split_size", bound.get("split_sizes")))
        if isinstance(sizes, (tuple, ListValue)):
            items = sizes if isinstance(sizes, tuple) else sizes.items
            return len(items) or None
    return None


def _count_outputs(name: str, bound: dict[str, Value]) -> int:
    return _exact_count(name, bound) or _LIST_OUTPUTS


def _integers(operation: Operation, results: tuple[Tensor, ...]) -> None:
    """Integer inputs give integer results where the operation does not compute in floating point."""
    if operation.name.rstrip("_") not in _INTEGER_STAYS:
        return
    tensors = [o.tensor for o in operation.operands if o.tensor is not None]
    if tensors and all(t.floating.no for t in tensors):
        for result in results:
            result.floating, result.requires_grad = NO, NO


def _scatters(operation: Operation, view: Tensor) -> None:
    """The gradient of a view that was written goes back into a copy of its base's, by a `copy_` that PyTorch refuses.

    That of elements that are one in memory (torch/csrc/autograd/functions/tensor.cpp, CopySlices::apply_impl); only
    where the base takes a gradient, and only in the backward pass: the write itself, as of a mask, may be allowed.
    """
    base = view.base
    if base is view or base.node is None or shapes.plain_name(operation.name) in _RESHAPING:
        return
    if base.node.span is operation.span and base.node.edges[0].live.yes and strides.overlaps(view.form):
        base.node.implemented = False


def in_place(rt: Runtime, operation: Operation, target: Tensor, site: Site) -> Tensor:
    """Run an in-place operation; what PyTorch forbids becomes an event.

    After a forbidden write the leaf stays a leaf; after one that is only perhaps forbidden the write takes place.
    """
    before = rt.autograd.refresh(target, False).node
    try:
        result = rt.autograd.apply_inplace(operation, target)
    except AutogradError as error:
        rt.error(error.kind, error.message, site, error.tensor, error.certain)
        if error.certain:
            rt.autograd.bump(target, operation.name, operation.span)
            result = target
        else:
            result = rt.autograd.force_inplace(operation, target)
    refused = memory.refuses(operation, target)
    if refused:
        rt.error("other", refused, site, target)
    elif result.node is not None:
        _scatters(operation, result)
    rt.wrote(site, target, before, operation.name)  # type: ignore[attr-defined]
    alias = before is not None and before.cut is not None and before.cut.kind in ("data", "detach")
    if alias or result.node is None or result.node.tracked.no:
        # Through `t.data` the values arrive in `t` while the history stays with the alias.
        for operand in operation.operands:
            if operand.tensor is not None and operand.tensor.memory is not target.memory:
                note_copy(rt, target, operand.tensor, operation.span)
    return result


def note_copy(rt: Runtime, target: Tensor, source: Tensor, span: Span | None, *deep: bool) -> None:
    """Keep that the values of `source` went into the memory of `target` and its history did not; `deep` for a deep
    copy: that the memory is fresh, and whether what was copied is a part of an object."""
    stack, path = rt.autograd.stack, rt.autograd.path
    rt.events.copied.append(Copied(target.memory, source, source.node, span, stack, path, *deep))


def _out(rt: Runtime, overload: Overload, operation: Operation, out: Value, site: Site) -> Value:
    """Run an operation that writes into `out`; the row of the table says whether PyTorch takes tensors to learn."""
    tensors = [t for t in (as_tensor(each) for each in (out if isinstance(out, tuple) else (out,))) if t is not None]
    if isinstance(out, ListValue):
        tensors = [each for each in out.items if isinstance(each, Tensor)]
    operands = tuple(o for o in operation.operands if o.name != "out")
    operation = replace(operation, operands=operands, saves=(), outputs=("grad",))
    aligned = shapes.elementwise(operation.name)
    if "grad" in overload.outputs:
        for each in tensors:
            in_place(rt, operation, each, site)
        return out
    wanting = [o.tensor for o in operands if o.tensor is not None and o.differentiable] + tensors
    for each in wanting:
        rt.autograd.refresh(each, False)
    wanting = [tensor for tensor in wanting if tensor.requires_grad.possible]
    tracked = False
    if "refused" in overload.outputs and wanting and rt.autograd.mode.enabled.possible:
        first = next((t for t in wanting if t.requires_grad.yes), wanting[0])
        certain = first.requires_grad.yes and rt.autograd.mode.enabled.yes
        rt.error("out-argument", _NO_OUT.format(operation.name), site, first, certain)
        tracked = not certain
    if rt.autograd.mode.enabled.possible and not tracked:
        operation = replace(operation, operands=tuple(replace(o, differentiable=False) for o in operands))
    for each in tensors:
        rt.autograd.force_inplace(operation, each)
        refused = memory.refuses(operation, each) if aligned else ""
        if refused:
            rt.error("other", refused, site, each)
    return out


def function(rt: Runtime, dotted: str, call: Call) -> Value:
    """Call a function of torch by the table; an opaque call if the table does not hold it."""
    op = TABLE.function(dotted)
    if call.kwargs.get("inplace") is True:
        # The table has what an in-place form saves in a row of its own.
        inplace = TABLE.function(f"{dotted}[inplace]")
        if inplace is not None:
            kwargs = {name: value for name, value in call.kwargs.items() if name != "inplace"}
            return run(rt, inplace, Call(call.args, kwargs, call.site, call.open_args), name=dotted.rpartition(".")[2])
    if op is None:
        return rt.torch.opaque(None, [*call.args, *call.kwargs.values()], call.site, f"`{dotted}`")  # type: ignore[attr-defined]
    return run(rt, op, call)


def method(rt: Runtime, name: str, call: Call) -> Value:
    """Call a tensor method by the table."""
    op = TABLE.method(name)
    if op is None:
        return rt.torch.opaque(None, [*call.args, *call.kwargs.values()], call.site, f"`.{name}()`")  # type: ignore[attr-defined]
    return run(rt, op, call, name=name)


def module_forward(
    rt: Runtime, op: ModuleOp, parameters: dict[str, Tensor], call: Call, in_place_flag: bool, name: str
) -> Value:
    """Call a module of `torch.nn`: its parameters are operands by name."""
    overload = op.forward_inplace if in_place_flag and op.forward_inplace is not None else op.forward
    inputs = [p for p in overload.params if p.name not in parameters and p.name not in op.parameters]
    operands: list[Operand] = []
    target: Tensor | None = None
    for index, argument in enumerate(call.args):
        label = inputs[min(index, len(inputs) - 1)].name if inputs else "input"
        operands += operands_for(label, argument, label in overload.diff)
        if index == 0:
            target = as_tensor(argument)
    for label, argument in call.kwargs.items():
        operands += operands_for(label, argument, label in overload.diff)
    for label, tensor in parameters.items():
        operands.append(Operand(label, tensor, None, True))
    saves = _saves_of(overload)
    if rt.autograd.mode.casts:
        saves = autocast.kept(name, saves, operands)
    tree = _tree(op.structure)
    count = max(_leaves(tree), len(overload.outputs))
    outputs = overload.outputs if len(overload.outputs) >= count else ("grad",) * count
    operation = Operation(
        name,
        call.site.span,
        tuple(operands),
        outputs=outputs,
        saves=saves,
        view=_VIEWS[overload.view],
        view_of=overload.view_of,
        holds_numbers=not overload.view_of and name.lower() not in KEEPS_OPERANDS,
        implemented=overload.backward,
    )
    if in_place_flag and target is not None and op.forward_inplace is not None:
        return in_place(rt, operation, target, call.site)
    results = list(apply(rt, operation, call.site))
    if tree is None:
        return results[0]
    return _build(tree, results)


def _tree(structure: str) -> object:
    """`nested:(T,(T,T))` as nested tuples; None for a single tensor."""
    if structure.startswith("nested:"):
        return ast.literal_eval(structure[7:].replace("T", "0"))
    if structure == "tuple":
        return (0, 0)
    return None


def _leaves(tree: object) -> int:
    return sum(_leaves(part) for part in tree) if isinstance(tree, tuple) else 1


def _build(tree: object, results: list[Tensor]) -> Value:
    if isinstance(tree, tuple):
        return tuple(_build(part, results) for part in tree)
    return results.pop(0) if len(results) > 1 else results[0]
