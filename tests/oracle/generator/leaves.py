"""Leaves: tensors that the program makes from nothing, and the `requires_grad` flag."""

from __future__ import annotations

from .model import Builder, Memory, Shape, Value

SHAPES: tuple[Shape, ...] = ((3,), (3,), (3,), (3, 3), (3, 3), (2, 3), ())


def literal(shape: Shape) -> str:
    return ", ".join(map(str, shape)) if shape else "()"


def make(b: Builder, shape: Shape, rg: bool, prefix: str = "x") -> Value:
    """Write a leaf of this shape."""
    name = b.fresh(prefix)
    flag = ", requires_grad=True" if rg else ""
    ways = ["rand", "rand", "ones", "full"]
    if rg and b.chance(0.15):
        ways = ["Parameter", "method", "attribute", "tensor"]
    elif b.chance(0.1):
        ways = ["tensor", "zeros", "randn"]
    way = b.rng.choice(ways)
    if way == "full":
        text = f"torch.full(({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''}), 0.5{flag})"
    elif way == "tensor":
        text = f"torch.tensor({nested(shape)}{flag})"
    elif way == "Parameter":
        text = f"nn.Parameter(torch.rand({literal(shape)}))"
    elif way == "method":
        text = f"torch.rand({literal(shape)}).requires_grad_()"
    elif way == "attribute":
        b.emit(f"{name} = torch.rand({literal(shape)})", "leaf:rand")
        b.emit(f"{name}.requires_grad = True", "leaf:attribute")
        return b.add(Value(name, shape, rg=True, memory=Memory(leaf=True)))
    else:
        text = f"torch.{way}({literal(shape)}{flag})"
    b.emit(f"{name} = {text}", f"leaf:{way}")
    return b.add(Value(name, shape, rg=rg, memory=Memory(leaf=rg)))


def nested(shape: Shape, number: float = 0.5) -> str:
    """A literal list of numbers of this shape."""
    if not shape:
        return str(number)
    return "[" + ", ".join(nested(shape[1:], number + index / 8) for index in range(shape[0])) + "]"


def leaf(b: Builder) -> bool:
    """A new leaf, trainable or not."""
    make(b, b.rng.choice(SHAPES), b.chance(0.6))
    return True


def trainable(b: Builder) -> None:
    """See to it that something can be trained."""
    if not any(v.rg for v in b.values) and not b.risky():
        make(b, b.rng.choice(SHAPES[:5]), True)


def flag(b: Builder) -> bool:
    """Change `requires_grad` of what is there, or ask for the gradient of a non-leaf."""
    value = b.pick(lambda v: v.floating and not v.inference, tracked=0.4)
    if value is None:
        return False
    kind = b.rng.choice(["on", "on", "attribute", "off", "off-attribute", "retain", "retain"])
    if kind in ("off", "off-attribute") and not value.leaf and not b.risky():
        return False
    if kind == "retain" and not value.rg and not b.risky():
        return False
    if kind == "retain":
        b.emit(f"{value.name}.retain_grad()", "flag:retain_grad")
    elif kind == "on":
        b.emit(f"{value.name}.requires_grad_()", "flag:requires_grad_()")
        value.rg = True
    elif kind == "attribute":
        b.emit(f"{value.name}.requires_grad = True", "flag:requires_grad=True")
        value.rg = True
    elif kind == "off":
        b.emit(f"{value.name}.requires_grad_(False)", "flag:requires_grad_(False)")
        value.rg = False
    else:
        b.emit(f"{value.name}.requires_grad = False", "flag:requires_grad=False")
        value.rg = False
    if value.leaf:
        value.memory.leaf = value.rg
    return True
