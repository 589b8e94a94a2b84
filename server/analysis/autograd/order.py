"""The order in which nodes, tensors and containers are made: for nodes PyTorch's sequence numbers."""

from __future__ import annotations

import itertools

birth = itertools.count(1).__next__
"""A number above that of everything made so far."""
