"""Optimizers over leaves, one statement at a time: made, stepped, cleared, given more parameters."""

from __future__ import annotations

from .model import Builder, Value

MAKING: tuple[str, ...] = (
    "torch.optim.SGD([{}], lr=0.1)",
    "torch.optim.SGD([{}], lr=0.1, momentum=0.9, foreach=True)",
    "torch.optim.SGD([{}], lr=0.1, fused=True)",
    "torch.optim.Adam([{}], lr=0.1)",
    "torch.optim.Adam([{}], lr=0.1, foreach=False)",
    "torch.optim.AdamW([{}], lr=0.1, fused=True)",
    "torch.optim.RMSprop([{}], lr=0.1)",
    "torch.optim.Adagrad([{}], lr=0.1)",
    "torch.optim.SGD([dict(params=[{}], lr=0.1)], lr=0.2)",
)

CLIPPING: tuple[str, ...] = (
    "nn.utils.clip_grad_norm_([{}], 1.0)",
    "nn.utils.clip_grad_value_([{}], 0.5)",
    "torch.nn.utils.clip_grad_norm_({}, 1.0)",
)


def stepping(b: Builder) -> bool:
    """Make an optimizer, or use one there is."""
    if b.in_function or b.mode == "inference":
        return False
    if not b.optimizers or b.chance(0.3):
        return make(b)
    name, held = b.rng.choice(b.optimizers)
    way = b.rng.choice(["step", "step", "zero", "zero", "add", "clip", "groups"])
    if way == "step":
        if any(v.memory.saved for v in held) and not b.risky():
            return False
        b.emit(f"{name}.step()", "optimizer:step")
    elif way == "zero":
        b.emit(f"{name}.zero_grad({b.rng.choice(['', '', 'set_to_none=False'])})", "optimizer:zero_grad")
    elif way == "clip":
        value = b.rng.choice(held)
        template = b.rng.choice(CLIPPING)
        b.emit(template.format(value.name), f"optimizer:{template}")
    elif way == "groups":
        b.emit(f"{name}.param_groups[0]['lr'] *= 0.5", "optimizer:lr")
    else:
        value = choose(b)
        if value is None or value in held:
            return False
        b.emit(f"{name}.add_param_group(dict(params=[{value.name}]))", "optimizer:add_param_group")
        held.append(value)
    return True


def choose(b: Builder) -> Value | None:
    """A leaf to be stepped; now and then what may not be."""
    if b.risky() and b.chance(0.3):
        return b.pick(lambda v: v.floating and not v.inference)
    return b.pick(lambda v: v.rg and v.leaf and v.floating and not v.inference and not v.view and not v.overlaps)


def make(b: Builder) -> bool:
    held: list[Value] = []
    for _ in range(b.rng.choice([1, 1, 2])):
        value = choose(b)
        if value is not None and all(v.memory is not value.memory for v in held):
            held.append(value)
    if not held:
        return False
    name = b.fresh("opt")
    template = b.rng.choice(MAKING)
    b.emit(f"{name} = {template.format(', '.join(v.name for v in held))}", f"optimizer:{template}")
    b.optimizers.append((name, held))
    return True
