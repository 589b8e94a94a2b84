"""A rule's page in Markdown, as `gradsight explain` prints it and `docs/rules` keeps it."""

from __future__ import annotations

import textwrap

from ..analysis.rules import ALL_RULES, Rule

FAMILIES = (
    "the path is cut",
    "in place",
    "reading the gradient",
    "life of the graph",
    "the training step",
    "custom functions",
)


def rules_by_family() -> dict[str, list[Rule]]:
    """All rules, the families in the order in which a reader wants them."""

    def place(family: str) -> tuple[int, str]:
        return (FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)), family

    families = sorted({rule.family for rule in ALL_RULES.values()}, key=place)
    return {family: [rule for rule in ALL_RULES.values() if rule.family == family] for family in families}


def rule_page(rule: Rule) -> str:
    """The page: what it does, why it matters, an example, what to write instead, fix safety, blind spots."""
    facts = (rule.family, f"usual severity: {rule.severity}", f"fix: {rule.fix.rstrip('.')}", f"since {rule.since}")
    return "\n".join(
        [
            f"# {rule.name}",
            "",
            rule.summary.rstrip(".") + ".",
            "",
            "Family: " + " · ".join(facts),
            "",
            "## What it does",
            "",
            _prose(rule.what),
            "",
            "## Why it matters",
            "",
            _prose(rule.why),
            "",
            "## Example",
            "",
            _code(rule.example),
            "",
            "## Use instead",
            "",
            _code(rule.instead),
            "",
            "## Fix safety",
            "",
            _prose(rule.fix_safety),
            "",
            "## What it cannot see",
            "",
            _prose(rule.blind_spots),
            "",
        ]
    )


def _prose(text: str) -> str:
    return textwrap.dedent(text).strip()


def _code(text: str) -> str:
    body = textwrap.dedent(text).strip("\n")
    return f"```python\n{body}\n```"
