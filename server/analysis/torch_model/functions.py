"""Other functions of torch that a table cannot say: devices, custom functions, checkpointing, initialisers."""

from __future__ import annotations

from ..autograd.engine import Operation
from ..autograd.tensor import CPU, Tensor
from ..autograd.truth import NO
from ..values import Call, Runtime, Scalar, TorchName, Unknown, Value, unknown_tensor
from .arguments import device_of, operands_for
from .ops import OVERLAPS, in_place
from .registry import function

_CUDA_AVAILABLE = Scalar("bool")
"""One value for all calls, so that conditions on it agree with each other."""


@function("torch.cuda.is_available", "torch.backends.cuda.is_built")
def _is_available(rt: Runtime, call: Call) -> Value:
    return _CUDA_AVAILABLE


@function("torch.device")
def _device(rt: Runtime, call: Call) -> Value:
    value = call.args[0] if call.args else call.kwargs.get("type")
    device = device_of(value)
    return CPU if value is None else device


@function("torch.is_tensor")
def _is_tensor(rt: Runtime, call: Call) -> Value:
    value = call.args[0] if call.args else None
    return True if isinstance(value, Tensor) else Scalar("bool") if isinstance(value, Unknown) else False


@function("torch.is_grad_enabled")
def _is_grad_enabled(rt: Runtime, call: Call) -> Value:
    value = rt.autograd.mode.enabled.value
    return Scalar("bool") if value is None else value


@function("torch.utils.checkpoint.checkpoint")
def _checkpoint(rt: Runtime, call: Call) -> Value:
    """Runs the function; the reentrant kind gives a result without grad_fn if no argument requires grad."""
    if not call.args:
        return Unknown("checkpoint()")
    kwargs = {k: v for k, v in call.kwargs.items() if k not in ("use_reentrant", "preserve_rng_state", "context_fn")}
    result = rt.call(call.args[0], Call(call.args[1:], kwargs, call.site))
    reentrant = call.kwargs.get("use_reentrant", True)
    inputs = [
        a if isinstance(a, Tensor) else unknown_tensor(a) for a in call.args[1:] if isinstance(a, (Tensor, Unknown))
    ]
    if reentrant is True and inputs and all(t.requires_grad.no for t in inputs) and isinstance(result, Tensor):
        from ..autograd.graph import Cut

        cut = Cut("grad-mode", call.site.span, "checkpoint(use_reentrant=True) without an input that requires grad")
        return rt.autograd.cut_off(result, cut, "checkpoint", share="")
    return result


_CONSTANTS = frozenset({"zeros_", "ones_", "constant_", "eye_"})
"""Initialisers that may fill an expanded tensor, whose elements share memory."""


def initialise(rt: Runtime, dotted: str, call: Call) -> Value:
    """`torch.nn.init.*_`: writes in place under no_grad."""
    tensor = call.args[0] if call.args else call.kwargs.get("tensor")
    if isinstance(tensor, Tensor):
        name = dotted.rpartition(".")[2]
        rt.guard(lambda: rt.autograd.check_inplace(tensor, NO), call.site, lambda: None)  # type: ignore[attr-defined]
        if tensor.layout == "overlaps" and name not in _CONSTANTS:
            rt.error("other", OVERLAPS, call.site, tensor)
        rt.autograd.bump(tensor, name, call.site.span)
        return tensor
    return tensor if tensor is not None else Unknown("nn.init")


@function("torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_", "torch.nn.utils.clip_grad_norm")
def _clip(rt: Runtime, call: Call) -> Value:
    if call.args:
        rt.iterate(call.args[0], call.site)
    return Scalar("float")


@function(
    "torch.manual_seed",
    "torch.cuda.manual_seed",
    "torch.cuda.manual_seed_all",
    "torch.set_default_dtype",
    "torch.set_printoptions",
    "torch.cuda.empty_cache",
    "torch.cuda.synchronize",
    "torch.set_num_threads",
    "torch.autograd.set_detect_anomaly",
    "torch.use_deterministic_algorithms",
    "torch.save",
    "torch.cuda.set_device",
    "torch.set_default_device",
    "torch.set_default_tensor_type",
    "torch.set_float32_matmul_precision",
)
def _setting(rt: Runtime, call: Call) -> Value:
    return None


@function(
    "torch.compile",
    "torch.jit.script",
    "torch.jit.trace",
    "torch.nn.parallel.DistributedDataParallel",
    "torch.nn.DataParallel",
    "torch.jit.ignore",
    "torch.jit.export",
    "torch.compiler.disable",
    "torch.nn.utils.weight_norm",
    "torch.nn.utils.spectral_norm",
    "torch.nn.utils.parametrizations.weight_norm",
    "torch.nn.utils.parametrizations.spectral_norm",
)
def _same(rt: Runtime, call: Call) -> Value:
    """Wrappers that change speed or parametrisation, not what a gradient reaches."""
    return call.args[0] if call.args else TorchName("torch.compile")


def write_in_place(rt: Runtime, name: str, target: Tensor, call: Call) -> Value:
    """A generic in-place write."""
    operation = Operation(name, call.site.span, tuple(operands_for("self", target, True)))
    return in_place(rt, operation, target, call.site)
