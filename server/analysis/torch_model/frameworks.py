"""The frameworks people train with: Lightning, Fabric, Accelerate, Transformers, DeepSpeed, Apex.

They do two things that matter to gradients: they call `backward` on a loss that is handed or returned to them, and they
give back, wrapped, the models and optimizers that go into them. Names of methods are from the documentation of
lightning 2.5 (LightningModule, Fabric), accelerate 1.2 (Accelerator), transformers 4.48 (Trainer), deepspeed 0.16.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from ..autograd.graph import Cut
from ..autograd.heap import MISSING
from ..autograd.tensor import Tensor
from ..autograd.truth import NO, YES
from ..values import (
    Call,
    Choice,
    ClassValue,
    DictValue,
    External,
    Instance,
    IterValue,
    ListValue,
    ModuleObject,
    NativeMethod,
    Runtime,
    Scalar,
    Unknown,
    Value,
    unknown_tensor,
)
from . import backward
from .optimizers import Optimizer, Scaler, attribute, behind

_WRAPS = frozenset(
    [
        "prepare",
        "prepare_model",
        "prepare_optimizer",
        "prepare_data_loader",
        "prepare_scheduler",
        "setup",
        "setup_module",
        "setup_optimizers",
        "setup_dataloaders",
        "unwrap_model",
    ]
)
_QUIET = frozenset(
    [
        "log",
        "log_dict",
        "log_grad_norm",
        "print",
        "save_hyperparameters",
        "toggle_optimizer",
        "untoggle_optimizer",
        "clip_gradients",
        "lr_scheduler_step",
        "summarize",
    ]
)
EVALUATION_STEPS = ("validation_step", "test_step", "predict_step")


def bases(cls: Value) -> Iterator[str]:
    """Last names of the classes of other libraries that a class derives from."""
    for base in cls.mro() if isinstance(cls, ClassValue) else ():
        if isinstance(base, External):
            yield base.dotted.rpartition(".")[2]


def is_lightning(cls: Value) -> bool:
    """Whether a class of the program is a `LightningModule`, by the name of its base."""
    return "LightningModule" in bases(cls)


def is_trainer(cls: Value) -> bool:
    """Whether a class of the program is a Trainer of Transformers (or of TRL), by the name of its base."""
    return any(name.endswith("Trainer") for name in bases(cls))


# ---------------------------------------------------------------------- losses


def loss_in(value: Value, *, first: bool = False) -> list[Tensor]:
    """The loss a step returns: a tensor, the entry "loss" of a dict; of a tuple its first element (if `first`)."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Unknown):
        return [unknown_tensor(value)] if value.node is not None else []
    if isinstance(value, DictValue):
        return loss_in(value.items.get("loss"), first=first)
    if first and isinstance(value, tuple) and value:
        return loss_in(value[0])
    if isinstance(value, Choice):
        return [t for _, each in value.alternatives for t in loss_in(each, first=first)][:1]
    return []


def loss_argument(call: Call) -> Value:
    """The first argument that may be a loss."""
    for value in [*call.args, *call.kwargs.values()]:
        if isinstance(value, Tensor) or (isinstance(value, Unknown) and value.node is not None):
            return value
    return None


def run_backward(rt: Runtime, loss: Value, call: Call) -> None:
    """`backward` of a framework: on the loss, with the options of the call."""
    roots = loss_in(loss)
    rest = Call([], {k: v for k, v in call.kwargs.items() if k in ("retain_graph", "create_graph")}, call.site)
    backward.run(rt, roots, call.site, rest, first=1)


# ---------------------------------------------------------------------- objects of frameworks


def attribute_of_unknown(rt: Runtime, owner: Unknown, name: str) -> Value:
    """Methods by which an unknown object shows that it is a framework's; MISSING for all others."""
    if owner.node is not None or owner.plain:
        return MISSING
    if name == "backward":

        def call_backward(call: Call) -> Value:
            loss = call.args[0] if call.args else call.kwargs.get("loss")
            if isinstance(loss, Tensor) or (isinstance(loss, Unknown) and loss.node is not None):
                run_backward(rt, loss, call)
            else:
                backward.run(rt, [unknown_tensor(owner)], call.site, call, first=0)
            return None

        return NativeMethod(owner, name, call_backward)
    if name == "encode" and owner.reason == "a call into `sentence_transformers`":
        return NativeMethod(owner, name, lambda call: _encoded(rt, owner, call))
    if name in _WRAPS:
        return NativeMethod(owner, name, lambda call: _given_back(rt, owner, name, call))
    if name in ("scale", "unscale_", "step") and "scaler" in owner.name.lower():
        return attribute(rt, Scaler(), name, owner)  # type: ignore[arg-type]
    return MISSING


def _encoded(rt: Runtime, owner: Unknown, call: Call) -> Value:
    """`encode` of a sentence transformer, which is decorated with `torch.inference_mode` or computes under `no_grad`.

    sentence_transformers/SentenceTransformer.py (encode); for what learns there is `model(features)`.
    """
    result = rt.torch.opaque(owner, call.args, call.site, "`.encode()`")  # type: ignore[attr-defined]
    if call.kwargs.get("convert_to_tensor") is not True or not isinstance(result, Unknown):
        return result
    cut = Cut("grad-mode", call.site.span, "SentenceTransformer.encode")
    return rt.autograd.cut_off(unknown_tensor(result), cut, "encode", share="")


def _given_back(rt: Runtime, owner: Unknown, name: str, call: Call) -> Value:
    """`prepare(model, optimizer)`: what goes in comes back, in the order given."""
    given = list(call.args)
    if not given or call.open_args:
        return rt.torch.opaque(owner, given, call.site, f"`.{name}()`")  # type: ignore[attr-defined]
    from .module_tree import is_module

    trains = [v for v in given if is_module(v) or behind(v) or isinstance(v, (ModuleObject, Unknown, ListValue, tuple))]
    if not trains:
        return rt.torch.opaque(owner, given, call.site, f"`.{name}()`")  # type: ignore[attr-defined]
    return given[0] if len(given) == 1 else tuple(given)


def lightning_attribute(rt: Runtime, owner: Instance, name: str) -> Value:
    """What `LightningModule` gives its subclasses; MISSING for what is no business of gradients."""
    if name == "manual_backward":

        def manual(call: Call) -> Value:
            loss = call.args[0] if call.args else call.kwargs.get("loss")
            run_backward(rt, loss, call)
            return None

        return NativeMethod(owner, name, manual)
    if name == "optimizers":
        return NativeMethod(owner, name, lambda call: _optimizers(owner))
    if name in _QUIET:
        return NativeMethod(owner, name, lambda call: None)
    if name in ("freeze", "unfreeze"):
        from .module_methods import set_requires_grad

        learns = YES if name == "unfreeze" else NO
        return NativeMethod(owner, name, lambda call: set_requires_grad(rt, owner, learns, call))
    if name in ("global_step", "current_epoch", "global_rank", "local_rank"):
        return Scalar("int")
    return MISSING


def _optimizers(owner: Instance) -> Value:
    found = optimizers_in(owner.data.get("optimizers"))
    if not found:
        return Unknown("self.optimizers()")
    return found[0] if len(found) == 1 else ListValue(found)


def optimizers_in(value: Value, depth: int = 4) -> list[Optimizer]:
    """The optimizers in what `configure_optimizers` returns: one, lists of them, dicts with "optimizer"."""
    optimizer = behind(value)
    if optimizer is not None:
        return [optimizer]
    if not depth:
        return []
    if isinstance(value, DictValue):
        return optimizers_in(value.items.get("optimizer"), depth - 1)
    items: tuple[Value, ...] = ()
    if isinstance(value, (ListValue, IterValue)):
        items = value.items
    elif isinstance(value, tuple):
        items = value
    elif isinstance(value, Choice):
        items = tuple(v for _, v in value.alternatives)
    return [optimizer for item in items for optimizer in optimizers_in(item, depth - 1)]


# ---------------------------------------------------------------------- sinks a person names


def named_sink(names: tuple[str, ...], function: Value, written: Callable[[], str]) -> bool:
    """Whether a call is one of the sinks of the settings: by the name it resolves to, or as it is written."""
    for name in names:
        last = name.rpartition(".")[2]
        if isinstance(function, External) and function.dotted == name:
            return True
        resolved = getattr(function, "function", function)
        if resolved is not None and getattr(resolved, "name", None) == last and getattr(resolved, "module", None):
            module = resolved.module.name
            owner = getattr(resolved, "owner", None)
            full = ".".join(part for part in (module, owner.name if owner is not None else "", last) if part)
            if full == name or full.endswith("." + name) or (module == "__main__" and name == last):
                return True
        if written() == name:
            return True
    return False


def written_name(node: ast.AST | None) -> str:
    """The dotted name of a called expression as it is written; "" if it is none."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])
