"""The oracle test: random small programs are run by torch and predicted by the engine, and both must agree.

`generator/` writes programs as text from a seed, `worker.py` runs them in a torch process of its own, `runner.py` feeds
that process, `kinds.py` names what torch raised, `compare.py` says whether engine and torch agree, `shrink.py` makes a
disagreement small, `facts/` holds programs written by hand for single semantics. `python -m tests.oracle --help`.
"""
