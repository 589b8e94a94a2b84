"""The rest of torch's CUDA surface, as a machine with one GPU would answer: `torch.cuda.*`, generators, pinning.

Everything is patched when the simulation is entered and put back when it is left; a name that this torch does not have
is left out.
"""

from __future__ import annotations

import contextlib
import types

import torch

NAME = "Simulated CUDA device"


class _Stream:
    """A stream or an event: everything happens at once, so nothing has to be waited for."""

    def __init__(self, *args, **kwargs):
        self.device = torch.device("cuda:0")
        self.cuda_stream = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None

    def query(self):
        return True

    def is_capturing(self):
        return False

    def elapsed_time(self, other):
        return 0.0

    def record_event(self, event=None):
        return event or _Stream()

    def _nothing(self, *args, **kwargs):
        return None

    synchronize = wait_stream = wait_event = record = wait = _nothing


class _Device:
    """`with torch.cuda.device(0):`"""

    def __init__(self, device=None):
        self.idx = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


def _properties(device=None):
    return types.SimpleNamespace(
        name=NAME, major=8, minor=0, total_memory=16 << 30, multi_processor_count=64, is_integrated=False
    )


def _nothing(*args, **kwargs):
    return None


def _always(value):
    return lambda *args, **kwargs: value


_CUDA = {
    "is_available": _always(True),
    "is_initialized": _always(True),
    "device_count": _always(1),
    "current_device": _always(0),
    "get_device_name": _always(NAME),
    "get_device_capability": _always((8, 0)),
    "get_device_properties": _properties,
    "get_arch_list": _always(["sm_80"]),
    "is_bf16_supported": _always(True),
    "mem_get_info": _always((16 << 30, 16 << 30)),
    "memory_summary": _always(""),
    "memory_stats": lambda *a, **k: {},
    "initial_seed": lambda: torch.initial_seed(),
    "get_rng_state": lambda *a, **k: torch.get_rng_state(),
    "get_rng_state_all": lambda *a, **k: [torch.get_rng_state()],
    "set_rng_state": lambda state, *a, **k: torch.set_rng_state(state),
    "set_rng_state_all": lambda states, *a, **k: torch.set_rng_state(next(iter(states))),
    "Stream": _Stream,
    "Event": _Stream,
    "stream": lambda *a, **k: contextlib.nullcontext(),
    "current_stream": lambda *a, **k: _Stream(),
    "default_stream": lambda *a, **k: _Stream(),
    "device": _Device,
    "is_current_stream_capturing": _always(False),
    "_lazy_init": _nothing,
}
_CUDA.update(
    dict.fromkeys(
        (
            *(
                "init",
                "synchronize",
                "empty_cache",
                "ipc_collect",
                "seed",
                "seed_all",
                "set_device",
                "manual_seed",
                "manual_seed_all",
                "set_stream",
            ),
            *("reset_peak_memory_stats", "reset_max_memory_allocated", "reset_accumulated_memory_stats"),
            "set_per_process_memory_fraction",
        ),
        _nothing,
    )
)
_CUDA.update(
    dict.fromkeys(
        (
            *("memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved"),
            *("memory_cached", "max_memory_cached", "utilization"),
        ),
        _always(0),
    )
)


def _own(value):
    """A function object of its own for each name: torch._dynamo keeps a table by identity and refuses duplicates."""
    if isinstance(value, type):
        return type(value.__name__, (value,), {})

    def answer(*args, **kwargs):
        return value(*args, **kwargs)

    return answer


class _Engine:
    """The autograd engine, which runs hooks and custom functions with the simulation on, also when `backward` came
    through the mode's own handler, where it is off."""

    def __init__(self, engine, mode):
        self._engine = engine
        self._mode = mode

    def run_backward(self, *args, **kwargs):
        with self._mode.again():
            return self._engine.run_backward(*args, **kwargs)

    def __getattr__(self, name):
        return getattr(self._engine, name)


class Patches:
    """Applies and undoes; `mode` is the simulation that marks tensors."""

    def __init__(self, mode):
        self.mode = mode
        self.saved = []

    def set(self, owner, name, value):
        """Sets an attribute until `undo`."""
        self.saved.append((owner, name, owner.__dict__.get(name, getattr(owner, name))))
        setattr(owner, name, value)

    def undo(self):
        """Sets every attribute back, the last one first."""
        while self.saved:
            owner, name, value = self.saved.pop()
            setattr(owner, name, value)

    def apply(self):
        """Lets torch's functions answer as on a machine with CUDA."""
        for name, value in _CUDA.items():
            if hasattr(torch.cuda, name):
                self.set(torch.cuda, name, _own(value))
        self._accelerator()
        self._generator()
        self._parameter()
        self._defaults()
        self._loading()
        self._data_loader()
        self._old_types()
        self.set(
            torch.autograd.Variable, "_execution_engine", _Engine(torch.autograd.Variable._execution_engine, self.mode)
        )
        self.set(torch.nn.DataParallel, "forward", lambda module, *args, **kwargs: module.module(*args, **kwargs))

    def _accelerator(self):
        accelerator = getattr(torch, "accelerator", None)
        if accelerator is None:
            return
        answers = {
            "is_available": _always(True),
            "device_count": _always(1),
            "current_accelerator": _always(torch.device("cuda")),
            "current_device_index": _always(0),
            "current_device_idx": _always(0),
            "set_device_index": _nothing,
            "set_device_idx": _nothing,
            "synchronize": _nothing,
            "current_stream": lambda *a, **k: _Stream(),
            "set_stream": _nothing,
        }
        for name, value in answers.items():
            if hasattr(accelerator, name):
                self.set(accelerator, name, _own(value))

    def _generator(self):
        original = torch.Generator

        class Generator(original):
            def __new__(cls, device="cpu"):
                made = original.__new__(cls, "cpu")
                made.logical = torch.device("cuda:0") if torch.device(device).type == "cuda" else torch.device(device)
                return made

            def __init__(self, device="cpu"):
                pass

            @property
            def device(self):
                return self.logical

        self.set(torch, "Generator", Generator)

    def _parameter(self):
        """`nn.Parameter(t)` is made in C++, past the mode."""
        mode, original = self.mode, torch.nn.Parameter.__new__

        def new(cls, data=None, requires_grad=True):
            made = original(cls, data, requires_grad)
            device = getattr(data, "__dict__", {}).get("_gradsight_device")
            return mode.mark(made, device) if device else made

        self.set(torch.nn.Parameter, "__new__", staticmethod(new))

    def _defaults(self):
        mode = self.mode

        def set_default_device(device):
            mode.default = "cuda:0" if device is not None and torch.device(device).type == "cuda" else None

        if hasattr(torch, "set_default_device"):
            self.set(torch, "set_default_device", set_default_device)
        if hasattr(torch, "get_default_device"):
            self.set(torch, "get_default_device", lambda: torch.device(mode.default or "cpu"))

    def _loading(self):
        """`torch.load(..., map_location="cuda")`, and NumPy arrays, whose tensors are known to be on the CPU."""
        mode, load, from_numpy = self.mode, torch.load, torch.from_numpy

        def simulated_load(f, map_location=None, *args, **kwargs):
            if isinstance(map_location, (str, torch.device)) and torch.device(map_location).type == "cuda":
                return mode.mark(load(f, "cpu", *args, **kwargs), "cuda:0")
            return load(f, map_location, *args, **kwargs)

        self.set(torch, "load", simulated_load)
        self.set(torch, "from_numpy", lambda array: mode.mark(from_numpy(array), "cpu"))

    def _data_loader(self):
        """Pinning happens on a thread of torch's own that would ask the driver."""
        from torch.utils.data import DataLoader

        original = DataLoader.__init__

        def init(self, *args, **kwargs):
            kwargs["pin_memory"] = False
            original(self, *args[:7], **kwargs) if len(args) > 7 else original(self, *args, **kwargs)

        self.set(DataLoader, "__init__", init)

    def _old_types(self):
        """`torch.cuda.FloatTensor(3)` and its kin."""
        mode = self.mode
        for kind in ["Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"]:
            cpu = getattr(torch, kind + "Tensor", None)
            if cpu is None or not hasattr(torch.cuda, kind + "Tensor"):
                continue
            self.set(torch.cuda, kind + "Tensor", lambda *a, _cpu=cpu, **k: mode.mark(_cpu(*a, **k), "cuda:0"))
