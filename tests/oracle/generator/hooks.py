"""Hooks on tensors, which see a gradient on its way, and on modules, which see and may replace what goes in and out."""

from __future__ import annotations

from .model import Builder

ON_GRADIENTS: tuple[str, ...] = (
    "lambda g: g * 2",
    "lambda g: g.clone()",
    "lambda g: None",
    "print",
    "lambda g: g.clamp(-1, 1)",
    "lambda g: torch.zeros_like(g)",
)

ON_OUTPUTS: tuple[str, ...] = (
    "lambda module, inputs, output: None",
    "lambda module, inputs, output: output * 2",
    "lambda module, inputs, output: output.detach()",
    "lambda module, inputs, output: print(output.requires_grad)",
)

ON_INPUTS: tuple[str, ...] = (
    "lambda module, inputs: None",
    "lambda module, inputs: (inputs[0] * 2,)",
    "lambda module, inputs: (inputs[0].detach(),)",
    "lambda module, inputs: inputs[0].clone()",
)


def on_tensor(b: Builder) -> bool:
    """`tensor.register_hook(…)`, now and then removed again."""
    if b.mode == "inference":
        return False
    value = b.pick(lambda v: v.floating and not v.inference and v.view != "multi", tracked=1.0)
    if value is None or not (value.rg or b.risky()):
        return False
    hook = b.rng.choice(ON_GRADIENTS)
    if b.chance(0.2):
        handle = b.fresh("handle")
        b.emit(f"{handle} = {value.name}.register_hook({hook})", f"hook:register_hook({hook})")
        b.emit(f"{handle}.remove()", "hook:remove")
        return True
    if value.leaf and b.chance(0.2):
        b.emit(
            f"{value.name}.register_post_accumulate_grad_hook(lambda t: None)",
            "hook:register_post_accumulate_grad_hook",
        )
        return True
    b.emit(f"{value.name}.register_hook({hook})", f"hook:register_hook({hook})")
    return True


def on_module(b: Builder, name: str) -> None:
    """A hook on the module that a name holds."""
    kind = b.rng.choice(["forward", "forward", "pre", "backward"])
    if kind == "forward":
        hook = b.rng.choice(ON_OUTPUTS)
        b.emit(f"{name}.register_forward_hook({hook})", f"hook:register_forward_hook({hook})")
    elif kind == "pre":
        hook = b.rng.choice(ON_INPUTS)
        b.emit(f"{name}.register_forward_pre_hook({hook})", f"hook:register_forward_pre_hook({hook})")
    else:
        b.emit(
            f"{name}.register_full_backward_hook(lambda module, into, out: None)", "hook:register_full_backward_hook"
        )
