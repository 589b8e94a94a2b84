"""Layers with shapes of their own (recurrent, convolutions, embeddings, attention), and mixed precision."""

from __future__ import annotations

from .model import Builder, Value
from .modules import rows


def layer(b: Builder) -> bool:
    """A layer that takes more than rows of three features, and back to those."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    return b.rng.choice([recurrent, recurrent, convolution, embedding, attention])(b)


def recurrent(b: Builder) -> bool:
    """LSTM, GRU, RNN over one sequence, once or with the state handed on."""
    given = rows(b)
    net, out = b.fresh("rnn"), b.fresh("out")
    kind = b.rng.choice(["LSTM", "GRU", "RNN"])
    b.emit(f"{net} = nn.{kind}(3, 3, batch_first=True)", f"layer:{kind}")
    state = b.fresh("h")
    b.emit(f"{out}, {state} = {net}({given.name}.unsqueeze(0))", "layer:recurrent call")
    if b.chance(0.5):
        again = b.fresh("out")
        if b.chance(0.4):
            cut = f"tuple(each.detach() for each in {state})" if kind == "LSTM" else f"{state}.detach()"
            b.emit(f"{state} = {cut}", "layer:state detached")
        b.emit(f"{again}, {state} = {net}({given.name}.unsqueeze(0), {state})", "layer:state handed on")
        out = again
    flat = b.fresh()
    b.emit(f"{flat} = {out}.squeeze(0)", "layer:recurrent output")
    b.result(flat, given.shape, given, rg=True, dtype="float").memory.saved = True
    if kind != "LSTM" and b.chance(0.3):
        b.add(Value(state, (1, 1, 3), rg=True, leaf=False)).memory.saved = True
    return True


def convolution(b: Builder) -> bool:
    """A convolution over one channel, with a normalisation now and then."""
    given = rows(b)
    net, out = b.fresh("conv"), b.fresh("out")
    if b.chance(0.5):
        b.emit(f"{net} = nn.Conv1d(1, 1, 3, padding=1)", "layer:Conv1d")
        b.emit(f"{out} = {net}({given.name}.unsqueeze(1)).squeeze(1)", "layer:convolution call")
    else:
        inner = b.rng.choice(
            ["", ", nn.BatchNorm2d(1)", ", nn.BatchNorm2d(1), nn.ReLU(inplace=True)", ", nn.MaxPool2d(1)"]
        )
        b.emit(f"{net} = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1){inner})", f"layer:Conv2d{inner}")
        if "BatchNorm" in inner and b.chance(0.3):
            b.emit(f"{net}.eval()", "layer:eval")
        b.emit(f"{out} = {net}({given.name}[None, None])[0, 0]", "layer:convolution call")
    b.result(out, given.shape, given, rg=True, dtype="float").memory.saved = True
    return True


def embedding(b: Builder) -> bool:
    """An embedding of fixed indices, whose weight may be shared or frozen."""
    net, out = b.fresh("emb"), b.fresh("out")
    how = b.rng.choice(["nn.Embedding(4, 3)", "nn.Embedding.from_pretrained(torch.rand(4, 3))"])
    b.emit(f"{net} = {how}", f"layer:{how.split('(')[0]}")
    b.emit(f"{out} = {net}(torch.tensor([0, 2]))", "layer:embedding call")
    wants = "pretrained" not in how
    b.add(Value(out, (2, 3), rg=wants, leaf=not wants))
    return True


def attention(b: Builder) -> bool:
    """Attention: as a function or as a layer."""
    given = rows(b)
    out = b.fresh("out")
    if b.chance(0.5):
        n = given.name
        b.emit(
            f"{out} = F.scaled_dot_product_attention({n}[None], {n}[None], {n}[None])[0]", "layer:attention function"
        )
        b.result(out, given.shape, given).memory.saved = True
        return True
    net = b.fresh("attention")
    b.emit(f"{net} = nn.MultiheadAttention(3, 1, batch_first=True)", "layer:MultiheadAttention")
    b.emit(f"{out} = {net}(*[{given.name}[None]] * 3)[0][0]", "layer:attention call")
    b.result(out, given.shape, given, rg=True, dtype="float").memory.saved = True
    return True


def autocast(b: Builder) -> bool:
    """A product under autocast: in bfloat16, and back."""
    if b.nesting or b.in_function or b.mode != "on":
        return False
    given = rows(b)
    weight, out = b.fresh("w"), b.fresh("out")
    b.emit(f"{weight} = torch.rand(3, 3, requires_grad=True)", "amp:leaf")
    b.add(Value(weight, (3, 3), rg=True)).memory.leaf = True
    head = b.rng.choice(
        ["torch.autocast('cpu', dtype=torch.bfloat16)", "torch.amp.autocast('cpu', dtype=torch.bfloat16)"]
    )
    with b.block(f"with {head}:", "amp:autocast"):
        b.emit(f"{out} = {given.name} @ {weight}", "amp:product")
        if b.chance(0.3):
            b.emit(f"{out} = {out}.detach()", "amp:detach")
    plain = b.fresh()
    b.emit(f"{plain} = {out}.float()", "amp:float")
    b.result(plain, given.shape, given, rg=".detach()" not in b.lines[-2], dtype="float")
    return True
