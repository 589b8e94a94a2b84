"""The programs of product.md, and some made from them."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
EX1, EX2, EX3 = ((EXAMPLES / f"ex{number}.py").read_text(encoding="utf-8") for number in (1, 2, 3))

UNICODE = """\
import torch
x = torch.randn(10, requires_grad=True)
with torch.no_grad():
    s = "é😀"; y = x * 2
loss = y.sum()
loss.backward()
print(x.grad)
"""

ENDLESS = """\
import torch
x = torch.randn(10, requires_grad=True)
with torch.no_grad():
    y = x * 2
n = 0
while x.numel() == 10:
    n += 1
loss = y.sum()
loss.backward()
print(x.grad)
"""
