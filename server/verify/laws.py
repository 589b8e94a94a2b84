"""What each rule claims, as data: which statement has to run, and what would confirm the claim.

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

A new rule is a new row; a rule without one is judged as "cut".
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

LAWS: dict[str, Law] = {
    "no-grad-block": CUT,
    "no-grad-function": CUT,
    "detached-value": CUT,
    "left-torch": Law("cut", (*NO_GRAD, r"Can't call numpy\(\) on Tensor that requires grad")),
    "rewrapped-tensor": CUT,
    "non-differentiable-op": CUT,
    "nothing-requires-grad": CUT,
    "frozen-parameters": CUT,
    "late-requires-grad": CUT,
    "unreachable-parameters": CUT,
    "unregistered-parameters": Law("no-leaf"),
    "stale-optimizer": Law("unseen"),
    "cleared-gradient": Law("unseen"),
    "function-gradients": Law("raises", GRADIENTS),
    "function-none-gradient": CUT,
    "graph-hoarding": Law("hoards"),
    "function-dirty": Law("dirty"),
    "function-saved": Law("wrong", passes=3),
    "function-save-argument": Law("raises", (r"save_for_backward can only save variables",)),
    "inplace-on-leaf": Law("raises-at", LEAF),
    "inplace-on-view": Law("raises-at", CHANGED),
    "out-argument": Law("raises-at", (r"out=.*don't support automatic differentiation", r"arguments don't support")),
    "inplace-on-saved": Law("raises", CHANGED, passes=3),
    "step-before-backward": Law("raises", CHANGED, passes=3),
    "data-mutation": Law("wrong", passes=3),
    "freed-graph": Law("raises", FREED, passes=3),
    "inference-tensor": Law("raises", INFERENCE),
    "inplace-on-loss-path": Law("harmless", CHANGED),
    "non-leaf-grad": Law("unread", NON_LEAF),
    "device-move-leaf": Law("unread", NON_LEAF),
    "grad-without-path": Law("unread", (*NO_GRAD, *HOOK)),
    "hook-without-grad": Law("raises-at", HOOK),
    "non-leaf-flag": Law("raises-at", (r"can only change requires_grad flags of leaf variables",)),
}


def law_of(rule: str) -> Law:
    """The law of a rule."""
    return LAWS.get(rule, CUT)
