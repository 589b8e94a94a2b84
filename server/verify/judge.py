"""From observed facts to a verdict. The rule's own claim only says which facts to look at (`laws.py`).

Order matters: what confirms the claim comes before what merely went wrong, so a `backward()` that raises the foretold
error is a confirmation and a missing file is a failure; a run cut short is judged by what it showed before.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from .compare import changed_unmarked, compared
from .facts import Decision, Facts, Leaf
from .laws import Law, law_of
from .observe import first_difference, observations
from .verdicts import LeafGrad, Raised, Result, Verdict

MOST_NAMED = 4
_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|unable to allocate|Cannot allocate memory|MemoryError",
    re.IGNORECASE,
)


def judge(facts: Facts, device: str) -> Result:
    """The result for one finding, without its fix."""
    finding = facts.watched.finding
    law = law_of(finding.rule)
    verdict, reason, raised, shown = _decide(facts, law)
    steps = observations(facts)
    if verdict == "refuted" and law.claim != "harmless":
        difference = first_difference(steps)
        if difference:
            reason += f" The prediction first went wrong at {facts.lines.words(difference.line)}:"
            reason += f" {difference.observed}."
    return Result(
        rule=finding.rule,
        line=finding.span.start.line,
        verdict=verdict,
        reason=reason,
        summary=_summary(verdict, device, reason),
        raised=raised,
        leaves=tuple(leaf.grad for leaf in shown),
        observations=steps,
        finding=finding,
    )


def _summary(verdict: Verdict, device: str, reason: str) -> str:
    first = reason.split("\n", 1)[0]
    if verdict in ("confirmed", "refuted"):
        return f"{verdict} on {device}: {first}"
    label = {
        "not-reached": "not reached",
        "inconclusive": "inconclusive",
        "failed": "the check failed",
        "timeout": "out of time",
        "out-of-memory": "out of memory",
        "no-torch": "no torch",
        "could-not-start": "could not start",
    }[verdict]
    return f"{label}: {first}"


def _decide(facts: Facts, law: Law) -> Decision:
    early = _never_ran(facts)
    if early:
        return early
    needed = {"no-leaf": "cut", "wrong": "sink"}.get(law.claim)
    if law.claim == "unseen" or (needed is not None and _step_of(facts, needed) is None):
        return (
            "inconclusive",
            "The check watches gradients; it does not see what this is about.",
            None,
            (),
        )
    if law.claim == "dirty" and facts.dirty:
        return changed_unmarked(facts)
    foretold = _foretold(facts, law)
    if foretold:
        where = f" at {facts.lines.words(foretold.line)}" if foretold.line else ""
        leaves = facts.wanted()
        said = f"PyTorch raised{where}: {_short(foretold.message)}"
        if law.claim == "cut" and leaves and all(leaf.severed for leaf in leaves):
            said = f"{_without(leaves)}; {said}"
        elif law.claim == "harmless":
            said = f"the change is not harmless, {said}"
        return "confirmed", said, foretold, leaves
    if law.claim == "unread":
        decided = _unread(facts)
        if decided:
            return decided
    for after in facts.afters:
        if after.raised:
            return _other_error(facts, after.raised, after.trace)
    if not facts.afters:
        return _not_there(facts)
    if law.claim in ("raises", "raises-at"):
        return _did_not_raise(facts)
    if law.claim == "wrong":
        return compared(facts)
    if law.claim == "dirty":
        return changed_unmarked(facts)
    if law.claim in ("hoards", "no-leaf"):
        return _graph_of(facts, "mutation" if law.claim == "hoards" else "cut")
    return _gradients(facts, law)


def _never_ran(facts: Facts) -> Decision | None:
    heard = facts.heard
    if heard.ended == "start":
        return "could-not-start", heard.error, None, ()
    if facts.how == "entry" and facts.raised is not None:
        return "could-not-start", f"The entry point could not be run: {facts.raised.message}.", None, ()
    if facts.how == "no-torch":
        end = heard.last("end") or {}
        return "no-torch", f"The interpreter has no PyTorch ({end.get('message', '')}).", None, ()
    if facts.how == "no-device":
        end = heard.last("end") or {}
        return "could-not-start", f"The device could not be taken: {end.get('message', '')}.", None, ()
    if heard.last("hello") is None and heard.ended != "timeout" and facts.how == "":
        tail = heard.output.strip().splitlines()
        detail = f": {tail[-1][:300]}" if tail else "."
        return "could-not-start", f"The interpreter ended before PyTorch was imported{detail}", None, ()
    return None


def _foretold(facts: Facts, law: Law) -> Raised | None:
    """The error that the rule foretold, at a sink or at a line of the finding's trace."""
    for after in facts.afters:
        if after.raised and law.explains(after.raised.message):
            return after.raised
    finding = facts.watched.finding
    lines = {finding.span.start.line} | {step.span.start.line for step in finding.trace}
    if facts.raised and facts.raised.line in lines and law.explains(facts.raised.message):
        return facts.raised
    return None


def _unread(facts: Facts) -> Decision | None:
    """Verdict from the `.grad` reads that were seen, else from the named tensors; None when neither was."""
    if facts.reads:
        read = facts.reads[-1]
        shown = _shown(facts, read.name)
        if not shown:
            line = facts.watched.finding.span.start.line
            shown = (
                Leaf(LeafGrad(read.name, line, read.grad, read.norm), True, read.is_leaf, (), True),  # type: ignore[arg-type]
            )
        if read.grad == "none":
            why = "" if read.is_leaf else ": it is not a leaf"
            return "confirmed", f"`{read.name}.grad` is None{why}", None, shown
        return "refuted", f"`{read.name}.grad` is there when it is read.", None, shown
    if not facts.afters or facts.afters[-1].raised:
        return None
    own = [leaf for leaf in facts.leaves if set(leaf.steps) & set(facts.watched.sources)]
    gone = [leaf for leaf in own if leaf.severed]
    if gone:
        return "confirmed", _without(gone), None, own
    if own:
        return "refuted", _with(own), None, own
    return None


def _shown(facts: Facts, name: str) -> tuple[Leaf, ...]:
    return tuple(leaf for leaf in facts.leaves if leaf.grad.name == name)


def _did_not_raise(facts: Facts) -> Decision:
    runs = max(after.number for after in facts.afters)
    times = "once" if runs == 1 else f"{runs} times"
    if facts.heard.ended == "timeout":
        return "inconclusive", f"It ran {times} and nothing was raised, then the time was up.", None, facts.wanted()
    return "refuted", f"It ran {times} and nothing was raised.", None, facts.wanted()


def _step_of(facts: Facts, role: str) -> str | None:
    """The id of the first step of a role that lies in the file."""
    trace = facts.watched.finding.trace
    return next((i for i, index in facts.watched.steps.items() if index >= 0 and trace[index].role == role), None)


def _graph_of(facts: Facts, role: str) -> Decision:
    """Verdict from what was seen at the step of a role when its statement last ran: a tensor with a graph, or not."""
    seen = facts.seen.get(_step_of(facts, role) or "")
    if not seen:
        return "inconclusive", "The statement ran, but its value could not be observed.", None, ()
    name, value = seen[-1]["name"], seen[-1]["facts"]
    if value.get("tensor") and value["requires_grad"] and not value["is_leaf"]:
        return "confirmed", f"`{name}` carries a graph: it is made by {value['grad_fn']}.", None, ()
    return "refuted", f"`{name}` carries no graph.", None, ()


def _gradients(facts: Facts, law: Law) -> Decision:
    wanted = facts.wanted()
    gone = [leaf for leaf in wanted if leaf.severed]
    if law.claim == "harmless":
        if gone:
            return "confirmed", _without(gone), None, wanted
        if not wanted:
            return "inconclusive", "No trainable tensor was found whose gradient could be looked at.", None, ()
        return "refuted", f"the gradient is there: {_why_harmless(facts)}", None, wanted
    if gone:
        return "confirmed", _without(gone), None, wanted
    if wanted:
        return "refuted", _with(wanted), None, wanted
    return "inconclusive", "The sink ran, but no tensor of this finding could be observed after it.", None, ()


def _why_harmless(facts: Facts) -> str:
    finding = facts.watched.finding
    for role in ("saved", "note", "mutation"):
        for step in finding.trace:
            if step.role == role:
                return step.message
    return finding.message


def _without(leaves: Sequence[Leaf]) -> str:
    return _sentence([_missing(leaf) for leaf in leaves])


def _missing(leaf: Leaf) -> str:
    if leaf.grad.grad == "none":
        return f"`{leaf.grad.name}.grad` is None" + ("" if leaf.is_leaf else " (it is not a leaf)")
    return f"`{leaf.grad.name}.grad` was not changed by this `backward()`"


def _with(leaves: Sequence[Leaf]) -> str:
    return (
        _sentence(
            [
                f"`{leaf.grad.name}.grad` is {'there' if leaf.grad.grad == 'present' else leaf.grad.grad}"
                for leaf in leaves
            ]
        )
        + "."
    )


def _sentence(parts: list[str]) -> str:
    more = f" and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else ""
    return ", ".join(parts[:MOST_NAMED]) + more


def _short(message: str) -> str:
    return message.strip().split("\n", 1)[0][:400]


# -- when there is nothing to judge by -----------------------------------------------------------------------------


def _other_error(facts: Facts, raised: Raised, trace: str) -> Decision:
    if raised.type == "MemoryError" or _MEMORY.search(raised.message):
        return "out-of-memory", f"The program ran out of memory: {_short(raised.message) or raised.type}", raised, ()
    where = f" ({facts.lines.words(raised.line)})" if raised.line else ""
    shown = f"{raised.type}: {_short(raised.message)}{where}"
    return "failed", f"The program raised {shown}\n{trace}".rstrip(), raised, facts.final


def _sink_text(facts: Facts) -> str:
    for step in facts.watched.finding.trace:
        if step.role == "sink":
            return f"the sink at {facts.lines.words(step.span.start.line)}"
    return "a `backward()`"


def _not_there(facts: Facts) -> Decision:
    """No target ran to its end."""
    heard, sink = facts.heard, _sink_text(facts)
    if facts.how == "syntax" and facts.raised:
        line = f"{facts.lines.words(facts.raised.line)}: " if facts.raised.line else ""
        return "failed", f"The text does not parse: {line}{facts.raised.message}", facts.raised, ()
    if facts.how == "raised" and facts.raised:
        if any(m.get("kind") == "after" and m.get("raised") for m in heard.messages):
            error = facts.raised
            where = facts.lines.words(error.line) if error.line else "another line"
            return (
                "not-reached",
                f"Another finding's line came first: {where} raised {error.type}, so {sink} did not run.",
                None,
                facts.final,
            )
        return _other_error(facts, facts.raised, facts.trace)
    entry = heard.last("entry")
    if entry and not entry["loaded"]:
        return "not-reached", "The entry point ran and never loaded this file.", None, facts.final
    harness = heard.last("harness")
    if harness and harness.get("reason"):
        return "not-reached", f"The program never calls it, and no call could be made up: {harness['reason']}", None, ()
    if facts.how == "completed":
        return "not-reached", f"The program ran to its end without {sink} having run.", None, facts.final
    if facts.how == "exit":
        return "not-reached", f"The program called `sys.exit({facts.code!r})` before {sink} ran.", None, facts.final
    if heard.ended == "timeout":
        return "timeout", f"The time limit of {heard.seconds:.0f} s was over before {sink} had run.", None, ()
    if heard.ended == "flood":
        return "inconclusive", f"The program printed more than it may before {sink} ran.", None, ()
    return _died(facts, sink)


def _died(facts: Facts, sink: str) -> Decision:
    code = facts.heard.returncode
    if code is None or code >= 0:
        return "not-reached", f"The process ended itself (exit status {code}) before {sink} ran.", None, ()
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        return "out-of-memory", "The process was killed from outside, most likely for its use of memory.", None, ()
    return "failed", f"The process crashed ({name}) before {sink} ran.\n{facts.heard.output[-2000:]}".rstrip(), None, ()
