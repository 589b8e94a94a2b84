"""Python as people write it around torch: generators, properties, inheritance, decorators, closures, `try`, `match`."""

from __future__ import annotations

from .model import Builder, Value

STEPS: tuple[str, ...] = ("{} * 2", "{}.tanh()", "{}.exp()", "{}.detach() + 1", "{} + {}", "{}.clone()")


def step(b: Builder, name: str) -> str:
    text = b.rng.choice(STEPS)
    return text.format(*[name] * text.count("{}"))


def idiom(b: Builder) -> bool:
    """One idiom over one value."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    value = b.pick(lambda v: v.floating and not v.inference and not v.overlaps)
    if value is None:
        return False
    out = b.fresh()
    maker = b.rng.choice(MAKERS)
    shape = maker(b, value, out)
    detached = ".detach()" in "\n".join(b.lines[-14:])
    b.result(out, shape, value, rg=value.rg and not detached)
    return True


def generator(b: Builder, value: Value, out: str) -> tuple[int, ...]:
    name = b.fresh("gen")
    with b.block(f"def {name}(t):", "idiom:generator"):
        if b.chance(0.5):
            with b.block("for i in range(3):", "idiom:generator"):
                b.emit(f"t = {step(b, 't')}", "idiom:generator")
                b.emit("yield t", "idiom:yield")
        else:
            b.emit(f"yield {step(b, 't')}", "idiom:yield")
            b.emit("yield from [t, t * 3]", "idiom:yield from")
    b.emit(f"{out} = sum({name}({value.name}))", "idiom:sum of a generator")
    return value.shape


def inheritance(b: Builder, value: Value, out: str) -> tuple[int, ...]:
    base, derived, net = b.fresh("Base"), b.fresh("Net"), b.fresh("net")
    with b.block(f"class {base}(nn.Module):", "idiom:base class"):
        with b.block("def __init__(self, size=1):", "idiom:base class"):
            b.emit("super().__init__()", "idiom:super")
            b.emit("self.weight = nn.Parameter(torch.ones(size))", "idiom:base parameter")
        with b.block("def forward(self, t):", "idiom:base class"):
            b.emit(f"return {step(b, 't')} * self.weight", "idiom:base forward")
    with b.block(f"class {derived}({base}):", "idiom:derived class"):
        with b.block("def __init__(self, **options):", "idiom:derived class"):
            b.emit("super().__init__(**options)", "idiom:super")
            b.emit("self.extra = nn.Parameter(torch.zeros(1))", "idiom:derived parameter")
        if b.chance(0.5):
            b.emit("@property", "idiom:property")
            with b.block("def double(self):", "idiom:property"):
                b.emit(f"return {b.rng.choice(['self.weight * 2', 'self.weight.detach() * 2'])}", "idiom:property")
        else:
            b.emit("double = 2.0", "idiom:class attribute")
        with b.block("def forward(self, t):", "idiom:derived class"):
            b.emit(f"return super().forward(t) * self.double{b.rng.choice(['', ' + self.extra'])}", "idiom:super")
    b.emit(f"{net} = {derived}({b.rng.choice(['', 'size=1'])})", "idiom:instance")
    b.emit(f"{out} = {net}({value.name})", "idiom:call")
    return value.shape


def decorated(b: Builder, value: Value, out: str) -> tuple[int, ...]:
    decorator, name = b.fresh("deco"), b.fresh("f")
    b.emit("import functools", "import")
    with b.block(f"def {decorator}(function):", "idiom:decorator"):
        b.emit("@functools.wraps(function)", "idiom:wraps")
        with b.block("def wrapper(*args, **kwargs):", "idiom:wrapper"):
            if b.chance(0.3):
                with b.block("with torch.no_grad():", "idiom:decorator no_grad"):
                    b.emit("return function(*args, **kwargs).detach()", "idiom:wrapper")
            else:
                b.emit(f"return {step(b, 'function(*args, **kwargs)')}", "idiom:wrapper")
        b.emit("return wrapper", "idiom:decorator")
    b.emit(f"@{decorator}", "idiom:decorated")
    with b.block(f"def {name}(t, *more, scale=1.0):", "idiom:star arguments"):
        b.emit("return t * scale + sum(more)", "idiom:star arguments")
    given = b.rng.choice(
        [f"{value.name}", f"{value.name}, {value.name}", f"{value.name}, scale=2.0", f"*[{value.name}] * 2"]
    )
    b.emit(f"{out} = {name}({given})", "idiom:star call")
    return value.shape


def closure(b: Builder, value: Value, out: str) -> tuple[int, ...]:
    outer, made = b.fresh("make"), b.fresh("f")
    with b.block(f"def {outer}(kept):", "idiom:closure"):
        if b.chance(0.4):
            b.emit(f"kept = {step(b, 'kept')}", "idiom:closure")
        if b.chance(0.5):
            with b.block("def inner(t):", "idiom:closure"):
                if b.chance(0.4):
                    b.emit("nonlocal kept", "idiom:nonlocal")
                    b.emit("kept = kept * 2", "idiom:nonlocal")
                else:
                    b.emit("t = t + 1", "idiom:closure")
                b.emit("return t * kept", "idiom:closure")
            b.emit("return inner", "idiom:closure")
        else:
            b.emit("return lambda t: t + kept", "idiom:lambda")
    b.emit(f"{made} = {outer}({value.name})", "idiom:closure")
    b.emit(f"{out} = {made}({value.name})", "idiom:closure call")
    return value.shape


def record(b: Builder, value: Value, out: str) -> tuple[int, ...]:
    cls, held = b.fresh("Record"), b.fresh("r")
    b.emit("import dataclasses", "import")
    b.emit("@dataclasses.dataclass", "idiom:dataclass")
    with b.block(f"class {cls}:", "idiom:dataclass"):
        b.emit("first: torch.Tensor", "idiom:field")
        b.emit("second: float = 2.0", "idiom:field")
        b.emit("kept: list = dataclasses.field(default_factory=list)", "idiom:field")
        with b.block("def product(self):", "idiom:method"):
            b.emit("return self.first * self.second", "idiom:method")
    b.emit(f"{held} = {cls}({value.name})", "idiom:dataclass")
    if b.chance(0.4):
        b.emit(f"{held}.first = {step(b, f'{held}.first')}", "idiom:field set")
    b.emit(f"{held}.kept.append({held}.product())", "idiom:field list")
    b.emit(f"{out} = {held}.kept[0] + {held}.first", "idiom:field read")
    return value.shape


def tried(b: Builder, value: Value, out: str) -> tuple[int, ...]:
    b.emit("try:", "idiom:try")
    b.depth += 1
    b.emit(f"{out} = {step(b, value.name)}", "idiom:try")
    if b.chance(0.4):
        b.emit("raise ValueError('no')", "idiom:raise")
    b.depth -= 1
    if "raise" in b.lines[-1]:
        b.emit("except ValueError:", "idiom:except")
        b.emit(f"    {out} = {step(b, value.name)}", "idiom:except")
    else:
        b.emit("finally:", "idiom:finally")
        b.emit(f"    {out} = {step(b, value.name)}", "idiom:finally")
    return value.shape


def matched(b: Builder, value: Value, out: str) -> tuple[int, ...]:
    kind = b.fresh("kind")
    b.emit(f"{kind} = {b.rng.choice(['1', '2', '3', repr('a')])}", "idiom:match")
    with b.block(f"match {kind}:", "idiom:match"):
        with b.block("case 1 | 2:", "idiom:case"):
            b.emit(f"{out} = {step(b, value.name)}", "idiom:case")
        with b.block("case str(text):", "idiom:case"):
            b.emit(f"{out} = {step(b, value.name)}", "idiom:case")
        with b.block("case _:", "idiom:case"):
            b.emit(f"{out} = {step(b, value.name)}", "idiom:case")
    return value.shape


def context(b: Builder, value: Value, out: str) -> tuple[int, ...]:
    name = b.fresh("scope")
    b.emit("import contextlib", "import")
    b.emit("@contextlib.contextmanager", "idiom:contextmanager")
    with b.block(f"def {name}(t):", "idiom:contextmanager"):
        if b.chance(0.3):
            with b.block("with torch.no_grad():", "idiom:contextmanager"):
                b.emit("yield t.detach() * 2", "idiom:contextmanager")
        else:
            b.emit(f"yield {step(b, 't')}", "idiom:contextmanager")
    held = b.fresh("t")
    with b.block(f"with {name}({value.name}) as {held}:", "idiom:with"):
        b.emit(f"{out} = {held} * 3", "idiom:with")
    return value.shape


MAKERS = (generator, inheritance, decorated, closure, record, tried, matched, context)
