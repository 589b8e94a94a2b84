"""Lists, tuples and dicts of tensors, and what puts them together again."""

from __future__ import annotations

from .model import Builder, Value


def container(b: Builder) -> bool:
    """Put some values of one shape into a container and combine what is in it."""
    first = b.pick(lambda v: v.floating and not v.inference)
    if first is None:
        return False
    others = [
        v
        for v in b.usable()
        if v.shape == first.shape and v.dtype == first.dtype and not v.inference and v is not first
    ]
    chosen = [first, *b.rng.sample(others, min(len(others), b.rng.choice([0, 1, 1, 2])))]
    b.rng.shuffle(chosen)
    kind = b.rng.choice(["list", "list", "append", "tuple", "dict", "comprehension", "zip"])
    name = b.fresh("c")
    names = [v.name for v in chosen]
    if kind == "dict":
        keys = "abc"
        b.emit(f"{name} = {{{', '.join(f'{k!r}: {n}' for k, n in zip(keys, names, strict=False))}}}", "container:dict")
        if b.chance(0.4):
            b.emit(f"{name}['a'] = {name}['a'] * 2", "container:dict item")
        listed = f"list({name}.values())"
    elif kind == "tuple":
        b.emit(f"{name} = ({', '.join(names)},)", "container:tuple")
        listed = name
    elif kind == "append":
        b.emit(f"{name} = []", "container:empty list")
        for each in names:
            b.emit(f"{name}.append({each})", "container:append")
        listed = name
    elif kind == "comprehension":
        expression = b.rng.choice(["t * 2", "t.exp()", "t.detach()", "t", "t.clone()"])
        b.emit(f"{name} = [{expression} for t in [{', '.join(names)}]]", f"container:comprehension {expression}")
        listed = name
    elif kind == "zip":
        b.emit(
            f"{name} = [u * v for u, v in zip([{', '.join(names)}], [{', '.join(reversed(names))}])]", "container:zip"
        )
        listed = name
    else:
        b.emit(f"{name} = [{', '.join(names)}]", "container:list")
        listed = name
    return combine(b, listed, chosen)


def combine(b: Builder, listed: str, chosen: list[Value]) -> bool:
    """One tensor from a list of them."""
    first = chosen[0]
    ways = ["stack", "stack", "sum", "cat", "floats", "index", "loop"]
    if not first.shape:
        ways.remove("cat")
    else:
        ways.remove("floats")
    if listed.startswith("list("):
        ways = [w for w in ways if w != "index"]
    way = b.rng.choice(ways)
    out = b.fresh()
    if way == "stack":
        b.emit(f"{out} = torch.stack({'tuple' if b.chance(0.2) else ''}({listed}))", "container:stack")
        b.result(out, (len(chosen), *first.shape), *chosen)
    elif way == "sum":
        b.emit(f"{out} = sum({listed})", "container:sum")
        b.result(out, first.shape, *chosen)
    elif way == "cat":
        b.emit(f"{out} = torch.cat({'tuple' if b.chance(0.2) else ''}({listed}))", "container:cat")
        b.result(out, (len(chosen) * first.shape[0], *first.shape[1:]), *chosen)
    elif way == "floats":
        text = b.rng.choice(
            ["torch.tensor({})", "torch.tensor([t.item() for t in {}])", "torch.tensor([float(t) for t in {}])"]
        )
        b.emit(f"{out} = {text.format(listed)}", "container:floats")
        b.add(Value(out, (len(chosen),)))
    elif way == "index":
        b.emit(f"{out} = {listed}[0] + {listed}[-1]", "container:index")
        b.result(out, first.shape, *chosen)
    else:
        b.emit(f"{out} = 0", "container:loop start")
        item = b.fresh("e")
        with b.block(f"for {item} in {listed}:", "container:loop"):
            b.emit(f"{out} = {out} + {item}{b.rng.choice(['', '.sum()', ' * 2', '.exp()'])}", "container:loop body")
        shape = first.shape
        if b.lines[-1].endswith(".sum()"):
            shape = ()
        b.result(out, shape, *chosen)
    return True
