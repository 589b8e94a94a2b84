"""Silently wrong gradients of custom functions, measured: real runs of small programs."""

from __future__ import annotations

import pytest

from .build import Claim, Story

DIRTY = """
import torch


class Change(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        {change}
        return {result}

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


w = torch.ones(3, requires_grad=True)
x = w * 0.5
y = Change.apply(x)
loss = (x + y).sum()
loss.backward()
"""

SAVED = """
import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = {kept}
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.x * grad


w = torch.ones(3, requires_grad=True)
x = w * 1
loss = Square.apply(x).sum()
{change}
loss.backward()
"""


def dirty(change: str, result: str, at: str, fix: tuple[str, str] | None = None) -> Story:
    text = DIRTY.format(change=change, result=result)
    steps = [("source", "Change.apply(x)", "goes in"), ("mutation", at, "changed"), ("sink", "x + y", "uses it")]
    return Story(text, Claim("function-dirty", at, steps, fix))


def saved(kept: str, change: str) -> Story:
    text = SAVED.format(kept=kept, change=change)
    steps = [("saved", f"ctx.x = {kept}", "kept"), ("mutation", change, "changed"), ("sink", "loss.backward()", "")]
    return Story(text, Claim("function-saved", f"ctx.x = {kept}", steps))


CASES = {
    "the input is doubled": (dirty("x.mul_(2)", "x", "x.mul_(2)"), "confirmed", "2 times as far"),
    "the input is doubled and another tensor returned": (
        dirty("x.mul_(2)", "x + 0", "x.mul_(2)"),
        "confirmed",
        "input 1 in place without `mark_dirty`",
    ),
    "the input is set to zero": (dirty("x.zero_()", "x + 0", "x.zero_()"), "confirmed", "0 times as far"),
    "two of three elements change their sign": (
        dirty("x.mul_(x.new_tensor([1, -1, -1]))", "x", "x.mul_(x.new_tensor([1, -1, -1]))"),
        "confirmed",
        "another way than the old ones",
    ),
    "a shift moves nothing else": (dirty("x.add_(1)", "x", "x.add_(1)"), "refuted", "no gradient is wrong by it"),
    "the input is marked": (
        dirty("ctx.mark_dirty(x); x.mul_(2)", "x", "x.mul_(2)"),
        "refuted",
        "No input whose gradient is wanted",
    ),
    "a copy is changed": (dirty("x = x.clone().mul_(2)", "x", "x.clone().mul_(2)"), "refuted", "No input"),
    "forward takes no other precision": (
        dirty("assert x.dtype == torch.float32; x.mul_(2)", "x", "x.mul_(2)"),
        "inconclusive",
        "could not be measured",
    ),
    "what is kept is changed": (
        saved("x", "x.mul_(3)"),
        "confirmed",
        "`w.grad` is wrong: its norm is 10.39, and 3.464",
    ),
    "what is kept is changed behind its back": (saved("x", "x.data.mul_(3)"), "confirmed", "`w.grad` is wrong"),
    "a copy is kept": (saved("x.clone()", "x.mul_(3)"), "refuted", "is the same with the values"),
    "nothing is changed": (saved("x", "print(x)"), "refuted", "is the same with the values"),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(check, name: str) -> None:
    story, verdict, words = CASES[name]
    (result,) = check(story).results
    assert (result.verdict, words in result.reason) == (verdict, True), result.reason


def test_a_finding_without_a_sink_is_left_open(check) -> None:
    """Kept, and never changed: that nothing is wrong in this run refutes nothing."""
    story = saved("x", "print(x)")
    claim = Claim("function-saved", "ctx.x = x", [("saved", "ctx.x = x", "kept")])
    (result,) = check(Story(story.text, claim)).results
    assert result.verdict == "inconclusive"


def test_a_mark_is_a_fix(check) -> None:
    story = dirty("x.mul_(2)", "x", "x.mul_(2)", ("x.mul_(2)", "ctx.mark_dirty(x); x.mul_(2)"))
    (result,) = check(story, fix=True).results
    assert result.fix is not None and result.fix.verdict == "verified", result.fix


def test_measuring_leaves_the_random_numbers_alone(check) -> None:
    text = DIRTY.format(change="x.mul_(torch.rand(3, dtype=x.dtype))", result="x")
    text = text.replace("w = torch", "torch.manual_seed(3)\nw = torch").replace(
        "loss = ", "assert torch.rand(1).item() == after()\nloss = "
    )
    text = text.replace(
        "class Change",
        "def after():\n    torch.manual_seed(3)\n    torch.rand(3)\n    return torch.rand(1).item()\n\n\nclass Change",
    )
    at = "x.mul_(torch.rand(3, dtype=x.dtype))"
    steps = [("source", "Change.apply(x)", ""), ("mutation", at, ""), ("sink", "x + y", "")]
    (result,) = check(Story(text, Claim("function-dirty", at, steps))).results
    assert result.verdict == "confirmed", result.reason
