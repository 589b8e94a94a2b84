"""A gradient that is there may be wrong: the run as it is against a run in which autograd saved copies.

In the second run nothing that the program does can change what the forward pass has saved. Both have the same seeds;
a pass counts only if both started backward from the same loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from .facts import After, Decision, Facts, Leaf

_CLOSE = 1e-4


def compared(facts: Facts) -> Decision:
    """Confirmed where a gradient differs, refuted where all are the same, inconclusive where the runs part before."""
    kept = facts.kept.afters if facts.kept is not None else []
    if not kept:
        return "inconclusive", "The second run, in which autograd keeps copies, did not get there.", None, ()
    same: Sequence[Leaf] = ()
    for one, other in zip(facts.afters, kept, strict=False):
        if one.root is None or other.root is None or not _close(one.root, other.root):
            break
        pairs = [(leaf, right) for leaf in one.leaves if (right := _of(other, leaf)) is not None]
        wrong = [(leaf, right) for leaf, right in pairs if not _close(leaf.print or (), right.print or ())]
        if wrong:
            shown = [replace(leaf, grad=replace(leaf.grad, grad="wrong")) for leaf, _ in wrong]
            return "confirmed", _told(*wrong[0], len(wrong) - 1), None, shown
        same = [leaf for leaf, _ in pairs]
    if same:
        names = ", ".join(f"`{leaf.grad.name}.grad`" for leaf in same[:3])
        return "refuted", f"{names} is the same with the values that the forward pass saved.", None, same
    return "inconclusive", "Two runs with the same seeds computed different losses.", None, ()


def changed_unmarked(facts: Facts) -> Decision:
    """Whether a custom function has changed an input without `mark_dirty`, and the input's history is wrong for it.

    The history says that the contents move as they did before the change. Forward was run again to see how they move.
    """
    places = [step.span for step in facts.watched.finding.trace if step.role == "source"]
    here = {line for span in places for line in range(span.start.line, span.end.line + 1)}
    seen = [each for each in facts.dirty if each["line"] in here] or facts.dirty
    if not seen:
        return "refuted", "No input whose gradient is wanted was changed without `mark_dirty`.", None, ()
    worst = next((each for each in seen if each["same"] is False), seen[0])
    what = f"`{worst['function']}.forward` changes input {worst['index'] + 1} in place without `mark_dirty`"
    if worst["same"] is None:
        return "inconclusive", f"{what}; how its contents move could not be measured.", None, ()
    if worst["same"]:
        return "refuted", f"{what}, but the new contents move with the old ones: no gradient is wrong by it.", None, ()
    gain = f"{worst['gain']:.3g} times as far as the old ones"
    if abs(worst["gain"] - 1) < 0.005:
        gain = "another way than the old ones"
    said = f"{what}: the new contents move {gain}, not as its history says: gradients through it are wrong."
    return "confirmed", said, None, ()


def _of(after: After, leaf: Leaf) -> Leaf | None:
    """The same leaf in the other run, where both have a gradient."""
    if leaf.print is None:
        return None
    return next((one for one in after.leaves if one.grad.name == leaf.grad.name and one.print is not None), None)


def _close(one: Sequence[float], other: Sequence[float]) -> bool:
    if any(math.isnan(number) for number in (*one, *other)):
        return True
    size = max((abs(number) for number in (*one, *other)), default=0.0)
    return all(abs(a - b) <= _CLOSE * size for a, b in zip(one, other, strict=True))


def _told(leaf: Leaf, right: Leaf, more: int) -> str:
    name = leaf.grad.name
    others = f" So are {more} more." if more else ""
    if leaf.grad.norm is None or right.grad.norm is None:
        return f"`{name}.grad` is wrong: it differs with the values that the forward pass saved.{others}"
    return (
        f"`{name}.grad` is wrong: its norm is {leaf.grad.norm:.4g}, "
        f"and {right.grad.norm:.4g} with the values that the forward pass saved.{others}"
    )
