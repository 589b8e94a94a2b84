"""Functions that run functions: checkpointing, `torch.func`, `vmap`."""

from __future__ import annotations

from .model import Builder

#: bodies of functions from a tensor to one of the same shape
BODIES: tuple[str, ...] = ("t * 2", "t.tanh()", "(t * t).exp()", "torch.sigmoid(t) + t", "t.detach() * 3", "t ** 2")


def checkpointed(b: Builder) -> bool:
    """`torch.utils.checkpoint.checkpoint`, of both kinds."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    value = b.pick(lambda v: v.floating and not v.inference)
    if value is None:
        return False
    body = b.rng.choice(BODIES)
    name, out = b.fresh("f"), b.fresh()
    with b.block(f"def {name}(t):", "checkpoint:def"):
        b.emit(f"return {body}", "checkpoint:body")
    reentrant = b.rng.choice(["True", "False", "False"]) if "detach" not in body else "False"
    b.emit(
        f"{out} = torch.utils.checkpoint.checkpoint({name}, {value.name}, use_reentrant={reentrant})",
        f"checkpoint:use_reentrant={reentrant}",
    )
    b.result(out, value.shape, value, rg=value.rg and "detach" not in body)
    return True


def functional(b: Builder) -> bool:
    """`torch.func.grad`, `vmap`, `grad_and_value`: the gradient is a value like others."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    value = b.pick(
        lambda v: v.floating and not v.inference and len(v.shape) > 0 and v.view not in ("multi", "untracked")
    )
    if value is None:
        return False
    body = b.rng.choice([row for row in BODIES if "detach" not in row])
    way = b.rng.choice(["grad", "vmap", "vmap", "grad_and_value"])
    out = b.fresh()
    if way == "grad":
        b.emit(f"{out} = torch.func.grad(lambda t: ({body}).sum())({value.name})", "func:grad")
    elif way == "vmap":
        which = b.rng.choice(["torch.vmap", "torch.func.vmap"])
        b.emit(f"{out} = {which}(lambda t: {body})({value.name})", f"func:{which}")
    else:
        first = b.fresh()
        b.emit(
            f"{out}, {first} = torch.func.grad_and_value(lambda t: ({body}).sum())({value.name})", "func:grad_and_value"
        )
        b.result(first, (), value)
    b.result(out, value.shape, value, rg=value.rg)
    return True
