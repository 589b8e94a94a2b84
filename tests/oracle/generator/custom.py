"""Custom `torch.autograd.Function` classes."""

from __future__ import annotations

from .model import Builder

#: (what forward does after `ctx.save_for_backward`, what it returns, what backward returns)
BODIES: tuple[tuple[str, str, str, str], ...] = (
    ("input", "ctx.save_for_backward(a)", "a * 2", "grad * a"),
    ("result", "ctx.save_for_backward(out)", "a.exp()", "grad * out"),
    ("nothing", "pass", "a * 3", "grad * 3"),
    ("none", "pass", "a * 3", "None"),
    ("clamp", "ctx.bound = 1", "a.round()", "grad"),
)


def custom(b: Builder) -> bool:
    """Define a function with its own backward and apply it."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    value = b.pick(lambda v: v.floating and not v.inference)
    if value is None:
        return False
    kind, saving, out, back = b.rng.choice(BODIES)
    name = b.fresh("Fn")
    with b.block(f"class {name}(torch.autograd.Function):", f"custom:{kind}"):
        b.emit("@staticmethod", "custom")
        with b.block("def forward(ctx, a):", "custom"):
            b.emit(f"out = {out}", "custom")
            b.emit(saving, "custom")
            b.emit("return out", "custom")
        b.emit("@staticmethod", "custom")
        with b.block("def backward(ctx, grad):", "custom"):
            if kind == "input":
                b.emit("a, = ctx.saved_tensors", "custom")
            elif kind == "result":
                b.emit("out, = ctx.saved_tensors", "custom")
            b.emit(f"return {back}", "custom")
    result = b.fresh()
    b.emit(f"{result} = {name}.apply({value.name})", "custom:apply")
    made = b.result(result, value.shape, value)
    if made.rg:
        if kind == "input":
            value.memory.saved = True
        elif kind == "result":
            made.memory.saved = True
    return True
