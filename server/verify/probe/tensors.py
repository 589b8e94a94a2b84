"""What autograd says about a value, and the tensors and parameters a frame can see, with their gradients.

Everything is read with torch-function handling off, so neither a simulated device nor a user's tensor subclass
answers in the tensor's place; the device alone is asked of the simulation.
"""

from __future__ import annotations

import contextlib
import math
import types
import warnings

import torch

MOST_LEAVES = 400
MOST_ITEMS = 200


def plain():
    """A context in which torch functions mean what they mean without modes."""
    return torch._C.DisableTorchFunction()


@contextlib.contextmanager
def quietly():
    """Inside, tensors are looked at without warnings and without the program's own modes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with plain():
            yield


class Reader:
    """Reads facts off tensors; `device_of` answers for the simulation (tensor -> text), or is None."""

    def __init__(self, device_of=None):
        self.device_of = device_of
        self.saw_cuda = False

    def device(self, tensor):
        """The device of a tensor as the program sees it."""
        text = self.device_of(tensor) if self.device_of else str(tensor.device)
        if text.startswith("cuda"):
            self.saw_cuda = True
        return text

    def facts(self, value):
        """A dictionary of plain values; never raises."""
        if not isinstance(value, torch.Tensor):
            return {"type": type(value).__name__, "tensor": False}
        with quietly():
            out = {"type": type(value).__name__, "tensor": True}
            out["requires_grad"] = bool(value.requires_grad)
            out["is_leaf"] = bool(value.is_leaf)
            out["grad_fn"] = value.grad_fn.name() if value.grad_fn is not None else None
            out["dtype"] = str(value.dtype).replace("torch.", "")
            out["device"] = self.device(value)
            out["shape"] = [int(n) for n in value.shape]
            with contextlib.suppress(Exception):
                out["version"] = value._version
            with contextlib.suppress(Exception):
                out["inference"] = bool(value.is_inference())
        return out

    def gradient(self, tensor, grad=None):
        """("none" | "zero" | "present", norm or None) of `tensor.grad`, or of `grad` where that is handed in."""
        with quietly(), torch.no_grad():
            if grad is None:
                grad = tensor.grad
            if grad is None:
                return "none", None
            try:
                values = grad.coalesce().values() if grad.is_sparse else grad
                if values.numel() == 0:
                    return "present", 0.0
                zero = not bool((values != 0).any())
                norm = float(values.detach().abs().to(torch.float64).norm())
            except Exception:
                return "present", None
        if zero:
            return "zero", 0.0
        return "present", norm if math.isfinite(norm) else None

    def grad_mark(self, tensor):
        """Something that changes when a backward adds to the tensor's gradient."""
        with quietly():
            grad = tensor.grad
            if grad is None:
                return None
            try:
                return (id(grad), grad._version)
            except Exception:
                return (id(grad), -1)


class Named:
    """A tensor under the name the program has for it."""

    def __init__(self, name, tensor, parameter=False):
        self.name = name
        self.tensor = tensor
        self.parameter = parameter


def visible(frames):
    """Trainable leaves and modules' parameters that the frames' variables lead to, each once, innermost first.

    Looks into lists, tuples and dicts, one level into instances, and into optimizers for what has no other name.
    """
    found = {}
    optimizers = []

    def add(name, tensor, parameter=False):
        if len(found) < MOST_LEAVES and id(tensor) not in found:
            found[id(tensor)] = Named(name, tensor, parameter)

    def look(name, value, depth):
        if isinstance(value, torch.Tensor):
            with plain():
                trainable = value.requires_grad and value.is_leaf
            if trainable:
                add(name, value, isinstance(value, torch.nn.Parameter))
        elif isinstance(value, torch.nn.Module):
            with contextlib.suppress(Exception):
                for inner, parameter in value.named_parameters():
                    add(f"{name}.{inner}", parameter, True)
        elif isinstance(value, torch.optim.Optimizer):
            optimizers.append((name, value))
        elif depth < 2 and type(value) in (list, tuple) and len(value) <= MOST_ITEMS:
            for i, item in enumerate(value):
                look(f"{name}[{i}]", item, depth + 1)
        elif depth < 2 and type(value) is dict and len(value) <= MOST_ITEMS:
            for key, item in list(value.items()):
                look(f"{name}[{key!r}]", item, depth + 1)
        elif depth < 1 and _plain_instance(value):
            for key, item in list(vars(value).items()):
                look(f"{name}.{key}", item, depth + 1)

    for names in frames:
        for name, value in list(names.items()):
            if not name.startswith("__"):
                with contextlib.suppress(Exception):
                    look(name, value, 0)
    for name, optimizer in optimizers:
        with contextlib.suppress(Exception):
            for g, group in enumerate(optimizer.param_groups):
                for p, parameter in enumerate(group["params"]):
                    add(f"{name}.param_groups[{g}]['params'][{p}]", parameter, True)
    return list(found.values())


def _plain_instance(value):
    if isinstance(value, (type, types.ModuleType, types.FunctionType)) or not hasattr(value, "__dict__"):
        return False
    return type(value).__module__ == "__main__"
