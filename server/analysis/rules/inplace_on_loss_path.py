"""`inplace-on-loss-path`: a legal in-place operation on the way to a loss, explained."""

from __future__ import annotations

from .base import Rule

RULE = Rule(
    name="inplace-on-loss-path",
    summary="a legal in-place operation on the way to a loss; the hint says why the gradient is right here",
    family="in place",
    severity="hint",
    fix="`y = y + 1`: the out-of-place form",
    what="""\
Marks an in-place call or an augmented assignment that a person wrote on a value which goes into a loss in the same
function or module body, when it does *no* harm: nothing that `backward()` needs was overwritten. The hover says which
operation made the value and that it saved nothing which the change touches.

It is a hint, never a warning. It is given once per value, never for `nn.ReLU(inplace=True)` and its kin, and the
setting `loss_path_hints = false` turns it off.""",
    why="""\
Many texts call any in-place operation on the way to a loss unreliable. It is not: PyTorch either computes the right
gradient or raises. After `y = x * 2` the backward formula needs the number 2, not `y`, so `y.add_(1)` overwrites
nothing of value; autograd gives `y` a new `grad_fn` that continues the old one, and `x.grad` is 2, as it should be.

The line is worth a look all the same, because its safety hangs on the line above. Replace `x * 2` by `x.exp()`, or put
a `tanh` in between, and the same `add_` makes `backward()` raise (`inplace-on-saved`). The out-of-place form has no
such dependence and costs one temporary tensor.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
y.add_(1)  # safe: `x * 2` saves no tensor
loss = y.sum()
loss.backward()
print(x.grad)  # 2 everywhere, which is right
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x * 2
y = y + 1
loss = y.sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
`y = y + 1` is *safe* when `y` is the only name of the tensor. It is *unsafe* when a view, a container or the caller
shares its memory: they saw the change before and do not see it afterwards.""",
    blind_spots="""\
- Only values whose loss is in the same function or module body get the hint; elsewhere it would be noise.
- Item assignments (`y[0] = 1`) have no short out-of-place form and get no hint.
- The hint speaks about gradients. Whether another name of the same memory expected the old numbers is not its
  business.""",
)
