"""Stands at `Tensor.backward`, `torch.autograd.backward` and `torch.autograd.grad` and notes who calls them.

The program may patch these itself: its patch then calls ours or not, and the guarded sink statement still tells
whether the sink ran and what it raised.
"""

from __future__ import annotations

import functools
import sys

import torch


class Watch:
    """Counts calls; `on_event(kind, frame, begin, error)` runs at both ends of an outermost one."""

    def __init__(self, filename, on_event, compare=None):
        self.filename = filename
        self.on_event = on_event
        self.depth = 0
        self.grads = {}
        self.compare = compare
        self.count = 0

    def install(self):
        """Stand at the functions from now on."""
        backward = torch.autograd.backward
        tensor_backward = torch.Tensor.backward
        grad = torch.autograd.grad
        torch.Tensor.backward = self._around("backward", tensor_backward)
        torch.autograd.backward = self._around("backward", backward)
        wrapped = self._around("grad", grad)
        torch.autograd.grad = wrapped

    def _around(self, kind, original):
        watch = self

        @functools.wraps(original)
        def call(*args, **kwargs):
            if watch.depth:
                return original(*args, **kwargs)
            frame = watch.user_frame(sys._getframe(1))
            watch.depth += 1
            watch.count += 1
            if watch.compare:
                watch.compare.begin(args)
            watch.on_event(kind, frame, True, None)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                watch.depth -= 1
                watch.on_event(kind, frame, False, error)
                raise
            watch.depth -= 1
            if kind == "grad":
                watch.keep(args, kwargs, result)
            watch.on_event(kind, frame, False, None)
            return result

        return call

    def keep(self, args, kwargs, result):
        """Remembers what `autograd.grad` gave each input: it never lands in `.grad`."""
        inputs = kwargs.get("inputs", args[1] if len(args) > 1 else ())
        if isinstance(inputs, torch.Tensor):
            inputs = (inputs,)
        try:
            pairs = list(zip(inputs, result))  # noqa: B905 (its keyword came with 3.10)
        except TypeError:
            return
        for tensor, gradient in pairs:
            if isinstance(tensor, torch.Tensor):
                self.grads[id(tensor)] = (tensor, gradient)

    def user_frame(self, frame):
        """The innermost frame of the checked file at or above `frame`, or None."""
        while frame is not None and frame.f_code.co_filename != self.filename:
            frame = frame.f_back
        return frame
