"""The front door of the execution check (see the package docstring)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..analysis.report import Finding
from ..analysis.source.moved import move_finding
from .entry import Entry, parse_entry
from .environment import memory_limit
from .facts import Facts, facts_of
from .fixes import choose_fix, edited_text, judge_fix
from .interpreter import InterpreterNotFound, find_interpreter
from .judge import judge
from .laws import law_of
from .plan import make_plan
from .room import Heard, run_probe
from .verdicts import CheckReport, CheckRequest, FixResult, Result

Progress = Callable[[str], None]


def run_check(
    request: CheckRequest, *, progress: Progress | None = None, cancel: threading.Event | None = None
) -> CheckReport:
    """Run the text of the request up to the sinks of its findings and judge each finding by what was seen.

    One run serves all findings; with `fix`, one more run for each finding that has a fix to try. Returns a report
    whatever the program does; raises only CheckCancelled, when `cancel` was set. `progress` is called from the
    calling thread with short sentences.
    """
    check = _Check(request, progress or (lambda sentence: None), cancel)
    return check.report()


class _Check:
    def __init__(self, request: CheckRequest, progress: Progress, cancel: threading.Event | None) -> None:
        self.request, self.progress, self.cancel = request, progress, cancel
        self.started = time.monotonic()
        self.path = os.path.abspath(request.path)
        self.folder = request.cwd or os.path.dirname(self.path)
        self.interpreter: str | None = None
        self.entry: Entry | None = None
        self.lines = request.lines

    def report(self) -> CheckReport:
        request = self.request
        heard = self._refusal()
        if heard is None:
            facts, heard = self._observe(request.text, request.findings)
        else:
            plan = make_plan(self.path, request.text, request.findings, request.sinks)
            facts = [facts_of(heard, watched, self.lines) for watched in plan.watched]
        place = heard.last("place") or {}
        device = place.get("device", "cpu")
        results = [judge(one, device) for one in facts]
        results = [result.with_fix(self._fix(result, one, device)) for result, one in zip(results, facts, strict=True)]
        harness = heard.last("harness") or {}
        return CheckReport(
            path=request.path,
            device=device,
            torch=(heard.last("hello") or {}).get("torch"),
            seconds=time.monotonic() - self.started,
            results=tuple(results),
            interpreter=self.interpreter,
            stdout=heard.output,
            invented=tuple(harness.get("invented", ())),
            notes=(*([f"Run by `{self.entry.text}`."] if self.entry else []), *place.get("notes", ())),
            driver=place.get("driver"),
        )

    def _refusal(self) -> Heard | None:
        """Finds interpreter and entry point; what is wrong before anything runs, as a run that did not start."""
        if self.request.entry:
            try:
                self.entry = parse_entry(self.request.entry)
            except ValueError as error:
                return Heard(ended="start", error=str(error))
        if self.request.launcher:
            self.interpreter = self.request.interpreter or "python3"
            return None
        try:
            self.interpreter = find_interpreter(self.path, self.request.interpreter)
        except InterpreterNotFound as error:
            return Heard(ended="start", error=str(error))
        if not os.path.isdir(self.folder):
            return Heard(ended="start", error=f"The directory `{self.folder}` does not exist.")
        return None

    # -- runs ------------------------------------------------------------------------------------------------

    def _observe(self, text: str, findings: Sequence[Finding]) -> tuple[list[Facts], Heard]:
        """One run; a second with the program's own placement where a default CUDA device got in its way.

        Where a finding claims a wrong gradient, one more, in which what the forward pass saved stays as it was.
        """
        plan = make_plan(self.path, text, findings, self.request.sinks)
        claims = {law_of(finding.rule).claim for finding in findings}
        compare = {"compare": "as-is"} if "wrong" in claims else {}
        placements = ("default-cuda", "as-is") if self.request.device != "cpu" else ("as-is",)
        for placement in placements:
            more = {**compare, "functions": "dirty" in claims}
            heard = self._run(plan.document(self.path, text, placement=placement, **more))
            facts = [facts_of(heard, watched, self.lines) for watched in plan.watched]
            place = heard.last("place") or {}
            if not place.get("defaulted") or heard.ended == "timeout":
                break
            if all(judge(one, "").verdict in ("confirmed", "refuted") for one in facts):
                break
            self.progress("Running again, the program's own devices untouched")
        if compare:
            self.progress("Running again, autograd keeps copies of what it saves")
            kept = self._run(plan.document(self.path, text, placement=placement, compare="kept"))
            for one in facts:
                one.kept = facts_of(kept, one.watched, self.lines)
        return facts, heard

    def _run(self, document: dict[str, Any]) -> Heard:
        request = self.request
        memory = request.memory if request.memory else (None if request.launcher else memory_limit())
        assert self.interpreter is not None
        self.progress(f"Starting {self.interpreter}")
        entry = {"entry": self.entry.document()} if self.entry is not None else {}
        return run_probe(
            {**document, **entry, "device": request.device, "memory": memory, "cwd": self.folder},
            interpreter=self.interpreter,
            cwd=os.getcwd() if request.launcher else self.folder,
            timeout=request.timeout,
            device=request.device,
            launcher=request.launcher,
            cancel=self.cancel,
            on_message=self._tell,
        )

    def _tell(self, message: dict[str, Any]) -> None:
        kind = message.get("kind")
        if kind == "hello":
            self.progress(f"torch {message.get('torch')} is loaded")
        elif kind == "place":
            simulated = message.get("simulating")
            self.progress(f"Running on {'cpu (simulated cuda)' if simulated else message.get('device')}")
        elif kind == "event" and message.get("begin"):
            where = f" at {self.lines.words(message['line'])}" if message.get("line") else ""
            self.progress(f"`{message.get('what')}` was reached{where}")

    # -- fixes -----------------------------------------------------------------------------------------------

    def _fix(self, result: Result, before: Facts, device: str) -> FixResult | None:
        finding = before.watched.finding
        fix = choose_fix(finding)
        if fix is None:
            return None
        if not self.request.fix:
            return FixResult(fix.title, "not-tried", "It was not asked for.")
        if result.verdict not in ("confirmed", "refuted"):
            return FixResult(fix.title, "not-tried", "The check itself came to no verdict.")
        text = self.request.text
        try:
            edited = edited_text(self.path, text, fix)
        except ValueError as error:
            return FixResult(fix.title, "not-tried", f"The fix could not be applied to this text: {error}.")
        self.progress(f"Trying the fix: {fix.title}")
        moved = move_finding(finding, text, fix.edits, edited)
        self.lines = self.request.lines.after(fix.edits)
        facts, heard = self._observe(edited, [moved])
        self.lines = self.request.lines
        return judge_fix(fix, facts[0], before, edited, (heard.last("place") or {}).get("device", device))
