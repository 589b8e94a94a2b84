"""Operations that change a tensor: methods with an underscore, augmented assignment, item assignment, `.data`."""

from __future__ import annotations

from .model import Builder, Value
from .operations import broadcast

#: (method call, whether the operation itself saves something of the changed tensor: "s" self's old value, "r" result)
UNARY: tuple[tuple[str, str], ...] = (
    ("{a}.add_(1)", "n"),
    ("{a}.mul_(2)", "n"),
    ("{a}.sub_(0.5)", "n"),
    ("{a}.div_(2)", "n"),
    ("{a}.neg_()", "n"),
    ("{a}.exp_()", "r"),
    ("{a}.sqrt_()", "r"),
    ("{a}.sigmoid_()", "r"),
    ("{a}.tanh_()", "r"),
    ("{a}.relu_()", "r"),
    ("{a}.abs_()", "s"),
    ("{a}.pow_(2)", "s"),
    ("{a}.square_()", "s"),
    ("{a}.sin_()", "s"),
    ("{a}.clamp_(min=0.2)", "s"),
    ("{a}.clamp_(0.1, 0.9)", "s"),
    ("{a}.zero_()", "n"),
    ("{a}.fill_(0.5)", "n"),
    ("{a}.uniform_()", "n"),
    ("{a}.floor_()", "n"),
    ("{a}.masked_fill_({a} > 0.5, 0.0)", "n"),
    ("F.relu({a}, inplace=True)", "r"),
    ("torch.relu_({a})", "r"),
    ("F.dropout({a}, 0.5, inplace=True)", "n"),
    ("F.leaky_relu({a}, inplace=True)", "r"),
    ("F.elu({a}, inplace=True)", "r"),
    ("F.silu({a}, inplace=True)", "s"),
    ("nn.init.zeros_({a})", "untracked"),
    ("nn.init.normal_({a})", "untracked"),
)

AUGMENTED: tuple[str, ...] = ("{a} += 1", "{a} *= 2", "{a} -= 0.5", "{a} /= 2", "{a} **= 2")

BINARY: tuple[tuple[str, str], ...] = (
    ("{a}.add_({b})", "n"),
    ("{a}.add_({b}, alpha=2)", "n"),
    ("{a}.mul_({b})", "b"),
    ("{a}.sub_({b})", "n"),
    ("{a}.div_({b})", "b"),
    ("{a}.copy_({b})", "n"),
    ("{a} += {b}", "n"),
    ("{a} -= {b}", "n"),
    ("{a} *= {b}", "b"),
    ("{a} /= {b}", "b"),
    ("{a}.lerp_({b}, 0.5)", "n"),
    ("{a}.addcmul_({b}, {b})", "b"),
)

#: changes that autograd does not see, or only by the version counter
BEHIND: tuple[str, ...] = (
    "{a}.data.add_(1)",
    "{a}.data.mul_(2)",
    "{a}.detach().add_(1)",
    "{a}.detach().mul_(2)",
    "{a}.data[...] = 0.5",
    "{a}.detach()[...] = 0.5",
    "{a}.data.fill_(0.5)",
    "{a}.data = torch.ones_like({a})",
    "{a}.data = {a}.data * 2",
)


def harmless(b: Builder, value: Value) -> bool:
    """Whether the model sees nothing wrong with changing the value in place."""
    if value.overlaps or (value.inference and b.mode != "inference"):
        return False
    if b.mode == "on":
        if value.leaf and value.rg:
            return False
        if value.memory.leaf or value.view in ("multi", "untracked"):
            return False
    return not value.memory.saved


def choose(b: Builder) -> Value | None:
    """A value to change in place: one where that is fine, or any when the statement may be a wrong one."""
    if b.risky():
        return b.pick(lambda v: v.floating)
    return b.pick(lambda v: v.floating and harmless(b, v))


def changed(b: Builder, value: Value, rule: str, other: Value | None = None) -> None:
    """Bring the model up to date after a change."""
    if b.mode != "on":
        return
    if other is not None and other.rg and not value.rg:
        value.rg, value.leaf = True, False
    if value.rg and not value.leaf:
        if rule == "r":
            value.memory.saved = True
        if rule == "b" and other is not None:
            other.memory.saved = True
        for alias in b.values:
            if alias.memory is value.memory and not alias.leaf:
                alias.rg = True


def inplace(b: Builder) -> bool:
    """Change a value in place."""
    way = b.rng.choice(["unary", "unary", "augmented", "binary", "binary", "behind"])
    if way == "behind":
        return behind(b)
    value = choose(b)
    if value is None:
        return False
    if way == "binary":
        other = b.pick(
            lambda v: (
                v.dtype == value.dtype
                and broadcast(value.shape, v.shape) == value.shape
                and (not v.inference or b.mode != "on")
            )
        )
        if other is None:
            return False
        if value.leaf and not value.rg and other.rg and value.memory.leaf:
            return False
        template, rule = b.rng.choice(BINARY)
        if b.in_function and not value.local and "= " in template:
            return False
        b.emit(template.format(a=value.name, b=other.name), f"inplace:{template}")
        changed(b, value, rule, other)
        return True
    if way == "augmented":
        if b.in_function and not value.local:
            return False
        template = b.rng.choice(AUGMENTED)
        b.emit(template.format(a=value.name), f"inplace:{template}")
        changed(b, value, "n")
        return True
    template, rule = b.rng.choice(UNARY)
    if template.startswith("nn.init.normal_") and value.dtype != "float":
        return False
    text = template.format(a=value.name)
    if b.chance(0.2) and b.nesting == 0:
        name = b.fresh()
        b.emit(f"{name} = {text}", f"inplace:{template}")
        changed(b, value, rule)
        b.add(
            Value(
                name,
                value.shape,
                value.dtype,
                value.rg,
                value.leaf,
                value.view,
                value.overlaps,
                value.inference,
                memory=value.memory,
            )
        )
        return True
    b.emit(text, f"inplace:{template}")
    changed(b, value, rule)
    return True


def behind(b: Builder) -> bool:
    """Change memory behind autograd's back."""
    value = b.pick(lambda v: v.floating and not v.overlaps and not v.inference and (not v.memory.saved or b.risky()))
    if value is None:
        return False
    template = b.rng.choice(BEHIND)
    b.emit(template.format(a=value.name), f"behind:{template}")
    return True


def setitem(b: Builder) -> bool:
    """`x[…] = v`, `x[mask] = v`, `x[…] += v`."""
    value = choose(b)
    if value is None or not value.shape:
        return False
    other = b.pick(
        lambda v: v.dtype == value.dtype and not v.inference and broadcast(value.shape[1:], v.shape) == value.shape[1:]
    )
    places = ["{a}[0]", "{a}[0]", "{a}[1:]", "{a}[:1]", "{a}[...]", "{a}[:]", "{a}[-1]"]
    if len(value.shape) == 2:
        places += ["{a}[:, 0]", "{a}[0, 0]"]
    place = b.rng.choice(places)
    way = b.rng.choice(["number", "tensor", "mask", "augmented", "index"])
    if way == "tensor" and other is not None and place in ("{a}[0]", "{a}[-1]"):
        b.emit(f"{place.format(a=value.name)} = {other.name}", f"setitem:{place} = tensor")
        changed(b, value, "n", other)
        return True
    if way == "mask":
        b.emit(f"{value.name}[{value.name} > 0.5] = 0.0", "setitem:mask")
    elif way == "index":
        b.emit(f"{value.name}[[0]] = 0.5", "setitem:list")
    elif way == "augmented":
        operator = b.rng.choice(["+=", "*=", "-="])
        b.emit(f"{place.format(a=value.name)} {operator} 2", f"setitem:{place} {operator}")
    else:
        b.emit(f"{place.format(a=value.name)} = 0.5", f"setitem:{place} = number")
    changed(b, value, "n")
    return True


def reshaped(b: Builder) -> bool:
    """Change the shape of a tensor in place; what it holds stays.

    Of a leaf that trains only before it is used: whether torch keeps its old shape depends on who still holds a graph.
    """
    value = choose(b)
    if value is None or len(value.shape) > 2 or b.in_function:
        return False
    if b.mode != "on" and value.memory.leaf and b.mentions(value.name) > 1:
        return False
    shape = value.shape
    ways = [("unsqueeze_(0)", (1, *shape)), ("squeeze_()", tuple(size for size in shape if size != 1))]
    if len(shape) == 2:
        ways += [("t_()", shape[::-1]), ("transpose_(0, 1)", shape[::-1]), ("swapaxes_(0, 1)", shape[::-1])]
    how, wanted = b.rng.choice(ways)
    if b.mode != "on" and value.rg and not value.leaf and wanted != shape and how != "unsqueeze_(0)" and not b.risky():
        return False  # its grad_fn goes on to take gradients of the old shape only
    value.shape = wanted
    b.emit(f"{value.name}.{how}", f"reshaped:{how}")
    changed(b, value, "n")
    return True
