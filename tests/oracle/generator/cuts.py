"""Where a graph ends: detach and its kin, the way through Python numbers and numpy, integers, new tensors from old."""

from __future__ import annotations

from .model import Builder, Memory, Value

#: (expression, dtype of the result or "" for the same, "share" | "copy" memory, requires grad: "no" | "yes" | "same")
CUTS: tuple[tuple[str, str, str, str], ...] = (
    ("{a}.detach()", "", "share", "no"),
    ("{a}.detach()", "", "share", "no"),
    ("{a}.data", "", "share", "no"),
    ("{a}.detach().clone()", "", "copy", "no"),
    ("{a}.clone().detach()", "", "copy", "no"),
    ("{a}.detach().clone().requires_grad_()", "", "copy", "yes"),
    ("{a}.detach().requires_grad_()", "", "share", "yes"),
    ("torch.tensor({a})", "", "copy", "no"),
    ("torch.tensor({a}, requires_grad=True)", "", "copy", "yes"),
    ("torch.tensor({a}.tolist())", "float", "copy", "no"),
    ("torch.as_tensor({a})", "", "share", "same"),
    ("torch.from_numpy({a}.detach().numpy())", "", "share", "no"),
    ("torch.from_numpy({a}.detach().cpu().numpy().copy())", "", "copy", "no"),
    ("torch.tensor({a}.detach().numpy())", "", "copy", "no"),
    ("{a}.new_tensor({a})", "", "copy", "no"),
    ("torch.zeros_like({a})", "", "copy", "no"),
    ("torch.ones_like({a}, requires_grad=True)", "", "copy", "yes"),
    ("torch.rand_like({a})", "", "copy", "no"),
    ("({a} > 0.5).float()", "float", "copy", "no"),
    ("({a} * 4).long().float()", "float", "copy", "no"),
    ("nn.Parameter({a})", "", "share", "yes"),
    ("nn.Parameter({a}.detach().clone())", "", "copy", "yes"),
    ("nn.Parameter({a}, requires_grad=False)", "", "share", "no"),
    ("{a}.double()", "double", "copy", "same"),
    ("{a}.float()", "float", "copy", "same"),
    ("{a}.to(torch.float64)", "double", "copy", "same"),
    ("{a}.to(torch.float32)", "float", "copy", "same"),
    ("{a}.to('cpu')", "", "share", "same"),
    ("{a}.cpu()", "", "share", "same"),
    ("{a}.contiguous()", "", "share", "same"),
    ("{a}.type_as({a})", "", "share", "same"),
    ("{a}.to({a}.dtype, copy=True)", "", "copy", "same"),
)

#: scalars only: through a Python number
NUMBERS: tuple[str, ...] = (
    "torch.tensor({a}.item())",
    "torch.tensor(float({a}))",
    "torch.tensor([{a}]).sum()",
    "torch.tensor([{a}.item(), 1.0]).sum()",
    "{a}.detach() * 2",
    "{o} * {a}.item()",
    "{o} + float({a})",
)


def cut(b: Builder) -> bool:
    """A value from another one, with or without its history."""
    way = b.rng.random()
    if way < 0.12:
        return in_place(b)
    if way < 0.3:
        return number(b)
    value = b.pick(lambda v: v.floating and not v.inference)
    if value is None:
        return False
    if b.risky() and b.chance(0.2):
        name = b.fresh()
        b.emit(f"{name} = torch.from_numpy({value.name}.numpy())", "cut:from_numpy of a tracked tensor")
        b.add(Value(name, value.shape, value.dtype, memory=value.memory))
        return True
    template, dtype, memory, grad = b.rng.choice(CUTS)
    dtype = dtype or value.dtype
    name = b.target()
    b.emit(f"{name} = {template.format(a=value.name)}", f"cut:{template}")
    rg = {"no": False, "yes": True, "same": value.rg}[grad]
    same = grad == "same" and (memory == "share" or (dtype == value.dtype and "copy" not in template))
    if grad == "same" and not same:
        rg = rg and b.mode == "on"
    b.add(
        Value(
            name,
            value.shape,
            dtype,
            rg=rg,
            leaf=value.leaf if same else (grad != "same" or not rg),
            view=value.view if same else "",
            overlaps=value.overlaps and memory == "share",
            stale=same and value.stale,
            memory=value.memory if memory == "share" else Memory(leaf=rg and grad == "yes"),
        )
    )
    if grad == "yes" and memory == "share":
        value.memory.leaf = True
    return True


def number(b: Builder) -> bool:
    value = b.pick(lambda v: v.floating and v.shape == ())
    other = b.pick(lambda v: v.floating and not v.inference)
    if value is None or other is None:
        return False
    template = b.rng.choice(NUMBERS)
    name = b.target()
    b.emit(f"{name} = {template.format(a=value.name, o=other.name)}", f"cut:{template}")
    if "{o}" in template:
        b.result(name, other.shape, other)
    else:
        b.add(Value(name, (), "float" if template != "{a}.detach() * 2" else value.dtype))
    return True


def in_place(b: Builder) -> bool:
    """`detach_()`, which may not be done to a view."""
    value = b.pick(lambda v: v.floating and not v.inference and (not v.view or b.risky()))
    if value is None:
        return False
    b.emit(f"{value.name}.detach_()", "cut:detach_()")
    value.rg, value.leaf = False, True
    value.memory.leaf = False
    return True
