"""Where tensors come from: factories, and data wrapped into a new tensor (which forgets its history)."""

from __future__ import annotations

from dataclasses import replace

from ..autograd import truth
from ..autograd.graph import Cut, Edge, Node
from ..autograd.heap import MISSING
from ..autograd.operation import Operation
from ..autograd.tensor import ANY_FORM, CPU, Device, Form, Tensor
from ..autograd.truth import NO, YES, Truth
from ..values import Call, Choice, IterValue, ListValue, Runtime, Scalar, Site, Unknown, Value, unknown_tensor
from . import arrays, new_strides
from .arguments import device_of, dtype_of, floating_of, operands_for, truth_of
from .effects import apply
from .registry import FunctionModel, function, method
from .sizes import Shape, of_data, sizes_asked

_FAR = 40
_FLOAT_FACTORIES = [
    "zeros",
    "ones",
    "empty",
    "rand",
    "randn",
    "linspace",
    "logspace",
    "eye",
    "empty_strided",
    "hann_window",
]
_LIKE = ["zeros_like", "ones_like", "empty_like", "rand_like", "randn_like", "full_like", "randint_like"]
_NEW = ["new_zeros", "new_ones", "new_empty", "new_full", "new"]


def make(
    rt: Runtime,
    call: Call,
    floating: Truth,
    *,
    default_device: Device = CPU,
    node: Node | None = None,
    shape: Shape | None = None,
) -> Tensor:
    """A new leaf of a shape, with what `dtype=`, `device=` and `requires_grad=` say."""
    dtype = dtype_of(call.kwargs.get("dtype"))
    if dtype is not None:
        floating = truth.of(dtype.floating)
    elif floating.no and isinstance(call.kwargs.get("dtype"), (Unknown, Choice)):
        floating = truth.maybe("a dtype that is not known")
    device = device_of(call.kwargs["device"]) if call.kwargs.get("device") is not None else default_device
    wanted = truth_of(rt, call.kwargs.get("requires_grad", False), "the flag is not known")
    tensor = Tensor(floating=floating, device=device, origin=call.site.span, node=node)
    tensor.dtype = dtype.name if dtype is not None else ""
    tensor.inference = tensor.uncounted = rt.autograd.mode.inference
    tensor.form = Form(shape, True)
    if wanted.possible:
        if floating.no:
            if wanted.yes:
                rt.error(
                    "other",
                    "Only Tensors of floating point and complex dtype can require gradients",
                    call.site,
                    tensor,
                )
        else:
            tensor.requires_grad = wanted
    return tensor


def _factory(name: str) -> None:
    @function(f"torch.{name}")
    def build(rt: Runtime, call: Call) -> Value:
        out = call.kwargs.get("out")
        if isinstance(out, Tensor):
            rt.autograd.bump(out, name, call.site.span)
            return out
        node = _of_numbers(rt, name, call) if name in ("linspace", "logspace") else None
        return make(rt, call, YES, node=node, shape=_size(name, call))


for _name in _FLOAT_FACTORIES:
    _factory(_name)


@function("torch.normal")
def _normal(rt: Runtime, call: Call) -> Value:
    """Around a tensor it has a grad_fn and a gradient of zero (tools/autograd/derivatives.yaml); else it is new."""
    given = [call.argument(0, "mean"), call.argument(1, "std")]
    operands = [o for name, value in zip(("mean", "std"), given, strict=True) for o in operands_for(name, value, True)]
    if not any(operand.tensor is not None for operand in operands):
        return make(rt, call, YES)
    return apply(rt, Operation("normal", call.site.span, tuple(operands), outputs=("zero",)), call.site)[0]


def _of_numbers(rt: Runtime, name: str, call: Call) -> Node | None:
    """What numbers that go into a new tensor, its ends or its only value, were computed from."""
    values = [*call.args, *(v for k, v in call.kwargs.items() if k not in ("size", "out", "device", "dtype"))]
    edges = tuple(edge for value in values if isinstance(value, Scalar) for edge in contents(value))
    return Node(name, call.site.span, edges, tracked=NO, path=rt.autograd.path) if edges else None


def _size(name: str, call: Call) -> Shape | None:
    """The shape that a factory is asked for."""
    if name in ("zeros", "ones", "empty", "rand", "randn"):
        return sizes_asked(call.args) if call.args else sizes_asked([call.kwargs.get("size")])
    if name == "eye" and len(call.args) in (1, 2):
        return sizes_asked((call.args[0], call.args[-1]))
    return None


@function("torch.randint", "torch.randperm", "torch.tril_indices", "torch.triu_indices")
def _integers(rt: Runtime, call: Call) -> Value:
    return make(rt, call, NO)


@function("torch.arange", "torch.range")
def _arange(rt: Runtime, call: Call) -> Value:
    kinds = [floating_of(a) for a in call.args]
    floating = YES if any(k.yes for k in kinds) else truth.maybe("numbers") if any(k.maybe for k in kinds) else NO
    return make(rt, call, floating, node=_of_numbers(rt, "arange", call))


@function("torch.full")
def _full(rt: Runtime, call: Call) -> Value:
    shape = sizes_asked([call.argument(0, "size")])
    node = _of_numbers(rt, "full", call)
    return make(rt, call, floating_of(call.argument(1, "fill_value", 0.0)), node=node, shape=shape)


def _like(name: str) -> None:
    @function(f"torch.{name}")
    def build(rt: Runtime, call: Call) -> Value:
        model = call.args[0] if call.args else None
        tensor = model if isinstance(model, Tensor) else unknown_tensor(model) if isinstance(model, Unknown) else None
        if tensor is None:
            return make(rt, call, YES)
        floating = tensor.floating if not tensor.floating.maybe else YES
        made = make(rt, call, floating, default_device=tensor.device)
        made.form = new_strides.copied(tensor)
        return made


for _name in _LIKE:
    _like(_name)


def _new(name: str) -> None:
    @method(name)
    def build(rt: Runtime, tensor: Tensor, call: Call) -> Value:
        shape = None if name in ("new_full", "new") else sizes_asked(call.args[1:])
        return make(rt, call, tensor.floating, default_device=tensor.device, shape=shape)


for _name in _NEW:
    _new(_name)


def contents(value: Value, depth: int = 4) -> list[Edge]:
    """Edges to everything with a history inside the data handed to a constructor."""
    if isinstance(value, Tensor):
        return [value.edge()]
    if isinstance(value, Unknown):
        return [unknown_tensor(value).edge()] if value.node is not None or value.tensor is not None else []
    if isinstance(value, Scalar):
        return [Edge(value.node, None, NO)] if value.node is not None else []
    if not depth:
        return []
    items: list[Value] = []
    if isinstance(value, (ListValue, IterValue)):
        items = list(value.items)
    elif isinstance(value, tuple):
        items = list(value)
    elif isinstance(value, Choice):
        items = [v for _, v in value.alternatives]
    return [edge for item in items for edge in contents(item, depth - 1)]


def wrap(rt: Runtime, data: Value, call: Call, written: str) -> Tensor:
    """A new tensor with a copy of the data and no history: cut here if something in the data carried a gradient."""
    for tensor in rt.tensors_in(data):
        rt.autograd.refresh(tensor, False)
    edges = tuple(contents(data))
    carries = any(edge.live.possible for edge in edges)
    node = None
    if edges:
        cut = Cut("rewrap", call.site.span, written) if carries else None
        node = Node(written, call.site.span, edges, tracked=NO, path=rt.autograd.path, cut=cut)
    device = data.device if isinstance(data, Tensor) else CPU
    tensor = make(rt, call, floating_of(data), default_device=device, node=node, shape=of_data(data))
    if isinstance(data, Scalar) and tensor.shape is None:
        shape = arrays.form(data).shape
        tensor.form = Form(shape, shape is not None)
    if node is not None:
        node.result = tensor
    return tensor


@function("torch.nested.nested_tensor")
def _nested(rt: Runtime, call: Call) -> Value:
    """Copies of the tensors in a list, without their history (torch/nested/__init__.py); of no shape."""
    result = wrap(rt, call.argument(0, "tensor_list"), call, "torch.nested.nested_tensor")
    result.form = ANY_FORM
    return result


@function("torch.tensor")
def _tensor(rt: Runtime, call: Call) -> Value:
    return wrap(rt, call.argument(0, "data"), call, "torch.tensor")


def _of_type(name: str) -> FunctionModel:
    """The model of a class of tensors that is called with sizes or with data: the class says what it holds."""

    def model(rt: Runtime, call: Call) -> Value:
        data = call.args[0] if call.args else None
        numbers = all(
            isinstance(a, (int, Scalar)) and not (isinstance(a, Scalar) and a.kind == "array") for a in call.args
        )
        if numbers:
            tensor = make(rt, call, floating)
        else:
            tensor = wrap(rt, data, Call([], {}, call.site), f"torch.{name}")
            tensor.floating = floating
        if name.startswith("cuda."):
            tensor.device = Device("cuda")
        return tensor

    floating = truth.of(name.rpartition(".")[2] not in _WHOLE)
    return model


_WHOLE = ("LongTensor", "IntTensor", "ShortTensor", "CharTensor", "ByteTensor", "BoolTensor")
for _name in ("FloatTensor", "DoubleTensor", "HalfTensor", "BFloat16Tensor", *_WHOLE):
    function(f"torch.{_name}")(_of_type(_name))
    function(f"torch.cuda.{_name}")(_of_type(f"cuda.{_name}"))
function("torch.Tensor")(_of_type("Tensor"))


@method("new_tensor")
def _new_tensor(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    return wrap(rt, call.argument(1, "data"), Call([], call.kwargs, call.site), "new_tensor")


@function("torch.as_tensor", "torch.asarray")
def _as_tensor(rt: Runtime, call: Call) -> Value:
    data = call.argument(0, "data", call.kwargs.get("obj"))
    if isinstance(data, (Tensor, Unknown)):
        from .placement import move

        tensor = data if isinstance(data, Tensor) else unknown_tensor(data)
        dtype = dtype_of(call.kwargs.get("dtype", call.args[1] if len(call.args) > 1 else None))
        device = device_of(call.kwargs["device"]) if call.kwargs.get("device") is not None else None
        if call.kwargs.get("requires_grad", MISSING) is False and tensor.requires_grad.possible:
            return rt.autograd.cut_off(tensor, Cut("rewrap", call.site.span, call.name), "asarray", share="counter")
        return move(rt, tensor, call.site, device=device, dtype=dtype)
    made = wrap(rt, data, call, call.name)
    if len(call.args) <= 1 and not call.kwargs.keys() & {"dtype", "device", "copy"}:
        arrays.seen_by(made, data)
    return made


@function("torch.from_numpy", "torch.from_dlpack", "torch.frombuffer")
def _from_numpy(rt: Runtime, call: Call) -> Value:
    data = call.args[0] if call.args else None
    edges = tuple(contents(data))
    node = Node("from_numpy", call.site.span, edges, tracked=NO, path=rt.autograd.path) if edges else None
    tensor = make(rt, call, YES, node=node)
    arrays.seen_by(tensor, data)
    # Over the same bytes torch makes another storage, and what lies in another storage never counts as overlapping.
    form = arrays.form(data)
    tensor.form = replace(form, offset=None if form.offset is None else form.offset + (tensor.born << _FAR))
    if isinstance(data, Unknown) and data.node is None:
        tensor.floating = truth.maybe("the array's dtype is not known")
    return tensor


def parameter(rt: Runtime, data: Value, site: Site, requires_grad: Truth = YES, name: str = "") -> Tensor:
    """`nn.Parameter(data)`: a leaf over the same memory."""
    tensor = data if isinstance(data, Tensor) else unknown_tensor(data) if isinstance(data, Unknown) else None
    result = Tensor(requires_grad=requires_grad, origin=site.span, is_parameter=True, name=name)
    if tensor is not None:
        rt.autograd.refresh(tensor, False)
        result.counter, result.memory = tensor.counter, tensor.memory
        result.device, result.dtype = tensor.device, tensor.dtype
        result.form, result.inference = tensor.form, tensor.inference
        result.uncounted = tensor.inference and rt.autograd.mode.inference
        made = tensor.node.cut if tensor.node is not None else None
        if (tensor.requires_grad.possible or (made is not None and made.kind == "rewrap")) and not tensor.note:
            # Of numbers taken from tensors that learn (`nn.Parameter(torch.tensor([a + b, a - b]))`) as of the tensors.
            cut = Cut("rewrap", site.span, "nn.Parameter")
            result.node = Node(
                "Parameter", site.span, rt.autograd.behind(tensor), tracked=NO, path=rt.autograd.path, cut=cut
            )
            result.node.result = result
    return result


@function("torch.nn.Parameter", "torch.nn.parameter.Parameter")
def _parameter(rt: Runtime, call: Call) -> Value:
    flag = call.argument(1, "requires_grad", True)
    data = call.argument(0, "data")
    if isinstance(data, Tensor) and data.floating.no and rt.truth(flag) is True:
        rt.error("other", "Only Tensors of floating point and complex dtype can require gradients", call.site, data)
    if isinstance(data, Tensor) and data.inference and not rt.autograd.mode.inference and rt.truth(flag) is True:
        rt.error(
            "inference",
            "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.",
            call.site,
            data,
        )
    return parameter(rt, data, call.site, truth_of(rt, flag, "the flag is not known"))


@function("torch.autograd.Variable", "torch.autograd.variable.Variable")
def _variable(rt: Runtime, call: Call) -> Value:
    """The old constructor: a detached alias with the flag it is given (torch/csrc/autograd/python_variable.cpp)."""
    data = call.argument(0, "data")
    tensor = data if isinstance(data, Tensor) else unknown_tensor(data) if isinstance(data, Unknown) else None
    if tensor is None:
        return make(rt, call, YES)
    result = rt.autograd.cut_off(tensor, Cut("rewrap", call.site.span, "Variable"), "Variable", share="counter")
    flag = truth_of(rt, call.argument(1, "requires_grad", False), "the flag is not known")
    if flag.possible and tensor.floating.possible:
        result.requires_grad = flag
    return result
