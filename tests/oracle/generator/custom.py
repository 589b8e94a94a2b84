"""Custom `torch.autograd.Function` classes: what they save, mark and give back, and what they forget."""

from __future__ import annotations

from dataclasses import dataclass

from .model import Builder, Value


@dataclass(frozen=True)
class Body:
    """What a forward does and returns, what backward begins with and returns; `saved`: "input", "result" or ""."""

    kind: str
    forward: tuple[str, ...]
    result: str
    backward: tuple[str, ...]
    gradient: str
    saved: str = ""
    wrong: bool = False
    in_place: bool = False


BODIES: tuple[Body, ...] = (
    Body("input", ("out = a * 2", "ctx.save_for_backward(a)"), "out", ("a, = ctx.saved_tensors",), "grad * a", "input"),
    Body(
        "result",
        ("out = a.exp()", "ctx.save_for_backward(out)"),
        "out",
        ("out, = ctx.saved_tensors",),
        "grad * out",
        "result",
    ),
    Body("nothing", ("out = a * 3",), "out", (), "grad * 3"),
    Body("none", ("out = a * 3",), "out", (), "None"),
    Body("rounding", ("out = a.round()", "ctx.bound = 1"), "out", (), "grad * ctx.bound"),
    Body("attribute", ("out = a * 2", "ctx.kept = a.detach()"), "out", (), "grad * ctx.kept"),
    Body("dirty", ("a.mul_(2)", "ctx.mark_dirty(a)"), "a", (), "grad * 2", in_place=True),
    Body("too many gradients", ("out = a * 2",), "out", (), "grad, grad", wrong=True),
    Body("one None too many", ("out = a * 2",), "out", (), "grad, None"),
    Body("unmarked", ("out = a > 0.5", "ctx.mark_non_differentiable(out)", "out = a * 2"), "out", (), "grad * 2"),
    Body("no backward", ("out = a * 2",), "out", (), "", wrong=True),
)

TWO: tuple[tuple[str, str], ...] = (
    ("both", "grad * b, grad * a"),
    ("first", "grad * b, None"),
    ("second", "None, grad * a"),
    ("neither", "None, None"),
    ("too few", "grad * b"),
)


def custom(b: Builder) -> bool:
    """Define a function with its own backward and apply it."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    value = b.pick(lambda v: v.floating and not v.inference)
    if value is None:
        return False
    if b.chance(0.3):
        return of_two(b, value)
    body = b.rng.choice(BODIES)
    if body.wrong and not b.risky():
        return False
    if (
        body.in_place
        and (value.overlaps or value.view or value.memory.leaf or (value.leaf and value.rg))
        and not b.risky()
    ):
        return False
    if body.in_place and value.overlaps:
        return False
    name = b.fresh("Fn")
    with b.block(f"class {name}(torch.autograd.Function):", f"custom:{body.kind}"):
        b.emit("@staticmethod", "custom")
        apart = b.chance(0.2) and all("ctx" not in line or "save_for" in line for line in body.forward)
        with b.block("def forward(a):" if apart else "def forward(ctx, a):", "custom"):
            for line in body.forward:
                if not (apart and "ctx" in line):
                    b.emit(line, "custom")
            b.emit(f"return {body.result}", "custom")
        if apart:
            b.emit("@staticmethod", "custom:setup_context")
            with b.block("def setup_context(ctx, inputs, output):", "custom:setup_context"):
                for line in body.forward:
                    if "ctx" in line:
                        b.emit("a, = inputs" if "(a)" in line else "out = output", "custom:setup_context")
                        b.emit(line, "custom:setup_context")
        if body.gradient:
            b.emit("@staticmethod", "custom")
            if b.chance(0.1):
                b.emit("@torch.autograd.function.once_differentiable", "custom:once_differentiable")
            with b.block("def backward(ctx, grad):", "custom"):
                for line in body.backward:
                    b.emit(line, "custom")
                b.emit(f"return {body.gradient}", "custom")
    result = b.fresh()
    b.emit(f"{result} = {name}.apply({value.name})", "custom:apply")
    made = b.result(result, value.shape, value)
    if body.in_place:
        made.memory = value.memory
    if made.rg:
        (value if body.saved == "input" else made).memory.saved |= bool(body.saved)
    return True


def of_two(b: Builder, value: Value) -> bool:
    """A function of two tensors, which may give one of them no gradient."""
    other = b.pick(lambda v: v.shape == value.shape and v.dtype == value.dtype and not v.inference, 0.5)
    kind, gradient = b.rng.choice(TWO)
    if other is None or (kind == "too few" and not b.risky()):
        return False
    name, result = b.fresh("Fn"), b.fresh()
    with b.block(f"class {name}(torch.autograd.Function):", f"custom:two, {kind}"):
        b.emit("@staticmethod", "custom")
        with b.block("def forward(ctx, a, b):", "custom"):
            b.emit("ctx.save_for_backward(a, b)", "custom")
            b.emit("return a * b", "custom")
        b.emit("@staticmethod", "custom")
        with b.block("def backward(ctx, grad):", "custom"):
            b.emit("a, b = ctx.saved_tensors", "custom")
            b.emit(f"return {gradient}", "custom")
    b.emit(f"{result} = {name}.apply({value.name}, {other.name})", "custom:apply two")
    if b.result(result, value.shape, value, other).rg:
        value.memory.saved = other.memory.saved = True
    return True
