"""Backward in its forms, `torch.autograd.grad`, and what is done with gradients."""

from __future__ import annotations

from .model import Builder, Memory, Value


def scalar(b: Builder, value: Value) -> str:
    """An expression that makes a scalar of a value."""
    if value.shape == () and b.chance(0.8):
        return value.name
    return b.rng.choice(["{}.sum()", "{}.sum()", "{}.mean()", "torch.sum({})", "({} ** 2).sum()", "{}.norm()"]).format(
        value.name
    )


def loss(b: Builder) -> Value | None:
    """Write a loss of one to three values."""
    first = b.pick(lambda v: v.floating and not v.inference, tracked=0.97 if not b.risky() else 0.3)
    if first is None or (not first.rg and not b.risky()):
        return None
    parts = [first]
    for _ in range(b.rng.choice([0, 0, 1, 1, 2])):
        more = b.pick(lambda v: v.floating and not v.inference)
        if more is not None:
            parts.append(more)
    name = b.fresh("loss")
    b.emit(f"{name} = {' + '.join(scalar(b, part) for part in parts)}", "sink:loss")
    return b.result(name, (), *parts)


def flags(b: Builder) -> str:
    return b.rng.choices(["", "retain_graph=True", "create_graph=True", "retain_graph=False"], [8, 3, 0.5, 0.3])[0]


def backward(b: Builder) -> bool:
    """A backward in the middle of the program."""
    if b.mode == "inference" or b.in_function or b.nesting > 1:
        return False
    if b.chance(0.25) and b.mode == "on":
        value = b.pick(lambda v: v.rg and v.shape != () and not v.inference)
        if value is None:
            return False
        flag = flags(b)
        given = f"torch.ones_like({value.name})"
        text, form = b.rng.choice(
            [
                (f"{value.name}.backward({given}", "backward(gradient)"),
                (f"{value.name}.backward(gradient={given}", "backward(gradient=)"),
                (f"torch.autograd.backward([{value.name}], [{given}]", "autograd.backward([], [])"),
            ]
        )
        b.emit(f"{text}{', ' + flag if flag else ''})", f"sink:{form}")
    else:
        value = loss(b)
        if value is None or (not value.rg and not b.risky()):
            return False
        flag = flags(b)
        call(b, value, flag)
    if flag in ("", "retain_graph=False"):
        b.went_backward()
        value.stale = True
    return True


def call(b: Builder, value: Value, flag: str = "") -> None:
    """Write the backward call itself."""
    way = b.rng.random()
    leaves = [v for v in b.values if v.leaf and v.rg and not v.inference]
    if way < 0.06:
        b.emit(f"torch.autograd.backward({value.name}{', ' + flag if flag else ''})", "sink:autograd.backward")
    elif way < 0.12 and leaves and (b.risky() or any(v.rg for v in leaves)):
        wanted = b.rng.choice(leaves).name
        b.emit(f"{value.name}.backward(inputs=[{wanted}]{', ' + flag if flag else ''})", "sink:backward(inputs)")
    else:
        b.emit(f"{value.name}.backward({flag})", f"sink:backward({flag})")


def last(b: Builder) -> None:
    """The end of the program: a loss over several values, backward, now and then a second one."""
    if b.mode != "on" and b.chance(0.7):
        b.emit("torch.set_grad_enabled(True)", "mode:set_grad_enabled(True) as a statement")
        b.mode = "on"
    value = loss(b)
    if value is None:
        return
    again = b.chance(0.12)
    flag = b.rng.choice(["retain_graph=True", ""]) if again else ""
    call(b, value, flag)
    if again and (flag or b.risky()):
        b.emit(f"{value.name}.backward()", "sink:second backward")
    read(b)


def grad(b: Builder) -> bool:
    """`torch.autograd.grad`, with inputs that the loss may not depend on."""
    if b.mode != "on" or b.in_function:
        return False
    value = loss(b)
    if value is None or (not value.rg and not b.risky()):
        return False
    inputs = [v for v in b.values if v.floating and not v.inference and (v.rg or b.risky())]
    if not inputs:
        return False
    wanted = b.rng.sample(inputs, min(len(inputs), b.rng.choice([1, 1, 2, 3])))
    listed = wanted[0].name if len(wanted) == 1 else "[" + ", ".join(v.name for v in wanted) + "]"
    options = []
    allowed = b.chance(0.75) or not b.risky()
    if allowed:
        options.append("allow_unused=True")
    create = b.chance(0.35)
    if create:
        options.append("create_graph=True")
    elif b.chance(0.3):
        options.append("retain_graph=True")
    if b.chance(0.1):
        options.append("grad_outputs=torch.tensor(2.0)")
    if allowed and b.chance(0.1):
        options[0] = "materialize_grads=True"
    name = b.fresh("g")
    b.emit(
        f"{name} = torch.autograd.grad({value.name}, {', '.join([listed, *options])})",
        f"sink:autograd.grad({', '.join(options)})",
    )
    if not create and "retain_graph=True" not in options:
        b.went_backward()
        value.stale = True
    if create and (not allowed or "materialize_grads=True" in options) and len(wanted) == 1 and b.chance(0.7):
        penalty = b.fresh()
        b.emit(f"{penalty} = ({name}[0] ** 2).sum()", "sink:penalty")
        b.add(Value(penalty, (), wanted[0].dtype, rg=True, leaf=False, memory=Memory()))
    return True


def read(b: Builder) -> bool:
    """Read, clear or set gradients, or log a value."""
    leaves = [v for v in b.values if v.leaf and v.rg and v.floating]
    anything = [v for v in b.values if v.floating and v.shape == ()]
    way = b.rng.choice(["print", "print", "clear", "log", "assign"])
    if way == "log" and anything:
        b.emit(f"print({b.rng.choice(anything).name}.item())", "read:item")
        return True
    if not leaves:
        return False
    value = b.rng.choice(leaves)
    if way == "clear":
        b.emit(f"{value.name}.grad = None", "read:grad = None")
    elif way == "assign" and b.chance(0.5):
        b.emit(f"{value.name}.grad = torch.zeros_like({value.name})", "read:grad = zeros")
    else:
        b.emit(f"print({value.name}.grad)", "read:print grad")
    return True
