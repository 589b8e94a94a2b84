"""Loops: over ranges and containers with something carried along, and training loops with an optimizer."""

from __future__ import annotations

from .model import Builder, Value
from .modes import NOT_INSIDE
from .modules import define, pick_layer

INSIDE = NOT_INSIDE | {"leaf", "backward", "grad"}

OPTIMIZERS: tuple[str, ...] = (
    "torch.optim.SGD({}, lr=0.1)",
    "torch.optim.SGD({}, lr=0.1, momentum=0.9)",
    "torch.optim.Adam({}, lr=0.1)",
    "torch.optim.AdamW({})",
    "torch.optim.RMSprop({}, lr=0.01)",
)


def loop(b: Builder) -> bool:
    """A loop that rebinds, collects or changes something."""
    if b.nesting > 1 or b.in_function:
        return False
    kind = b.rng.choice(["carry", "carry", "collect", "change", "rows", "while"])
    value = b.pick(lambda v: v.floating and not v.inference and not v.overlaps)
    if value is None:
        return False
    variable = b.fresh("i")
    count = b.rng.choice([1, 2, 3, 3, 5])
    head = f"for {variable} in range({count}):"
    if kind == "rows":
        return over_rows(b)
    if kind == "while":
        b.emit(f"{variable} = 0", "loop:while")
        head = f"while {variable} < {count}:"
    if kind in ("carry", "while"):
        name = b.fresh("h")
        b.emit(f"{name} = {value.name}", "loop:carry")
        carried = b.add(Value(name, value.shape, value.dtype, value.rg, value.leaf, value.view, memory=value.memory))
        with b.block(head, f"loop:{kind}"), b.scope():
            if kind == "while":
                b.emit(f"{variable} += 1", "loop:while")
            for _ in range(b.rng.randint(0, 2)):
                b.statement(INSIDE)
            step(b, carried)
            if b.chance(0.15):
                with b.block(f"if {variable} == 1:", "loop:if"):
                    b.emit(b.rng.choice(["break", "continue"]), "loop:break")
        carried.rg = carried.rg and b.mode == "on"
        carried.leaf = False
        carried.memory = type(carried.memory)(saved=b.chance(0.5))
        return True
    if kind == "collect":
        name, total = b.fresh("c"), b.fresh()
        b.emit(f"{name} = []", "loop:collect")
        with b.block(head, "loop:collect"), b.scope():
            text = b.rng.choice(
                ["{v} * {i}", "({v} + {i}).exp()", "{v}.sum() * {i}", "{v}.detach() * {i}", "{v}.sum().item()"]
            )
            scalar = "sum()" in text
            b.emit(f"{name}.append({text.format(v=value.name, i=variable)})", f"loop:append {text}")
        if "item" in text:
            b.emit(f"{total} = torch.tensor({name})", "loop:tensor of floats")
            b.add(Value(total, (count,)))
        elif b.chance(0.5):
            b.emit(f"{total} = torch.stack({name})", "loop:stack")
            b.result(
                total, (count, *(() if scalar else value.shape)), value, rg="detach" not in text and b.tracked(value)
            )
        else:
            b.emit(f"{total} = sum({name})", "loop:sum")
            b.result(total, () if scalar else value.shape, value, rg="detach" not in text and b.tracked(value))
        return True
    with b.block(head, "loop:change"), b.scope():
        for _ in range(b.rng.randint(1, 3)):
            b.statement(INSIDE)
    return True


def step(b: Builder, carried: Value) -> None:
    """One step of what a loop carries along."""
    n = carried.name
    ways = [f"{n} = {n} * 2", f"{n} = {n}.tanh()", f"{n} = {n} + {n}.detach()", f"{n} = {n}.exp().log()"]
    other = b.pick(
        lambda v: v.shape == carried.shape and v.dtype == carried.dtype and v is not carried and not v.inference
    )
    if other is not None:
        ways += [f"{n} = {n} + {other.name}", f"{n} = {n} * {other.name}", f"{n} = torch.tanh({n} + {other.name})"]
    if b.risky():
        ways += [f"{n} += 1", f"{n} *= 2", f"{n} = {n}.detach()"]
    b.emit(b.rng.choice(ways), "loop:step")


def over_rows(b: Builder) -> bool:
    """Iterating over a tensor gives views of its rows."""
    value = b.pick(lambda v: v.floating and len(v.shape) > 0 and not v.inference)
    if value is None:
        return False
    total, row = b.fresh(), b.fresh("row")
    b.emit(f"{total} = 0.0", "loop:rows")
    iterated = b.rng.choice([row, row, f"{b.fresh('i')}, {row}"])
    source = f"enumerate({value.name})" if "," in iterated else value.name
    with b.block(f"for {iterated} in {source}:", "loop:rows"):
        if b.risky():
            b.emit(f"{row} *= 2", "loop:rows in place")
        b.emit(f"{total} = {total} + {row}{b.rng.choice(['', ' * 2', '.exp()'])}", "loop:rows")
    b.result(total, value.shape[1:], value)
    return True


def training(b: Builder) -> bool:
    """A training loop: forward, backward, step, in the right order or not."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    parameters, call = subject(b)
    optimizer = b.fresh("opt")
    b.emit(f"{optimizer} = {b.rng.choice(OPTIMIZERS).format(parameters)}", "training:optimizer")
    data, target = b.fresh("data"), b.fresh("target")
    b.emit(f"{data} = torch.rand(2, 3)", "training:data")
    b.emit(f"{target} = torch.rand(2, 3)", "training:data")
    b.add(Value(data, (2, 3)))
    b.add(Value(target, (2, 3)))
    carried = b.chance(0.25)
    total = b.chance(0.3)
    if total:
        b.emit("total = 0.0", "training:total")
    if carried:
        b.emit("state = torch.zeros(2, 3)", "training:state")
    loss, out = b.fresh("loss"), b.fresh("out")
    head = f"for {b.fresh('step')} in range({b.rng.choice([1, 2, 3])}):"
    with b.block(head, "training:loop"), b.scope():
        order = ["zero", "forward", "backward", "step"]
        if b.risky():
            order = b.rng.choice(
                [
                    ["forward", "zero", "backward", "step"],
                    ["zero", "forward", "step", "backward"],
                    ["zero", "forward", "backward", "step", "backward"],
                    ["zero", "forward", "backward", "backward", "step"],
                    ["forward", "backward", "step", "zero"],
                    ["zero", "forward", "backward"],
                ]
            )
        for action in order:
            if action == "zero":
                b.emit(f"{optimizer}.zero_grad({b.rng.choice(['', '', 'set_to_none=False'])})", "training:zero_grad")
            elif action == "forward":
                b.emit(f"{out} = {call.format(data)}", "training:forward")
                if carried:
                    b.emit(f"state = {out} + state{'.detach()' if b.chance(0.5) else ''}", "training:state")
                    b.emit(f"{loss} = F.mse_loss(state, {target})", "training:loss")
                else:
                    text = b.rng.choice(["F.mse_loss({o}, {t})", "(({o} - {t}) ** 2).mean()", "{o}.sum()"])
                    b.emit(f"{loss} = {text.format(o=out, t=target)}", "training:loss")
            elif action == "backward":
                b.emit(f"{loss}.backward({'retain_graph=True' if b.chance(0.08) else ''})", "training:backward")
            else:
                if b.chance(0.15):
                    b.emit(f"torch.nn.utils.clip_grad_norm_({parameters}, 1.0)", "training:clip")
                b.emit(f"{optimizer}.step()", "training:step")
        if total:
            b.emit(f"total += {loss}{b.rng.choice(['.item()', '.detach()', '', '.item()'])}", "training:total")
    if b.chance(0.2):
        with b.block("with torch.no_grad():", "training:validation"):
            b.emit(f"print(F.mse_loss({call.format(data)}, {target}).item())", "training:validation")
    b.went_backward()
    return True


def subject(b: Builder) -> tuple[str, str]:
    """What is trained: (its parameters as an expression, a call with a hole for the data)."""
    kind = b.rng.choice(["class", "ready", "leaves"])
    if kind == "leaves":
        weight, bias = b.fresh("w"), b.fresh("w")
        b.emit(f"{weight} = torch.rand(3, 3, requires_grad=True)", "training:leaf")
        b.emit(f"{bias} = torch.zeros(3, requires_grad=True)", "training:leaf")
        held = [weight, bias] if b.chance(0.8) else [weight]
        return f"[{', '.join(held)}]", f"({{}} @ {weight} + {bias})"
    name = b.fresh("net")
    if kind == "class":
        b.emit(f"{name} = {define(b)}()", "training:model")
    else:
        layers = ["nn.Linear(3, 3)", *(pick_layer(b) for _ in range(b.rng.randint(0, 2)))]
        b.emit(f"{name} = nn.Sequential({', '.join(layers)})", "training:model")
    return f"{name}.parameters()", f"{name}({{}})"
