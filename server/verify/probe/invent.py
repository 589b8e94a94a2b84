"""Makes up values: instances of classes, arguments of functions, tensors of a fitting shape.

A *choice* is a small dictionary that says how tensors are made: "shape" (of inputs, batch first), "integers" (inputs
are indices below that number), "target" (one of TARGETS) and "width" (of a target). `learn` turns an
error of PyTorch into better choices.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap

import torch
from torch import nn

BATCH = 4
TARGETS = ("classes", "like", "column", "row", "multi", "sequence")
SIZES = (28, 32, 64, 224, 96, 128, 16, 8, 48, 40)

_TARGET_NAME = re.compile(r"^(y|t|gt|targets?|tgt|labels?|truth|ground_truth|y_true)$|_(label|target)s?$|^y_")
_INDEX_NAME = re.compile(r"(^|_)(idx|index|step|epoch|i|iteration|rank)$")
_MODULE_NAME = re.compile(
    r"(model|net|network|module|encoder|decoder|backbone|generator|discriminator|policy|critic|actor)$"
)
_FRACTION_NAME = re.compile(r"(^|_)(lr|rate|dropout|p|eps|alpha|beta|gamma|weight|decay|momentum)$")
_SIZES = r"target size \(torch\.Size\(\[([\d, ]*)\]\)\).*input size \(torch\.Size\(\[([\d, ]*)\]\)\)"
_LOADER_NAME = re.compile(r"(loader|dataloader|dataset|batches|data_iter)$")
_INTEGERS = re.compile(r"(token|ids|idx|index|indices|words|tokens)")


class NoIdea(Exception):
    """Nothing could be made up; the message says for what."""


class Inventor:
    """Makes values for one program; `names` are its module globals, `instance` the object whose method is called."""

    def __init__(self, names):
        self.names = names
        self.instance = None
        self.module = None

    # -- objects -----------------------------------------------------------------------------------------------

    def construct(self, cls, said):
        """An instance of `cls`: one the program has, else a new one. Raises NoIdea."""
        for name, value in self.names.items():
            if type(value) is cls:
                said.append(f"`self` is the program's own `{name}`")
                return value
        values, told = {}, []
        for parameter in _required(cls.__init__, skip_first=True):
            value = self._constructor_value(parameter)
            values[parameter.name] = value
            told.append(f"{parameter.name}={_short(value)}")
        try:
            made = cls(**values)
        except Exception as error:
            raise NoIdea(f"`{cls.__name__}({', '.join(told)})` raised {type(error).__name__}: {error}") from error
        said.append(f"`{cls.__name__}({', '.join(told)})`")
        self._quiet_lightning(made, said)
        return made

    def _constructor_value(self, parameter):
        name, kind = parameter.name.lower(), _annotation(parameter)
        if kind == "float" or _FRACTION_NAME.search(name):
            return 0.1
        if kind == "bool":
            return False
        if kind == "str":
            return "x"
        if _MODULE_NAME.search(name) or "Module" in kind:
            return nn.Linear(8, 8)
        if re.search(r"(class|label|out|actions)", name):
            return 4
        return 8

    def _quiet_lightning(self, made, said):
        if not any(cls.__name__ == "LightningModule" for cls in type(made).__mro__):
            return
        object.__setattr__(made, "log", lambda *a, **k: None)
        object.__setattr__(made, "log_dict", lambda *a, **k: None)
        object.__setattr__(made, "manual_backward", lambda loss, *a, **k: loss.backward())
        object.__setattr__(made, "optimizers", lambda *a, **k: torch.optim.SGD(made.parameters(), lr=0.01))
        said.append("`self.log`, `self.manual_backward` and `self.optimizers` without a trainer")

    def _module(self, name, said):
        """A module for a parameter called `name`: the program's own, else one of its classes."""
        own = self.names.get(name)
        if isinstance(own, nn.Module):
            return own
        classes = [c for c in self.names.values() if isinstance(c, type) and issubclass(c, nn.Module)]
        classes = [c for c in classes if c.__module__ == "__main__" and not _is_loss(c)]
        classes.sort(key=lambda c: name.lower() not in c.__name__.lower())
        for cls in classes:
            try:
                return self.construct(cls, said)
            except NoIdea:
                continue
        raise NoIdea(f"there is no module for the parameter `{name}`")

    # -- arguments ---------------------------------------------------------------------------------------------

    def arguments(self, call, choice, said):
        """Keyword arguments for `call`; what has a default keeps it. Raises NoIdea."""
        parameters = _required(call)
        modules = {}
        self.module = self.instance if isinstance(self.instance, nn.Module) else None
        for parameter in parameters:
            if _MODULE_NAME.search(parameter.name.lower()) or "Module" in _annotation(parameter):
                modules[parameter.name] = self._module(parameter.name, said)
                self.module = self.module or modules[parameter.name]
        unpacked = _unpacked(call)
        out = {}
        for parameter in parameters:
            name = parameter.name
            if name in modules:
                out[name] = modules[name]
                said.append(f"`{name}`: {type(modules[name]).__name__}")
                continue
            out[name] = self._value(parameter, choice, unpacked, said)
        return out

    def _value(self, parameter, choice, unpacked, said):
        name, low, kind = parameter.name, parameter.name.lower(), _annotation(parameter)

        def tell(value, text=None):
            said.append(f"`{name}`: {text or _short(value)}")
            return value

        if kind in ("int",) or _INDEX_NAME.search(low):
            return tell(0)
        if kind in ("float", "bool", "str"):
            return tell({"float": 0.5, "bool": True, "str": "x"}[kind])
        if "optim" in low or low == "opt":
            parameters = list(self.module.parameters()) if self.module is not None else []
            parameters = parameters or [torch.zeros(1, requires_grad=True)]
            return tell(torch.optim.SGD(parameters, lr=0.01), "SGD(lr=0.01)")
        if low in ("criterion", "loss_fn", "loss_func", "loss_function"):
            made = nn.CrossEntropyLoss() if choice.get("target", "classes") == "classes" else nn.MSELoss()
            return tell(made, type(made).__name__ + "()")
        if low == "device":
            return tell(torch.device("cpu"))
        if _LOADER_NAME.search(low):
            batch = (self._input(choice, low), self._target(choice))
            return tell([batch], f"one batch of {_short(batch[0])}, {_short(batch[1])}")
        if name in unpacked:
            count, keys = unpacked[name]
            if keys:
                values = {key: self._by_name(key, choice) for key in keys}
                return tell(values, "{" + ", ".join(f"{k!r}: {_short(v)}" for k, v in values.items()) + "}")
            inputs = max(1, count - 1)
            values = tuple(self._input(choice, low) if i < inputs else self._target(choice) for i in range(count))
            return tell(values, "(" + ", ".join(map(_short, values)) + ")")
        return tell(self._by_name(name, choice))

    def _by_name(self, name, choice):
        if _TARGET_NAME.search(name.lower()):
            return self._target(choice)
        return self._input(choice, name.lower())

    def _input(self, choice, name):
        shape, integers = self._first_layer(name)
        shape = choice.get("shape", shape)
        integers = choice.get("integers", integers)
        if integers:
            return torch.randint(0, integers, tuple(shape))
        return torch.randn(tuple(shape))

    def _first_layer(self, name):
        """(shape, index bound or 0) that the first layer of the module at hand wants."""
        if self.module is not None:
            for layer in self.module.modules():
                if isinstance(layer, nn.Linear):
                    return (BATCH, layer.in_features), 0
                if isinstance(layer, nn.Conv2d):
                    return (BATCH, layer.in_channels, SIZES[0], SIZES[0]), 0
                if isinstance(layer, nn.Conv1d):
                    return (BATCH, layer.in_channels, 32), 0
                if isinstance(layer, nn.Conv3d):
                    return (BATCH, layer.in_channels, 8, 16, 16), 0
                if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
                    return (BATCH, 6), layer.num_embeddings
                if isinstance(layer, nn.RNNBase):
                    return (BATCH, 6, layer.input_size), 0
                if isinstance(layer, (nn.LSTMCell, nn.GRUCell, nn.RNNCell)):
                    return (BATCH, layer.input_size), 0
                if isinstance(layer, nn.TransformerEncoderLayer):
                    return (BATCH, 6, layer.self_attn.embed_dim), 0
                if isinstance(layer, nn.LayerNorm):
                    return (BATCH, *layer.normalized_shape), 0
        return (BATCH, 3), (3 if _INTEGERS.search(name) else 0)

    def _target(self, choice):
        kind, width = choice.get("target", "classes"), choice.get("width", 3)
        batch = choice.get("shape", (BATCH,))[0]
        if kind == "classes":
            return torch.randint(0, 2, (batch,))
        if kind == "sequence":
            return torch.randint(0, 2, (batch, 6))
        if kind == "like":
            return torch.rand(tuple(choice.get("shape", self._first_layer("")[0])))
        if kind == "column":
            return torch.rand(batch, 1)
        if kind == "row":
            return torch.rand(batch)
        return torch.rand(batch, width)

    # -- learning ----------------------------------------------------------------------------------------------

    def learn(self, choice, message):
        """Choices that the error suggests, the likeliest first."""
        shape = tuple(choice.get("shape", self._first_layer("")[0]))
        for found in _shapes_from(shape, message):
            yield {**choice, "shape": found}
        if re.search(r"indices|index out of range|integer|Long|Int\b", message) and "integers" not in choice:
            yield {**choice, "integers": 2, "shape": (BATCH, 6)}
        sizes = re.search(_SIZES, message)
        if sizes:
            wanted = [int(n) for n in sizes.group(2).split(",") if n.strip()]
            if len(wanted) == 2:
                yield {**choice, "target": "multi", "width": wanted[1]}
        width = re.search(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", message)
        if width:
            for number in dict.fromkeys(int(n) for n in width.groups()):
                yield {**choice, "target": "multi", "width": number}
        if "target" not in choice:
            for kind in TARGETS[1:]:
                yield {**choice, "target": kind}


def _shapes_from(shape, message):
    """Input shapes that a shape error suggests."""
    found = re.search(r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)", message)
    if found:
        wanted = int(found.group(3))
        if len(shape) == 4:
            for size in SIZES:
                yield (*shape[:2], size, size)
        yield (*shape[:-1], wanted)
        yield (shape[0], wanted)
    found = re.search(r"to have (\d+) channels, but got (\d+) channels", message)
    if found and len(shape) > 1:
        yield (shape[0], int(found.group(1)), *shape[2:])
    found = re.search(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton", message)
    if found and len(shape) > 1 and shape[-1] == int(found.group(1)):
        yield (*shape[:-1], int(found.group(2)))
    found = re.search(r"normalized_shape=\[(\d+)\]", message)
    if found:
        yield (*shape[:-1], int(found.group(1)))
    found = re.search(r"shape '\[([-\d, ]+)\]' is invalid for input of size (\d+)", message)
    if found and len(shape) == 2:
        sizes = [int(n) for n in found.group(1).split(",")]
        product = 1
        for number in sizes[1:]:
            product *= abs(number)
        yield (shape[0], product)
    if len(shape) == 2:
        yield (shape[0], 6, shape[1])


def _required(call, skip_first=False):
    """Parameters without a default. Raises NoIdea where the signature cannot be read."""
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError) as error:
        raise NoIdea("the signature cannot be read") from error
    if skip_first:
        parameters = parameters[1:]
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    return [p for p in parameters if p.default is inspect.Parameter.empty and p.kind not in kinds]


def _annotation(parameter):
    kind = parameter.annotation
    if kind is inspect.Parameter.empty:
        return ""
    return kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))


def _unpacked(call):
    """Parameter -> (how many it is unpacked into, keys it is asked for), from the function's own text."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(call)))
    except (OSError, TypeError, SyntaxError):
        return {}
    out = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and isinstance(node.targets[0], ast.Tuple):
            out[node.value.id] = (len(node.targets[0].elts), ())
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            index = node.slice
            key = getattr(index, "value", None)
            name = node.value.id
            count, keys = out.get(name, (0, ()))
            if isinstance(key, str):
                out[name] = (count, (*keys, key) if key not in keys else keys)
            elif isinstance(key, int) and not isinstance(key, bool) and name in ("batch", "data", "sample"):
                out[name] = (max(count, key + 1), keys)
    return out


def _is_loss(cls):
    return cls.__name__.lower().endswith(("loss", "criterion"))


def _short(value):
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).replace('torch.', '')} {list(value.shape)}"
    if isinstance(value, nn.Module):
        return f"{type(value).__name__}(...)"
    return repr(value)[:40]
