"""`gradsight check [PATH ...]`: find lost gradients in files and folders."""

from __future__ import annotations

import argparse
import ast
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..analysis.report import CONFIDENCE_ORDER, SEVERITY_ORDER, Edit, FileReport, Finding, Problem, Span
from .cells import in_cells
from .exits import CLEAN, COULD_NOT, FINDINGS
from .sources import NotPython, Unreadable, gather, read_program

if TYPE_CHECKING:
    from .names import Names
    from .projects import Projects

EPILOG = """\
exit status:
  0  nothing at or above the failing level (warning, unless --fail-on says otherwise)
  1  findings at or above the failing level
  2  part of the work could not be done: a path that cannot be read, a syntax error, a bad option
One broken file never stops the others."""


def add(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser(
        "check",
        help="find lost gradients in files and folders",
        description="Find tensors that lose their gradient. Nothing is imported and nothing is run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("paths", nargs="*", metavar="PATH", help="files and folders (default: the current folder)")
    command.add_argument("--output-format", "--format", choices=("text", "json", "sarif", "github"), default="text")
    command.add_argument("--select", action="append", default=[], metavar="RULES", help="only these rules (a,b)")
    command.add_argument("--ignore", action="append", default=[], metavar="RULES", help="not these rules (a,b)")
    command.add_argument(
        "--min-confidence", choices=tuple(CONFIDENCE_ORDER), help="hide what is less sure than this (default: possible)"
    )
    command.add_argument(
        "--fail-on",
        choices=(*SEVERITY_ORDER, "never"),
        default="warning",
        help="the least severity that makes the exit status 1 (default: warning)",
    )
    command.add_argument(
        "--no-jedi",
        action="store_false",
        dest="jedi",
        help="do not read the sources of installed packages (at most 3 s a file, 30 s in all, when a file needs it)",
    )
    command.add_argument(
        "--exit-zero", action="store_const", const="never", dest="fail_on", help="same as --fail-on never"
    )
    command.set_defaults(run=run)


@dataclass
class Outcome:
    """What a run over many files found. `unfinished`: some of the work could not be done."""

    files: int = 0
    findings: list[Finding] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    unfinished: bool = False

    def lines(self, path: str) -> Sequence[str]:
        """The lines of a file that a finding or a trace step names."""
        if path not in self.texts:
            try:
                self.texts[path] = read_program(path)[0].split("\n")
            except Unreadable:
                self.texts[path] = []
        return self.texts[path]


def run(options: argparse.Namespace) -> int:
    """Check what was asked for, print it in the wanted format; returns the exit status."""
    from .projects import Projects, unknown_rules

    select, ignore = _names(options.select), _names(options.ignore)
    bad_options = [f"--select: {sentence}" for sentence in unknown_rules(select)]
    bad_options += [f"--ignore: {sentence}" for sentence in unknown_rules(ignore)]
    from ..analysis.rules import ALL_RULES

    known = select & set(ALL_RULES)
    for sentence in bad_options:
        print(f"gradsight check: {sentence}", file=sys.stderr)
    if select and not known:
        print("gradsight check: --select names no known rule, so nothing was checked", file=sys.stderr)
        return COULD_NOT

    projects = Projects(known, ignore & set(ALL_RULES), options.min_confidence)
    outcome = check_paths(options.paths or [os.curdir], projects, jedi=options.jedi)
    for sentence in projects.mistakes:
        print(f"gradsight check: {sentence}", file=sys.stderr)
    _print(outcome, options.output_format)

    if outcome.unfinished or bad_options or projects.mistakes:
        return COULD_NOT
    failing = SEVERITY_ORDER.get(options.fail_on, -1)
    return FINDINGS if any(SEVERITY_ORDER[finding.severity] <= failing for finding in outcome.findings) else CLEAN


def _names(values: Sequence[str]) -> frozenset[str]:
    return frozenset(name.strip() for value in values for name in value.split(",") if name.strip())


def check_paths(paths: Sequence[str], projects: Projects, jedi: bool = True) -> Outcome:
    """Check every Python file the paths mean; a file that cannot be read or analysed is a problem, the others go on."""
    from ..analysis.check import collect_if_due
    from .names import Names

    gathered = gather(paths)
    outcome = Outcome(problems=gathered.problems, unfinished=bool(gathered.problems))
    with Names(wanted=jedi) as names:
        for path in gathered.files:
            try:
                _check_file(path, projects, names, outcome, named=path in gathered.named)
            except Exception as error:  # the last line of defence: a defect of ours must not cost the other files
                sentence = f"not analysed: internal error ({type(error).__name__}: {error}); please report it"
                outcome.problems.append(Problem(path, sentence))
                outcome.unfinished = True
            collect_if_due()
    return outcome


def _check_file(path: str, projects: Projects, names: Names, outcome: Outcome, named: bool) -> None:
    from ..analysis.check import Snapshot

    try:
        text, cells = read_program(path)
    except Unreadable as reason:
        if named or not isinstance(reason, NotPython):
            outcome.problems.append(Problem(path, str(reason)))
            outcome.unfinished = True
        return
    outcome.files += 1
    report = in_cells(shown_paths(names.check(Snapshot(path, text), projects.of(path))), cells)
    outcome.findings += sorted(report.findings, key=lambda finding: (finding.span.start, finding.rule))
    outcome.problems += report.problems
    if report.findings:
        outcome.texts[path] = text.split("\n")
        outcome.texts |= {cell.uri: cell.source.text.split("\n") for cell in cells}
    if report.problems and not _parses(text):
        outcome.unfinished = True


def _parses(text: str) -> bool:
    """Whether the whole text is Python. Asked only for a file with problems: the parser is not run twice otherwise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def shown_paths(report: FileReport) -> FileReport:
    """The report with the absolute paths of other files shortened where they lie below the current folder."""
    if os.path.isabs(report.path):
        return report
    here = os.getcwd() + os.sep

    def shown(span: Span) -> Span:
        return replace(span, path=span.path[len(here) :]) if span.path.startswith(here) else span

    findings = tuple(
        replace(
            finding,
            span=shown(finding.span),
            trace=tuple(replace(step, span=shown(step.span)) for step in finding.trace),
            fixes=tuple(
                replace(fix, edits=tuple(Edit(shown(edit.span), edit.text) for edit in fix.edits))
                for fix in finding.fixes
            ),
        )
        for finding in report.findings
    )
    return replace(report, findings=findings)


def _print(outcome: Outcome, output_format: str) -> None:
    if output_format == "json":
        from . import as_json

        print(as_json.dump(as_json.report(outcome.findings, outcome.problems, outcome.files)))
    elif output_format == "sarif":
        from . import as_json, as_sarif

        print(as_json.dump(as_sarif.log(outcome.findings, outcome.problems)))
    elif output_format == "github":
        from . import as_github

        for line in as_github.workflow_commands(outcome.findings, outcome.problems):
            print(line)
    else:
        _print_text(outcome)


def _print_text(outcome: Outcome) -> None:
    from .as_text import summary, write_finding
    from .terminal import Terminal, printable

    out = Terminal.on(sys.stdout)
    for finding in outcome.findings:
        write_finding(out, finding, outcome.lines)
    sys.stdout.flush()
    for problem in outcome.problems:
        print(printable(f"{problem.path}: {problem.message}"), file=sys.stderr)
    sys.stderr.flush()
    out.line(*summary(outcome.findings, outcome.files, len(outcome.problems)))
