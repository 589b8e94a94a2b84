"""Expectations on the line they belong to, and their comparison with findings, both ways.

    y = x * 2            # error: [no-grad-block] "carries no gradient"
    y.add_(1)            # error: [inplace-on-saved] # hint: [other-rule]
    reveal_grad(y)       # revealed: grad_fn=<mul>
    z = y.detach()       # should be: error [detached-value]

The text in quotes is a substring of the message. `should be` names what a program marked as known wrong ought to say
and does not say yet; it may stand in such a program only, and fails as soon as it is met.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gradsight.analysis.report import Finding

REVEAL = "reveal-grad"
_KINDS = "error|warning|information|hint|revealed|should be"
_MARK = re.compile(rf"#\s*({_KINDS}):\s*(.*?)\s*(?=#\s*(?:{_KINDS}):|$)")
_FIRST_MARK = re.compile(rf"\s*#\s*(?:{_KINDS}):.*$")
_BODY = re.compile(r'^(?:(error|warning|information|hint)\s+)?\[([a-z0-9-]+)\](?:\s+"(.*)")?\s*$')


class ExpectationError(ValueError):
    """An expectation that cannot be read."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expected finding. `wanted` marks what ought to be found and is not yet."""

    line: int
    severity: str
    rule: str
    text: str = ""
    wanted: bool = False

    def meets(self, finding: Finding) -> bool:
        """Whether the finding is the expected one."""
        if (finding.span.start.line, finding.rule) != (self.line, self.rule):
            return False
        if self.rule == REVEAL:
            return finding.message == self.text or finding.message.endswith(f": {self.text}")
        return finding.severity == self.severity and self.text in finding.message

    def __str__(self) -> str:
        if self.rule == REVEAL:
            return f"# revealed: {self.text}"
        text = f' "{self.text}"' if self.text else ""
        return (
            f"# should be: {self.severity} [{self.rule}]" if self.wanted else f"# {self.severity}: [{self.rule}]{text}"
        )


def expectations(text: str) -> list[Expectation]:
    """The expectations in a program's text, in order. Raises ExpectationError on one that cannot be read."""
    found: list[Expectation] = []
    for number, line in enumerate(text.split("\n"), 1):
        for kind, body in _MARK.findall(line):
            if kind == "revealed":
                found.append(Expectation(number, "information", REVEAL, body))
                continue
            parts = _BODY.match(body)
            wanted = kind == "should be"
            if parts is None or wanted != bool(parts[1]):
                form = "should be: error [rule]" if wanted else f'{kind}: [rule] "text"'
                raise ExpectationError(f"line {number}: write `# {form}`, not `# {kind}: {body}`")
            found.append(Expectation(number, parts[1] or kind, parts[2], parts[3] or "", wanted))
    return found


def describe(finding: Finding) -> str:
    """A finding as the report of a failed test shows it."""
    return f"{finding.severity}: [{finding.rule}] {finding.message}"


def mismatches(expected: Sequence[Expectation], findings: Iterable[Finding], known_wrong: bool = False) -> list[str]:
    """What differs between expectation and analysis, one sentence each; empty when they agree.

    Every finding must be expected and every expectation met by a finding of its own.
    """
    left = sorted(findings, key=lambda f: (f.span, f.rule))
    complaints: list[str] = []
    for expectation in expected:
        if expectation.wanted:
            continue
        hit = next((f for f in left if expectation.meets(f)), None)
        if hit is None:
            complaints.append(f"line {expectation.line}: expected and not found: {expectation}")
        else:
            left.remove(hit)
    for expectation in (e for e in expected if e.wanted):
        if not known_wrong:
            complaints.append(f"line {expectation.line}: `should be` in a program that is not marked as known wrong")
        elif any(expectation.meets(f) for f in left):
            complaints.append(f"line {expectation.line}: no longer wrong: make `{expectation}` an expectation")
    complaints += [f"line {f.span.start.line}: found and not expected: {describe(f)}" for f in left]
    return complaints


def rewrite_line(line: str, expected: Sequence[Expectation], findings: Sequence[Finding]) -> str:
    """The line with the expectations that its findings call for; a quoted text that still fits is kept."""
    code = _FIRST_MARK.sub("", line)
    marks: list[str] = []
    for finding in sorted(findings, key=lambda f: (f.span, f.rule)):
        if finding.rule == REVEAL:
            marks.append(
                f"# revealed: {finding.message.split(': ', 1)[-1] if '`: ' in finding.message else finding.message}"
            )
            continue
        kept = next((e.text for e in expected if e.meets(finding)), "")
        marks.append(str(Expectation(0, finding.severity, finding.rule, kept)))
    marks += [str(e) for e in expected if e.wanted and not any(e.meets(f) for f in findings)]
    return code + "".join(("  " if i == 0 else " ") + mark for i, mark in enumerate(marks))
