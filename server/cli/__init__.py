"""The terminal: `gradsight check`, `verify`, `explain`, `dump` and `server`, one file per command.

The parser is the standard library's `argparse`: it is there in every interpreter (the editor's bundle carries no
command-line library) and costs 3 ms at start-up, where the popular ones cost 35 to 50. A command imports what it
needs when it runs, so that `gradsight check` pays for neither the language server nor jedi, and for rich only on a
terminal.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from . import check, dump, explain, server, verify
from .exits import COULD_NOT


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an option in one sentence, without the usage block."""

    def error(self, message: str) -> NoReturn:
        self.exit(COULD_NOT, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line; every command sets `run`, a function from the parsed options to an exit status."""
    top = _Parser(
        prog="gradsight",
        description="Why is there no gradient for this tensor? Finds it statically, confirms it by running the code.",
    )
    top.add_argument("--version", action="version", version=f"gradsight {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (check, verify, explain, dump, server):
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status. Every failure ends as one sentence on stderr, never as a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal's encoding lacks must not end the run
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(argv)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `gradsight check | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT
    except KeyboardInterrupt:
        print("gradsight: interrupted", file=sys.stderr)
        return 130
