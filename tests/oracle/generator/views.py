"""Views: names for the same memory."""

from __future__ import annotations

from .model import Builder, Shape, Value


def ways(value: Value) -> list[tuple[str, Shape, str]]:
    """What views of a value there are: (expression, shape, "plain" | "overlaps")."""
    n, s = value.name, value.shape
    numel = 1
    for size in s:
        numel *= size
    out: list[tuple[str, Shape, str]] = [
        (f"{n}.view(-1)", (numel,), "contiguous"),
        (f"{n}.reshape(-1)", (numel,), "contiguous"),
        (f"{n}.unsqueeze(0)", (1, *s), "plain"),
        (f"{n}[None]", (1, *s), "plain"),
        (f"{n}[...]", s, "plain"),
        (f"{n}.view_as({n})", s, "contiguous"),
    ]
    if s:
        out += [
            (f"{n}[0]", s[1:], "plain"),
            (f"{n}[0]", s[1:], "plain"),
            (f"{n}[:1]", (1, *s[1:]), "plain"),
            (f"{n}[:]", s, "plain"),
            (f"{n}.select(0, 0)", s[1:], "plain"),
            (f"{n}.narrow(0, 0, 1)", (1, *s[1:]), "plain"),
            (f"{n}.flatten()", (numel,), "contiguous"),
            (f"{n}.expand(2, *{n}.shape)", (2, *s), "overlaps"),
            (f"{n}[-1]", s[1:], "plain"),
            (f"{n}.expand_as(torch.zeros(2, *{n}.shape))", (2, *s), "overlaps"),
            (f"{n}.broadcast_to((3, *{n}.shape))", (3, *s), "overlaps"),
            (f"{n}[None].expand(1, *{n}.shape)", (1, *s), "plain"),
            (f"{n}.unfold(0, 1, 1)", (*s, 1), "plain"),
            (f"{n}.unsqueeze(-1)", (*s, 1), "plain"),
            (f"{n}[..., :1]", (*s[:-1], 1), "plain"),
            (f"{n}.unflatten(0, (1, -1))", (1, *s), "plain"),
            (f"{n}[0:1].expand(2, *{n}.shape[1:])", (2, *s[1:]), "overlaps"),
            (f"{n}[::2]", (-(-s[0] // 2), *s[1:]), "plain"),
            (f"{n}.squeeze()", tuple(size for size in s if size != 1), "plain"),
            (f"{n}.ravel()", (numel,), "contiguous"),
        ]
        if s[0] > 1:
            out += [
                (f"{n}.as_strided((2,), (1,))", (2,), "contiguous"),
                (f"{n}.as_strided((2, 2), (1, 0))", (2, 2), "overlapping"),
            ]
            out += [(f"{n}[0:2]", (2, *s[1:]), "plain"), (f"{n}[1:]", (s[0] - 1, *s[1:]), "plain")]
    if len(s) == 2:
        out += [
            (f"{n}.t()", (s[1], s[0]), "turned"),
            (f"{n}.T", (s[1], s[0]), "turned"),
            (f"{n}.transpose(0, 1)", (s[1], s[0]), "turned"),
            (f"{n}.permute(1, 0)", (s[1], s[0]), "turned"),
            (f"{n}.diagonal()", (min(s),), "plain"),
            (f"{n}[:, 0]", (s[0],), "plain"),
            (f"{n}[0, 0]", (), "plain"),
            (f"{n}.mT", (s[1], s[0]), "turned"),
            (f"{n}.swapaxes(0, 1)", (s[1], s[0]), "turned"),
            (f"{n}[:, :1].expand(-1, 2)", (s[0], 2), "overlaps"),
            (f"{n}.t().contiguous()", (s[1], s[0]), "turned"),
            (f"{n}.t().reshape(-1)", (numel,), "turned"),
        ]
    if s and s[0] == 1:
        out += [(f"{n}.squeeze(0)", s[1:], "plain")]
    return out


def view(b: Builder) -> bool:
    """A view of a value, one or several of a split."""
    if b.chance(0.2):
        return several(b)
    value = b.pick(lambda v: v.floating and len(v.shape) < 3 and (not v.overlaps or b.chance(0.4)))
    if value is None:
        return False
    text, shape, how = b.rng.choice(ways(value))
    if how in ("contiguous", "overlapping") and (value.view or value.overlaps):
        return False
    name = b.target()
    b.emit(f"{name} = {text}", "view:" + text.replace(value.name, "{a}"))
    b.view_of(name, shape, value, overlaps=how.startswith("overlap"))
    return True


def several(b: Builder) -> bool:
    """Views that come many at a time: none of them may be changed in place."""
    value = b.pick(lambda v: v.floating and len(v.shape) in (1, 2) and v.shape[0] == 3 and not v.overlaps)
    if value is None:
        return False
    text, shape = b.rng.choice(
        [
            (f"{value.name}.unbind(0)", value.shape[1:]),
            (f"torch.unbind({value.name})", value.shape[1:]),
            (value.name, value.shape[1:]),
            (f"{value.name}.split(1)", (1, *value.shape[1:])),
            (f"torch.split({value.name}, [1, 1, 1])", (1, *value.shape[1:])),
            (f"{value.name}.chunk(3)", (1, *value.shape[1:])),
        ]
    )
    names = [b.fresh() for _ in range(3)]
    b.emit(f"{', '.join(names)} = {text}", "views:" + text.replace(value.name, "{a}"))
    for name in names:
        b.view_of(name, shape, value, "multi")
    return True
