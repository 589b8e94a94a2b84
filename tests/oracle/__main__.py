"""`python -m tests.oracle --seed S --count N --profile P [--shrink] [--save DIR]`: run, count, show disagreements."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from .batch import Batch, judge, run
from .facts import PROGRAMS
from .generator import MAKERS, PROFILES, generate
from .minimal import minimal
from .runner import Torch


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=300, help="programs per profile")
    parser.add_argument("--profile", choices=[*PROFILES, "all"], default="all")
    parser.add_argument("--disable", action="append", default=[], choices=sorted(MAKERS), help="leave out this kind")
    parser.add_argument("--shrink", action="store_true", help="make one program of each kind of disagreement small")
    parser.add_argument("--each", type=int, default=1, help="how many of each kind to show or shrink")
    parser.add_argument("--only", default="", help="only disagreements whose kind contains this")
    parser.add_argument("--save", type=Path, help="write the programs that were shown into this directory")
    parser.add_argument("--show", action="store_true", help="print the program of --seed and what both sides say")
    parser.add_argument("--file", type=Path, help="compare one program from a file")
    parser.add_argument("--facts", action="store_true", help="the programs written by hand for single semantics")
    parser.add_argument("--no-coverage", action="store_true")
    arguments = parser.parse_args()
    profiles = PROFILES if arguments.profile == "all" else (arguments.profile,)
    with Torch() as torch_side:
        if arguments.file is not None:
            return one(torch_side, arguments.file.read_text())
        if arguments.facts:
            return facts(torch_side)
        if arguments.show:
            text = generate(arguments.seed, profiles[0], frozenset(arguments.disable)).text
            print(text)
            return one(torch_side, text)
        batch = Batch()
        for profile in profiles:
            seeds = range(arguments.seed, arguments.seed + arguments.count)
            run(torch_side, profile, seeds, frozenset(arguments.disable), batch)
        print(batch.tally.report(coverage=not arguments.no_coverage))
        print(f"torch {batch.torch_seconds:.1f} s, engine {batch.engine_seconds:.1f} s")
        show(torch_side, batch, arguments)
    return 1 if batch.disagreements else 0


def show(torch_side: Torch, batch: Batch, arguments: argparse.Namespace) -> None:
    """Print (shrunk, if asked) examples of each kind of disagreement, the commonest kind first."""
    for why, count in batch.tally.why.most_common():
        if arguments.only not in why:
            continue
        cases = [c for c in batch.disagreements if c.verdict.why == why]
        cases.sort(key=lambda c: len(c.program.text))
        for case in cases[: arguments.each]:
            text = minimal(torch_side, case) if arguments.shrink else case.program.text
            exact = case.program.profile == "straight"
            outcome, verdict, *_ = judge(torch_side, text, exact, case.program.conditions)
            print(f"\n### {why} ({count} times), {case.program.profile} seed {case.program.seed}")
            print(f"{verdict.detail}; torch: {outcome.raised or 'runs to the end'}; grads {outcome.grads}")
            if arguments.shrink or arguments.save is None:
                print(f"\n```python\n{text}```")
            if arguments.save is not None:
                arguments.save.mkdir(parents=True, exist_ok=True)
                (arguments.save / f"{case.program.profile}-{case.program.seed}.py").write_text(text)
            sys.stdout.flush()


def one(torch_side: Torch, text: str) -> int:
    from .engine import ask

    outcome, verdict, *_ = judge(torch_side, text, exact=True)
    print(f"torch:  {outcome.raised or 'runs to the end'}; {outcome.grads}")
    print(f"engine: {ask(text)}")
    print(f"{verdict.word} {verdict.why} {verdict.detail}")
    return 0 if verdict.agrees else 1


def facts(torch_side: Torch) -> int:
    """Compare on every fact; print what disagrees."""
    words: Counter[str] = Counter()
    for name, text in PROGRAMS.items():
        _, verdict, *_ = judge(torch_side, text, exact=False)
        words[verdict.word] += 1
        if not verdict.agrees:
            print(f"{verdict.word:<9} {name}: {verdict.why}; {verdict.detail}")
    share = 1 - words["disagree"] / max(words.total() - words["invalid"], 1)
    print(f"facts: {share:.1%} of {words.total()} agree; {dict(words)}")
    return 1 if words["disagree"] else 0


if __name__ == "__main__":
    sys.exit(main())
