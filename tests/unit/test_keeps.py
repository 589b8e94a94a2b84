"""The list of operations that keep nothing for backward, against torch itself."""

from __future__ import annotations

import warnings

import pytest

from gradsight.analysis.torch_model.keeps import KEEPS_NOTHING

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
