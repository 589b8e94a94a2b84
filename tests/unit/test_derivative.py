"""On what the gradients of operations depend, as `keeps.derivative` has it, against torch itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gradsight.analysis.torch_model import keeps

torch = pytest.importorskip("torch")
F = torch.nn.functional

INDEX = torch.tensor([0, 1, 2])
#: arguments after the first operand; "x" stands for another operand of the same shape
ARGUMENTS: tuple[tuple[Any, ...], ...] = (
    (), (0,), (1,), (2,), (0, 1), (0.5,), ("x",), ("x", "x"), ("x", 0.5), ((3, 3),), ((0, 1),), (0.2, 0.8),
    (1, 0, INDEX), (0, INDEX), (0, INDEX[:, None]), (0, INDEX, "x"), (INDEX,), (0, INDEX[:, None], "x"), (INDEX, "x"),
    (torch.eye(3) > 0,), (torch.eye(3) > 0, 0.5), (torch.eye(3) > 0, "x"), (INDEX, 0), (torch.float64,),
)  # fmt: skip
SPECIAL: dict[str, list[tuple[Any, ...]]] = {
    "where": [(lambda a, b: torch.where(torch.eye(3) > 0, a, b), "x", "x")],
    "einsum": [(lambda a, b: torch.einsum("ij,jk->ik", a, b), "x", "x")],
    "bilinear": [(lambda a, b, w: F.bilinear(a, b, w[None]), "x", "x", "x")],
    "conv1d": [(lambda a, w: F.conv1d(a[None], w[:, :, None]), "x", "x")],
    "conv2d": [(lambda a, w: F.conv2d(a[None, None], w[None, None]), "x", "x")],
    "conv3d": [(lambda a, w: F.conv3d(a[None, None, None], w[None, None, None]), "x", "x")],
    "linear": [(F.linear, "x", "x")],
    "dropout": [(lambda a: F.dropout(a, 0.5), "x")],
    "prelu": [(lambda a, w: F.prelu(a, w[0, :1]), "x", "x")],
    "bmm": [(lambda a, b: torch.bmm(a[None], b[None]), "x", "x")],
    "baddbmm": [(lambda a, b, c: torch.baddbmm(a[None], b[None], c[None]), "x", "x", "x")],
    "addbmm": [(lambda a, b, c: torch.addbmm(a, b[None], c[None]), "x", "x", "x")],
    "mv": [(lambda a, b: torch.mv(a, b[0]), "x", "x")],
    "addmv": [(lambda a, b, c: torch.addmv(a[0], b, c[0]), "x", "x", "x")],
    "addr": [(lambda a, b, c: torch.addr(a, b[0], c[0]), "x", "x", "x")],
    "dot": [(lambda a, b: torch.dot(a[0], b[1]), "x", "x")],
    "ldexp": [(lambda a: torch.ldexp(a, INDEX), "x")],
    "kthvalue": [(lambda a: a.kthvalue(1)[0], "x")],
    "chain_matmul": [(torch.chain_matmul, "x", "x")],
}


def forms(name: str) -> Iterator[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Calls of the operation: a function and its arguments, with "x" for each operand."""
    if name in SPECIAL:
        for row in SPECIAL[name]:
            yield row[0], row[1:]
        return
    for owner in (torch.Tensor, torch, F):
        for spelled in (name, f"__{name}__"):
            function = getattr(owner, spelled, None)
            if callable(function):
                for arguments in ARGUMENTS:
                    yield function, ("x", *arguments)


def depends(function: Callable[..., Any], arguments: tuple[Any, ...], place: int) -> tuple[bool, bool] | None:
    """Whether the gradient for one operand depends on anything, and on that operand; None if the call does not fit."""
    given = [torch.rand(3, 3).add(0.5).requires_grad_() if isinstance(a, str) else a for a in arguments]
    operands = [g for g, a in zip(given, arguments, strict=True) if isinstance(a, str)]
    try:
        result = function(*[g * 1 if isinstance(a, str) else g for g, a in zip(given, arguments, strict=True)])
        several = result if isinstance(result, (tuple, list)) else [result]
        total = sum(t.sum() for t in several if isinstance(t, torch.Tensor) and t.requires_grad)
        gradient = torch.autograd.grad(total, operands[place], create_graph=True)[0]
    except Exception:
        return None
    if not gradient.requires_grad:
        return False, False
    inner = torch.autograd.grad(gradient.sum(), operands[place], allow_unused=True)[0]
    return True, inner is not None


def measured(name: str, first_only: bool = False) -> list[tuple[bool, bool]]:
    """What every call that fits says, for each operand."""
    found = []
    for function, arguments in forms(name):
        for place in range(1 if first_only else sum(isinstance(a, str) for a in arguments)):
            outcome = depends(function, arguments, place)
            if outcome is not None:
                found.append(outcome)
    return found


@pytest.fixture(autouse=True)
def _quiet() -> None:
    warnings.simplefilter("ignore")


CONSTANT, LINEAR, QUOTIENT = sorted(keeps._CONSTANT), sorted(keeps._LINEAR), sorted(keeps._QUOTIENT)
UNMEASURED: set[str] = set()


@pytest.mark.parametrize("name", CONSTANT)
def test_gradient_depends_on_nothing(name: str) -> None:
    outcomes = measured(name)
    if not outcomes:
        UNMEASURED.add(name)
    assert not any(anything for anything, _ in outcomes)


@pytest.mark.parametrize("name", LINEAR)
def test_gradient_does_not_depend_on_its_operand(name: str) -> None:
    outcomes = measured(name)
    if not outcomes:
        UNMEASURED.add(name)
    assert not any(itself for _, itself in outcomes)


@pytest.mark.parametrize("name", QUOTIENT)
def test_gradient_does_not_depend_on_the_dividend(name: str) -> None:
    assert not any(itself for _, itself in measured(name, first_only=True))


@pytest.mark.parametrize("name", ["div", "truediv", "remainder", "fmod"])
def test_gradient_for_the_divisor_depends_on_it(name: str) -> None:
    assert any(itself for _, itself in measured(name))


def test_most_names_were_measured() -> None:
    """The rest are aliases of factories and fills, which have no operand or no gradient."""
    assert len(UNMEASURED) < 0.35 * (len(CONSTANT) + len(LINEAR)), sorted(UNMEASURED)


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "sqrt", "square", "softmax", "prod", "norm", "div"])
def test_other_gradients_depend_on_what_was_saved(name: str) -> None:
    assert any(anything for anything, _ in measured(name))
