"""An operation is carried out on the engine: what PyTorch forbids becomes an event, and what was written is noted."""

from __future__ import annotations

from ..autograd.graph import join_versions
from ..autograd.operation import AutogradError, Operation
from ..autograd.tensor import Tensor
from ..events import Copied
from ..report import Span
from ..values import Runtime, Site
from . import autocast, dtypes, memory, shapes, strides

RESHAPING = frozenset(["unsqueeze", "squeeze", "t", "transpose", "swapaxes", "swapdims", "as_strided"])


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


def _scatters(operation: Operation, view: Tensor) -> None:
    """The gradient of a view that was written goes back into a copy of its base's, by a `copy_` that PyTorch refuses.

    That of elements that are one in memory (torch/csrc/autograd/functions/tensor.cpp, CopySlices::apply_impl); only
    where the base takes a gradient, and only in the backward pass: the write itself, as of a mask, may be allowed.
    """
    base = view.base
    if base is view or base.node is None or shapes.plain_name(operation.name) in RESHAPING:
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


def perhaps_in_place(rt: Runtime, operation: Operation, target: Tensor, site: Site) -> Tensor:
    """Run an in-place operation that may not do anything: a dropout with a probability that is not known."""
    version, contents = target.counter.version, target.memory.version
    result = in_place(rt, operation, target, site)
    rt.heap.write(target.counter, "version", join_versions(target.counter.version, version))
    rt.heap.write(target.memory, "version", join_versions(target.memory.version, contents))
    return result


def note_copy(rt: Runtime, target: Tensor, source: Tensor, span: Span | None, *deep: bool) -> None:
    """Keep that the values of `source` went into the memory of `target` and its history did not; `deep` for a deep
    copy: that the memory is fresh, and whether what was copied is a part of an object."""
    stack, path = rt.autograd.stack, rt.autograd.path
    rt.events.copied.append(Copied(target.memory, source, source.node, span, stack, path, *deep))
