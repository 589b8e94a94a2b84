"""The runner's own tests: reading suites, matching both ways, rewriting, and the torch process."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradsight.analysis.report import Finding, Position, Span

from .expect import Expectation, ExpectationError, expectations, mismatches, rewrite_line
from .oracle import OracleError, Probe, TorchWorker, disagreements, parse_claim
from .runner import rewrite
from .suite import MAIN, SuiteError, read_suite

SUITE = """\
# Top

Prose about one.

<!-- torch: ok; x.grad none -->

```python
import torch
```

## Two files
<!-- known wrong: not followed yet -->

Prose about two.

<!-- no-run: needs CUDA -->

```python file=pkg/mod.py
A = 1
```

```python
from pkg.mod import A
B = A  # hint: [some-rule]
```
"""


def finding(line: int, rule: str = "some-rule", severity: str = "error", message: str = "m `x` n") -> Finding:
    span = Span("f", Position(line, 1), Position(line, 2))
    return Finding(rule, severity, "certain", message, span)  # type: ignore[arg-type]


def test_a_suite_is_read_into_programs() -> None:
    first, second = read_suite(Path("s.md"), SUITE)
    assert (first.heading, first.torch, first.prose, first.known_wrong) == (
        "Top",
        "ok; x.grad none",
        "Prose about one.",
        None,
    )
    assert (second.heading, second.no_run, second.known_wrong) == ("Two files", "needs CUDA", "not followed yet")
    assert [f.path for f in second.files] == ["pkg/mod.py", MAIN]
    assert SUITE.split("\n")[second.files[1].offset] == "from pkg.mod import A"


def test_a_stray_file_or_annotation_is_an_error() -> None:
    for text in ("```python file=a.py\n```\n", "words\n<!-- torch: ok -->\n# next\n", "```python\nx = 1\n"):
        with pytest.raises(SuiteError):
            read_suite(Path("s.md"), text)


def test_expectations_are_read_from_the_line() -> None:
    text = 'a = 1  # why # error: [r-one] "`a` b" # hint: [r-two]\nreveal_grad(a)  # revealed: no grad\n'
    assert expectations(text) == [
        Expectation(1, "error", "r-one", "`a` b"),
        Expectation(1, "hint", "r-two"),
        Expectation(2, "information", "reveal-grad", "no grad"),
    ]


def test_an_unreadable_expectation_is_an_error() -> None:
    for text in ("a  # error: r-one", "a  # should be: [r-one]", "a  # error: [r-one] no quotes"):
        with pytest.raises(ExpectationError):
            expectations(text)


def test_matching_goes_both_ways() -> None:
    expected = expectations('a  # error: [some-rule] "`x`"\n')
    assert mismatches(expected, [finding(1)]) == []
    assert mismatches(expected, []) == ['line 1: expected and not found: # error: [some-rule] "`x`"']
    assert mismatches([], [finding(1)]) == ["line 1: found and not expected: error: [some-rule] m `x` n"]
    assert len(mismatches(expected, [finding(2)])) == 2
    assert len(mismatches(expected, [finding(1, severity="hint")])) == 2
    assert len(mismatches(expected, [finding(1), finding(1)])) == 1


def test_a_reveal_is_compared_whole() -> None:
    expected = expectations("reveal_grad(x)  # revealed: no grad\n")
    assert mismatches(expected, [finding(1, "reveal-grad", "information", "no grad")]) == []
    assert mismatches(expected, [finding(1, "reveal-grad", "information", "`x`: no grad")]) == []
    assert mismatches(expected, [finding(1, "reveal-grad", "information", "no grad, cut by no_grad")])


def test_should_be_holds_only_while_it_is_wrong() -> None:
    expected = expectations("a  # should be: error [some-rule]\n")
    assert mismatches(expected, [], known_wrong=True) == []
    assert mismatches(expected, [])
    assert mismatches(expected, [finding(1)], known_wrong=True)


def test_a_line_is_rewritten_and_keeps_its_code_comment_and_fitting_text() -> None:
    line = 'y = x  # why # error: [some-rule] "`x`" # hint: [gone]'
    assert rewrite_line(line, expectations(line), [finding(1)]) == 'y = x  # why  # error: [some-rule] "`x`"'
    assert rewrite_line("y = x", [], [finding(1), finding(1, "b-rule", "hint")]) == (
        "y = x  # hint: [b-rule] # error: [some-rule]"
    )
    assert rewrite_line(line, expectations(line), []) == "y = x  # why"
    reveal = finding(1, "reveal-grad", "information", "`x`: grad_fn=<mul>")
    assert rewrite_line("reveal_grad(x)  # revealed: ?", [], [reveal]) == "reveal_grad(x)  # revealed: grad_fn=<mul>"


def test_update_writes_into_the_suite(tmp_path: Path) -> None:
    path = tmp_path / "s.md"
    path.write_text(SUITE, encoding="utf-8")
    main = read_suite(path)[1].files[1]
    rewrite(path, main, [finding(1, severity="warning")])
    again = path.read_text(encoding="utf-8")
    assert "from pkg.mod import A  # warning: [some-rule]\nB = A\n```" in again
    assert len(again.split("\n")) == len(SUITE.split("\n"))


def test_a_claim_is_read() -> None:
    claim = parse_claim('raises at pkg/m.py:7 "no grad"; x.grad none; f(a, b).grad all 2')
    assert (claim.file, claim.line, claim.message) == ("pkg/m.py", 7, "no grad")
    assert claim.probes == (Probe("x.grad", "none"), Probe("f(a, b).grad", "all", 2.0))
    for text in ("maybe", "ok; x.grad", "raises somewhere"):
        with pytest.raises(OracleError):
            parse_claim(text)


def test_torch_answers_and_disagreement_is_told(tmp_path: Path, torch_worker: TorchWorker) -> None:
    source = "import torch\nx = torch.ones(2, requires_grad=True)\nreveal_grad(x * 2).sum().backward()\nx.add_(1)\n"
    (tmp_path / MAIN).write_text(source, encoding="utf-8")
    good = parse_claim('raises at 4 "leaf Variable"; x.grad all 2; x.grad.grad none')
    assert disagreements(good, torch_worker.run(tmp_path, good.probes)) == []
    bad = parse_claim("ok; x.grad none; y none")
    assert len(disagreements(bad, torch_worker.run(tmp_path, bad.probes))) == 3


def test_a_program_that_kills_the_process_does_not_stop_the_next(tmp_path: Path) -> None:
    worker = TorchWorker()
    (tmp_path / MAIN).write_text("import os\nos._exit(3)\n", encoding="utf-8")
    with pytest.raises(OracleError):
        worker.run(tmp_path, ())
    (tmp_path / MAIN).write_text("x = None\n", encoding="utf-8")
    assert worker.run(tmp_path, (Probe("x", "none"),))["probes"] == [{"verdict": "none"}]
    worker.close()
