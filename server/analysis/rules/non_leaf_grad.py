"""`non-leaf-grad`: `.grad` of a tensor that autograd passes through but does not store a gradient on."""

from __future__ import annotations

from .base import Rule

RULE = Rule(
    name="non-leaf-grad",
    summary="`.grad` is read on a tensor that is not a leaf and did not call `retain_grad()`: it is `None`",
    family="reading the gradient",
    severity="error",
    fix="insert `retain_grad()` before `backward()`, or read the leaf",
    what="""\
Finds a read of `y.grad` after `backward()`, where `y` is the result of an operation (it has a `grad_fn`), the loss
was computed from it, and nobody called `y.retain_grad()` before. The finding sits on the read.

When the operation that made it a non-leaf is a move to a device or a conversion (`.cuda()`, `.half()`), or any other
step applied to a tensor right where it is created with `requires_grad=True`, `device-move-leaf` has more to say about
moves and reports those.""",
    why="""\
The gradient does pass through `y`: backward computes it in order to go on to `y`'s inputs, hands it over and drops it.
Only leaves (tensors created by the user with `requires_grad=True`, and parameters) keep it in `.grad`. For everything
else `.grad` stays `None`, and PyTorch prints a warning on the read, once, which is easy to miss.

A tensor can be a non-leaf without looking like one. `torch.randn(3, 3, requires_grad=True).reshape(9)` and
`torch.randn(9, requires_grad=True) * 0.1` name the *result*; the leaf that gets the gradient has no name and is gone.
The order `(torch.randn(9) * 0.1).requires_grad_()` names the leaf. In the same way `x = normalize(x)` after
`x.requires_grad_()` makes `x` a result.

`y.retain_grad()` before `backward()` asks autograd to keep the gradient of `y` too.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
loss = y.pow(2).sum()
loss.backward()
print(y.grad)  # None, and a UserWarning: `y` is not a leaf
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
y.retain_grad()
loss = y.pow(2).sum()
loss.backward()
print(y.grad)
""",
    fix_safety="""\
Inserting `y.retain_grad()` after the statement that computes `y` is *safe*: nothing but `y.grad` changes, and the
memory of one gradient is kept. It must come before `backward()`, and `y` must require grad there (else
`retain_grad()` raises). Reading the leaf instead is a *suggestion*: it is another gradient.""",
    blind_spots="""\
- Reads of `.grad` in loops over unknown collections of tensors are not judged.
- A hook (`y.register_hook(save)`) is the other right way to see such a gradient; a hook that the analysis
  cannot follow counts as one.
- Whether a tensor from an unknown call is a leaf is not known; the rule stays silent.""",
)
