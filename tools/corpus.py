"""`make corpus`: recall and silence of `gradsight check` on labelled real cases.

    python tools/corpus.py [--corpus FOLDER] [--json FILE] [--min-recall 0.9] [--min-silence 0.97]

The folder holds `cases/*.py` and `labels.json`, optionally `fixed/*.py`. A bug counts as found when an error or warning
covers its `line`, one of its `alt_lines` or `block_lines`; a clean case is silent when it has neither error nor
warning. Fixed programs are reported beside, not counted in. The figures are printed as they are; they fail the command
only when a threshold was asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = Path(os.environ.get("GRADSIGHT_CORPUS") or ROOT.parent / "shared" / "corpus")
LOUD = ("error", "warning")

Diagnostic = Mapping[str, Any]
Label = Mapping[str, Any]


@dataclass
class Score:
    """Bugs found and clean cases silent, by category, with what went wrong."""

    bugs: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    clean: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    misses: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share of bugs found at a labelled line."""
        return share(self.bugs.values())

    @property
    def silence(self) -> float:
        """The share of clean cases without error or warning."""
        return share(self.clean.values())


def share(groups: Iterable[list[bool]]) -> float:
    """The share of true values; 1.0 of nothing."""
    flat = [value for group in groups for value in group]
    return sum(flat) / len(flat) if flat else 1.0


def covers(diagnostic: Diagnostic, lines: Iterable[int]) -> bool:
    """Whether the diagnostic's range includes one of the lines."""
    first, last = diagnostic["range"]["start"]["line"], diagnostic["range"]["end"]["line"]
    return any(first <= line <= last for line in lines)


def marked_lines(label: Label) -> set[int]:
    """All lines that are fair to mark."""
    return {label["line"], *label.get("alt_lines", ()), *label.get("block_lines", ())}


def score(labels: Mapping[str, Label], found: Mapping[str, list[Diagnostic]]) -> Score:
    """Compare the diagnostics of each case (by file name) with its label."""
    result = Score()
    for name, label in sorted(labels.items()):
        loud = [diagnostic for diagnostic in found.get(name, []) if diagnostic["severity"] in LOUD]
        said = "; ".join(f"{d['rule']} at line {d['range']['start']['line']}" for d in loud)
        if label["kind"] == "bug":
            hit = any(covers(diagnostic, marked_lines(label)) for diagnostic in loud)
            result.bugs[label["category"]].append(hit)
            if not hit:
                lines = ", ".join(map(str, sorted(marked_lines(label))))
                result.misses.append(f"{name} ({label['category']}, {label['outcome']}, line {lines}): {said or '-'}")
        else:
            result.clean[label["category"]].append(not loud)
            if loud:
                result.false_alarms.append(f"{name} ({label['category']}): {said}")
    return result


def run_check(folder: Path) -> dict[str, Any]:
    """The JSON of `gradsight check` on a folder. Raises SystemExit with one sentence when there is none."""
    command = [sys.executable, "-m", "gradsight", "check", "--output-format", "json", "."]
    try:
        result = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=600
        )
        document: dict[str, Any] = json.loads(result.stdout)
    except subprocess.TimeoutExpired:
        sys.exit(f"`gradsight check` did not end within 600 s in {folder}")
    except json.JSONDecodeError:
        sys.exit(f"`gradsight check` gave no JSON in {folder}: {result.stderr.strip()[-500:]}")
    return document


def by_file(document: Mapping[str, Any]) -> dict[str, list[Diagnostic]]:
    """The diagnostics of a report by file name."""
    found: dict[str, list[Diagnostic]] = defaultdict(list)
    for diagnostic in document["diagnostics"]:
        found[Path(diagnostic["path"]).name].append(diagnostic)
    return found


def table(result: Score) -> str:
    """Figures by category."""
    rows = [f"{'category':<18} {'bugs found':>12} {'clean silent':>14}"]
    for category in sorted({*result.bugs, *result.clean}):
        bugs, clean = result.bugs.get(category, []), result.clean.get(category, [])
        cells = [f"{sum(group)}/{len(group)}" if group else "" for group in (bugs, clean)]
        rows.append(f"{category:<18} {cells[0]:>12} {cells[1]:>14}")
    return "\n".join(rows)


def print_report(result: Score, document: Mapping[str, Any], fixed: Mapping[str, list[Diagnostic]] | None) -> None:
    """The tables and lists, for a person."""
    print(table(result))
    for title, lines in (("misses", result.misses), ("false alarms", result.false_alarms)):
        print(f"\n{title} ({len(lines)}):" if lines else f"\nno {title}")
        for line in lines:
            print(f"  {line}")
    for problem in document["problems"]:
        print(f"problem: {problem['path']}: {problem['message']}")
    if fixed is not None:
        loud = {name: [d for d in found if d["severity"] in LOUD] for name, found in fixed.items()}
        noisy = {name: found for name, found in loud.items() if found}
        print(f"\nfixed programs with an error or warning: {len(noisy)}")
        for name, found in sorted(noisy.items()):
            print(f"  {name}: " + "; ".join(f"{d['rule']} at line {d['range']['start']['line']}" for d in found))
    bugs, clean = [sum(map(len, groups.values())) for groups in (result.bugs, result.clean)]
    found_bugs = sum(sum(group) for group in result.bugs.values())
    silent = sum(sum(group) for group in result.clean.values())
    print(f"\nrecall  {result.recall:6.1%}  ({found_bugs} of {bugs} bugs found at a labelled line)")
    print(f"silence {result.silence:6.1%}  ({silent} of {clean} clean cases without error or warning)")


def main() -> int:
    """Exit status 0; 1 when a threshold was asked for and missed; 2 (or 77, skipped) when there is no corpus."""
    arguments = argparse.ArgumentParser(description="Recall and silence on labelled real cases.")
    arguments.add_argument(
        "--corpus", type=Path, default=DEFAULT, help="default: $GRADSIGHT_CORPUS or ../shared/corpus"
    )
    arguments.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments.add_argument("--skip-if-missing", action="store_true", help="exit with 77 when there is no corpus")
    arguments.add_argument("--min-recall", type=float, default=0.0)
    arguments.add_argument("--min-silence", type=float, default=0.0)
    options = arguments.parse_args()
    try:
        labels: dict[str, Label] = json.loads((options.corpus / "labels.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        print(f"no corpus at {options.corpus}: {error}", file=sys.stderr)
        return 77 if options.skip_if_missing else 2
    document = run_check(options.corpus / "cases")
    result = score(labels, by_file(document))
    fixed = options.corpus / "fixed"
    print_report(result, document, by_file(run_check(fixed)) if fixed.is_dir() else None)
    if options.json:
        figures = {
            "recall": result.recall,
            "silence": result.silence,
            "misses": result.misses,
            "false_alarms": result.false_alarms,
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if result.recall >= options.min_recall and result.silence >= options.min_silence else 1


if __name__ == "__main__":
    sys.exit(main())
