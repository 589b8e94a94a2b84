"""Ordinary operations: element by element, reductions, products, losses. The point is what each saves for backward."""

from __future__ import annotations

from .model import Builder, Shape, Value

#: any shape of floating values -> the same shape. Saving: s(elf), r(esult), n(othing)
UNARY: tuple[tuple[str, str], ...] = (
    ("{a}.exp()", "r"),
    ("torch.exp({a})", "r"),
    ("{a}.log()", "s"),
    ("{a}.sqrt()", "r"),
    ("{a}.rsqrt()", "r"),
    ("{a}.sin()", "s"),
    ("torch.cos({a})", "s"),
    ("{a}.tan()", "r"),
    ("{a}.tanh()", "r"),
    ("torch.tanh({a})", "r"),
    ("{a}.sigmoid()", "r"),
    ("torch.sigmoid({a})", "r"),
    ("{a}.abs()", "s"),
    ("abs({a})", "s"),
    ("-{a}", "n"),
    ("{a}.neg()", "n"),
    ("{a}.square()", "s"),
    ("{a}.reciprocal()", "r"),
    ("{a}.log1p()", "s"),
    ("{a}.expm1()", "r"),
    ("{a}.erf()", "s"),
    ("{a}.relu()", "r"),
    ("torch.relu({a})", "r"),
    ("F.relu({a})", "r"),
    ("F.gelu({a})", "s"),
    ("F.silu({a})", "s"),
    ("F.softplus({a})", "s"),
    ("F.elu({a})", "s"),
    ("F.leaky_relu({a})", "s"),
    ("F.hardtanh({a})", "s"),
    ("F.logsigmoid({a})", "s"),
    ("F.tanhshrink({a})", "r"),
    ("{a}.floor()", "n"),
    ("{a}.round()", "n"),
    ("{a}.sign()", "n"),
    ("{a}.trunc()", "n"),
    ("{a}.frac()", "n"),
    ("{a}.clamp(min=0.1)", "s"),
    ("{a}.clamp(0.1, 0.9)", "s"),
    ("{a}.clone()", "n"),
    ("{a}.pow(2)", "s"),
    ("{a}.pow(0.5)", "s"),
    ("{a} ** 2", "s"),
    ("{a} ** 3", "s"),
    ("2 ** {a}", "r"),
    ("{a} * 2", "n"),
    ("2.0 * {a}", "n"),
    ("{a} / 2", "n"),
    ("2.0 / {a}", "s"),
    ("{a} + 1", "n"),
    ("1 - {a}", "n"),
    ("{a} - 0.5", "n"),
    ("{a} % 0.3", "n"),
    ("torch.add({a}, 1)", "n"),
    ("torch.mul({a}, 0.5)", "n"),
    ("F.dropout({a}, 0.5)", "n"),
    ("F.dropout({a}, 0.5, training=False)", "i"),
    ("{a}.nan_to_num()", "s"),
    ("{a}.masked_fill({a} > 0.5, 0.0)", "n"),
    ("torch.where({a} > 0.5, {a}, 0.0)", "n"),
    ("torch.zeros_like({a}) + {a}", "n"),
    ("{a} * torch.ones_like({a})", "n"),
)

#: at least one dimension -> the same shape
DIMENSIONAL: tuple[tuple[str, str], ...] = (
    ("{a}.softmax(-1)", "r"),
    ("F.softmax({a}, dim=0)", "r"),
    ("{a}.log_softmax(dim=-1)", "r"),
    ("F.log_softmax({a}, dim=0)", "r"),
    ("{a}.cumsum(0)", "n"),
    ("{a}.cumprod(0)", "s"),
    ("{a}.flip(0)", "n"),
    ("{a}.roll(1, 0)", "n"),
    ("{a}.sort(0).values", "n"),
    ("{a}.sort(0)[0]", "n"),
    ("F.normalize({a}, dim=0)", "s"),
    ("torch.atleast_1d({a})", "i"),
    ("torch.real({a})", "i"),
    ("F.layer_norm({a}, {a}.shape)", "s"),
    ("torch.sort({a}).values", "n"),
)

#: same or broadcast shapes
BINARY: tuple[tuple[str, str], ...] = (
    ("{a} + {b}", "n"),
    ("{a} - {b}", "n"),
    ("{a} * {b}", "s"),
    ("{a} * {b}", "s"),
    ("{a} / {b}", "s"),
    ("{a}.abs() ** {b}", "s"),
    ("torch.add({a}, {b})", "n"),
    ("torch.add({a}, {b}, alpha=2)", "n"),
    ("torch.mul({a}, {b})", "s"),
    ("{a}.mul({b})", "s"),
    ("{a}.sub({b})", "n"),
    ("{a}.div({b})", "s"),
    ("torch.maximum({a}, {b})", "s"),
    ("torch.minimum({a}, {b})", "s"),
    ("torch.atan2({a}, {b})", "s"),
    ("torch.where({a} > {b}, {a}, {b})", "n"),
    ("torch.lerp({a}, {b}, 0.5)", "n"),
    ("torch.hypot({a}, {b})", "s"),
    ("torch.logaddexp({a}, {b})", "s"),
    ("torch.fmod({a}, {b})", "s"),
    ("{a} * {b} + {a}", "s"),
    ("torch.addcmul({a}, {a}, {b})", "s"),
    ("torch.addcdiv({a}, {a}, {b})", "s"),
)

#: any shape -> a scalar
REDUCTIONS: tuple[tuple[str, str], ...] = (
    ("{a}.sum()", "n"),
    ("{a}.sum()", "n"),
    ("{a}.mean()", "n"),
    ("{a}.prod()", "s"),
    ("{a}.max()", "s"),
    ("{a}.min()", "s"),
    ("{a}.amax()", "s"),
    ("{a}.norm()", "s"),
    ("{a}.var()", "s"),
    ("{a}.std()", "s"),
    ("{a}.median()", "n"),
    ("torch.sum({a})", "n"),
    ("torch.mean({a})", "n"),
    ("sum([{a}.sum(), 1.0])", "n"),
)

#: at least one dimension -> without the first
ALONG: tuple[tuple[str, str], ...] = (
    ("{a}.sum(0)", "n"),
    ("{a}.sum(dim=0)", "n"),
    ("{a}.mean(0)", "n"),
    ("{a}.mean(dim=0)", "n"),
    ("{a}.max(0).values", "n"),
    ("{a}.max(dim=0)[0]", "n"),
    ("{a}.logsumexp(0)", "s"),
    ("{a}.norm(dim=0)", "s"),
    ("{a}.prod(0)", "s"),
    ("{a}.amin(0)", "s"),
    ("{a}.std(0)", "s"),
    ("torch.sum({a}, dim=0)", "n"),
    ("torch.max({a}, 0).values", "n"),
)

LOSSES: tuple[str, ...] = (
    "F.mse_loss({a}, {b})",
    "F.l1_loss({a}, {b})",
    "F.smooth_l1_loss({a}, {b})",
    "F.binary_cross_entropy_with_logits({a}, {b}.clamp(0.0, 1.0))",
    "F.mse_loss({a}, {b}, reduction='sum')",
    "F.huber_loss({a}, {b})",
    "F.kl_div({a}, {b}, reduction='sum')",
    "F.poisson_nll_loss({a}, {b})",
)


def operation(b: Builder) -> bool:
    """One operation on values in scope."""
    kind = b.rng.choice(["unary", "unary", "unary", "binary", "binary", "binary", "reduce", "along", "dim", "product"])
    makers = {
        "unary": unary,
        "binary": binary,
        "reduce": reduction,
        "along": along,
        "dim": dimensional,
        "product": product,
    }
    return makers[kind](b)


def save(b: Builder, rule: str, result: Value, *inputs: Value) -> None:
    if b.mode == "on" and any(v.rg for v in inputs):
        if rule == "s":
            for value in inputs:
                value.memory.saved = True
        elif rule == "r":
            result.memory.saved = True


def safe_to_read(b: Builder, value: Value) -> bool:
    """Inference tensors may not be saved for backward."""
    return not value.inference or b.mode != "on" or b.risky()


def unary(b: Builder) -> bool:
    value = b.pick(lambda v: v.floating and safe_to_read(b, v))
    if value is None:
        return False
    template, rule = b.rng.choice(UNARY)
    text = template.format(a=value.name)
    if b.chance(0.15) and template.startswith("{a}."):
        second, rule = b.rng.choice([row for row in UNARY if row[0].startswith("{a}.")])
        text += second.removeprefix("{a}").format(a=value.name)
        template += " . " + second
    name = b.target()
    b.emit(f"{name} = {text}", f"unary:{template}")
    result = b.result(name, value.shape, value)
    if rule == "i":
        result.memory, result.leaf, result.view, result.rg = value.memory, value.leaf, value.view, value.rg
    save(b, rule, result, value)
    return True


def dimensional(b: Builder) -> bool:
    value = b.pick(lambda v: v.floating and len(v.shape) > 0 and safe_to_read(b, v))
    if value is None:
        return False
    template, rule = b.rng.choice(DIMENSIONAL)
    name = b.target()
    b.emit(f"{name} = {template.format(a=value.name)}", f"unary:{template}")
    save(b, rule, b.result(name, value.shape, value), value)
    return True


def reduction(b: Builder) -> bool:
    value = b.pick(lambda v: v.floating and safe_to_read(b, v))
    if value is None:
        return False
    template, rule = b.rng.choice(REDUCTIONS)
    name = b.target()
    b.emit(f"{name} = {template.format(a=value.name)}", f"reduce:{template}")
    save(b, rule, b.result(name, (), value), value)
    return True


def along(b: Builder) -> bool:
    value = b.pick(lambda v: v.floating and len(v.shape) > 0 and safe_to_read(b, v))
    if value is None:
        return False
    template, rule = b.rng.choice(ALONG)
    name = b.target()
    b.emit(f"{name} = {template.format(a=value.name)}", f"reduce:{template}")
    save(b, rule, b.result(name, value.shape[1:], value), value)
    return True


def broadcast(left: Shape, right: Shape) -> Shape | None:
    """The shape of an operation over both, or None when they do not go together."""
    out: list[int] = []
    for index in range(max(len(left), len(right))):
        a = left[-1 - index] if index < len(left) else 1
        c = right[-1 - index] if index < len(right) else 1
        if a != c and 1 not in (a, c):
            return None
        out.append(max(a, c))
    return tuple(reversed(out))


def binary(b: Builder) -> bool:
    left = b.pick(lambda v: v.floating and safe_to_read(b, v))
    if left is None:
        return False
    right = b.pick(
        lambda v: v.dtype == left.dtype and broadcast(left.shape, v.shape) is not None and safe_to_read(b, v), 0.5
    )
    if right is None:
        return False
    name = b.target()
    if left.shape == right.shape and b.chance(0.12):
        template = b.rng.choice(LOSSES)
        b.emit(f"{name} = {template.format(a=left.name, b=right.name)}", f"loss:{template}")
        save(b, "s", b.result(name, (), left, right), left, right)
        return True
    template, rule = b.rng.choice(BINARY)
    shape = broadcast(left.shape, right.shape)
    assert shape is not None
    b.emit(f"{name} = {template.format(a=left.name, b=right.name)}", f"binary:{template}")
    save(b, rule, b.result(name, shape, left, right), left, right)
    return True


def product(b: Builder) -> bool:
    """Matrix products and their kin."""
    left = b.pick(lambda v: v.floating and len(v.shape) in (1, 2) and safe_to_read(b, v))
    if left is None:
        return False
    right = b.pick(
        lambda v: (
            v.dtype == left.dtype and len(v.shape) in (1, 2) and v.shape[0] == left.shape[-1] and safe_to_read(b, v)
        )
    )
    if right is None:
        return False
    both = (len(left.shape), len(right.shape))
    ways = ["{a} @ {b}", "torch.matmul({a}, {b})", "{a}.matmul({b})"]
    ways += {
        (2, 2): [
            "torch.mm({a}, {b})",
            "{a}.mm({b})",
            "torch.einsum('ij,jk->ik', {a}, {b})",
            "torch.linalg.multi_dot([{a}, {b}])",
            "torch.tensordot({a}, {b}, 1)",
            "torch.chain_matmul({a}, {b})",
        ],
        (2, 1): ["torch.mv({a}, {b})", "torch.einsum('ij,j->i', {a}, {b})"],
        (1, 1): ["torch.dot({a}, {b})", "{a}.dot({b})"],
        (1, 2): [],
    }[both]
    template = b.rng.choice(ways)
    name = b.target()
    b.emit(f"{name} = {template.format(a=left.name, b=right.name)}", f"product:{template}")
    save(b, "s", b.result(name, left.shape[:-1] + right.shape[1:], left, right), left, right)
    return True
