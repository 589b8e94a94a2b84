"""For a comparison of two runs: the same seeds in both, and in one of them what a forward pass saves stays as it is.

Autograd saves tensors, not copies; with these hooks it saves copies. A gradient that differs between the two runs was
computed with values that have changed since they were saved.
"""

from __future__ import annotations

import contextlib
import random

import torch

from .tensors import plain, quietly

SEED = 0


class Compare:
    """One of the two runs: `how` is "as-is", or "kept" where autograd saves copies.

    `root` is the fingerprint of what the last backward started from.
    """

    def __init__(self, how):
        self.how = how
        self.root = None

    def seed(self):
        """The same random numbers in every run."""
        random.seed(SEED)
        torch.manual_seed(SEED)
        with contextlib.suppress(ImportError):
            import numpy

            numpy.random.seed(SEED)

    def keeping(self):
        """A context for the program."""
        if self.how != "kept":
            return contextlib.nullcontext()
        return torch.autograd.graph.saved_tensors_hooks(_copy, lambda kept: kept)

    def begin(self, args):
        """A backward begins with these arguments."""
        first = args[0] if args else None
        if isinstance(first, (list, tuple)) and first:
            first = first[0]
        self.root = fingerprint(first) if isinstance(first, torch.Tensor) else None

    def of_gradient(self, tensor, handed):
        """The fingerprint of a tensor's gradient, or of the one that `autograd.grad` handed out for it."""
        with quietly():
            gradient = tensor.grad if handed is None else handed
        return None if gradient is None else fingerprint(gradient)


def _copy(tensor):
    with plain(), torch.no_grad():
        return tensor.detach().clone()


def fingerprint(tensor):
    """Two numbers that tell values apart: the norm, and a sum with weights of both signs. None if there are none."""
    try:
        with quietly(), torch.no_grad():
            values = tensor.coalesce().values() if tensor.is_sparse else tensor.detach()
            if values.is_complex():
                values = torch.view_as_real(values)
            flat = values.to("cpu", torch.float64).flatten()
            weights = torch.cos(torch.arange(flat.numel(), dtype=torch.float64))
            return [float(flat.norm()), float((flat * weights).sum())]
    except Exception:
        return None
