"""`nothing-requires-grad`: `backward()` on a loss that nothing trainable leads to."""

from __future__ import annotations

from .base import Rule

RULE = Rule(
    name="nothing-requires-grad",
    summary="no tensor on the way to the loss requires grad, so `backward()` raises",
    family="the path is cut",
    severity="error",
    fix="`requires_grad=True` where the tensor is created",
    what="""\
Finds a `backward()` (or `torch.autograd.grad`) on a value whose whole history holds no tensor that requires grad, and
where no cut explains it. The finding sits on the creation of the tensor that should have required grad: the
one whose `.grad` is read afterwards, or else the one the loss was computed from.

If a trainable tensor is there and was lost on the way, the rule of that cut reports it instead.""",
    why="""\
Tensors do not require grad by default. Autograd records an operation only when at least one of its inputs does; a
chain that starts from plain tensors records nothing, and `backward()` raises *element 0 of tensors does not require
grad and does not have a grad_fn*.

The error appears at `backward()`, the cause is a missing word at the start. `nn.Parameter` and the layers of `nn` set
it themselves, `torch.randn`, `torch.tensor`, `torch.zeros` and a batch from a data loader do not. Only tensors of a
floating or complex dtype can require grad, so a tensor of whole numbers (`torch.tensor([1, 2])`) needs a decimal
point or a `dtype` first.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=False)
y = x * 2
loss = y.sum()
loss.backward()  # RuntimeError: element 0 of tensors does not require grad
print(x.grad)
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
loss = y.sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
Setting `requires_grad=True` at the creation is *safe* when that tensor's `.grad` is read after `backward()`: it is the
tensor whose gradient is asked for. Otherwise it is *unsafe*, because another tensor may be the one that was meant to
learn. For an integer tensor the fix is a *suggestion*, since the dtype has to change too.""",
    blind_spots="""\
- Data that comes from unknown calls (`next(iter(loader))`) may require grad; a loss that depends on such a value is not
  reported.
- All parameters frozen by `requires_grad_(False)` is the same error with another cause, and not this rule's.
- A loss made of nothing but Python numbers has no `backward()`; the AttributeError is Python's.""",
)
