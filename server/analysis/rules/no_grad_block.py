"""`no-grad-block`: a value computed while tracking was off feeds a loss."""

from __future__ import annotations

from .base import Rule

RULE = Rule(
    name="no-grad-block",
    summary="a value computed under `torch.no_grad()` and its kin is all that links a trainable tensor to a loss",
    family="the path is cut",
    severity="error",
    fix="move the statement out of the block, or drop the block",
    what="""\
Finds a value that is computed inside `with torch.no_grad():`, `with torch.inference_mode():` or under
`set_grad_enabled(False)` and later feeds a loss, when a tensor that should learn reaches that loss through this value
only. Should learn means: it requires grad and its `.grad` is read, an optimizer holds it, or it is the only trainable
tensor there is.

The finding sits on the statement inside the block, not on `backward()`: `backward()` is where PyTorch notices, the
statement is where the link was lost.

A block whose values never reach a loss (validation, weight initialisation, a target network, a running average) is
what `no_grad` is for, and is not reported. Nor is a value that has a second, tracked way to the loss.""",
    why="""\
Autograd records while the forward pass runs. Each operation on a tensor that requires grad leaves a node behind
(`grad_fn`), and `backward()` walks these nodes from the loss to the leaves. Under `no_grad` no node is recorded: the
result is an ordinary tensor of numbers with `requires_grad=False`, whatever it was computed from. Nothing done with it
later can bring the link back.

If no other operand of the loss is tracked, `backward()` raises *element 0 of tensors does not require grad and does
not have a grad_fn*. If another one is, there is no error at all: the loss goes down a little, thanks to the parameters
behind the tracked operand, and those behind the block never move.

`loss.requires_grad_()` makes the error go away without bringing the gradient back: it turns the loss into a new leaf
that has no history.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=True)
with torch.no_grad():
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
Moving the statement out of the block is *safe* when it is the block's last statement or nothing after it in the block
depends on its place: it computes the same numbers, and now leaves a node behind. Where the whole block has to go, the
rewrite is *unsafe*: the other statements in it are tracked from then on as well, which costs memory and may meet
operations that autograd refuses (an update in place of a leaf, for one).""",
    blind_spots="""\
- A grad mode chosen at run time (`with torch.set_grad_enabled(train):` where `train` is not known) may be on or off;
  the rule stays silent.
- A block that is entered in a library the analysis cannot read is not seen.
- Whether the cut was meant is judged by what reaches the loss. A frozen part whose parameters the optimizer holds
  nevertheless is reported, although the author may not mind; a part that the optimizer does not hold is not reported,
  although the author may have forgotten to hand it over.""",
)
