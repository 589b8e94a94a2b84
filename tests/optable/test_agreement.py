"""The op table against the installed torch: run operations on small inputs and compare with what their rows say.

Independent of the generator: inputs are a few fixed shapes, saves are found by bumping a tensor's version after the
call and calling backward, as a user's in-place write would.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

torch = pytest.importorskip("torch")

from gradsight.analysis.torch_model.table import Op, Overload, load, pick  # noqa: E402

MODIFIED = "modified by an inplace operation"
# Written by hand, or about something other than values: compared in test_optable.py.
SKIPPED = {"data", "detach_", "requires_grad_", "retain_grad", "backward", "register_hook", "new", "apply_", "map_"} | {
    "set_",
    "resize_as_",
    "type",
}
# Writes in place that leave requires_grad as it was, whatever their (integer) result would say.
KEEPS_FLAG = {"logical_and_", "logical_or_", "logical_xor_", "logical_not_"}
TEMPLATES: list[tuple[str, tuple[Any, ...]]] = [
    ("x", ()),
    ("xy", ()),
    ("x", (2,)),
    ("x", (0,)),
    ("x", (0, 1)),
    ("x", ([1],)),
    ("xyz", ()),
    ("v", ()),
    ("vw", ()),
    ("i", ()),
]


def inputs(letters: str) -> list[Any]:
    generator = torch.Generator().manual_seed(1)
    made = {}
    for letter in "xyz":
        made[letter] = torch.rand(3, 3, dtype=torch.float64, generator=generator) * 0.8 + 0.1
    for letter in "vw":
        made[letter] = torch.rand(4, dtype=torch.float64, generator=generator) * 0.8 + 0.1
    made["i"] = [torch.rand(3, 3, dtype=torch.float64, generator=generator) for _ in range(2)]
    return [made[letter] for letter in letters]


def kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return "tensor"
    if isinstance(value, list):
        return "tensors" if isinstance(value[0], torch.Tensor) else "ints"
    return "number"


def tensors(value: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for v in value for t in tensors(v)] if isinstance(value, (list, tuple)) else []


def callable_of(name: str) -> Any:
    thing: Any = torch
    for part in name.split(".")[1:]:
        thing = getattr(thing, part, None)
    return thing


def prepared(arguments: list[Any], grads: set[int]) -> list[Any]:
    """Copies of the arguments; those at the given positions are non-leaf tensors that require grad."""

    def copy(value: Any, grad: bool) -> Any:
        if isinstance(value, list) and isinstance(value[0], torch.Tensor):
            return [copy(v, grad) for v in value]
        if isinstance(value, torch.Tensor):
            return value.clone().requires_grad_().clone() if grad else value.clone()
        return value

    return [copy(a, i in grads) for i, a in enumerate(arguments)]


def run(function: Any, arguments: list[Any]) -> Any:
    torch.manual_seed(0)
    return function(*arguments)


def names_of(overload: Overload, binding: dict[str, Any], arguments: list[Any]) -> dict[str, list[int]]:
    """Parameter name -> positions of the tensor arguments it got."""
    places = {n: [p] if isinstance(p, int) else list(p) for n, p in binding.items()}
    return {n: ps for n, ps in places.items() if all(tensors(arguments[p]) for p in ps)}


class Comparison:
    def __init__(self) -> None:
        self.agreed: Counter[str] = Counter()
        self.wrong: dict[str, list[str]] = {}
        self.names: set[str] = set()

    def note(self, what: str, name: str, same: bool, detail: str) -> None:
        self.agreed[what] += same
        if not same:
            self.wrong.setdefault(what, []).append(f"{name}: {detail}")

    def total(self, what: str) -> int:
        return self.agreed[what] + len(self.wrong.get(what, ()))


def compare(result: Comparison, name: str, op: Op, function: Any, letters: str, extra: tuple[Any, ...]) -> None:
    arguments = [*inputs(letters), *extra]
    picked = pick(op, [kind(a) for a in arguments], {})
    if picked is None:
        return
    overload, binding = picked
    if not overload.measured:
        return
    flags = [binding.get(p.name) for p in overload.params if p.kind == "bool"]
    if any(isinstance(f, int) and kind(arguments[f]) != "tensor" and arguments[f] for f in flags):
        return  # a number passed for `inplace` asks for another operation
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if run(function, prepared(arguments, set())) is NotImplemented:
                return
    except Exception:
        return
    given = names_of(overload, binding, arguments)
    label = f"{name}({letters}{extra or ''})"
    for parameter, positions in given.items():
        ready = prepared(arguments, set(positions))
        before = [[t._version for t in tensors(a)] for a in ready]
        try:
            out = run(function, ready)
        except Exception:  # the operation refuses this operand
            continue
        result.names.add(name)
        outputs = tensors(out)
        requires = [t.requires_grad for t in outputs]
        expected_any = parameter in overload.diff and any(o != "nograd" for o in overload.outputs)
        if name.rpartition(".")[2] in KEEPS_FLAG:
            continue
        result.note("requires_grad", label, any(requires) == expected_any, f"{parameter}: {requires}")
        mutated = {n for n, ps in given.items() for p in ps if before[p] != [t._version for t in tensors(ready[p])]}
        result.note("in place", label, mutated == set(overload.mutates) & set(given), f"{mutated}")
        compare_view(result, label, overload, out, ready, given)
        if any(requires):
            compare_saves(result, label, overload, function, arguments, parameter, given)


def compare_view(
    result: Comparison, label: str, overload: Overload, out: Any, ready: list[Any], given: dict[str, list[int]]
) -> None:
    outputs = tensors(out)
    if not outputs or overload.view == "maybe" or not outputs[0].numel() or outputs[0].layout != torch.strided:
        return
    sources = [t for ps in given.values() for p in ps for t in tensors(ready[p])]
    if overload.returns_self:
        own = [t for p in given[overload.returns_self] for t in tensors(ready[p])]
        result.note("returns self", label, any(outputs[0] is t for t in own), "is not its operand")
        return
    shares = any(outputs[0].untyped_storage().data_ptr() == s.untyped_storage().data_ptr() for s in sources)
    result.note("view", label, shares == (overload.view != "no"), f"shares storage: {shares}, table: {overload.view}")


def compare_saves(
    result: Comparison,
    label: str,
    overload: Overload,
    function: Any,
    arguments: list[Any],
    parameter: str,
    given: dict[str, list[int]],
) -> None:
    targets: list[tuple[str, Any]] = [(n, ps) for n, ps in given.items() if n not in overload.mutates]
    if overload.structure != "list" and overload.view == "no" and not overload.returns_self:
        count = len(overload.outputs)
        targets += [("result" if count == 1 else f"result{i}", i) for i in range(count)]
    for what, place in targets:
        entries = [s for s in overload.saves if s.what == what and parameter in s.when]
        if any(not s.sure for s in entries):
            continue
        ready = prepared(arguments, set(given[parameter]))
        out = run(function, ready)
        outputs = tensors(out)
        own = isinstance(place, int)
        if own and place >= len(outputs):
            continue
        # sum() and real save nothing, so that only the operation's own saves can raise.
        loss = sum((t.real if t.is_complex() else t).sum() for t in outputs if t.requires_grad)
        for target in [outputs[place]] if own else [t for p in place for t in tensors(ready[p])]:
            torch.autograd.graph.increment_version(target)
        try:
            loss.backward()
            raised = False
        except RuntimeError as error:
            raised = MODIFIED in str(error)
            if not raised:
                continue
        result.note("saves", label, raised == bool(entries), f"{what} saved for {parameter}: {raised}")


def agreement() -> Comparison:
    table = load()
    result = Comparison()
    spaces = ("torch.", "torch.linalg.", "torch.special.", "torch.nn.functional.", "torch.Tensor.")
    for name in sorted(set(table.names())):
        head, _, last = name.rpartition(".")
        if head + "." not in spaces or "[" in name or last in SKIPPED or "_foreach" in last or "nonzero" in last:
            continue
        op = table.function(name)
        function = callable_of(name)
        if op is None or op.property or not callable(function) or isinstance(function, type):
            continue
        for letters, extra in TEMPLATES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compare(result, name, op, function, letters, extra)
    return result


def test_rows_agree_with_torch() -> None:
    result = agreement()
    print(f"{len(result.names)} names compared")
    for what in sorted(result.agreed):
        wrong = result.wrong.get(what, [])
        print(f"{what}: {result.agreed[what]} of {result.total(what)} agree")
        for line in wrong[:40]:
            print("   ", line)
    assert len(result.names) > 400
    for what in ("requires_grad", "saves", "view", "in place", "returns self"):
        assert result.agreed[what] / result.total(what) > 0.985, what


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("torch.add", "xy", "refused"),
        ("torch.exp", "x", "refused"),
        ("torch.cat", "i", "refused"),
        ("torch.matmul", "xy", "refused"),
        ("torch.linalg.norm", "x", "grad"),
        ("torch.gt", "xy", "nograd"),
    ],
)
def test_what_out_does(name, arguments, said):
    """Refused, tracked or written without a history, when every operand requires grad."""
    overloads = [o for o in load().function(name).overloads if o.out_variant]
    assert {o.outputs for o in overloads} == {(said,)}
    ready = prepared(inputs(arguments), set(range(len(arguments))))
    out = torch.empty_like(callable_of(name)(*ready))
    if said == "refused":
        with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
            callable_of(name)(*ready, out=out)
    else:
        callable_of(name)(*ready, out=out)
        assert out.requires_grad == (said == "grad")
