"""`gradsight explain [RULE]`: the page of a rule, or the list of all rules."""

from __future__ import annotations

import argparse
import sys

from .exits import CLEAN, COULD_NOT
from .terminal import Terminal


def add(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser(
        "explain",
        aliases=["rule"],
        help="print a rule's page",
        description="Print the page of a rule: what it finds, why it matters, an example, what it cannot see.",
    )
    command.add_argument("rule", nargs="?", metavar="RULE", help="the rule's name; without it, all rules are listed")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the page or the list; an unknown name is one sentence and exit status 2."""
    from ..analysis.rules import ALL_RULES
    from .pages import rule_page
    from .projects import unknown_rules

    out = Terminal.on(sys.stdout)
    if options.rule is None:
        _list(out)
        return CLEAN
    for sentence in unknown_rules([options.rule]):
        print(f"gradsight explain: {sentence}", file=sys.stderr)
        return COULD_NOT
    page = rule_page(ALL_RULES[options.rule])
    if out.colour:
        from rich.console import Console
        from rich.markdown import Markdown

        Console(file=sys.stdout, force_terminal=True).print(Markdown(page))
    else:
        print(page, end="")
    return CLEAN


def _list(out: Terminal) -> None:
    from .pages import rules_by_family

    families = rules_by_family()
    width = max((len(rule.name) for rules in families.values() for rule in rules), default=0)
    for family, rules in families.items():
        out.line((family, "bold"))
        for rule in rules:
            out.line("  ", (f"{rule.name:<{width}}", "cyan"), f"  {rule.summary}")
