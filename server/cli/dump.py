"""`gradsight dump FILE [--function F]`: the engine's view, statement by statement."""

from __future__ import annotations

import argparse
import sys

from .exits import CLEAN, COULD_NOT
from .sources import Unreadable, read_program


def add(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser(
        "dump",
        help="show the engine's view of a file",
        description="Show the tensors after each statement and the graph at each backward. Nothing is imported or run.",
    )
    command.add_argument("path", metavar="FILE", help="the file")
    command.add_argument("--function", metavar="F", help="only runs of this function, `f` or `Class.f`")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the dump; exit status 2, and a sentence, when there is nothing to show or statements had to be left out."""
    from ..analysis.dump import dump
    from ..analysis.source.parse import parse
    from .projects import Projects
    from .terminal import printable

    try:
        text, _ = read_program(options.path)
    except Unreadable as reason:
        print(f"gradsight dump: {options.path}: {reason}", file=sys.stderr)
        return COULD_NOT
    shown = dump(options.path, text, Projects().of(options.path).roots, options.function)
    if not shown:
        what = f"`{options.function}` is never run in {options.path}" if options.function else "nothing was run"
        print(f"gradsight dump: {what}", file=sys.stderr)
        return COULD_NOT
    for line in shown.splitlines():
        print(printable(line))
    problems = parse(options.path, text).problems
    for problem in problems:
        print(f"gradsight dump: {options.path}: {problem.message}; this part is not shown", file=sys.stderr)
    return COULD_NOT if problems else CLEAN
