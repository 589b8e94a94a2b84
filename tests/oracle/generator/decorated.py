"""Grad modes around functions and generators: decorators, and what a generator leaves on between two of its values."""

from __future__ import annotations

from .model import Builder

DECORATORS: tuple[tuple[str, bool], ...] = (
    ("@torch.no_grad()", False),
    ("@torch.no_grad", False),
    ("@torch.enable_grad()", True),
    ("@torch.set_grad_enabled(False)", False),
    ("@torch.set_grad_enabled(True)", True),
    ("@torch.inference_mode(False)", True),
)

BODIES: tuple[str, ...] = ("p * 2", "p.exp()", "p + 1", "p.detach()", "p.clone()", "p[...]", "p")


def decorated(b: Builder) -> bool:
    """A function or a generator with another grad mode, and a call of it."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    value = b.pick(lambda v: v.floating and not v.inference and not v.overlaps and v.view not in ("multi", "untracked"))
    if value is None:
        return False
    return b.rng.choice([function, generator, leaking])(b, value.name)


def function(b: Builder, given: str) -> bool:
    """`@torch.no_grad() def f(p)`; making the decorator `set_grad_enabled(…)` switches the mode at once."""
    name, out = b.fresh("f"), b.fresh()
    decorator, on = b.rng.choice(DECORATORS)
    body = b.rng.choice(BODIES)
    b.emit(decorator, f"decorated:{decorator}")
    with b.block(f"def {name}(p):", "decorated:def"):
        b.emit(f"return {body}", f"decorated:{body}")
    b.emit(f"{out} = {name}({given})", "decorated:call")
    take(b, out, given, on and "detach" not in body, body)
    return True


def take(b: Builder, out: str, given: str, tracked: bool, body: str) -> None:
    value = next(v for v in b.values if v.name == given)
    if body == "p":
        made = b.view_of(out, value.shape, value)
        made.rg, made.leaf, made.view = value.rg, value.leaf, value.view
    elif body in ("p[...]", "p.detach()"):
        made = b.view_of(out, value.shape, value, "plain" if tracked or not value.rg else "untracked")
        made.rg, made.leaf = value.rg and tracked, not (value.rg and tracked)
    else:
        b.result(out, value.shape, value, rg=value.rg and tracked)


def generator(b: Builder, given: str) -> bool:
    """A decorated generator: the mode is on inside it only."""
    name, first, second = b.fresh("gen"), b.fresh(), b.fresh()
    decorator, on = b.rng.choice(DECORATORS)
    one, two = b.rng.choice(BODIES), b.rng.choice(BODIES)
    b.emit(decorator, f"decorated:generator {decorator}")
    with b.block(f"def {name}(p):", "decorated:generator"):
        b.emit(f"yield {one}", "decorated:yield")
        b.emit(f"yield {two}", "decorated:yield")
    if b.chance(0.5):
        b.emit(f"{first}, {second} = {name}({given})", "decorated:unpacked")
    else:
        made = b.fresh("g")
        b.emit(f"{made} = {name}({given})", "decorated:generator made")
        b.emit(f"{first} = next({made})", "decorated:next")
        b.emit(f"{second} = next({made}) * {first}", "decorated:next")
        value = next(v for v in b.values if v.name == given)
        take(b, first, given, on and "detach" not in one, one)
        b.result(second, value.shape, value, rg=value.rg)
        value.memory.saved = True
        return True
    take(b, first, given, on and "detach" not in one, one)
    take(b, second, given, on and "detach" not in two, two)
    return True


def leaking(b: Builder, given: str) -> bool:
    """A block inside a generator: the mode stays on in the caller between two values."""
    name, made, first, between, last = b.fresh("gen"), b.fresh("g"), b.fresh(), b.fresh(), b.fresh()
    value = next(v for v in b.values if v.name == given)
    with b.block(f"def {name}(p):", "decorated:leaking generator"):
        with b.block("with torch.no_grad():", "decorated:block in a generator"):
            b.emit("yield p * 2", "decorated:yield")
        b.emit("yield p * 3", "decorated:yield")
    b.emit(f"{made} = {name}({given})", "decorated:generator made")
    b.emit(f"{first} = next({made})", "decorated:next")
    b.emit(f"{between} = {given} + 1", "decorated:between")
    b.emit(f"{last} = next({made})", "decorated:next")
    b.result(first, value.shape, value, rg=False)
    b.result(between, value.shape, value, rg=False)
    b.result(last, value.shape, value)
    return True
