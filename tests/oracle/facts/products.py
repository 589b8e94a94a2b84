"""Which operand a product saves as it is: of every pair of dimensions, one of them forgets its history afterwards."""

from __future__ import annotations

from itertools import product

_SIZES = {1: "3", 2: "3, 3", 3: "2, 3, 3"}
_PROGRAM = """
=== matmul_of_{left}_and_{right}_dimensions_detaching_{name}
x = torch.zeros({x})
x.copy_(torch.rand({x}, requires_grad=True))
y = torch.zeros({y})
y.copy_(torch.rand({y}, requires_grad=True))
z = torch.matmul(x, y)
{name}.detach_()
z.sum().backward()"""

TEXT = "".join(
    _PROGRAM.format(left=left, right=right, name=name, x=_SIZES[left], y=_SIZES[right])
    for left, right, name in product(_SIZES, _SIZES, "xy")
)
