"""Other functions of torch that a table cannot say: devices, settings, initialisers, wrappers."""

from __future__ import annotations

from ..autograd import truth
from ..autograd.tensor import CPU, Tensor
from ..autograd.truth import NO
from ..values import Call, DictValue, ListValue, ModuleObject, Runtime, Scalar, TorchName, Unknown, Value
from . import module_tree, modules, ops, strides
from .arguments import as_tensor, device_of, truth_of
from .creation import parameter
from .memory import CONSTANTS, OVERLAPS
from .registry import function
from .sizes import broadcast, known

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


@function("torch.nn.Embedding.from_pretrained", "torch.nn.EmbeddingBag.from_pretrained")
def _from_pretrained(rt: Runtime, call: Call) -> Value:
    """A table of given vectors, frozen unless it is told otherwise (torch/nn/modules/sparse.py)."""
    module = modules.build(rt, call.name.removesuffix(".from_pretrained"), Call([], {}, call.site))
    frozen = truth_of(rt, call.argument(1, "freeze", True), "the flag is not known")
    data = call.argument(0, "embeddings")
    if isinstance(module, ModuleObject):
        given = data if isinstance(data, (Tensor, Unknown)) else Unknown("the vectors of an embedding")
        weight = parameter(rt, given, call.site, truth.of(None if frozen.maybe else frozen.no, frozen.why), "weight")
        rt.heap.put(module.attributes, "weight", weight)
    return module


@function("torch.broadcast_tensors", "torch.functional.broadcast_tensors")
def _broadcast_tensors(rt: Runtime, call: Call) -> Value:
    """Each tensor expanded to the common shape; itself where it has that shape (aten/src/ATen/ExpandUtils.h)."""
    given = call.args[0] if len(call.args) == 1 and not isinstance(call.args[0], Tensor) else call.args
    listed = given.items if isinstance(given, ListValue) and not given.open else given
    tensors = [as_tensor(each) for each in listed] if isinstance(listed, (tuple, list)) else []
    shape = broadcast([None if each is None else each.shape for each in tensors])
    if shape is None or not known(shape):
        return ops.function(rt, "torch.broadcast_tensors", call)
    return tuple(
        each if each is None or each.shape == shape else ops.method(rt, "expand", Call([each, *shape], {}, call.site))
        for each in tensors
    )


@function("torch.nn.functional.embedding_bag")
def _embedding_bag(rt: Runtime, call: Call) -> Value:
    """Also with the weight before the indices, as it was once (torch/nn/functional.py)."""
    name = "torch.nn.functional.embedding_bag"
    first, second = (as_tensor(call.argument(i, each)) for i, each in enumerate(("input", "weight")))
    if first is not None and second is not None and first.floating.yes and second.floating.no:
        kwargs = {key: value for key, value in call.kwargs.items() if key not in ("input", "weight")}
        call = Call([second, first, *call.args[2:]], kwargs, call.site, call.open_args)
    return ops.function(rt, name, call)


@function("torch.utils.swap_tensors")
def _swap_tensors(rt: Runtime, call: Call) -> Value:
    """Each of two tensors becomes what the other one was."""
    one, other = (as_tensor(call.argument(i, each)) for i, each in enumerate(("t1", "t2")))
    if one is None or other is None:
        return None
    for name in Tensor.__slots__:
        if name not in ("born", "made", "name", "origin"):
            left, right = getattr(one, name), getattr(other, name)
            rt.heap.write(one, name, right)
            rt.heap.write(other, name, left)
    return None


@function("torch.meshgrid", "torch.functional.meshgrid")
def _meshgrid(rt: Runtime, call: Call) -> Value:
    """Each tensor with an axis of its own, expanded over those of the others: a view of each one
    (aten/src/ATen/native/TensorShape.cpp, meshgrid). With `indexing="xy"` the first two axes change places."""
    given = call.args[0] if len(call.args) == 1 and not isinstance(call.args[0], Tensor) else call.args
    listed = given.items if isinstance(given, ListValue) and not given.open else given
    tensors = [as_tensor(each) for each in listed] if isinstance(listed, (tuple, list)) else []
    if not tensors or any(each is None for each in tensors) or call.open_args:
        return ops.function(rt, "torch.meshgrid", call)
    axes = list(range(len(tensors)))
    indexing = call.kwargs.get("indexing", "ij")
    if len(axes) > 1 and indexing != "ij":
        axes[:2] = [1, 0]
    lengths = [_length(each) for each in tensors]
    sizes: list[Value] = [Unknown("a size")] * len(axes)
    for axis, length in zip(axes, lengths, strict=True):
        if length is not None and (indexing in ("ij", "xy") or axis > 1):
            sizes[axis] = length
    results: list[Value] = []
    for axis, each in zip(axes, tensors, strict=True):
        alone: list[Value] = [1] * len(axes)
        alone[axis] = sizes[axis]
        column = ops.method(rt, "view", Call([each, *alone], {}, call.site))
        results.append(ops.method(rt, "expand", Call([column, *sizes], {}, call.site)))
    return tuple(results)


def _length(tensor: Tensor | None) -> int | None:
    """How many elements a vector or a single number has; None if it is not known."""
    shape = tensor.shape if tensor is not None else None
    if shape is None or not known(shape):
        return None
    return shape[0] if shape else 1


def initialise(rt: Runtime, dotted: str, call: Call) -> Value:
    """`torch.nn.init.*_`: writes in place under no_grad. What is calculated there are numbers (torch/nn/init.py)."""
    tensor = call.args[0] if call.args else call.kwargs.get("tensor")
    if "calculate_" in dotted:
        return (Scalar("int"), Scalar("int")) if dotted.endswith("_and_fan_out") else Scalar("float")
    if isinstance(tensor, Tensor):
        name = dotted.rpartition(".")[2]
        rt.guard(lambda: rt.autograd.check_inplace(tensor, NO), call.site, lambda: None)  # type: ignore[attr-defined]
        if name not in CONSTANTS and strides.overlaps(tensor.form):
            rt.error("other", OVERLAPS, call.site, tensor)
        rt.autograd.bump(tensor, name, call.site.span)
        return tensor
    return tensor if tensor is not None else Unknown("nn.init")


@function("torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_", "torch.nn.utils.clip_grad_norm")
def _clip(rt: Runtime, call: Call) -> Value:
    """The norm is computed under no_grad (torch/nn/utils/clip_grad.py)."""
    if call.args:
        rt.iterate(call.args[0], call.site)
    return None if call.name.endswith("value_") else Tensor(origin=call.site.span)


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


@function("torch.nn.parallel.data_parallel", "torch.nn.parallel.data_parallel.data_parallel")
def _in_parts(rt: Runtime, call: Call) -> Value:
    """`data_parallel(module, inputs)`: copies of the module on parts of what goes in; gradients reach the module's own.

    Source: `torch/nn/parallel/data_parallel.py` (what is no tuple is the one input).
    """
    inputs, more = call.argument(1, "inputs"), call.argument(5, "module_kwargs")
    given = list(inputs) if isinstance(inputs, tuple) else [inputs]
    named = {k: v for k, v in more.items.items() if isinstance(k, str)} if isinstance(more, DictValue) else {}
    return rt.call(call.argument(0, "module"), Call(given, named, call.site))


@function(
    "torch.compile",
    "torch.jit.script",
    "torch.jit.trace",
    "torch.nn.parallel.DistributedDataParallel",
    "torch.nn.DataParallel",
    "torch.nn.parallel.DataParallel",
    "torch.nn.SyncBatchNorm.convert_sync_batchnorm",
    "torch.jit.ignore",
    "torch.jit.export",
    "torch.compiler.disable",
)
def _same(rt: Runtime, call: Call) -> Value:
    """Wrappers that change speed, not what a gradient reaches."""
    return call.args[0] if call.args else TorchName("torch.compile")


@function("torch.jit.load")
def _jit_load(rt: Runtime, call: Call) -> Value:
    """A compiled module: whether its parameters require grad was saved with them, and a frozen one has none."""
    module = Unknown("`torch.jit.load`")
    module_tree.parameters_of_unknown(module, loaded=True)
    return module
