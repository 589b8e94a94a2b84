"""Grad modes: as blocks, nested blocks, statements."""

from __future__ import annotations

from .model import Builder

BLOCKS: tuple[tuple[str, str, float], ...] = (
    ("with torch.no_grad():", "off", 4.0),
    ("with torch.enable_grad():", "on", 1.0),
    ("with torch.set_grad_enabled(False):", "off", 1.0),
    ("with torch.set_grad_enabled(True):", "on", 0.7),
    ("with torch.inference_mode():", "inference", 0.7),
    ("with torch.inference_mode(False):", "on", 0.2),
    ("with torch.autograd.no_grad():", "off", 0.3),
)

#: in a block only plain statements: what it defines stays in scope afterwards
NOT_INSIDE = frozenset(
    """
    function module training switch custom loop branch checkpoint func layer amp idiom keeping decorated
    """.split()
)


def block(b: Builder) -> bool:
    """A block with another grad mode; what it binds is used after it."""
    if b.nesting > 2:
        return False
    head, mode, _ = b.rng.choices(BLOCKS, [row[2] for row in BLOCKS])[0]
    if b.mode == "inference" and mode != "inference":
        mode = "inference" if "enable_grad" in head or "set_grad" in head or mode == "off" else mode
    with b.block(head, f"mode:{head}"), b.grad_mode(mode):
        for _ in range(b.rng.randint(1, 3)):
            b.statement(NOT_INSIDE if b.chance(0.9) else NOT_INSIDE | {"mode"})
    return True


def switch(b: Builder) -> bool:
    """`torch.set_grad_enabled(…)` as a statement, and its undoing a few statements later."""
    if b.nesting or b.mode != "on" or b.in_function:
        return False
    b.emit("torch.set_grad_enabled(False)", "mode:set_grad_enabled(False) as a statement")
    with b.grad_mode("off"):
        for _ in range(b.rng.randint(1, 2)):
            b.statement(NOT_INSIDE)
    if not b.risky():
        b.emit("torch.set_grad_enabled(True)", "mode:set_grad_enabled(True) as a statement")
    else:
        b.mode = "off"
    return True
