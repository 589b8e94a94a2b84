"""The order in which nodes, tensors and containers are made: for nodes PyTorch's sequence numbers.

A run that is taken up again (`interpreter.trunk`) makes some parts of a program anew and keeps others; `go_on_after`
lets it number the new parts as one run from the start would have done.
"""

from __future__ import annotations

_last = 0


def birth() -> int:
    """A number above that of everything made so far."""
    global _last
    _last += 1
    return _last


def go_on_after(number: int) -> None:
    """What is made next gets numbers above `number`."""
    global _last
    _last = number
