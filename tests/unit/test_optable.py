"""The op table's loader, and hand-asserted rows: the facts the analysis leans on most (torch-free)."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from gradsight.analysis.torch_model.table import DATA, Overload, Table, load, pick


@pytest.fixture(scope="module")
def table() -> Table:
    return load()


def saved(overload: Overload) -> dict[str, set[str]]:
    """what -> the parameters of which any must require grad."""
    found: dict[str, set[str]] = {}
    for save in overload.saves:
        found.setdefault(save.what, set()).update(save.when)
    return found


def chosen(op, kinds: str, **keywords: str) -> Overload:
    picked = pick(op, kinds.split(), keywords)
    assert picked is not None
    return picked[0]


def test_loading_does_not_import_torch() -> None:
    code = (
        "import sys; from gradsight.analysis.torch_model.table import load; "
        "t = load(); assert t.function('torch.exp'); assert t.module('torch.nn.Linear'); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_size_and_load_time() -> None:
    assert DATA.stat().st_size < 350_000
    best = 9.0
    for _ in range(5):
        start = time.perf_counter()
        load.cache_clear()
        load()
        best = min(best, time.perf_counter() - start)
    print(f"{DATA.stat().st_size // 1024} KiB, loads in {best * 1000:.1f} ms")
    assert best < 0.1


def test_every_row_can_be_read(table: Table) -> None:
    names = list(table.names())
    assert len(names) > 1500
    overloads = 0
    for name in names:
        op = table.module(name) if name in table._modules else table.function(name)
        assert op is not None, name
        for overload in getattr(op, "overloads", ()):
            overloads += 1
            params = {p.name for p in overload.params}
            assert overload.diff <= params
            assert all(s.what in params or s.what.startswith("result") for s in overload.saves), name
            assert all(s.when for s in overload.saves), name
            assert (overload.view == "no") == (overload.view_of == ""), name
            assert set(overload.mutates) <= params, name
    print(f"{len(names)} names, {overloads} overloads")


def test_unknown_names(table: Table) -> None:
    assert table.function("torch.no_such_thing") is None
    assert table.method("no_such_method") is None
    assert table.module("torch.nn.NoSuchModule") is None


def test_same_function_under_other_names(table: Table) -> None:
    for name in ("torch.absolute", "torch.nn.functional.linear", "torch.functional.einsum", "torch.Tensor.exp"):
        assert table.function(name) is not None, name
    assert table.module("torch.nn.modules.linear.Linear") is not None


# -- what is saved ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "sqrt", "rsqrt", "reciprocal", "relu"])
def test_operations_that_save_their_result(table: Table, name: str) -> None:
    for op in (table.method(name), table.function(f"torch.{name}")):
        assert set(saved(op.overloads[0])) == {"result"}


@pytest.mark.parametrize("name", ["log", "sin", "cos", "abs", "erf", "log1p"])
def test_operations_that_save_their_input(table: Table, name: str) -> None:
    assert saved(table.method(name).overloads[0]) == {"self": {"self"}}


@pytest.mark.parametrize("name", ["add", "sub", "neg", "sum", "mean", "cumsum", "view", "clone", "floor"])
def test_operations_that_save_nothing(table: Table, name: str) -> None:
    assert all(not o.saves for o in table.method(name).overloads)


def test_softmax_saves_its_result(table: Table) -> None:
    for name in ("torch.softmax", "torch.nn.functional.softmax", "torch.nn.functional.log_softmax"):
        assert saved(table.function(name).overloads[0]).keys() == {"result"}, name


def test_mul_saves_each_operand_for_the_other(table: Table) -> None:
    overload, binding = pick(table.method("mul"), ["tensor", "tensor"], {})
    assert saved(overload) == {"self": {"other"}, "other": {"self"}}
    assert binding == {"self": 0, "other": 1}


def test_a_number_operand_saves_nothing(table: Table) -> None:
    for name in ("__mul__", "__rmul__", "__add__", "__sub__", "__rsub__", "__truediv__"):
        overload = chosen(table.method(name), "tensor number")
        assert not {"self", "result"} & {s.what for s in overload.saves if s.when & {"self"}}, name
    overload, binding = pick(table.method("mul"), ["tensor", "number"], {})
    assert all("other" in s.when or s.what == "other" for s in overload.saves)
    assert binding["other"] == 1


def test_powers(table: Table) -> None:
    assert saved(chosen(table.method("__pow__"), "tensor number")) == {"self": {"self"}}
    assert set(saved(chosen(table.method("__rpow__"), "tensor number"))) == {"self", "result"}


def test_inplace_variants(table: Table) -> None:
    mul_ = chosen(table.method("mul_"), "tensor tensor")
    assert saved(mul_) == {"other": {"self"}}
    assert mul_.mutates == ("self",) and mul_.returns_self == "self"
    relu_ = table.method("relu_").overloads[0]
    assert set(saved(relu_)) == {"result"}
    iadd = chosen(table.method("__iadd__"), "tensor number")
    assert iadd.mutates == ("self",) and not iadd.saves
    assert set(saved(table.method("exp_").overloads[0])) == {"result"}
    assert table.function("torch.nn.functional.relu[inplace]").overloads[0].mutates == ("input",)


def test_max(table: Table) -> None:
    max_ = table.method("max")
    assert set(saved(chosen(max_, "tensor"))) == {"self", "result"}
    with_dim = chosen(max_, "tensor number")
    assert with_dim.outputs == ("grad", "nograd") and with_dim.structure == "tuple"
    assert set(saved(with_dim)) == {"result1"}
    assert set(saved(chosen(max_, "tensor tensor"))) == {"self", "other"}


def test_dropout_saves_nothing_that_can_be_changed(table: Table) -> None:
    assert not table.function("torch.nn.functional.dropout").overloads[0].saves


# -- views, identities, outputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["unbind", "split", "chunk", "hsplit"])
def test_multi_views(table: Table, name: str) -> None:
    overload = table.method(name).overloads[0]
    assert overload.structure == "list"
    assert overload.view == ("view" if name == "hsplit" else "multi")


@pytest.mark.parametrize(
    "name",
    ["view", "permute", "transpose", "t", "squeeze", "unsqueeze", "expand", "narrow", "select", "T", "diagonal"],
)
def test_views(table: Table, name: str) -> None:
    assert {o.view for o in table.method(name).overloads} == {"view"}


@pytest.mark.parametrize("name", ["to", "contiguous", "float", "half", "cpu", "reshape", "flatten", "type_as"])
def test_may_return_the_operand_itself(table: Table, name: str) -> None:
    op = table.method(name)
    assert {(o.view, o.view_of, o.outputs) for o in op.overloads} == {("maybe", "self", ("grad",))}
    assert all(o.diff == {"self"} for o in op.overloads)


@pytest.mark.parametrize("name", ["long", "int", "bool", "argmax", "argsort", "eq", "__lt__", "isnan"])
def test_results_without_gradient(table: Table, name: str) -> None:
    assert {o.outputs for o in table.method(name).overloads if not o.out_variant} == {("nograd",)}


@pytest.mark.parametrize("name", ["round", "floor", "ceil", "trunc", "sign", "fix", "bernoulli", "sgn"])
def test_zero_gradients(table: Table, name: str) -> None:
    assert table.function(f"torch.{name}").overloads[0].outputs == ("zero",)


def test_detach(table: Table) -> None:
    detach = table.method("detach").overloads[0]
    assert (detach.view, detach.outputs, detach.diff) == ("view", ("nograd",), frozenset())
    assert table.method("detach_").overloads[0].returns_self == "self"


def test_out_variants(table: Table) -> None:
    add = table.function("torch.add")
    with_out = chosen(add, "tensor tensor", out="tensor")
    assert with_out.out_variant and with_out.mutates == ("out",)
    assert not chosen(add, "tensor tensor").out_variant
    assert not chosen(add, "tensor tensor", out="none").out_variant


# -- binding ---------------------------------------------------------------------------------------------------------


def bound(op, kinds: str, **keywords: str):
    return pick(op, kinds.split(), keywords)[1]


def test_ints_given_one_by_one(table: Table) -> None:
    assert bound(table.method("view"), "tensor number number") == {"self": 0, "size": (1, 2)}
    assert bound(table.method("permute"), "tensor number number number") == {"self": 0, "dims": (1, 2, 3)}
    assert bound(table.function("torch.randn"), "number number") == {"size": (0, 1)}
    assert bound(table.method("view"), "tensor ints") == {"self": 0, "size": 1}
    assert bound(table.method("view"), "tensor number") == {"self": 0, "size": 1}
    assert (
        bound(table.function("torch.zeros"), "number number", requires_grad="bool")["requires_grad"] == "requires_grad"
    )


def test_keywords_and_numpy_names(table: Table) -> None:
    assert bound(table.function("torch.sum"), "", input="tensor", dim="number") == {"input": "input", "dim": "dim"}
    assert bound(table.function("torch.sum"), "tensor", axis="number") == {"input": 0, "dim": "axis"}
    assert bound(table.function("torch.nn.functional.cross_entropy"), "tensor tensor", reduction="str")["reduction"]


def test_variadic_tensors(table: Table) -> None:
    assert bound(table.function("torch.meshgrid"), "tensor tensor", indexing="str")["tensors"] == (0, 1)
    assert bound(table.function("torch.einsum"), "str tensor tensor") is not None


def test_calls_that_do_not_fit(table: Table) -> None:
    assert pick(table.function("torch.exp"), ["tensor"] * 4, {}) is None
    assert pick(table.function("torch.exp"), ["tensor"], {"nonsense": "number"}) is None
    assert pick(table.function("torch.exp"), [], {}) is None


def test_unknown_arguments_fit_anything(table: Table) -> None:
    assert pick(table.method("mul"), ["unknown", "unknown"], {}) is not None
    assert pick(table.function("torch.cat"), ["unknown"], {"dim": "unknown"}) is not None


# -- modules ---------------------------------------------------------------------------------------------------------


def test_linear(table: Table) -> None:
    linear = table.module("torch.nn.Linear")
    assert linear.parameters == ("weight", "bias") and linear.optional == {"bias": "bias"}
    assert [p.name for p in linear.init][:3] == ["in_features", "out_features", "bias"]
    assert linear.init_defaults["bias"] is True
    assert linear.forward.diff == {"input", "weight", "bias"}
    assert saved(linear.forward) == {"input": {"weight"}, "weight": {"input"}}


def test_batch_norm(table: Table) -> None:
    norm = table.module("torch.nn.BatchNorm2d")
    assert norm.buffers == ("running_mean", "running_var", "num_batches_tracked")
    assert norm.optional["weight"] == "affine"
    assert {"input", "weight"} <= set(saved(norm.forward))


def test_embedding_does_not_save_its_weight(table: Table) -> None:
    assert set(saved(table.module("torch.nn.Embedding").forward)) == {"input"}


def test_recurrent(table: Table) -> None:
    lstm = table.module("torch.nn.LSTM")
    assert lstm.structure == "nested:(T,(T,T))" and len(lstm.forward.outputs) == 3
    assert lstm.parameters[:4] == ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    assert lstm.optional["bias_ih_l0"] == "bias"
    assert table.module("torch.nn.GRU").structure == "tuple"


def test_inplace_modules(table: Table) -> None:
    relu = table.module("torch.nn.ReLU")
    assert relu.forward.mutates == () and relu.forward_inplace.mutates == ("input",)
    assert table.module("torch.nn.Dropout").forward_inplace.returns_self == "input"


def test_losses_and_the_rest(table: Table) -> None:
    assert table.module("torch.nn.MSELoss").forward.diff == {"input", "target"}
    assert table.module("torch.nn.CrossEntropyLoss").forward.outputs == ("grad",)
    attention = table.module("torch.nn.MultiheadAttention")
    assert attention.structure == "tuple" and "out_proj.weight" in attention.parameters
    assert "self_attn.in_proj_weight" in table.module("torch.nn.TransformerEncoderLayer").parameters
    assert table.module("torch.nn.Identity").forward.returns_self == "input"


def test_recurrent_weights_in_single_precision(table: Table) -> None:
    """oneDNN's LSTM (float32 on a CPU) saves every weight, the plain one does not: such saves are not sure."""
    entries = [s for s in table.module("torch.nn.LSTM").forward.saves if s.what == "weight_ih_l0"]
    assert any(not s.sure and "weight_ih_l0" in s.when for s in entries)
    assert any(s.sure for s in table.module("torch.nn.LSTM").forward.saves if s.what == "weight_hh_l0")
