"""The list of operations that keep nothing for backward, against torch itself."""

from __future__ import annotations

import warnings

import pytest

from gradsight.analysis.torch_model.keeps import KEEPS_NOTHING, KEEPS_OPERANDS

torch = pytest.importorskip("torch")

ARGUMENTS = [
    (),
    (0,),
    (1,),
    (0, 1),
    ((3, 3),),
    ((0, 1),),
    (1, 0, torch.tensor([0, 1])),
]


def _twice(name: str, shape: tuple[int, ...], arguments: tuple[object, ...]) -> bool | None:
    """Whether a second backward through the operation alone works; None if the call does not fit."""
    leaf = (torch.rand(*shape) + 0.5).requires_grad_()
    value = leaf + 0
    try:
        result = getattr(value, name)(*arguments)
        results = result if isinstance(result, (tuple, list)) else [result]
        tracked = [t for t in results if isinstance(t, torch.Tensor) and t.requires_grad]
        if not tracked:
            return None
        total = tracked[0].sum()
        total.backward()
    except Exception:
        return None
    try:
        total.backward()
    except RuntimeError:
        return False
    return True


def test_a_second_backward_through_what_keeps_nothing_works() -> None:
    warnings.simplefilter("ignore")
    tried, wrong = 0, []
    for name in sorted(KEEPS_NOTHING):
        if not hasattr(torch.Tensor, name):
            continue
        outcomes = [_twice(name, shape, arguments) for shape in ((3, 3), (3,), (1, 3, 3)) for arguments in ARGUMENTS]
        if any(outcome is not None for outcome in outcomes):
            tried += 1
        if False in outcomes:
            wrong.append(name)
    assert not wrong
    assert tried > 100


CALLS = {
    "addbmm": "torch.addbmm(r, b, b)",
    "addcmul": "torch.addcmul(r, a, a)",
    "addmm": "torch.addmm(r, a, a)",
    "addmv": "torch.addmv(v, a, c)",
    "addr": "torch.addr(r, c, c)",
    "baddbmm": "torch.baddbmm(r, b, b)",
    "bilinear": "torch.nn.functional.bilinear(a, a, b, v[:1])",
    "index_add": "torch.index_add(r, 0, i, a[:2])",
    "linear": "torch.nn.functional.linear(a, a, v)",
    "scatter_add": "torch.scatter_add(r, 0, i[None], a)",
}


@pytest.mark.parametrize("name", sorted(KEEPS_OPERANDS))
def test_a_second_backward_to_the_operand_that_needs_no_other_works(name: str) -> None:
    values = {"torch": torch, "a": torch.rand(3, 3), "b": torch.rand(1, 3, 3), "c": torch.rand(3)}
    values |= {"i": torch.tensor([0, 1]), "r": torch.rand(3, 3).requires_grad_(), "v": torch.rand(3).requires_grad_()}
    total = eval(CALLS[name], values).sum()
    total.backward()
    total.backward()
