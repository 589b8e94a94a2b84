"""Custom functions: what they change behind autograd's back, and what they keep without a version.

Stands around `torch.autograd.Function.apply`. An input that forward changed and did not mark keeps its old history,
which says that the new contents move as the old ones do. Whether that is so is measured: forward runs twice more, in
double precision, with the input moved a little either way. With `keeping`, tensors that forward has put on `ctx` as
attributes become copies when it is over, so that nothing can change them before backward.
"""

from __future__ import annotations

import random
import sys

import torch

from .tensors import plain, quietly

MOST_MEASURED = 4
_STEP = 1e-6
_CLOSE = 1e-3


class Functions:
    """`on_dirty(line, function, index, gain, same)` hears of each input of the checked file that was changed unmarked.

    `gain` is how far the new contents moved for a step of the input, in units of that step; `same` whether they moved
    as the input did. Both are None where forward could not be run again.
    """

    def __init__(self, filename, on_dirty, keeping=False):
        self.filename = filename
        self.on_dirty = on_dirty
        self.keeping = keeping
        self.measured = 0

    def install(self):
        watch, original = self, torch.autograd.Function.apply.__func__

        def apply(cls, *args, **kwargs):
            before = watch.look(args)
            result = original(cls, *args, **kwargs)
            if watch.keeping:
                keep_attributes(cls, result)
            watch.compare(cls, args, before, sys._getframe(1))
            return result

        torch.autograd.Function.apply = classmethod(apply)

    def look(self, args):
        """The version and the contents of each input whose gradient somebody wants; None for the others."""
        before = []
        with quietly(), torch.no_grad():
            for value in args:
                wanted = isinstance(value, torch.Tensor) and value.requires_grad and value.is_floating_point()
                before.append((value._version, value.detach().clone()) if wanted else None)
        return before

    def compare(self, cls, args, before, frame):
        for index, seen in enumerate(before):
            if seen is None or self.measured >= MOST_MEASURED:
                continue
            with quietly():
                changed = args[index]._version != seen[0] and not is_marked(cls, args[index])
            if not changed:
                continue
            self.measured += 1
            contents = [old[1] if old is not None else value for old, value in zip(before, args)]  # noqa: B905
            self.on_dirty(self.line(frame), cls.__name__, index, *moved(cls, contents, index))

    def line(self, frame):
        while frame is not None and frame.f_code.co_filename != self.filename:
            frame = frame.f_back
        return frame.f_lineno if frame is not None else None


def is_marked(cls, tensor):
    """Whether the function is part of the tensor's history by now: what `mark_dirty` does."""
    name = tensor.grad_fn.name() if tensor.grad_fn is not None else ""
    return name in (cls.__name__ + "Backward", "CopySlices", "torch::autograd::CopySlices")


def keep_attributes(cls, result):
    """Copies of the tensors that are attributes of the `ctx` behind a result."""
    for value in result if isinstance(result, (tuple, list)) else (result,):
        with quietly():
            ctx = value.grad_fn if isinstance(value, torch.Tensor) else None
        if ctx is not None and getattr(type(ctx), "_forward_cls", None) is cls:
            for name, kept in list(vars(ctx).items()):
                if isinstance(kept, torch.Tensor):
                    with plain(), torch.no_grad():
                        setattr(ctx, name, kept.detach().clone())


def moved(cls, contents, index):
    """(how far, whether as the input itself) the input's new contents move when the input does; (None, None) if that
    cannot be told."""
    state, numbers = torch.get_rng_state(), random.getstate()
    try:
        with quietly(), torch.no_grad():
            start = contents[index].to(torch.float64)
            along = torch.cos(torch.arange(start.numel(), dtype=torch.float64, device=start.device)).reshape(
                start.shape
            )
            step = _STEP * max(1.0, float(start.abs().max()))
            ends = []
            for sign in (1.0, -1.0):
                torch.set_rng_state(state)
                random.setstate(numbers)
                ends.append(changed_by(cls, contents, index, start + sign * step * along))
            change = (ends[0] - ends[1]) / (2 * step)
            size = float(along.norm())
            gain, off = float(change.norm()) / size, float((change - along).norm()) / size
            return (gain, off <= _CLOSE) if gain == gain else (None, None)
    except Exception:
        return None, None
    finally:
        torch.set_rng_state(state)
        random.setstate(numbers)


def changed_by(cls, contents, index, value):
    """What forward leaves in the input at `index` that holds `value`."""
    inputs = []
    for position, each in enumerate(contents):
        if position == index:
            each = value.clone()
        elif isinstance(each, torch.Tensor):
            each = each.detach().clone()
            each = each.to(torch.float64) if each.is_floating_point() else each
        inputs.append(each)
    if "setup_context" in vars(cls) or cls.setup_context is not torch.autograd.Function.setup_context:
        cls.forward(*inputs)
    else:
        ctx = torch.autograd.function.FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(each, torch.Tensor) for each in contents)
        cls.forward(ctx, *inputs)
    return inputs[index]
