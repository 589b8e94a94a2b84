"""`device-move-leaf`: the name holds a moved copy of the leaf, and the gradient arrives at the nameless original."""

from __future__ import annotations

from .base import Rule

RULE = Rule(
    name="device-move-leaf",
    summary="a tensor is moved or converted right after `requires_grad=True`: the name holds a copy, not the leaf",
    family="reading the gradient",
    severity="warning",
    fix="create the tensor on the device, or move first and call `requires_grad_()` afterwards",
    what="""\
Finds a tensor that is created with `requires_grad=True` (or gets `requires_grad_()`) and is moved or converted in the
same breath (`.cuda()`, `.to(device)`, `.half()`, `.double()`, `.to(dtype)`) so that the name holds the result
of the move, when that name's `.grad` is read later or it is handed to an optimizer. The finding sits on the statement
with the move.

It is an error where the move always makes a copy (`.cuda()`, `.half()`), and a warning where that depends on the
machine (`device = "cuda" if torch.cuda.is_available() else "cpu"`).

`module.to(device)` is fine: it moves parameters in place and they stay leaves. So is moving first:
`torch.randn(10).to(device).requires_grad_()`.""",
    why="""\
`.to(device)` is an operation like any other: when it has to copy, its result has a `grad_fn`, and the gradient flows
*through* it to the tensor that was created with `requires_grad=True`. That tensor is the leaf and gets the `.grad`,
but no name refers to it. The name on the left holds the copy on the GPU, and its `.grad` is `None`; an optimizer
refuses it with *can't optimize a non-leaf Tensor*.

When nothing has to be copied (the tensor is already on that device, in that dtype), `.to()` returns the tensor
itself, which is a leaf. This is why the very same line works on a laptop without a GPU and fails on the server with
one: there is nothing wrong with CUDA, the copy is the difference.""",
    example="""\
import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
x = torch.randn(10, requires_grad=True).to(device)
loss = (x * 2).sum()
loss.backward()
print(x.grad)  # a gradient on the CPU, None on a GPU
""",
    instead="""\
import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
x = torch.randn(10, device=device, requires_grad=True)
loss = (x * 2).sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
Creating the tensor on the device (`torch.randn(10, device=device, requires_grad=True)`) is *safe* for the gradient;
note that random numbers drawn on a GPU are not those drawn on the CPU with the same seed. Moving first and calling
`requires_grad_()` last keeps the numbers and is *safe* where nobody holds the original.""",
    blind_spots="""\
- Where the target device is unknown (a parameter of a function, a configuration value), the rule assumes that it may be
  a GPU only if something in the program says so.
- A move in a helper function that the analysis cannot read is not seen.
- `non_blocking`, pinned memory and multi-device modules make no difference to leaves and are not looked at.""",
)
