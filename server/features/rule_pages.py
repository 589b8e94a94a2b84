"""Where a rule's page is, and the part of it that fits into a hover."""

from __future__ import annotations

from ..analysis.rules import ALL_RULES
from ..analysis.rules.base import Rule

RULE_DOCS_BASE = "https://github.com/gradsight/gradsight/blob/main/docs/rules/"


def rule_url(rule: str) -> str:
    """The address of the rule's page, for diagnostics and hovers."""
    return f"{RULE_DOCS_BASE}{rule}.md"


def rule_link(rule: str) -> str:
    """The rule's name as a Markdown link to its page."""
    return f"[{rule}]({rule_url(rule)})"


def rule_page(name: str) -> str | None:
    """A rule's page as Markdown, short enough for a hover; None when there is no such rule."""
    rule: Rule | None = ALL_RULES.get(name)
    if rule is None:
        return None
    parts = [f"**{rule.name}**: {rule.summary}", rule.what.strip(), rule.why.strip()]
    if rule.example.strip():
        parts.append(f"```python\n{rule.example.strip()}\n```")
    if rule.instead.strip():
        parts.append(f"Use instead\n\n```python\n{rule.instead.strip()}\n```")
    if rule.blind_spots.strip():
        parts.append(f"What it cannot see: {rule.blind_spots.strip()}")
    parts.append(rule_link(rule.name))
    return "\n\n".join(part for part in parts if part)
