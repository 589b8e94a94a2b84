"""The three programs every build must handle, and the leaf that moves to the GPU: verdicts and verified fixes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .build import Claim, Story

EXAMPLES = Path(__file__).parents[2] / "examples"
X = "x = torch.randn(10, requires_grad=True)"


def ex1() -> Story:
    made = "x = torch.randn(10, requires_grad=False)"
    return Story(
        (EXAMPLES / "ex1.py").read_text(),
        Claim(
            "nothing-requires-grad",
            made,
            [("source", made, "`x` does not require grad"), ("sink", "loss.backward()", "raises")],
            ("requires_grad=False", "requires_grad=True"),
        ),
    )


def ex2() -> Story:
    return Story(
        (EXAMPLES / "ex2.py").read_text(),
        Claim(
            "no-grad-block",
            "y = x * 2",
            [
                ("source", X, "`x` is trainable"),
                ("note", "with torch.no_grad():", "tracking is off from here"),
                ("cut", "y = x * 2", "cut: `y` has no grad_fn"),
                ("sink", "loss.backward()", "raises"),
            ],
            ("with torch.no_grad():\n    y = x * 2", "y = x * 2"),
        ),
    )


def ex3() -> Story:
    return Story(
        (EXAMPLES / "ex3.py").read_text(),
        Claim(
            "inplace-on-loss-path",
            "y.add_(1)",
            [
                ("source", X, "`x` is trainable"),
                ("mutation", "y.add_(1)", "multiplication by a number saves no tensor"),
                ("sink", "loss.backward()", "runs"),
            ],
            ("y.add_(1)", "y = y + 1"),
        ),
    )


@pytest.mark.parametrize(
    ("story", "verdict", "raises"),
    [(ex1(), "confirmed", 5), (ex2(), "confirmed", 7), (ex3(), "refuted", None)],
    ids=["nothing-requires-grad", "no-grad-block", "inplace-on-loss-path"],
)
def test_verdict_and_verified_fix(check, story: Story, verdict: str, raises: int | None) -> None:
    report = check(story, fix=True)
    (result,) = report.results
    assert result.verdict == verdict, result.reason
    assert (result.raised.line if result.raised else None) == raises
    assert [(leaf.name, leaf.grad) for leaf in result.leaves] == [("x", "present" if raises is None else "none")]
    assert result.fix is not None
    assert result.fix.verdict == "verified", result.fix.reason
    assert [(leaf.name, leaf.grad) for leaf in result.fix.leaves] == [("x", "present")]
    if raises is None:
        assert "the gradient is there: multiplication by a number saves no tensor" in result.reason
    else:
        assert "`x.grad` is None" in result.summary


def test_json_is_exactly_the_documented_document(check) -> None:
    report = check(ex2(), fix=True)
    document = json.loads(json.dumps(report.to_json()))
    assert set(document) == {"path", "device", "torch", "seconds", "results"}
    (result,) = document["results"]
    assert set(result) == {"rule", "line", "verdict", "reason", "raised", "leaves", "fix"}
    assert set(result["raised"]) == {"type", "message", "line"}
    assert set(result["leaves"][0]) == {"name", "line", "grad", "norm"}
    assert set(result["fix"]) == {"title", "verdict", "reason", "leaves"}
    assert result["leaves"] == [{"name": "x", "line": 3, "grad": "none", "norm": None}]


def test_observations_say_predicted_and_observed(check) -> None:
    (result,) = check(ex2()).results
    source, cut, sink = (next(o for o in result.observations if o.role == r) for r in ("source", "cut", "sink"))
    assert source.agrees is True and "`x` requires grad, is a leaf" in source.observed
    assert cut.agrees is True and "`y` does not require grad" in cut.observed
    assert "does not require grad and does not have a grad_fn" in sink.observed
    assert result.fix is not None and result.fix.verdict == "not-tried"


def test_a_wrong_fix_is_rejected(check) -> None:
    story = ex2()
    story.claims[0].fix = ("y = x * 2", "y = (x * 2).clone()")
    (result,) = check(story, fix=True).results
    assert result.fix is not None
    assert result.fix.verdict == "rejected"
    assert "still" in result.fix.reason


def test_a_fix_that_breaks_the_program_is_rejected(check) -> None:
    story = ex2()
    story.claims[0].fix = ("y = x * 2", "y = x *")
    (result,) = check(story, fix=True).results
    assert result.fix is not None
    assert (result.fix.verdict, "does not parse" in result.fix.reason) == ("rejected", True)


def test_a_false_prediction_is_refuted_and_says_where(check) -> None:
    story = Story(
        """
        import torch
        x = torch.randn(3, requires_grad=True)
        y = x * 2
        loss = y.sum()
        loss.backward()
        """,
        Claim(
            "detached-value",
            "y = x * 2",
            [
                ("source", "x = torch.randn(3, requires_grad=True)", "`x` is trainable"),
                ("cut", "y = x * 2", "cut"),
                ("sink", "loss.backward()", "raises"),
            ],
        ),
    )
    (result,) = check(story).results
    assert result.verdict == "refuted"
    assert "first went wrong at line 3" in result.reason


def test_text_wins_over_the_file_and_the_file_stays(check, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("raise SystemExit('the file on disk must not run')\n")
    (result,) = check(ex2(), fix=True).results
    assert result.verdict == "confirmed"
    assert path.read_text().startswith("raise SystemExit")
