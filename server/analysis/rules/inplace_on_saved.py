"""`inplace-on-saved`: a tensor that backward needs is changed in place before backward runs."""

from __future__ import annotations

from .base import Rule

RULE = Rule(
    name="inplace-on-saved",
    summary="a tensor saved for the backward pass is changed in place before `backward()` needs it",
    family="in place",
    severity="error",
    fix="compute out of place, `clone()` before the change, or `inplace=False`",
    what="""\
Finds an in-place change (`y.add_(1)`, `y += 1`, `y[i] = v`, `nn.ReLU(inplace=True)`, a write through a view or through
`.detach()`, which shares memory) of a tensor that an earlier operation saved for its backward formula, when a later
`backward()` passes through that operation. The finding sits on the change; the trace shows which operation saved the
tensor and which `backward()` needs it.

In-place changes of tensors that nothing saved are legal and correct, and are not reported here.""",
    why="""\
Backward formulas need values from the forward pass. The derivative of `y = exp(x)` is `y` itself, so `exp` keeps its
result; `a * b` keeps `a` for the gradient of `b` and `b` for the gradient of `a` (each only if the other one requires
grad); `x * 2` and `x + y` keep nothing.

Every storage has a version counter that each in-place operation increases, also under `no_grad`. An operation notes
the version of what it saves, and `backward()` compares. If they differ, the saved number is no longer the one the
formula needs, and PyTorch raises *one of the variables needed for gradient computation has been modified by an inplace
operation*. The message names the operation that saved the tensor and a shape, not the line that changed it: this is
what the rule adds.

Which operation saves what decides everything: `relu_` after `sigmoid` raises (sigmoid saves its result), `relu_` after
a linear layer does not (it saves its input and weight). So "avoid in-place operations" is too broad, and "it worked
with the other activation" is no accident.""",
    example="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x.exp()
y.add_(1)
loss = y.sum()
loss.backward()  # RuntimeError: modified by an inplace operation
print(x.grad)
""",
    instead="""\
import torch

x = torch.randn(10, requires_grad=True)
y = x.exp()
y = y + 1
loss = y.sum()
loss.backward()
print(x.grad)
""",
    fix_safety="""\
Rewriting the statement out of place (`y = y + 1`) is *safe* when `y` is the only name of the tensor: the same numbers,
in new memory. It is *unsafe* when another name, a container or a view shares the memory and relies on seeing the
change. For modules, `inplace=False` is *safe*. For `y[i] = v` in a loop the rewrite is a *suggestion*
(collect in a list, then `torch.stack`).""",
    blind_spots="""\
- For some operations what is saved depends on values, shapes or the backend (`matmul`, `einsum`, attention kernels,
  cuDNN); where it is not certain that the changed tensor was saved, the rule stays silent or says *likely*.
- Changes through `.data` or a numpy array do not increase the version counter. PyTorch does not notice, the gradient
  is silently wrong, and this rule does not report it.
- Code that the analysis cannot read may save or change tensors.""",
)
