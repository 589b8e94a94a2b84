"""`grad-without-path`: `.grad` is read on a leaf that no loss ever reached."""

from __future__ import annotations

from .base import Rule

RULE = Rule(
    name="grad-without-path",
    summary="`.grad` is read on a tensor from which no way leads to the loss: it is `None`",
    family="reading the gradient",
    severity="error",
    fix="no fix: only the author knows where the tensor was meant to enter the loss",
    what="""\
Finds a read of `.grad`, after a `backward()`, on a leaf that requires grad and that none of the losses so far was
computed from; and an input of `torch.autograd.grad` which the outputs do not depend on. The finding sits on the read
(or on the call).

When the tensor does lead to the loss but the way is cut, the rule of the cut reports it at the cut. Before the
first `backward()` every `.grad` is `None`, and a test such as `if p.grad is not None:` expects that; neither is
reported.""",
    why="""\
`backward()` fills `.grad` of the leaves it reaches and leaves all others alone. There is no error for a leaf that was
not reached: its `.grad` simply stays `None`, and the next arithmetic on it fails with a message about `NoneType`.
`torch.autograd.grad` is stricter and raises *One of the differentiated Tensors appears to not have been used in the
graph*.

The usual stories: a forgotten term (the bias was created and never added), a name that was overwritten so that the loss
uses another tensor, a copy (`copy.deepcopy`, a fresh `nn.Parameter`) of which the wrong one is asked, a branch that
was not taken.""",
    example="""\
import torch

weight = torch.randn(3, requires_grad=True)
bias = torch.zeros(3, requires_grad=True)
x = torch.randn(3)
loss = (weight * x).sum()  # `bias` was forgotten
loss.backward()
print(weight.grad)
print(bias.grad)  # None
""",
    instead="""\
import torch

weight = torch.randn(3, requires_grad=True)
bias = torch.zeros(3, requires_grad=True)
x = torch.randn(3)
loss = (weight * x + bias).sum()
loss.backward()
print(weight.grad)
print(bias.grad)
""",
    fix_safety="""\
There is no automatic fix. A tensor can enter a loss in many ways, and a guess would change what is computed.""",
    blind_spots="""\
- A tensor that goes into an unknown call may reach the loss there; the rule stays silent.
- A tensor that is used in one branch of an `if` only may or may not have a gradient; not reported.
- Parameters which an optimizer holds and no loss reaches, but whose `.grad` nobody reads, are another rule's
  subject.""",
)
