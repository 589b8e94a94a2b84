"""Where the program runs: a real CUDA device, the CPU, or the CPU with simulated CUDA placement.

The plan's `device` is what the person asked for, its `placement` how a program that says nothing about devices is
placed:

* With a GPU and device "auto" or "cuda": the real one. Programs that mention `cuda` run as they are. For one that does
  not, the server first asks for placement "default-cuda" (`torch.set_default_device("cuda")`), and, should that
  end in anything but a verdict (a CPU-only generator, a `.numpy()`), for "as-is".
* Without a GPU and device "auto": simulated placement if the program, or a module next to it that it imports, mentions
  `cuda` or `accelerator`; otherwise plain CPU.
* Without a GPU and device "cuda": simulated placement always; with placement "default-cuda" what is created
  without a device counts as created there.
* Device "cpu": the CPU, GPUs hidden; code that asks for `cuda` fails as it does on such a machine.
"""

from __future__ import annotations

import ast
import os

import torch

from . import limits


def asks_for_cuda(text, folder, most=60):
    """Whether the program or a local module that it imports (transitively, `most` files) speaks of CUDA devices."""
    waiting, seen = [text], set()
    while waiting:
        source = waiting.pop()
        if "cuda" in source or "accelerator" in source:
            return True
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        names = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                names.add(base)
                names.update(f"{base}.{alias.name}".lstrip(".") for alias in node.names)
        for name in names:
            stem = os.path.join(folder, *name.split("."))
            for candidate in (stem + ".py", os.path.join(stem, "__init__.py")):
                if candidate not in seen and len(seen) < most and os.path.isfile(candidate):
                    seen.add(candidate)
                    try:
                        with open(candidate, encoding="utf-8", errors="replace") as stream:
                            waiting.append(stream.read())
                    except OSError:
                        pass
    return False


class Place:
    """Decides once, at construction, and switches on and off around the program."""

    def __init__(self, plan):
        self.device = plan.get("device", "auto")
        self.asks = asks_for_cuda(plan["text"], os.path.dirname(plan["path"]))
        self.default_cuda = plan.get("placement") == "default-cuda" and not self.asks
        self.simulation = None
        self.notes = []
        self.real = self.device != "cpu" and torch.cuda.is_available()
        if self.real:
            self._take_gpu(float(plan.get("memory_fraction", 0.5)))
        else:
            if plan.get("memory"):
                limits.address_space(int(plan["memory"]))
            if self.device == "cuda" or (self.device == "auto" and self.asks):
                from .simulate import SimulatedCuda

                self.simulation = SimulatedCuda()
        self._skip_compile()

    @property
    def device_of(self):
        """How to read the logical device of a tensor; None where it is the real one."""
        return self.simulation.device_text if self.simulation else None

    def _take_gpu(self, fraction):
        if torch.cuda.device_count() > 1 and not os.environ.get("CUDA_VISIBLE_DEVICES"):
            torch.cuda.set_device(least_loaded())
        for index in range(torch.cuda.device_count()):
            torch.cuda.set_per_process_memory_fraction(fraction, index)

    def _skip_compile(self):
        if not hasattr(torch, "compile"):
            return
        place = self

        def compile(model=None, **options):
            if model is None:
                return lambda actual: compile(actual, **options)
            note = "`torch.compile` was skipped: the code ran eagerly, autograd's rules are the same"
            if note not in place.notes:
                place.notes.append(note)
            return model

        torch.compile = compile

    def enter(self):
        """Puts the program on the device."""
        if self.simulation:
            self.simulation.enter(default_cuda=self.default_cuda)
        elif self.real and self.default_cuda:
            torch.set_default_device("cuda")

    def leave(self):
        """Ends the simulation."""
        if self.simulation:
            self.simulation.leave()

    def describe(self, saw_cuda):
        """The `place` message; its `defaulted` tells that placement "default-cuda" had an effect."""
        driver = None
        if self.real:
            on_gpu = saw_cuda or (torch.cuda.is_initialized() and torch.cuda.max_memory_allocated() > 0)
            index = torch.cuda.current_device()
            text = f"cuda:{index} ({torch.cuda.get_device_name(index)})" if on_gpu else "cpu"
            driver = driver_version()
        elif self.simulation and (self.device == "cuda" or self.simulation.used):
            text = "cpu (simulated cuda)"
        else:
            text = "cpu"
        defaulted = self.default_cuda and bool(self.real or self.simulation)
        return {
            "device": text,
            "driver": driver,
            "simulating": self.simulation is not None,
            "defaulted": defaulted,
            "notes": list(self.notes),
        }


def least_loaded():
    """Index of the GPU with the most free memory: NVML where nvidia-ml-py is installed, else CUDA's own word."""
    count = torch.cuda.device_count()
    try:
        import pynvml  # type: ignore[import-not-found,unused-ignore]

        pynvml.nvmlInit()
        free = [pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(i)).free for i in range(count)]
        pynvml.nvmlShutdown()
    except Exception:
        try:
            free = [torch.cuda.mem_get_info(i)[0] for i in range(count)]
        except Exception:
            return 0
    return max(range(count), key=lambda i: free[i])


def driver_version():
    """The NVIDIA driver's version, or None where neither NVML nor the kernel module tells."""
    try:
        import pynvml  # type: ignore[import-not-found,unused-ignore]

        pynvml.nvmlInit()
        version = pynvml.nvmlSystemGetDriverVersion()
        pynvml.nvmlShutdown()
        return version.decode() if isinstance(version, bytes) else version
    except Exception:
        pass
    try:
        with open("/sys/module/nvidia/version") as stream:
            return stream.read().strip()
    except OSError:
        return None
