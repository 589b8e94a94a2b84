"""What neither route can know, written by hand; each row was checked by running the operation.

``METHODS`` and ``FUNCTIONS`` are bindings torch writes by hand in C++ (``python_variable_methods.cpp`` and the like).
``MAYBE`` are operations that give back their operand, a view or a copy, depending on what they are given.
``adjust`` corrects facts that samples of one dtype or mode cannot show.
"""

from __future__ import annotations

from gradsight.analysis.torch_model.table import parse_signature

from .facts import Fact, Parameter, Row


def _words(text: str) -> list[str]:
    return text.split()


CODES = {"tensor": "T", "tensor?": "T?", "tensors": "T*", "scalar": "s", "int": "i", "float": "f", "bool": "b"} | {
    "str": "S", "dtype": "d", "device": "D", "generator": "G", "other": "o"
}  # fmt: skip

_SAME = Fact(diff={"self"}, outputs="g", view="?", view_of="self")
_CAST = Fact(outputs="n", view="?", view_of="self")
_NOTHING = Fact(outputs="", structure="0")
_FRESH = Fact(outputs="n")

METHODS: list[tuple[str, str, Fact]] = [
    ("to", "self:T device:D dtype:d= non_blocking:b= copy:b= * memory_format:o=", _SAME),
    ("to", "self:T dtype:d non_blocking:b= copy:b= * memory_format:o=", _SAME),
    ("to", "self:T other:T non_blocking:b= copy:b= * memory_format:o=", _SAME),
    ("to", "self:T * device:D= dtype:d= non_blocking:b= copy:b= memory_format:o=", _SAME),
    ("contiguous", "self:T * memory_format:o=", _SAME),
    *((n, "self:T * memory_format:o=", _SAME) for n in _words("float double half bfloat16 cfloat cdouble chalf")),
    *((n, "self:T * memory_format:o=", _CAST) for n in _words("int long short char byte bool")),
    ("cpu", "self:T * memory_format:o=", _SAME),
    *((n, "self:T device:D= non_blocking:b= * memory_format:o=", _SAME) for n in _words("cuda xpu ipu")),
    ("type", "self:T dtype:o= non_blocking:b=", _SAME),
    ("detach", "self:T", Fact(outputs="n", view="v", view_of="self")),
    ("detach_", "self:T", Fact(outputs="n", returns_self="self")),
    ("requires_grad_", "self:T requires_grad:b=", Fact(outputs="g", returns_self="self")),
    (
        "copy_",
        "self:T src:T non_blocking:b=",
        Fact({"self", "src"}, outputs="g", mutates=["self"], returns_self="self"),
    ),
    ("data", "self:T", Fact(outputs="n")),
    ("share_memory_", "self:T", Fact({"self"}, outputs="g", returns_self="self")),
    ("new_tensor", "self:T data:o * dtype:d= device:D= requires_grad:b= pin_memory:b=", _FRESH),
    ("new", "self:T *args:o", _FRESH),
    ("resize_", "self:T *size:o * memory_format:o=", Fact(outputs="n", mutates=["self"], returns_self="self")),
    ("imag", "self:T", Fact({"self"}, outputs="g", view="v", view_of="self")),
    ("map_", "self:T tensor:T callable:o", Fact(outputs="n", mutates=["self"], returns_self="self")),
    ("apply_", "self:T callable:o", Fact(outputs="n", mutates=["self"], returns_self="self")),
    (
        "__getitem__",
        "self:T indices:o",
        Fact({"self"}, {("indices", frozenset({"self"})): False}, "g", view="?", view_of="self"),
    ),
    (
        "__setitem__",
        "self:T indices:o value:o",
        Fact({"self", "value"}, {("indices", frozenset({"self", "value"})): False}, "", "0", mutates=["self"]),
    ),
    *((n, "self:T", _NOTHING) for n in _words("item tolist __float__ __int__ __bool__ __index__ __len__ __complex__")),
    ("numpy", "self:T * force:b=", _NOTHING),
    ("__array__", "self:T dtype:o=", _NOTHING),
    *((n, "self:T", _NOTHING) for n in _words("dim ndimension numel nelement element_size data_ptr storage_offset")),
    *((n, "self:T dim:i=", _NOTHING) for n in _words("size stride")),
    *((n, "self:T", _NOTHING) for n in _words("shape dtype device ndim is_leaf requires_grad grad_fn is_cuda layout")),
    ("is_contiguous", "self:T memory_format:o=", _NOTHING),
    ("get_device", "self:T", _NOTHING),
    ("retain_grad", "self:T", _NOTHING),
    ("register_hook", "self:T hook:o", _NOTHING),
    ("register_post_accumulate_grad_hook", "self:T hook:o", _NOTHING),
    ("backward", "self:T gradient:T?= retain_graph:o= create_graph:b= inputs:o=", _NOTHING),
]

_DATA = Fact({"data"}, outputs="g", view="?", view_of="data")
FUNCTIONS: list[tuple[str, str, Fact]] = [
    ("torch.tensor", "data:o * dtype:d= device:D= requires_grad:b= pin_memory:b=", _FRESH),
    ("torch.as_tensor", "data:o dtype:d= device:D=", _DATA),
    ("torch.asarray", "obj:o * dtype:d= device:D= copy:o= requires_grad:b=", _DATA.renamed({"data": "obj"})),
    ("torch.from_numpy", "ndarray:o", _FRESH),
    ("torch.frombuffer", "buffer:o * dtype:d count:i= offset:i= requires_grad:b=", _FRESH),
    ("torch.from_dlpack", "ext_tensor:o * device:D= copy:o=", _FRESH),
    ("torch.range", "start:s end:s= step:s= * out:T= dtype:d= layout:o= device:D= requires_grad:b=", _FRESH),
    ("torch.nonzero", "input:T * out:T= as_tuple:b=", _FRESH),
    ("torch.detach", "input:T", Fact(outputs="n", view="v", view_of="input")),
    ("torch.detach_", "input:T", Fact(outputs="n", returns_self="input")),
    ("torch.numel", "input:T", _NOTHING),
    (
        "torch.sparse_coo_tensor",
        "indices:T values:T= size:i*= * dtype:d= device:D= requires_grad:b= check_invariants:o= is_coalesced:o=",
        Fact({"values"}, {(what, frozenset({"values"})): False for what in ("indices", "result")}, "g"),
    ),
]

MAYBE = {
    "reshape",
    "reshape_as",
    "flatten",
    "ravel",
    "contiguous",
    "type_as",
    "to_dense",
    "real",
    "resolve_conj",
    "resolve_neg",
    "conj",
    "conj_physical",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_tensors",
    "cartesian_prod",
    "squeeze_copy",
    "nan_to_num_",
    "einsum",
    "rot90",
    "unflatten",
    "pin_memory",
    "adjoint",
    "matrix_H",
    "H",
    "expand_as",
    "moveaxis",
}
# Those of them that always give a view, whatever the samples said.
_ALWAYS_VIEW = {"expand_as", "moveaxis", "unflatten", "adjoint", "H"}
_FRESH_ALWAYS = {"rot90", "nan_to_num_", "conj_physical", "squeeze_copy"}
# Zero gradients for real numbers, which the formulas (made for complex ones too) do not show.
_ZERO_FOR_REALS = {"sgn", "sgn_", "angle"}
# Returned as they are in eval mode or with p = 0; a copy when they do what they are called for.
_DROPOUTS = {
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_dropout",
}


def rows(entries: list[tuple[str, str, Fact]]) -> dict[str, list[Row]]:
    """The hand-written rows by name."""
    found: dict[str, list[Row]] = {}
    for name, signature, fact in entries:
        params = [
            Parameter(
                ("*" if p.variadic else "") + p.name,
                ("I" if p.single else "i*") if p.kind == "ints" else CODES[p.kind],
                p.default and not p.variadic,
                p.keyword_only,
            )
            for p in parse_signature(signature)
        ]
        found.setdefault(name, []).append(Row(params, fact, name))
    return found


def adjust(name: str, overloads: list[Row]) -> None:
    """Correct the facts of a name in place."""
    last = name.rpartition(".")[2]
    for row in overloads:
        fact = row.fact
        if fact is None or fact.out:
            continue
        first = row.params[0].name.lstrip("*") if row.params else None
        if last in MAYBE - _ALWAYS_VIEW - _FRESH_ALWAYS and first is not None and fact.structure != "0":
            fact.view, fact.view_of, fact.returns_self = "?", fact.view_of or first, None
        if last in _ZERO_FOR_REALS:
            fact.outputs = fact.outputs.replace("g", "z")
        if last in _DROPOUTS:
            fact.view, fact.view_of = "n", None
