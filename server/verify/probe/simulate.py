"""CUDA placement on a machine without a GPU: tensors on the CPU that remember a logical device.

Autograd's rules do not depend on the device but for one thing: moving a leaf makes a copy with a `grad_fn`. Under this
mode `x.to("cuda")` of a CPU tensor is a real autograd copy, of a tensor already there it is `x` itself; factories take
`device="cuda"`; `.device`, `.is_cuda` answer as on a GPU; operands on two devices raise what CUDA raises.

A tensor carries its logical device as attribute `_gradsight_device` ("cuda:0", "cpu"). One without it came into being
out of the mode's sight (C++, another thread, a pickle): its device is unknown, reads as "cpu", and meets every other
without complaint, so that the simulation never invents an error.

Where it gives up: kernels that exist only for CUDA, streams as ordering, half precision of `autocast("cuda")`
(operations stay in float32), several GPUs (there is one), `torch.distributed`.
"""

from __future__ import annotations

import contextlib

import torch
from torch.overrides import TorchFunctionMode

from . import simulate_api

MARK = "_gradsight_device"

# Functions whose operands may be on different devices, by name.
_MAY_MIX = frozenset(
    (
        *(
            "copy_",
            "set_",
            "to",
            "type",
            "type_as",
            "set_data",
            "share_memory_",
            "_foreach_copy_",
            "__get__",
            "__set__",
        ),
        *("__getitem__", "__setitem__", "index_put_", "index_put", "_index_put_impl_"),
        *("size", "dim", "data_ptr", "is_nonzero", "is_same_size", "is_set_to", "result_type", "can_cast"),
        *("_has_compatible_shallow_copy_type", "_group_tensors_by_device_and_dtype", "_cudnn_rnn_flatten_weight"),
        *("backward", "register_hook", "requires_grad_", "retain_grad"),
        *("broadcast_shapes", "expand_as", "view_as", "reshape_as"),
    )
)
# Names of functions whose result's device comes from the first argument alone (or, for a plain list, is the CPU).
_FROM_FIRST = frozenset(("tensor", "as_tensor", "asarray", "scalar_tensor"))
_TO_HOST_ONLY = frozenset(("numpy", "__array__"))


def _name(func):
    return getattr(func, "__name__", "")


def _property(func):
    """The property's name for a getter or setter (`Tensor.device.__get__`), else ""."""
    owner = getattr(func, "__self__", None)
    return getattr(owner, "__name__", "") if _name(func) in ("__get__", "__set__") else ""


def _logical(device):
    """ "cuda:0", "cpu", "meta", ... of what the program writes as a device: a text, a number, a torch.device."""
    if isinstance(device, bool) or device is None:
        return None
    try:
        device = torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    except (RuntimeError, TypeError):
        return None
    if device.type == "cuda":
        if device.index:
            raise RuntimeError("CUDA error: invalid device ordinal")
        return "cuda:0"
    return str(device)


def _tensors(value, depth=0):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)) and depth < 3:
        for item in value:
            yield from _tensors(item, depth + 1)
    elif isinstance(value, dict) and depth < 3:
        for item in value.values():
            yield from _tensors(item, depth + 1)


def _mark_of(tensor):
    return getattr(tensor, "__dict__", {}).get(MARK)


class SimulatedCuda(TorchFunctionMode):
    """The mode; `used` tells whether anything was ever placed on the simulated device."""

    def __init__(self):
        super().__init__()
        self.used = False
        self.default = None
        self._inside = 0
        self._patches = simulate_api.Patches(self)

    def enter(self, default_cuda=False):
        """From now on CUDA seems to be there; with `default_cuda`, new tensors are on it."""
        self.default = "cuda:0" if default_cuda else None
        self._patches.apply()
        self.__enter__()

    def leave(self):
        """As before `enter`."""
        self.__exit__(None, None, None)
        self._patches.undo()

    def device_text(self, tensor):
        """The logical device of a tensor; call it with torch functions off."""
        return _mark_of(tensor) or str(tensor.device)

    def mark(self, value, device):
        """Gives every tensor in `value` the logical device and returns `value`."""
        if device and device.startswith("cuda"):
            self.used = True
        for tensor in _tensors(value):
            tensor.__dict__[MARK] = device
        return value

    @contextlib.contextmanager
    def again(self):
        """The mode on, for what the handler calls back into."""
        if not self._inside:
            yield
            return
        depth, self._inside = self._inside, 0
        try:
            with self:
                yield
        finally:
            self._inside = depth

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self._inside += 1
        try:
            return self._dispatch(func, args, dict(kwargs) if kwargs else {})
        finally:
            self._inside -= 1

    def _dispatch(self, func, args, kwargs):
        name = _name(func)
        prop = _property(func)
        if prop:
            return self._property(func, name, prop, args, kwargs)
        special = getattr(self, "_on_" + name, None)
        if special is not None and (args or kwargs):
            answer = special(func, args, kwargs)
            if answer is not NotImplemented:
                return answer
        if name in _TO_HOST_ONLY and args and _mark_of(args[0]) == "cuda:0":
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
                "first."
            )
        if kwargs.get("device") is not None:
            return self._created_on(func, name, args, kwargs)
        return self._ordinary(func, name, args, kwargs)

    # -- kinds of calls ----------------------------------------------------------------------------------------

    def _property(self, func, name, prop, args, kwargs):
        tensor = args[0]
        if name == "__get__" and _mark_of(tensor) == "cuda:0":
            if prop == "device":
                return torch.device("cuda:0")
            if prop == "is_cuda":
                return True
            if prop == "is_cpu":
                return False
        result = func(*args, **kwargs)
        device = _mark_of(tensor)
        if name == "__set__":
            if prop == "data" and len(args) > 1 and _mark_of(args[1]):
                self.mark(tensor, _mark_of(args[1]))
        elif isinstance(result, torch.Tensor) and device and result is not tensor:
            self.mark(result, device)
        return result

    def _created_on(self, func, name, args, kwargs):
        """A call with `device=`: a factory, or a conversion of its tensor argument."""
        device = _logical(kwargs["device"])
        if device is None or device.split(":")[0] not in ("cuda", "cpu"):
            return func(*args, **kwargs)
        if name in _FROM_FIRST and args and isinstance(args[0], torch.Tensor) and name != "tensor":
            rest = {key: value for key, value in kwargs.items() if key == "dtype"}
            return self._move(args[0], device, **rest)
        kwargs["device"] = "cpu"
        return self.mark(func(*args, **kwargs), device)

    def _ordinary(self, func, name, args, kwargs):
        if name in _FROM_FIRST and args and not isinstance(args[0], torch.Tensor):
            return self.mark(func(*args, **kwargs), self.default or "cpu")
        inputs = list(_tensors(args)) + list(_tensors(kwargs))
        device = None
        known = {}
        for tensor in inputs:
            mark = _mark_of(tensor)
            if mark and mark not in known:
                known[mark] = tensor
        if "cuda:0" in known and "cpu" in known and name not in _MAY_MIX:
            self._refuse_mix(name, inputs)
        if name in _MAY_MIX and inputs:
            device = _mark_of(inputs[0])
        elif "cuda:0" in known:
            device = "cuda:0"
        elif known:
            device = "cpu"
        elif not inputs:
            device = self.default or "cpu"
        if name == "__getitem__" and device == "cpu" and "cuda:0" in known:
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        before = {id(tensor) for tensor in inputs}
        result = func(*args, **kwargs)
        if device is not None:
            for tensor in _tensors(result):
                if id(tensor) not in before or not _mark_of(tensor):
                    self.mark(tensor, device)
        return result

    def _refuse_mix(self, name, inputs):
        if getattr(torch._C, "_current_graph_task_id", lambda: -1)() != -1:
            return  # inside backward tensors come from C++, their marks are incomplete
        with torch._C.DisableTorchFunction():
            cpu = [t for t in inputs if _mark_of(t) == "cpu" and t.dim() > 0]
        if cpu:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
            )

    # -- moves -------------------------------------------------------------------------------------------------

    def _move(self, tensor, device, dtype=None, copy=False, memory_format=None, non_blocking=False):
        """`tensor.to(device, dtype)` with autograd's meaning: itself when nothing changes, else a tracked copy."""
        current = _mark_of(tensor) or "cpu"
        options = {}
        if memory_format is not None:
            options["memory_format"] = memory_format
        if device is not None and device.split(":")[0] not in ("cuda", "cpu"):
            return tensor.to(device, dtype if dtype is not None else tensor.dtype, copy=copy, **options)
        moved = device is not None and device != current
        result = tensor.to(dtype=dtype if dtype is not None else tensor.dtype, copy=copy or moved, **options)
        if device is not None or _mark_of(tensor):
            self.mark(result, device or current)
        return result

    def _on_to(self, func, args, kwargs):
        tensor, rest = args[0], list(args[1:])
        if not isinstance(tensor, torch.Tensor):
            return NotImplemented
        options = dict(kwargs)
        device, dtype = options.pop("device", None), options.pop("dtype", None)
        other = options.pop("other", None)
        if rest and isinstance(rest[0], torch.Tensor):
            other = rest.pop(0)
        elif rest and isinstance(rest[0], torch.dtype):
            dtype = rest.pop(0)
        elif rest:
            device = rest.pop(0)
            if rest and (rest[0] is None or isinstance(rest[0], torch.dtype)):
                dtype = rest.pop(0)
        for key in ("non_blocking", "copy", "memory_format"):
            if rest:
                options[key] = rest.pop(0)
        if other is not None:
            with torch._C.DisableTorchFunction():
                return self._move(tensor, _mark_of(other) or "cpu", other.dtype, **options)
        logical = _logical(device)
        if device is not None and logical is None:
            return NotImplemented
        return self._move(tensor, logical, dtype, **options)

    def _on_cuda(self, func, args, kwargs):
        return self._move(args[0], "cuda:0")

    def _on_cpu(self, func, args, kwargs):
        return self._move(args[0], "cpu")

    def _on_type(self, func, args, kwargs):
        wanted = kwargs.get("dtype", args[1] if len(args) > 1 else None)
        tensor = args[0]
        if wanted is None:
            text = func(tensor)
            return text.replace("torch.", "torch.cuda.", 1) if _mark_of(tensor) == "cuda:0" else text
        if isinstance(wanted, str) and wanted.startswith("torch."):
            plain = wanted.replace("torch.cuda.", "torch.")
            result = func(tensor, plain)
            device = "cuda:0" if plain != wanted else "cpu"
            return self._move(result, device)
        return NotImplemented

    def _on_type_as(self, func, args, kwargs):
        return self._move(args[0], _mark_of(args[1]) or "cpu", args[1].dtype)

    def _on_get_device(self, func, args, kwargs):
        return 0 if _mark_of(args[0]) == "cuda:0" else -1

    def _on_pin_memory(self, func, args, kwargs):
        return self.mark(args[0].clone(), "cpu")

    def _on_is_pinned(self, func, args, kwargs):
        return False

    def _on__pack_padded_sequence(self, func, args, kwargs):
        data, sizes = func(*args, **kwargs)
        return self.mark(data, _mark_of(args[0]) or "cpu"), self.mark(sizes, "cpu")

    def _on__pad_packed_sequence(self, func, args, kwargs):
        padded, lengths = func(*args, **kwargs)
        return self.mark(padded, _mark_of(args[0]) or "cpu"), self.mark(lengths, "cpu")

    def _packed(self, func, args, kwargs):
        """A recurrent layer on a packed sequence, whose batch sizes stay on the CPU."""
        if len(args) < 2 or not isinstance(args[1], torch.Tensor):
            return NotImplemented
        return self.mark(func(*args, **kwargs), _mark_of(args[0]) or "cpu")

    _on_lstm = _on_gru = _on_rnn_tanh = _on_rnn_relu = _packed

    def _on_record_stream(self, func, args, kwargs):
        return None

    def _on___deepcopy__(self, func, args, kwargs):
        result = func(*args, **kwargs)
        return self.mark(result, _mark_of(args[0])) if _mark_of(args[0]) else result

    def _on___repr__(self, func, args, kwargs):
        text = func(*args, **kwargs)
        if _mark_of(args[0]) != "cuda:0" or not text.endswith(")"):
            return text
        for ending in (", dtype=", ", grad_fn=", ", requires_grad="):
            at = text.rfind(ending)
            if at > 0:
                return text[:at] + ", device='cuda:0'" + text[at:]
        return text[:-1] + ", device='cuda:0')"
