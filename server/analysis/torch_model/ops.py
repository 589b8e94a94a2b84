"""Operations by the table: bind the call, ask the table what the operation does, and tell autograd."""

from __future__ import annotations

from dataclasses import replace

from ..autograd.operation import Operand, Operation
from ..autograd.tensor import ANY_FORM
from ..values import Call, DType, ListValue, Runtime, Site, Unknown, Value
from . import autocast, by_arguments, inference, new_strides, saved, shapes, sizes, view_strides
from .arguments import as_tensor, kind_of, operands_for
from .effects import RESHAPING, apply, in_place, perhaps_in_place
from .keeps import derivative
from .out_variants import NO_OUT, write_out
from .rows import VIEWS, picked_for, saves_of
from .table import TABLE, Op, Overload


def run(rt: Runtime, op: Op, call: Call, *, name: str = "") -> Value:
    """Call a function or method of the table (for a method, `args[0]` is the tensor).

    Gives the result in the structure the table says; an unknown if the call fits no overload.
    """
    picked = picked_for(op, tuple(map(kind_of, call.args)), tuple((k, kind_of(v)) for k, v in call.kwargs.items()))
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
    if name in by_arguments.GIVE_BACK and by_arguments.is_itself(name, bound):
        given = bound.get("self", bound.get("input", bound.get("tensors")))
        return given[0] if isinstance(given, tuple) else given
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
    elif mutated and not overload.returns_self and not overload.out_variant and name == "instance_norm":
        # It keeps statistics and gives back a result of its own.
        for statistic in map(as_tensor, map(bound.get, mutated)):
            if statistic is not None:
                rt.autograd.bump(statistic, name, site.span)
        mutated = ()
    inplace_flag = bound.get("inplace") is True
    target_name = mutated[0] if mutated else "input" if inplace_flag else ""
    saves = saved.certain(name, bound, saves_of(overload))
    if rt.autograd.mode.casts:
        saves = autocast.kept(name, saves, operands)
    # What may return a view (`einsum`) does so for one operand only; with several it computes.
    copies = overload.view == "maybe" and sum(o.tensor is not None for o in operands) > 1
    shape = shapes.after(name, bound)
    copies = copies or by_arguments.must_copy(name, bound, shape)
    dtype = bound.get("dtype")
    reinterpreted = name == "view" and isinstance(dtype, DType) and not dtype.floating
    untracked = name in by_arguments.PAST_AUTOGRAD
    plain = shapes.plain_name(name)
    if not rt.autograd.mode.inference and any(o.tensor is not None and o.tensor.inference for o in operands):
        untracked = inference.bypasses(name, bound, operands)
        operands, saves = list(inference.taken(name, operands)), inference.saved(name, saves, operands)
        if rt.autograd.mode.enabled.yes and inference.refuses(name, bound, operands):
            rt.error("other", NO_OUT.format(name), site, as_tensor(bound.get("self", bound.get("input"))))
    operation = Operation(
        name,
        site.span,
        tuple(operands),
        outputs=("nograd",) if reinterpreted else overload.outputs or ("grad",),
        saves=saves,
        view="" if copies else VIEWS[overload.view],
        view_of="" if copies else overload.view_of,
        holds_numbers=by_arguments.holds_numbers(name, overload, bound, rt.autograd.mode.casts),
        untracked=untracked,
        implemented=by_arguments.implemented(bound) if plain in by_arguments.FIRST_IS_NOT else overload.backward,
        derivative=by_arguments.depends(plain, bound) if plain in by_arguments.DEPENDING else derivative(plain),
        reshapes=bool(mutated) and plain in RESHAPING,
    )
    if overload.out_variant and bound.get("out") is not None:
        return write_out(rt, overload, operation, bound["out"], site)
    if target_name:
        target = as_tensor(bound.get(target_name))
        if target is None:
            return Unknown(f"an in-place `{name}`")
        reshaped = plain in RESHAPING
        form = ANY_FORM if shape is None or not reshaped else view_strides.view(name, bound, shape)
        before, made = target.shape, target.node
        # With a probability of 0 nothing is written; a flag that is not known is on where the module learns.
        known = not drops or isinstance(bound.get("p", 0.5), (int, float))
        (in_place if known else perhaps_in_place)(rt, operation, target, site)
        if reshaped:
            rt.heap.write(target, "form", form)
            if target.node is made and before is not None and shape is not None and sizes.known((*before, *shape)):
                rt.autograd.resized(target, site.span, before, shape)
        return target
    if overload.structure == "none":
        return None
    further = 0 if by_arguments.FURTHER.isdisjoint(bound) else by_arguments.further_outputs(bound)
    if further and overload.structure == "one":
        if bound.get("return_indices") is True:
            operation = replace(operation, saves=(*operation.saves, saved.INDICES))
        several = apply(rt, replace(operation, outputs=("grad", *("nograd",) * further)), site)
        several[0].form = new_strides.computed(name, bound, shape) if shape is not None else several[0].form
        return several
    if overload.structure == "list":
        outputs = operation.outputs[:1] * by_arguments.count_outputs(name, bound)
        operation = replace(operation, outputs=outputs)
    results = apply(rt, operation, site)
    if name == "einsum" and copies:
        # It is a view of a product that no one else holds.
        inner = Operation("view", site.span, (Operand("self", results[0]),), view="view", view_of="self")
        results = apply(rt, inner, site)
    by_arguments.keep_integers(operation, results)
    if shape is not None and results:
        if operation.view:
            view_strides.lay_out_views(name, bound, shape, results)
        else:
            form = new_strides.computed(name, bound, shape)
            for result in results:
                result.form = form
    if overload.structure == "one":
        return results[0]
    if overload.structure == "list":
        exact = by_arguments.exact_count(name, bound)
        return tuple(results) if exact else ListValue(results, open_=True)
    return tuple(results)


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
