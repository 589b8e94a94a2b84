"""`left-torch`: a value goes through a Python number or numpy and comes back into a loss as a constant."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..events import Forbidden
from ..facts import Facts
from ..report import Finding
from ..story import cut_story, elsewhere, lost_value
from .base import Rule
from .claims import NO_GRAD, Law
from .remedies import without_cuts

RULE = Rule(
    name="left-torch",
    summary="a value leaves torch as a Python number or numpy array and comes back into a loss as a constant",
    family="the path is cut",
    severity="error",
    fix="stay in torch: drop the conversion, or use torch's function of the same name",
    claim=Law("cut", (*NO_GRAD, r"Can't call numpy\(\) on Tensor that requires grad")),
    what="""\
Finds `.item()`, `.tolist()`, `.numpy()`, `float(t)`, `int(t)`, `math.f(t)` and `np.f(t)` on a tensor whose gradient is
needed, when the number or array that comes out feeds a loss and nothing else links the tensor to that loss.

The same calls for logging, printing, plotting, early stopping, learning-rate schedules or indices are not reported:
what counts is whether the number finds its way back into something on which `backward()` is called.""",
    why="""\
Autograd follows tensors, not numbers. `t.item()` copies the value out; from there on Python (or numpy) does the
arithmetic, and no node is recorded. When the number meets a tensor again it enters as a constant, exactly like `3.0`
typed into the source.

So the loss has the right value and the wrong gradient: the tensors behind the conversion get none. If all of the loss
was computed that way, `backward()` raises *element 0 of tensors does not require grad and does not have a grad_fn*,
or there is no `backward()` at all, because a `float` has none.

PyTorch guards one door only: `.numpy()` on a tensor that requires grad raises *Can't call numpy() on Tensor that
requires grad*, and the advice in that message, `.detach().numpy()`, makes the error go away, not the cut.""",
    example="""\
import torch

weight = torch.tensor(1.0, requires_grad=True)
target = torch.tensor(3.0)
prediction = (weight * 2).item()
loss = (prediction - target) ** 2
loss.backward()  # RuntimeError: element 0 of tensors does not require grad
print(weight.grad)
""",
    instead="""\
import torch

weight = torch.tensor(1.0, requires_grad=True)
target = torch.tensor(3.0)
prediction = weight * 2
loss = (prediction - target) ** 2
loss.backward()
print(weight.grad)
""",
    fix_safety="""\
Dropping `.item()` or `float(...)`, and replacing `math.exp(t)` by `torch.exp(t)`, is *safe* when the value is only
computed with: the numbers are the same up to the precision of the tensor's dtype (a Python float has 53 bits of
mantissa, a float32 tensor 24). It is *unsafe* when the number is also kept (a list of losses would keep every graph
alive), formatted, or used where a Python number is required. A way through numpy functions is a *suggestion*: the
torch equivalent has to be chosen by a person.""",
    blind_spots="""\
- A number that goes through a file, a database, a process boundary or an unknown call is not followed.
- `if t > 0:` and `range(int(t))` use a tensor's value to steer the program. That is not differentiable either, but it
  is nearly always meant, and not reported.
- numpy functions that are not known to pass their argument's values on are treated as unknown.""",
)


_WORDS = {
    "item": ("`.item()`", "a Python number"),
    "tolist": ("`.tolist()`", "a Python list"),
    "numpy": ("`.numpy()`", "a numpy array"),
    "float": ("`float()`", "a Python number"),
    "int": ("`int()`", "a Python number"),
}


def check(facts: Facts) -> Iterator[Finding]:
    """Cuts made where a tensor becomes a number, a list or an array that later feeds a loss."""
    for cause, span in facts.cuts("left-torch"):
        cut = cause.why
        written, what = _WORDS.get(cut.detail, (f"`{cut.detail}()`", "a value that is not a tensor"))
        sink = facts.sink_name(cause.sink)
        lost, place = lost_value(facts, span, cause.sink), elsewhere(facts, cause.cut.span)
        message = f"{lost} carries no gradient to {sink}: {written} turns the tensor into {what}{place}"
        trace = cut_story(facts, cause, f"cut: {written} gives {what}")
        fixes = [] if place else [without_cuts(facts, cause)]
        yield facts.finding(RULE.name, cause.confidence, message, facts.marked(span), trace, fixes)

    for event in facts.refused():
        if not event.message.startswith("Can't call numpy()") or _for_a_caller(facts, event):
            continue
        name = facts.name_of(event.tensor) if event.tensor is not None else ""
        subject = f"`{name}`" if name else "the tensor"
        message = f"{subject} requires grad, so it cannot become a numpy array here: PyTorch raises"
        trace = [
            facts.step(facts.marked(event.tensor.origin), "source", f"{subject} requires grad")
            if event.tensor is not None and event.tensor.origin
            else None,
            facts.step(event.site.span, "sink", f"raises: {event.message}"),
        ]
        yield facts.finding(RULE.name, facts.confidence_on(event.path), message, facts.marked(event.site.span), trace)


def _for_a_caller(facts: Facts, event: Forbidden) -> bool:
    """Whether a function only gives its caller an array, and nothing in the file calls it.

    `with torch.no_grad(): action = agent.act(observation)` stands in the file that plays.
    """
    inside = facts.enclosing_function(event.site.node)
    uncalled = event.entry.rpartition(".")[2] == getattr(inside, "name", "")
    return uncalled and isinstance(facts.statement_at(event.site.span), ast.Return)
