"""`gradsight server`: the language server over standard input and output."""

from __future__ import annotations

import argparse

from .exits import CLEAN


def add(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser(
        "server",
        help="run the language server over stdio",
        description="Run the language server over standard input and output; editors start it.",
    )
    command.add_argument("--stdio", action="store_true", help="accepted because many editors pass it; always on")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until the editor says `exit`."""
    from ..lsp import main

    return main() or CLEAN
