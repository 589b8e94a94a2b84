"""Hooks of a tensor: they see the gradient that comes to it, and what they give back takes its place.

They run during a backward, which is looked at as a whole here; so they are run, with their effects taken back, only
where what they give back decides something: the graph of a gradient (`create_graph=True`). Those of
`register_post_accumulate_grad_hook` run after it, for good: they step, and let go of gradients.
Source: torch/csrc/autograd/variable.cpp, `VariableHooks::_register_hook`; a hook stays with the grad_fn of that moment.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..autograd.graph import Cut, Edge
from ..autograd.heap import remember
from ..autograd.operation import Mode
from ..autograd.outcome import Outcome
from ..autograd.reach import reach
from ..autograd.tensor import Form, Tensor
from ..autograd.truth import YES, Truth
from ..made_often import made_often
from ..values import Call, NativeMethod, Runtime, Site, Unknown, Value


@made_often
@dataclass(frozen=True, slots=True)
class Hook:
    """A function that a program registered, and where; a `late` one runs once a leaf has its gradient."""

    function: Value
    site: Site
    late: bool = False


def register(rt: Runtime, tensor: Tensor, call: Call) -> Value:
    """`tensor.register_hook(hook)` and its kin; what comes back can `remove` it again."""
    handle = Unknown("a hook handle")
    if not call.has(1, "hook") or tensor.either:
        return handle
    if rt.autograd.asked is None:
        remember(rt.autograd, "asked", partial(_ask, rt))
    late = call.name == "register_post_accumulate_grad_hook"
    node = tensor.grad_fn if not late else None
    owner: Any = tensor if node is None else node
    hook = Hook(call.argument(1, "hook"), call.site, late)
    entry = hook if node is None else (tensor.output, hook)
    rt.heap.write(owner, "hooks", (*owner.hooks, entry))

    def remove(_call: Call) -> Value:
        rt.heap.write(owner, "hooks", tuple(each for each in owner.hooks if each is not entry))
        return None

    attributes: dict[Hashable, Value] = handle.attributes
    attributes["remove"] = NativeMethod(handle, "remove", remove)
    return handle


def _ask(rt: Runtime, hook: Hook, tensor: Tensor) -> tuple[bool, tuple[Edge, ...]]:
    """Whether what a hook makes of a gradient with a graph depends on that, and on which leaves besides."""
    if hook.late:
        return True, ()
    given = Tensor(requires_grad=YES, origin=hook.site.span)
    given.form, given.note = Form(tensor.shape), "gradient"
    answers: list[Value] = []
    machine: Any = rt
    machine.aside(Mode(), lambda: answers.append(rt.call(hook.function, Call([given], {}, hook.site))))
    if not answers or not isinstance(answers[0], Tensor):
        return True, ()
    leaves = reach([answers[0]]).leaves
    return given in leaves, tuple(leaf.edge() for leaf in leaves if leaf is not given)


def accumulated(rt: Runtime, outcome: Outcome, create: Truth) -> None:
    """Run the hooks that wait for the gradients of leaves, after a backward that gave them theirs.

    Tracking is as in the backward, which is off unless it makes a graph.
    """
    if outcome.raises is not None:
        return
    for leaf, sure in outcome.reach.leaves.items():
        if not leaf.hooks or not sure.yes or not leaf.requires_grad.yes:
            continue
        if outcome.asked is not None and id(leaf) not in outcome.asked:
            continue
        for hook in leaf.hooks:
            if hook.late:
                before = rt.autograd.mode
                cut = None if create.yes else Cut("grad-mode", hook.site.span, "a hook that runs in backward")
                rt.autograd.set_mode(Mode(create, cut))
                try:
                    rt.call(hook.function, Call([leaf], {}, hook.site))
                finally:
                    rt.autograd.set_mode(before)
