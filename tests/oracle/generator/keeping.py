"""What is done between steps: clipping, clearing, freezing, scaling, and writing results where one is told (`out=`)."""

from __future__ import annotations

from .model import Builder, Value
from .modules import pick_layer, rows
from .operations import broadcast

FREEZING: tuple[tuple[str, ...], ...] = (
    ("for p in {n}.parameters():", "    p.requires_grad = False"),
    ("for p in {n}.parameters():", "    p.requires_grad_(False)"),
    ("for key, p in {n}.named_parameters():", "    p.requires_grad = 'bias' in key"),
    ("for key, p in {n}.named_parameters():", "    if key.startswith('0'):", "        p.requires_grad = False"),
    ("for part in {n}.children():", "    part.requires_grad_(False)", "    break"),
    ("{n}.requires_grad_(False)", "{n}[-1].requires_grad_(True)"),
)

CLEARING: tuple[tuple[str, ...], ...] = (
    ("{n}.zero_grad()",),
    ("{n}.zero_grad(set_to_none=False)",),
    ("for p in {n}.parameters():", "    p.grad = None"),
    ("for p in {n}.parameters():", "    if p.grad is not None:", "        p.grad.zero_()"),
    ("for p in {n}.parameters():", "    if p.grad is not None:", "        p.grad.detach_().zero_()"),
)

CLIPPING: tuple[str, ...] = (
    "torch.nn.utils.clip_grad_norm_({n}.parameters(), 1.0)",
    "nn.utils.clip_grad_norm_([p for p in {n}.parameters() if p.requires_grad], max_norm=1.0)",
)

STEPPING: tuple[tuple[str, ...], ...] = (
    (
        "with torch.no_grad():",
        "    for p in {n}.parameters():",
        "        if p.grad is not None:",
        "            p -= 0.1 * p.grad",
    ),
    ("for p in {n}.parameters():", "    if p.grad is not None:", "        p.data.add_(p.grad, alpha=-0.1)"),
    ("for p in {n}.parameters():", "    if p.grad is not None:", "        p.data -= 0.1 * p.grad.data"),
    ("with torch.no_grad():", "    for p in {n}.parameters():", "        p.copy_(p * 0.9)"),
    ("for p in {n}.parameters():", "    nn.init.normal_(p)"),
    ("{n}.load_state_dict({n}.state_dict())",),
)


def keeping(b: Builder) -> bool:
    """A small network, a backward, and what people do by hand afterwards; now and then once more."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    given = rows(b)
    net = b.fresh("net")
    layers = ", ".join(["nn.Linear(3, 3)", pick_layer(b), "nn.Linear(3, 3)"])
    b.emit(f"{net} = nn.Sequential({layers})", "keeping:network")
    if b.chance(0.5):
        lines(b, net, "freezing", b.rng.choice(FREEZING))
    out = loss(b, net, given)
    scaled = b.chance(0.25)
    if scaled:
        scaler = b.fresh("scaler")
        b.emit(f"{scaler} = torch.amp.GradScaler('cpu', enabled=False)", "keeping:GradScaler")
        optimizer = b.fresh("opt")
        b.emit(f"{optimizer} = torch.optim.SGD({net}.parameters(), lr=0.1)", "keeping:optimizer")
        b.emit(f"{scaler}.scale({out}).backward()", "keeping:scaled backward")
        if b.chance(0.4):
            b.emit(f"{scaler}.unscale_({optimizer})", "keeping:unscale_")
        b.emit(f"{scaler}.step({optimizer})", "keeping:scaler step")
        b.emit(f"{scaler}.update()", "keeping:scaler update")
    else:
        b.emit(f"{out}.backward()", "keeping:backward")
    b.went_backward()
    for kind, rows_of in (("clipping", [(row,) for row in CLIPPING]), ("stepping", STEPPING), ("clearing", CLEARING)):
        if b.chance(0.6):
            lines(b, net, kind, b.rng.choice(rows_of))
    if b.chance(0.5):
        again = loss(b, net, rows(b))
        if b.risky():
            again = b.rng.choice([out, again])
        b.emit(f"{again}.backward()", "keeping:second backward")
        b.went_backward()
    return True


def loss(b: Builder, net: str, given: Value) -> str:
    out = b.fresh("loss")
    b.emit(f"{out} = {net}({given.name}).{b.rng.choice(['sum()', 'mean()', 'pow(2).sum()'])}", "keeping:loss")
    return out


def lines(b: Builder, net: str, kind: str, text: tuple[str, ...]) -> None:
    for line in text:
        b.emit(line.format(n=net), f"keeping:{kind} {' '.join(text)}" if line is text[0] else "keeping")


OUT: tuple[str, ...] = (
    "torch.add({a}, {b}, out={o})",
    "torch.mul({a}, {b}, out={o})",
    "torch.exp({a}, out={o})",
    "torch.clamp({a}, min=0.2, out={o})",
)


def out_argument(b: Builder) -> bool:
    """A result written where one is told: not with what requires grad."""
    first = b.pick(lambda v: v.floating and not v.inference, 0.3)
    if first is None or (first.rg and b.mode == "on" and not b.risky()):
        return False
    second = b.pick(
        lambda v: v.dtype == first.dtype and not v.inference and broadcast(first.shape, v.shape) == first.shape, 0.2
    )
    if second is None or (second.rg and b.mode == "on" and not b.risky()):
        return False
    target = b.pick(
        lambda v: (
            v.dtype == first.dtype
            and v.shape == first.shape
            and not v.overlaps
            and v is not first
            and (v.inference == (b.mode == "inference"))
            and (not v.memory.saved or b.risky())
            and (not (v.rg or v.memory.leaf) or b.risky())
        ),
        0.3,
    )
    if target is None:
        name = b.fresh()
        b.emit(f"{name} = torch.zeros_like({first.name})", "out:target")
        target = b.add(Value(name, first.shape, first.dtype))
    template = b.rng.choice(OUT)
    b.emit(template.format(a=first.name, b=second.name, o=target.name), f"out:{template}")
    return True
