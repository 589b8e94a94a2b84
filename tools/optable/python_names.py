"""The Python names of native functions: which overloads, in which order, with which parameter names.

Follows torch's own ``gen_python_functions``, so that the rows come in the order ``PythonArgParser`` tries them.
"""

from __future__ import annotations

from torchgen.model import NativeFunction
from torchgen.packaged.autograd import gen_python_functions as codegen

from .facts import Fact, Parameter, Row
from .from_yaml import DEPRECATED

_CODES = {
    "Tensor": "T",
    "Tensor?": "T?",
    "Scalar": "s",
    "Scalar?": "s",
    "int": "i",
    "SymInt": "i",
    "float": "f",
    "bool": "b",
    "SymBool": "b",
    "str": "S",
    "ScalarType": "d",
    "Device": "D",
    "DeviceIndex": "D",
    "Generator": "G",
}


def code_of(type_name: str) -> str:
    """The kind code of a schema type such as ``Tensor?``, ``SymInt[2]?``, ``ScalarType?``."""
    if type_name in _CODES:
        return _CODES[type_name]
    bare = type_name.removesuffix("?")
    if bare.startswith("Tensor") and "[" in bare:
        return "T*"
    if bare.startswith(("int[", "SymInt[")):
        return "i*" if "[]" in bare else "I"
    if bare.startswith(("float[", "Scalar[", "bool[")):
        return "o"
    return _CODES.get(bare, "o")


def rows_by_name(
    natives: dict[str, tuple[NativeFunction, Fact, bool]],
) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """(functions, methods): dotted name -> rows and method name -> rows, native overloads only."""
    functions = [f for f, _, _ in natives.values() if codegen.should_generate_py_binding(f)]
    named: dict[str, list[Row]] = {}
    pairs = codegen.load_signatures(functions, DEPRECATED, method=False)
    spaces = (
        ("torch.", "", codegen.is_py_torch_function),
        ("torch._C._nn.", "", codegen.is_py_nn_function),
        ("torch.linalg.", "linalg_", codegen.is_py_linalg_function),
        ("torch.fft.", "fft_", codegen.is_py_fft_function),
        ("torch.special.", "special_", codegen.is_py_special_function),
        ("torch.sparse.", "sparse_", codegen.is_py_sparse_function),
    )
    for space, prefix, belongs in spaces:
        for base, group in codegen.group_filter_overloads(pairs, belongs).items():
            named[space + str(base).removeprefix(prefix)] = _rows(group, natives, method=False)
    methods = {
        str(base): _rows(group, natives, method=True)
        for base, group in codegen.group_filter_overloads(
            codegen.load_signatures(functions, DEPRECATED, method=True), codegen.is_py_variable_method
        ).items()
    }
    return {k: v for k, v in named.items() if v}, {k: v for k, v in methods.items() if v}


def _rows(group: list, natives: dict[str, tuple[NativeFunction, Fact, bool]], *, method: bool) -> list[Row]:
    rows = []
    for overload in codegen.group_overloads(group):
        if "Dimname" in str(overload.base.func):
            continue
        params = [Parameter("self", "T")] if method else []
        positional = len(overload.signature.input_args)
        for i, a in enumerate(overload.signature.arguments(skip_outputs=True)):
            code = code_of(str(a.type))
            name = "input" if a.name == "self" and not method and code in ("T", "s") else a.name
            params.append(Parameter(name, code, a.default is not None, i >= positional))
        rows.append(_row(params, overload.base, natives))
        if overload.outplace is not None:
            returns = overload.outplace.func.arguments.out
            out = Parameter("out", "T" if len(returns) == 1 and "[" not in str(returns[0].type) else "T*", False, True)
            rows.append(_row([*params, out], overload.outplace, natives))
    return rows


def _row(params: list[Parameter], f: NativeFunction, natives: dict[str, tuple[NativeFunction, Fact, bool]]) -> Row:
    _, fact, leaf = natives[str(f.func.name)]
    names = {p.name for p in params}
    spelled = fact.renamed({"self": "input"}) if "self" not in names else fact
    # A deprecated signature may lack parameters of the function it calls.
    spelled.diff &= names
    spelled.saves = {
        (what, when & names): sure
        for (what, when), sure in spelled.saves.items()
        if (what in names or what.startswith("result")) and when & names
    }
    known = leaf or spelled.out
    if spelled.out:
        spelled.measured = True
        spelled.outputs = "n" * len(spelled.outputs)
    return Row(params, spelled if known else None, str(f.func.name), spelled)
