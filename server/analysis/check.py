"""The front door of the analysis: a snapshot of a text in, a report out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TypeVar

from .autograd.tensor import Tensor
from .check_types import Cancelled, Token
from .describe import Describer, reveal
from .facts import Facts
from .interpreter.collector import collect_if_due, collector_paused
from .interpreter.imports import Importer
from .interpreter.machine import strict
from .interpreter.run import Interpreter, run_file
from .names.workspace import WorkspaceModules
from .report import CONFIDENCE_ORDER, FileReport, Finding, Problem, SinkFacts
from .rules import ALL_RULES, CHECKS, Check
from .settings import Settings
from .source.parse import Parsed, parse
from .source.suppress import Suppressions
from .values import Unknown

__all__ = ["Cancelled", "Project", "Snapshot", "Token", "check", "collect_if_due"]

_T = TypeVar("_T")
MAX_STOPPED = 2
"""How many parts of a file are named that were not run to their end."""

one_at_a_time = threading.RLock()
"""What an analysis makes is numbered by one counter, and a kept run turns it back: no two at once in a process."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A text at one moment. `path` is what findings carry (absolute, or as the user typed it); `version` is echoed."""

    path: str
    text: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """What surrounds a file: the roots imports are looked up in, settings, and open editor texts by absolute path.

    `known` is what has been found out about names of other libraries (`names.resolver`), by dotted name.
    """

    roots: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    open_texts: dict[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)


def check(snapshot: Snapshot, project: Project | None = None, token: Token | None = None) -> FileReport:
    """Analyse one file.

    Takes an immutable snapshot; returns its findings, problems, sinks and hover facts. A text that does not parse is
    analysed without its broken statements, each reported as a `Problem`. Raises Cancelled when `token` is set.
    """
    project = project or Project()
    with one_at_a_time, collector_paused():
        parsed = parse(snapshot.path, snapshot.text)
        workspace = workspace_of(project)
        if not worth_running(snapshot, workspace):
            return FileReport(path=snapshot.path, problems=parsed.problems)
        importer = Importer(workspace)
        machine = run_file(parsed, importer, token=token, known=project.known, sinks=project.settings.sinks)
        return report_of(machine, parsed, project)


def report_of(machine: Interpreter, parsed: Parsed, project: Project) -> FileReport:
    """What there is to say about a file that was run: the rules' findings, and the answers of hover."""
    facts = Facts(machine, parsed)
    problems = [*parsed.problems]
    if machine.exhausted:
        problems.append(Problem(parsed.path, _stopped_early(machine.stopped, machine.overflowed)))
    findings: list[Finding] = []
    for name, run in CHECKS.items():
        if project.settings.shows(name):
            findings += _guarded(name, partial(_listed, run, facts), parsed.path, problems)
    findings += _reveals(facts)
    findings = [_focused(finding) for finding in _tidy(findings, project.settings)]
    suppressions = Suppressions.of_parsed(parsed)
    problems += suppressions.unknown_rules(ALL_RULES)
    shown = [f for f in findings if not suppressions.hides(f.rule, f.span)]
    hidden = [f for f in findings if suppressions.hides(f.rule, f.span)]
    sinks = _guarded("the list of losses", lambda: _sinks(facts), parsed.path, problems)
    return FileReport(
        path=parsed.path,
        findings=tuple(shown),
        problems=tuple(problems),
        sinks=tuple(sinks),
        suppressed=tuple(hidden),
        value_at=Describer(facts).at,
        unresolved=tuple(machine.third_party.unknown),
    )


def _stopped_early(parts: list[str], overflowed: bool) -> str:
    """The sentence that says what was not run to its end, and why."""
    names = [part if " " in part else f"`{part}`" for part in dict.fromkeys(parts)]
    shown = names[:MAX_STOPPED] + [f"{len(names) - MAX_STOPPED} more"] * (len(names) > MAX_STOPPED)
    what = " and ".join([", ".join(shown[:-1])] * (len(shown) > 1) + shown[-1:])
    verb = "takes" if len(names) == 1 else "take"
    why = "more steps than the budget allows" if not overflowed else "more steps or deeper calls than are followed"
    return f"the analysis stopped early: {what} {verb} {why}"


def _listed(run: Check, facts: Facts) -> list[Finding]:
    return list(run(facts))


def _guarded(what: str, run: Callable[[], list[_T]], path: str, problems: list[Problem]) -> list[_T]:
    """What `run` gives; if it raises, nothing and a problem, so that one rule's mistake costs no other rule's findings.

    With GRADSIGHT_STRICT set, as in the tests, it raises.
    """
    try:
        return run()
    except Cancelled:
        raise
    except Exception as error:
        if strict():
            raise
        problems.append(Problem(path, f"{what} could not be checked: an internal error ({type(error).__name__})"))
        return []


def worth_running(snapshot: Snapshot, workspace: WorkspaceModules) -> bool:
    """A file that neither mentions torch or a framework on top of it nor imports one that does has no gradients."""
    text = snapshot.text
    return "torch" in text or "lightning" in text or "backward" in text or workspace.reaches_torch(snapshot.path, text)


@lru_cache(maxsize=8)
def _workspace(roots: tuple[str, ...]) -> WorkspaceModules:
    """One look-up per set of roots, so that a module is parsed once per content."""
    return WorkspaceModules(roots)


def workspace_of(project: Project) -> WorkspaceModules:
    """The modules of the workspace as a project sees them."""
    workspace = _workspace(project.roots)
    return workspace.seeing(project.open_texts) if project.open_texts else workspace


def _reveals(facts: Facts) -> list[Finding]:
    found = []
    for site, value in facts.events.reveals:
        if isinstance(value, tuple) and len(value) == 3 and isinstance(value[0], Tensor):
            text = reveal(*value)
        elif isinstance(value, Unknown):
            text = f"maybe: {value.reason}"
        else:
            text = "not a tensor"
        found.append(Finding("reveal-grad", "information", "certain", text, site.span))
    return found


def _tidy(findings: list[Finding], settings: Settings) -> list[Finding]:
    """One finding per rule and place, the least doubtful first; in the order of the text."""
    worst = CONFIDENCE_ORDER[settings.min_confidence]
    kept: dict[tuple[str, object], Finding] = {}
    for finding in findings:
        if CONFIDENCE_ORDER[finding.confidence] > worst:
            continue
        key = (finding.rule, finding.span)
        if key not in kept or CONFIDENCE_ORDER[finding.confidence] < CONFIDENCE_ORDER[kept[key].confidence]:
            kept[key] = finding
    told = {(finding.rule, finding.span.start.line) for finding in kept.values()}
    found = [
        f for f in kept.values() if not any((other, f.span.start.line) in told for other in _SAID_BY.get(f.rule, ()))
    ]
    return sorted(found, key=lambda f: (f.span, f.rule))


_SAID_BY = {
    # A parameter that is made anew: what is wrong is that the optimizer keeps the old one.
    "rewrapped-tensor": ("stale-optimizer",),
    "unreachable-parameters": ("stale-optimizer",),
    # The product that is made once, before the loop, is no leaf; that its graph is met again comes of it.
    "freed-graph": ("non-leaf-grad", "device-move-leaf"),
    "inplace-on-loss-path": ("freed-graph", "inplace-on-saved", "non-leaf-grad", "graph-hoarding"),
}
"""What else, on the same line, says the same as a rule, and says more: one cause, one finding."""

_SMALL = frozenset(
    {
        "detached-value",
        "left-torch",
        "rewrapped-tensor",
        "non-differentiable-op",
        "inplace-on-saved",
        "device-move-leaf",
    }
)
"""Rules about one expression: of a statement on one line, that is what gets marked."""


def _focused(finding: Finding) -> Finding:
    """The finding at the expression that its cut or change is, where that is a part of the marked line."""
    span = finding.span
    if finding.rule not in _SMALL or span.start.line != span.end.line:
        return finding
    inner = [s.span for s in finding.trace if s.role in ("cut", "mutation") and s.span.path == span.path]
    inner = [each for each in inner if span.start <= each.start and each.end <= span.end]
    return replace(finding, span=inner[0]) if inner else finding


def _sinks(facts: Facts) -> list[SinkFacts]:
    """The sinks of the file, each place once, with what every pass together reached."""
    found: dict[object, SinkFacts] = {}
    for sink in facts.events.sinks:
        if not facts.here(sink.site.span):
            continue
        reached = {facts.name_of(t) or "a tensor" for t, how in sink.outcome.reach.leaves.items() if how.yes}
        unsure = {facts.name_of(t) or "a tensor" for t, how in sink.outcome.reach.leaves.items() if how.maybe}
        cut = {
            (facts.leaf_text([leaf]).replace("`", ""), facts.marked(place))
            for cause in (facts.lost_behind(sink) if facts.flags_of(sink) else facts.causes)
            if cause.sink.site.span == sink.site.span and (place := facts.innermost_here(cause.cut)) is not None
            for leaf in cause.leaves
        }
        old = found.get(sink.site.span)
        if old is not None:
            reached |= set(old.reached)
            unsure |= set(old.unsure)
        found[sink.site.span] = SinkFacts(
            sink.site.span,
            sink.text,
            tuple(sorted(reached)),
            tuple(sorted(cut)),
            tuple(sorted(unsure - reached)),
        )
    return list(found.values())
