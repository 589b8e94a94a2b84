"""Moves and casts: `.to()`, `.cuda()`, `.half()`. A move that changes something is a copy with a grad_fn."""

from __future__ import annotations

from ..autograd.operation import Operation
from ..autograd.tensor import CPU, UNKNOWN_DEVICE, Device, Tensor
from ..autograd.truth import NO, YES, Truth, maybe
from ..values import Call, Choice, DType, Runtime, Site, TorchName, Unknown, Value
from . import dtypes, new_strides, ops
from .arguments import device_of, dtype_of, kind_of, operands_for
from .effects import apply
from .registry import method

CASTS = {
    "float": DType("float32", True),
    "double": DType("float64", True),
    "half": DType("float16", True),
    "bfloat16": DType("bfloat16", True),
    "cfloat": DType("complex64", True),
    "cdouble": DType("complex128", True),
    "int": DType("int32", False),
    "long": DType("int64", False),
    "short": DType("int16", False),
    "char": DType("int8", False),
    "byte": DType("uint8", False),
    "bool": DType("bool", False),
}


def move(
    rt: Runtime,
    tensor: Tensor,
    site: Site,
    *,
    device: Device | None = None,
    dtype: DType | None = None,
    copy: bool = False,
) -> Tensor:
    """The tensor on a device and with a dtype: itself if nothing changes, else a copy autograd knows about."""
    rt.autograd.refresh(tensor, False)
    target_dtype = dtypes.ALIASES.get(dtype.name, dtype.name) if dtype is not None else ""
    changes_dtype = dtype is not None and (not dtypes.of(tensor) or target_dtype != dtypes.of(tensor))
    if dtype is not None and not dtype.floating and tensor.floating.no and tensor.dtype == "":
        changes_dtype = False
    if tensor.device.kind == "unknown" and device is not None and not changes_dtype and not copy:
        if tensor.view_of is not None:
            # What PyTorch refuses to do with a view it does with a copy of one.
            return rt.autograd.joined(tensor, move(rt, tensor, site, device=device, copy=True))
        same_device = YES
    else:
        same_device = YES if device is None else tensor.device.same(device)
    if same_device.yes and not changes_dtype and not copy:
        return tensor
    outputs = ("nograd",) if dtype is not None and not dtype.floating else ("grad",)
    what = "to"
    note = ""
    if not same_device.yes and device is not None:
        note = {"cuda": "moved to the GPU", "either": "moved to the GPU where there is one"}.get(
            device.kind, f"moved to `{device.text or device.kind}`"
        )
    elif changes_dtype and dtype is not None:
        note = f"cast to {dtype.name}"
    operation = Operation(
        what, site.span, tuple(operands_for("self", tensor, True)), outputs=outputs, note=note, holds_numbers=False
    )
    result = apply(rt, operation, site)[0]
    result.device = device or tensor.device
    result.dtype = target_dtype or tensor.dtype
    if dtype is None:
        result.floating = tensor.floating
        if tensor.floating.no:
            result.requires_grad = NO
    elif dtype.floating:
        result.floating = YES
    result.scalar = tensor.scalar
    result.form = new_strides.copied(tensor)
    return result


@method("to")
def _to(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    device: Device | None = None
    dtype: DType | None = None
    like: Truth | None = None
    for value in [*call.args[1:], *(v for k, v in call.kwargs.items() if k in ("device", "dtype", "other"))]:
        found = dtype_of(value)
        if found is not None:
            dtype = found
        elif isinstance(value, Tensor):
            device = value.device
            dtype, like = _dtype_like(tensor, value)
        elif kind_of(value) in ("str", "device", "number") or isinstance(value, Choice):
            device = device_of(value)
        elif isinstance(value, Unknown):
            device = UNKNOWN_DEVICE
            like = maybe("what it is moved to is not known")
    return _moved(rt, tensor, call, like, device=device, dtype=dtype, copy=call.kwargs.get("copy") is True)


def _dtype_like(tensor: Tensor, other: Tensor) -> tuple[DType | None, Truth | None]:
    """The dtype that `other` lends, as far as it decides whether the result holds floats; else what is known of that.

    Between two floating dtypes nothing is said: the width of `other` is seldom known.
    """
    if tensor.floating.no and other.floating.yes:
        return DType(dtypes.of(other), True), None
    if tensor.floating.yes and other.floating.no:
        return DType(other.dtype or "int64", False), None
    return None, other.floating


def _moved(
    rt: Runtime,
    tensor: Tensor,
    call: Call,
    like: Truth | None,
    *,
    device: Device | None,
    dtype: DType | None,
    copy: bool = False,
) -> Tensor:
    """`move`, and integers that may become floats on the way (`like`) are not surely integers afterwards."""
    if dtype is None and like is not None and like.maybe and tensor.floating.no:
        result = move(rt, tensor, call.site, device=device, copy=True)
        result.floating, result.dtype = like, ""
        return result
    return move(rt, tensor, call.site, device=device, dtype=dtype, copy=copy)


@method("cuda")
def _cuda(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    return move(rt, tensor, call.site, device=Device("cuda", "cuda"))


@method("cpu")
def _cpu(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    return move(rt, tensor, call.site, device=CPU)


@method("type_as")
def _type_as(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    other = next((v for v in [*call.args[1:], *call.kwargs.values()] if isinstance(v, (Tensor, Unknown))), None)
    if isinstance(other, Tensor):
        dtype, like = _dtype_like(tensor, other)
        return _moved(rt, tensor, call, like, device=None, dtype=dtype)
    return _moved(rt, tensor, call, maybe("the type it takes is not known"), device=None, dtype=None)


@method("type")
def _type(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    if len(call.args) < 2:
        return Unknown("a tensor type")
    value = call.args[1]
    dtype = dtype_of(value)
    written = value.dotted if isinstance(value, TorchName) else value if isinstance(value, str) else None
    if dtype is None and written is not None:
        for name, each in CASTS.items():
            if written.lower().endswith(f"{name}tensor"):
                dtype = each
    if dtype is None:
        # `x.dtype`, `x.type()`: a comparison that takes the type of floats is none of bools any more.
        return _moved(rt, tensor, call, maybe("the type it takes is not known"), device=None, dtype=None)
    device = Device("cuda", "cuda") if written is not None and ".cuda." in written else None
    return move(rt, tensor, call.site, device=device, dtype=dtype)


def _cast(name: str) -> None:
    @method(name)
    def cast(rt: Runtime, tensor: Tensor, call: Call) -> Value:
        return move(rt, tensor, call.site, dtype=CASTS[name])


for _name in CASTS:
    _cast(_name)


@method("as_subclass")
def _as_subclass(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    """The same tensor as an object of another class: a view of it."""
    return ops.method(rt, "view_as", Call([tensor, tensor], {}, call.site))
