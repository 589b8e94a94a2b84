"""`nn.Module` classes and ready-made modules, some frozen, some with parameters that nothing uses."""

from __future__ import annotations

from dataclasses import dataclass, field

from .hooks import on_module
from .model import Builder, Value, copy_of
from .modes import NOT_INSIDE

#: layers from 3 features to 3 features: (constructor, weight, has parameters)
LAYERS: tuple[tuple[str, float, bool], ...] = (
    ("nn.Linear(3, 3)", 5, True),
    ("nn.Linear(3, 3, bias=False)", 1, True),
    ("nn.ReLU()", 2, False),
    ("nn.ReLU(inplace=True)", 2, False),
    ("nn.Tanh()", 1.5, False),
    ("nn.Sigmoid()", 1.5, False),
    ("nn.GELU()", 1, False),
    ("nn.LeakyReLU(0.1, inplace=True)", 0.5, False),
    ("nn.ELU()", 0.5, False),
    ("nn.Softmax(dim=-1)", 1, False),
    ("nn.Dropout(0.5)", 1, False),
    ("nn.Dropout(0.5, inplace=True)", 0.5, False),
    ("nn.LayerNorm(3)", 1, True),
    ("nn.BatchNorm1d(3)", 0.7, True),
    ("nn.Identity()", 0.7, False),
    ("nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))", 1.5, True),
    ("nn.Sequential(nn.Linear(3, 3), nn.Sigmoid(), nn.ReLU(inplace=True))", 0.7, True),
)


@dataclass
class Net:
    """A class that was written: attributes, and what `forward` did to an input that does not require grad."""

    name: str
    parameters: list[str] = field(default_factory=list)


def pick_layer(b: Builder) -> str:
    return b.rng.choices([row[0] for row in LAYERS], [row[1] for row in LAYERS])[0]


def module(b: Builder) -> bool:
    """A module over a batch of rows: ready-made or a class of the program."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    name = b.fresh("net")
    if b.chance(0.3):
        layer = b.rng.choice(
            [pick_layer(b), f"nn.Sequential({', '.join(pick_layer(b) for _ in range(b.rng.randint(1, 4)))})"]
        )
        b.emit(f"{name} = {layer}", f"module:ready {layer.split('(')[0]}")
        trainable = [f"{name}.parameters()"] if any(row[2] and row[0] in layer for row in LAYERS) else []
    else:
        cls = define(b)
        b.emit(f"{name} = {cls}()", "module:instance")
        trainable = [f"{name}.parameters()"]
    if trainable and b.chance(0.15):
        freeze(b, name)
    if b.chance(0.1):
        b.emit(f"{name}.eval()", "module:eval")
    if b.chance(0.15):
        on_module(b, name)
    use(b, name, bool(trainable))
    return True


def freeze(b: Builder, name: str) -> None:
    if b.chance(0.4):
        b.emit(f"{name}.requires_grad_(False)", "module:requires_grad_(False)")
        return
    variable = b.fresh("p")
    with b.block(f"for {variable} in {name}.parameters():", "module:freeze"):
        b.emit(f"{variable}.requires_grad = False", "module:freeze")


def rows(b: Builder) -> Value:
    """An input of some rows with three features."""
    value = b.pick(
        lambda v: v.dtype == "float" and len(v.shape) == 2 and v.shape[1] == 3 and v.shape[0] > 1 and not v.inference
    )
    if value is not None:
        return value
    name = b.fresh("data")
    b.emit(f"{name} = torch.rand(2, 3)", "module:data")
    return b.add(Value(name, (2, 3)))


def use(b: Builder, name: str, trainable: bool) -> Value:
    """Call the module, now and then twice or under another grad mode."""
    given = rows(b)
    way = b.rng.random()
    out = b.fresh("out")
    if way < 0.08:
        with b.block("with torch.no_grad():", "module:call under no_grad"):
            b.emit(f"{out} = {name}({given.name})", "module:call")
        return b.add(Value(out, given.shape))
    if way < 0.16:
        b.emit(f"{out} = {name}({given.name}).detach()", "module:call, detached")
        return b.add(Value(out, given.shape))
    b.emit(f"{out} = {name}({given.name})", "module:call")
    result = b.result(out, given.shape, given, rg=trainable or given.rg)
    result.memory.saved = b.chance(0.5)
    if given.leaf and given.rg and not b.risky():
        # a layer that works in place may not come first on a trainable leaf
        given.memory.saved = True
    return result


def define(b: Builder) -> str:
    """Write a class with a few layers and parameters, and a `forward` over them."""
    name = b.fresh("Net")
    layers: list[str] = []
    weights: list[str] = []
    hidden = b.chance(0.15)
    with b.block(f"class {name}(nn.Module):", "module:class"):
        head = "def __init__(self):"
        with b.block(head, "module:__init__"):
            b.emit("super().__init__()", "module:super")
            for index in range(b.rng.randint(1, 3)):
                layer = "nn.Linear(3, 3)" if index == 0 else pick_layer(b)
                attribute = f"layer{index}"
                b.emit(f"self.{attribute} = {layer}", f"module:self.{layer.split('(')[0]}")
                layers.append(attribute)
            if b.chance(0.4):
                b.emit("self.scale = nn.Parameter(torch.ones(3))", "module:self.Parameter")
                weights.append("scale")
            if b.chance(0.15):
                b.emit("self.unused = nn.Linear(3, 3)", "module:unused layer")
            if b.chance(0.2):
                b.emit("self.plain = torch.rand(3, requires_grad=True)", "module:plain tensor attribute")
                weights.append("plain")
            if b.chance(0.2):
                b.emit("self.register_buffer('shift', torch.rand(3))", "module:buffer")
                weights.append("shift")
            if b.chance(0.2):
                kind = b.rng.choice(["nn.ModuleList([{}])", "[{}]", "nn.ModuleDict({{'a': {}}})"])
                text = kind.format(", ".join(["nn.Linear(3, 3)"] * (1 if "Dict" in kind else 2)))
                b.emit(f"self.stack = {text}", f"module:{kind.split('(')[0]}")
                layers.append("stack.values()" if "Dict" in kind else "stack")
            if hidden:
                b.emit("self.last = None", "module:state")
        with b.block("def forward(self, x):", "module:forward"):
            forward(b, layers, weights, hidden)
    return name


def forward(b: Builder, layers: list[str], weights: list[str], hidden: bool) -> None:
    b.emit(f"h = {'x' if b.chance(0.7) else 'x * 1.0'}", "module:forward")
    for layer in layers:
        if layer.startswith("stack"):
            with b.block(f"for layer in self.{layer}:", "module:forward loop"):
                b.emit("h = layer(h)", "module:forward")
        elif b.chance(0.25):
            b.emit(f"h = h + self.{layer}(h)", "module:residual")
        elif b.chance(0.12):
            with b.block("with torch.no_grad():", "module:no_grad in forward"):
                b.emit(f"h = self.{layer}(h)", "module:forward")
        else:
            b.emit(f"h = self.{layer}(h)", "module:forward")
        if b.chance(0.2):
            b.emit(
                b.rng.choice(
                    [
                        "h = torch.relu(h)",
                        "h = F.relu(h, inplace=True)",
                        "h = h.detach()",
                        "h = torch.tanh(h)",
                        "h += 1",
                        "h = F.softmax(h, dim=-1)",
                    ]
                ),
                "module:forward activation",
            )
    for weight in weights:
        b.emit(
            b.rng.choice(["h = h * self.{}", "h = h + self.{}", "h *= self.{}", "h = self.{} * h"]).format(weight),
            "module:forward weight",
        )
    if b.chance(0.15):
        with b.block("if self.training:", "module:if training"):
            b.emit("h = h * 2", "module:forward")
    if hidden:
        with b.block("if self.last is not None:", "module:state"):
            b.emit("h = h + self.last", "module:state")
        b.emit(f"self.last = h{'.detach()' if b.chance(0.5) else ''}", "module:state")
    if b.chance(0.2):
        local = Value("h", (2, 3), rg=True, leaf=False)
        outside, b.values, b.in_function = b.values, [copy_of(local, local=True)], True
        b.statement(NOT_INSIDE | {"container", "mode", "leaf", "cut", "view", "operation"})
        b.values, b.in_function = outside, False
    b.emit("return h", "module:return")
