"""What the engine says of a tensor's memory is what torch does: random chains of views and operations, run by both."""

from __future__ import annotations

import random
import re

import pytest

from gradsight.analysis.autograd.tensor import Tensor
from gradsight.analysis.interpreter.run import run_file
from gradsight.analysis.source.parse import parse
from gradsight.analysis.torch_model import strides

torch = pytest.importorskip("torch")

_VIEWS = """
{a}.t()|{a}.T|{a}.transpose(0, 1)|{a}.transpose(-1, 0)|{a}.permute(1, 0)|{a}.permute(1, 0, 2)|{a}.permute(2, 0, 1)
{a}.swapaxes(0, -1)|{a}.mT|{a}.unsqueeze(0)|{a}.unsqueeze(1)|{a}.unsqueeze(-1)|{a}.squeeze()|{a}.squeeze(0)
{a}.squeeze(-1)|{a}.select(0, 1)|{a}.select(-1, 0)|{a}.narrow(0, 1, 1)|{a}.narrow(-1, 0, 2)|{a}[0]|{a}[-1]|{a}[1:]
{a}[:, 0]|{a}[:, 1:]|{a}[::2]|{a}[..., 0]|{a}[None]|{a}[:, None]|{a}[0, None]|{a}[None, :, 1]|{a}[..., ::2]
{a}[-2:]|{a}[:-1]|{a}.view(-1)|{a}.view(6)|{a}.view(3, 2)|{a}.view(1, -1)|{a}.view(2, 1, -1)|{a}.reshape(-1)
{a}.reshape(3, -1)|{a}.flatten()|{a}.flatten(1)|{a}.ravel()|{a}.unflatten(0, (1, -1))|{a}.expand(2, *{a}.shape)
{a}.expand(3, -1, -1)|{a}.expand(4, -1)|{a}.expand_as(torch.zeros(2, 2, 3))|{a}.broadcast_to(2, 2, 3)|{a}.diagonal()
{a}.unfold(0, 2, 1)|{a}.unfold(-1, 1, 2)|{a}.as_strided((2, 2), (1, 1))|{a}.as_strided((2,), (2,), 1)|{a}.unbind(0)[1]
{a}.split(1)[1]|{a}.split([1, 1])[1]|{a}.chunk(2, -1)[1]|{a}.detach()|{a}.contiguous()|{a}.data
"""
_COMPUTED = """
{a} + 1|{a} + {b}|{a} * {a}|{b} - {a}|{a}.exp()|{a}.clone()|torch.relu({a})|torch.zeros_like({a})|{a} > 0|{a}.double()
torch.where({a} > 0, {a}, {b})|{a}.clamp(0.1, 0.9)|torch.lerp({a}, {b}, 0.5)|{a} @ {b}|{a}.sum(0)|{a}.softmax(-1)
torch.maximum({a}, {b})|{a}.sigmoid()|{a} / 2|torch.stack([{a}, {a}])|torch.cat([{a}, {b}])
{a}.masked_fill({a} > 2, 0.0)|{a}.sum(-1)|{a}.max(0)[0]|{a}.mean(0, keepdim=True)|{a}.logsumexp(1)|{a}.std(1)|2 ** {a}
torch.pow(2, {a})|torch.nn.functional.logsigmoid({a})|{a}.argmax(0)|{a}.amin(1)
"""


def _program(rng: random.Random, limit: int) -> tuple[str, dict[str, object]]:
    """Statements that torch runs, and what is left behind."""
    lines = ["import torch"]
    namespace: dict[str, object] = {}
    exec(lines[0], namespace)
    names: list[str] = []
    for shape in ("6", "2, 3", "3, 2", "1, 3", "2, 1, 3", "2, 2, 3")[: rng.randint(2, 6)]:
        names.append(f"x{len(names)}")
        lines.append(f"{names[-1]} = torch.rand({shape})")
        exec(lines[-1], namespace)
    for _ in range(limit):
        a, b = rng.choice(names[-4:]), rng.choice(names)
        text = rng.choice(re.split(r"[|\n]", rng.choice([_VIEWS, _VIEWS, _COMPUTED]).strip())).format(a=a, b=b)
        name = f"x{len(names)}"
        try:
            exec(f"{name} = {text}", namespace)
        except (RuntimeError, IndexError, TypeError):
            continue
        if namespace[name].numel() == 0:  # type: ignore[attr-defined]
            continue
        names.append(name)
        lines.append(f"{name} = {text}")
    return "\n".join(lines) + "\n", {name: namespace[name] for name in names}


@pytest.mark.parametrize("seed", range(60))
def test_strides_are_those_of_torch(seed: int) -> None:
    text, real = _program(random.Random(seed), 12)
    machine = run_file(parse("program.py", text), entries=False)
    known = 0
    for name, tensor in real.items():
        said = machine.main.namespace[name]
        assert isinstance(said, Tensor)
        assert isinstance(tensor, torch.Tensor)
        found = strides.of(said.form)
        if found is None or -1 in found:
            continue
        known += 1
        assert said.shape == tuple(tensor.shape), f"{name} in\n{text}"
        assert found == tensor.stride(), f"{name} in\n{text}"
        assert said.form.offset in (None, tensor.storage_offset()), f"{name} in\n{text}"
        assert strides.contiguous(said.form) in (None, tensor.is_contiguous()), f"{name} in\n{text}"
    assert known >= len(real) // 2
