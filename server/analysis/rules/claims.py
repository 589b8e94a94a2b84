"""What a rule claims, as data: which statement has to run, and what would confirm the claim (`verify` asks).

    "cut"       the sink raises that nothing requires grad, or a source has no gradient after it
    "raises"    the sink raises one of `messages`
    "raises-at" the marked statement itself raises one of `messages`
    "unread"    the `.grad` that is read is None
    "harmless"  the finding says that all is well: a gradient that is there refutes that it is missing
    "wrong"     a gradient differs from that of a second run, in which what the forward pass saved stays as it was;
                nothing to see where the trace has no sink
    "dirty"     a custom function changes an input unmarked, and the new contents do not move as the input does
    "no-leaf"   what the marked statement assigns is no leaf
    "hoards"    what the marked statement adds to, or adds, carries a graph
    "unseen"    nothing a gradient could show: the check says so

The patterns are of the errors that PyTorch raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Claim = Literal["cut", "raises", "raises-at", "unread", "harmless", "wrong", "dirty", "no-leaf", "hoards", "unseen"]

NO_GRAD = (
    r"does not require grad",
    r"does not have a grad_fn",
    r"appears to not have been used in the graph",
)
CHANGED = (
    r"modified by an inplace operation",
    r"is a view and (is being modified inplace|its base or another view)",
    r"modified inplace",
    r"detached in-place",
    r"Can't detach views in-place",
)
LEAF = (
    r"leaf Variable that requires grad .*in-place",
    r"leaf variable .*in-place",
    r"leaf variable has been moved into the graph interior",
)
FREED = (
    r"backward through the graph a second time",
    r"after they have already been freed",
    r"modified by an inplace operation",
)
INFERENCE = (r"Inference tensors cannot be saved", r"Inplace update to inference tensor", r"inference tensor")
GRADIENTS = (
    r"returned an incorrect number of gradients",
    r"returned a gradient different than None",
    r"must implement either the backward",
)
HOOK = (r"can't retain_grad on Tensor that has requires_grad=False", r"cannot register a hook on a tensor that doesn't")
NON_LEAF = (r"can't optimize a non-leaf Tensor", r"non-leaf")


@dataclass(frozen=True, slots=True)
class Law:
    """How to judge one rule. `messages` are patterns of PyTorch's errors that confirm it; `passes` is how often the
    sink may run before "it does not raise" is believed (a graph freed in one iteration is missed in the next)."""

    claim: Claim
    messages: tuple[str, ...] = ()
    passes: int = 1

    def explains(self, message: str) -> bool:
        """Whether the error with this message is what the rule foretold."""
        return any(re.search(pattern, message) for pattern in self.messages)


CUT = Law("cut", NO_GRAD)
