"""What a trace and a hover tell: a story from the leaf to the loss, in the user's names."""

from __future__ import annotations

from gradsight.analysis.check import Project, Snapshot, check
from gradsight.analysis.report import FileReport, Finding

STORY = """\
import torch
from torch import nn


def main():
    encoder = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    head = nn.Linear(3, 1)
    opt = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
    code = encoder(torch.randn(2, 4))
    scaled = code * 2
    frozen = scaled.detach()
    mixed = frozen + 1
    out = head(mixed)
    loss = out.mean()
    loss.backward()
    opt.step()


main()
"""


def only(report: FileReport) -> Finding:
    (finding,) = report.findings
    return finding


def told(finding: Finding) -> list[tuple[int, str]]:
    return [(step.span.start.line, step.message) for step in finding.trace]


def test_the_story_of_a_cut() -> None:
    finding = only(check(Snapshot("a.py", STORY)))
    assert finding.message == "`frozen` carries no gradient to `loss`: cut by `.detach()`"
    assert told(finding) == [
        (6, "`encoder.0.weight` and `encoder.0.bias` are trainable"),
        (9, "`code` still has a gradient"),
        (10, "`scaled` still has a gradient"),
        (11, "cut: `.detach()` gives a tensor without grad_fn"),
        (12, "`mixed` is made of it: no gradient"),
        (13, "`out` has a gradient, but none from here"),
        (15, "no gradient arrives at `encoder.0.weight` and `encoder.0.bias`"),
    ]


def test_a_long_way_is_told_in_four_steps() -> None:
    longer = "".join(f"    scaled = scaled + {n}\n" for n in range(9))
    finding = only(check(Snapshot("a.py", STORY.replace("    frozen =", longer + "    frozen ="))))
    between = [line for line, message in told(finding) if message.startswith("`scaled`") or "made of it" in message]
    assert len(between) <= 4
    assert 19 in between, "the statement right before the cut is told"


def test_a_cut_in_another_file_is_shown_there(tmp_path) -> None:
    (tmp_path / "helpers.py").write_text("def flat(t):\n    return t.detach().flatten()\n")
    text = "import torch\nfrom helpers import flat\nx = torch.ones(3, requires_grad=True)\n"
    text += "loss = flat(x).sum()\nloss.backward()\n"
    path = str(tmp_path / "main.py")
    finding = only(check(Snapshot(path, text), Project(roots=(str(tmp_path),))))
    assert finding.message == "`flat(x)` carries no gradient to `loss`: cut by `.detach()` in helpers.py"
    assert finding.fixes == (), "what is in another file is not rewritten from here"
    cut = next(step for step in finding.trace if step.role == "cut")
    assert cut.span.path == str(tmp_path / "helpers.py") and cut.span.start.line == 2
    assert {step.span.path for step in finding.trace if step.role != "cut"} == {path}


HEALTHY = """\
import torch
w = torch.randn(3, requires_grad=True)
v = torch.randn(3, requires_grad=True)
h = w * v.detach()
loss = h.sum()
loss.backward()
"""


def test_hover_on_healthy_tensors() -> None:
    report = check(Snapshot("a.py", HEALTHY))

    def state(line: int, column: int) -> str:
        facts = report.value_at(line, column)
        assert facts is not None
        return facts.state

    assert state(2, 1) == "`w`: a leaf that requires grad, trained by `loss`"
    assert state(3, 1) == "`v`: a leaf that requires grad; no loss of this file reaches it"
    assert state(4, 1) == "`h`: has a gradient (made by `mul`), trains `w` through `loss`"
    facts = report.value_at(4, 1)
    assert facts is not None and not facts.notes
    safe = check(
        Snapshot(
            "a.py", "import torch\nw = torch.ones(2, requires_grad=True)\ny = w * 2\ny.add_(1)\ny.sum().backward()\n"
        )
    )
    facts = safe.value_at(3, 1)
    assert facts is not None
    assert facts.notes == ("No operation saves it for backward: changing it in place is safe.",)
    saved = check(Snapshot("a.py", "import torch\nw = torch.ones(2, requires_grad=True)\n(w * w).sum().backward()\n"))
    facts = saved.value_at(2, 1)
    assert facts is not None
    assert facts.notes == ("`mul` saves it for backward: changing it in place before that raises.",)
