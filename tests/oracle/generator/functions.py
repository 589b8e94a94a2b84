"""Functions with arguments and results, their decorators, and `if`."""

from __future__ import annotations

from .model import Builder, Value, copy_of
from .modes import NOT_INSIDE

INSIDE = NOT_INSIDE | {"container"}


def function(b: Builder) -> bool:
    """Define a function, run its body over values like those it is called with, and call it once or twice."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    arguments: list[Value] = []
    for _ in range(b.rng.choice([1, 1, 2])):
        value = b.pick(lambda v: v.floating and not v.inference and v not in arguments)
        if value is not None:
            arguments.append(value)
    if not arguments:
        return False
    name = b.fresh("f")
    decorator, mode = b.rng.choices(
        [
            ("", "on"),
            ("@torch.no_grad()", "off"),
            ("@torch.enable_grad()", "on"),
            ("@torch.inference_mode()", "inference"),
        ],
        [10, 1.2, 0.4, 0.3],
    )[0]
    parameters = [a.name if b.chance(0.3) else b.fresh("p") for a in arguments]
    if decorator:
        b.emit(decorator, f"function:{decorator}")
    outside, results = b.values, []
    by_name = b.chance(0.2)
    default = b.chance(0.15) and len(parameters) == 1
    head = ", ".join(parameters) + (", scale=2.0" if default else "")
    with b.block(f"def {name}({head}):", "function:def"), b.grad_mode(mode):
        b.in_function = True
        closure = [v for v in outside if not v.stale and v.name not in parameters] if b.chance(0.35) else []
        b.values = [copy_of(v, local=False) for v in closure if v.leaf]
        for parameter, argument in zip(parameters, arguments, strict=True):
            b.values.append(copy_of(argument, name=parameter, local=True))
        if default:
            first = b.values[-1]
            b.emit(f"{first.name} = {first.name} * scale", "function:default")
            b.result(first.name, first.shape, first)
        for _ in range(b.rng.randint(1, 4)):
            b.statement(INSIDE | (frozenset() if b.chance(0.3) else frozenset({"mode"})))
        outputs = [v for v in b.values if v.floating and v.local][-2:]
        results = [copy_of(v) for v in outputs] if b.chance(0.25) else [copy_of(v) for v in outputs[-1:]]
        b.emit("return " + ", ".join(v.name for v in results), "function:return")
    b.in_function = False
    b.values = outside
    calls = b.rng.choice([1, 1, 1, 2])
    for _ in range(calls):
        given = ", ".join(f"{p}={a.name}" if by_name else a.name for p, a in zip(parameters, arguments, strict=True))
        names = [b.fresh() for _ in results]
        b.emit(f"{', '.join(names)} = {name}({given})", "function:call")
        for fresh, result in zip(names, results, strict=True):
            b.add(copy_of(result, name=fresh, local=False))
    return True


def branch(b: Builder) -> bool:
    """`if` over a constant, a flag, or the value of a tensor; both arms change or rebind what was there before."""
    if b.nesting > 1:
        return False
    kind = b.rng.choice(["constant", "constant", "flag", "state", "value"])
    if kind == "value":
        value = b.pick(lambda v: v.floating)
        if value is None:
            return False
        condition = b.rng.choice(["{}.sum() > 0", "{}.mean() > 0.5", "{}.max() < 10", "{}.sum().item() > 1"]).format(
            value.name
        )
        b.conditions.append(condition)
    elif kind == "constant":
        condition = b.rng.choice(["True", "False", "1 + 1 == 2", "len([1, 2]) > 2", "not False"])
    elif kind == "flag":
        name = b.fresh("flag")
        b.emit(f"{name} = {b.rng.choice(['True', 'False', '0', '1', 'None'])}", "branch:flag")
        condition = b.rng.choice([name, f"not {name}", f"{name} is None"])
    else:
        value = b.pick(lambda v: v.floating)
        if value is None:
            return False
        condition = b.rng.choice(
            ["{}.requires_grad", "{}.grad is None", "{}.dim() > 1", "{}.is_leaf", "torch.is_tensor({})"]
        ).format(value.name)
    carried = b.pick(lambda v: v.floating and not v.inference and v.local == b.in_function)
    if carried is None:
        return False
    with b.block(f"if {condition}:", f"branch:{kind}"):
        arm(b, carried)
    if b.chance(0.6):
        with b.block("else:", "branch:else"):
            arm(b, carried)
    carried.rg = carried.rg and b.mode == "on"
    return True


def arm(b: Builder, carried: Value) -> None:
    with b.scope():
        for _ in range(b.rng.randint(0, 2)):
            b.statement(INSIDE)
        same = [v for v in b.values if v.shape == carried.shape and v.dtype == carried.dtype and v is not carried]
        if same and b.chance(0.6):
            b.emit(f"{carried.name} = {carried.name} * 2 + {b.rng.choice(same).name}", "branch:rebind")
        else:
            b.emit(
                f"{carried.name} = {carried.name}{b.rng.choice([' * 2', '.exp()', '.detach()', '.tanh()', ' + 1'])}",
                "branch:rebind",
            )
