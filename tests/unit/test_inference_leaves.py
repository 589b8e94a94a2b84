"""Which operations over nothing but trainable inference tensors torch tracks outside inference mode, measured."""

from __future__ import annotations

import warnings

import pytest

from gradsight.analysis.torch_model.inference import REFUSES, TRACKS, WRAPS_NUMBERS

torch = pytest.importorskip("torch")

ARGUMENTS = [(), (0,), ("x",), ("x", "x"), (torch.tensor([0, 1]),), (0, torch.tensor([0, 1]))]
SPECIAL = {
    "dropout": lambda x: torch.nn.functional.dropout(x, 0.5),
    "normalize": lambda x: torch.nn.functional.normalize(x, dim=0),
    "tanhshrink": torch.nn.functional.tanhshrink,
    "hardtanh": torch.nn.functional.hardtanh,
    "index": lambda x: x[[0]],
    "to": lambda x: x.to(torch.float64),
    "lu": torch.lu,
    "rpow": lambda x: 2.0**x,
    "kthvalue": lambda x: x.kthvalue(1),
    "float_power": lambda x: x.float_power(2),
}


def leaf() -> torch.Tensor:
    with torch.inference_mode():
        return torch.rand(3, 3, requires_grad=True)


def outcomes(name: str) -> set[str]:
    """What calls of the method do: "tracked", "untracked", or "refused" over its own `out=`."""
    found = set()
    for arguments in [()] if name in SPECIAL else ARGUMENTS:
        x = leaf()
        given = [x if isinstance(each, str) else each for each in arguments]
        try:
            result = SPECIAL[name](x) if name in SPECIAL else getattr(x, name)(*given)
        except Exception as error:
            if "functions with out=" in str(error):
                found.add("refused")
            continue
        several = result if isinstance(result, (tuple, list)) else [result]
        tensors = [t for t in several if isinstance(t, torch.Tensor) and t.is_floating_point()]
        if tensors:
            found.add("tracked" if any(t.requires_grad for t in tensors) else "untracked")
    return found


@pytest.fixture(autouse=True)
def _quiet() -> None:
    warnings.simplefilter("ignore")


@pytest.mark.parametrize("name", sorted(TRACKS))
def test_tracked_all_the_same(name: str) -> None:
    assert "tracked" in outcomes(name)


@pytest.mark.parametrize("name", sorted(REFUSES))
def test_refused_over_out(name: str) -> None:
    assert "refused" in outcomes(name)


@pytest.mark.parametrize("name", sorted(WRAPS_NUMBERS))
def test_tracked_with_a_number(name: str) -> None:
    x = leaf()
    call = getattr(x, name, None) or getattr(x, f"__{name}__")
    assert call(2.0).requires_grad


@pytest.mark.parametrize(
    "name",
    ["exp", "log", "relu", "sum", "prod", "cumsum", "softmax", "sigmoid", "matmul", "pow", "clamp", "lerp", "max"],
)
def test_anything_else_goes_past_autograd(name: str) -> None:
    assert outcomes(name) <= {"untracked"}
