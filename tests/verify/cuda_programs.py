"""Programs about devices and what has to be true after each; they run on a real GPU and in simulation alike.

Each is the body of a script that fills `facts`, a dictionary of plain values. What both runs say must be equal.
"""

PROGRAMS = {
    "moving a leaf": """
x = torch.randn(3, requires_grad=True)
moves = {"cuda()": x.cuda(), "to": x.to("cuda"), "to device": x.to(torch.device("cuda")), "to int": x.to(0)}
for name, y in moves.items():
    facts[name] = (y.is_leaf, type(y.grad_fn).__name__, str(y.device), y.is_cuda, y is x)
facts["cpu is self"] = x.cpu() is x
y = x.cuda()
facts["again is self"] = (y.cuda() is y, y.to("cuda") is y, y.to("cuda:0") is y, y.to("cuda", copy=True) is y)
back = y.cpu()
facts["back"] = (back.is_leaf, str(back.device), type(back.grad_fn).__name__)
(y * 2).sum().backward()
facts["grad"] = (x.grad.tolist(), str(x.grad.device), y.is_leaf)
""",
    "made on the device": """
x = torch.randn(3, device="cuda", requires_grad=True)
(x * 2).sum().backward()
facts["x"] = (x.is_leaf, str(x.device), x.grad.tolist(), str(x.grad.device), x.grad.is_cuda, x.get_device())
facts["like"] = [str(t.device) for t in (torch.zeros_like(x), x.new_zeros(1), x.detach(), x.data, x.clone(), x[0])]
facts["factories"] = [str(t.device) for t in (torch.ones(1, device="cuda"), torch.arange(2, device=0),
    torch.tensor([1.0], device="cuda:0"), torch.full((1,), 2.0, device=torch.device("cuda", 0)), torch.tensor([1.0]),
    torch.as_tensor([1.0], device="cuda"), torch.rand(1).to(x))]
facts["types"] = (x.type(), x.cpu().type(), x.detach().half().type())
""",
    "mixing devices": """
a, b = torch.ones(3, device="cuda"), torch.ones(3)
def attempt(name, call):
    try:
        facts[name] = str(call().device)
    except (RuntimeError, TypeError) as error:
        facts[name] = (type(error).__name__ in ("RuntimeError", "TypeError"), str(error)[:46])
attempt("add", lambda: a + b)
attempt("number", lambda: a + 1)
attempt("0-dim", lambda: a + torch.tensor(1.0))
attempt("0-dim cuda to cpu", lambda: b + torch.tensor(1.0, device="cuda"))
attempt("matmul", lambda: a @ b)
attempt("linear", lambda: nn.Linear(3, 2).cuda()(b.unsqueeze(0)))
attempt("embedding", lambda: nn.Embedding(5, 2).cuda()(torch.tensor([1])))
attempt("cat", lambda: torch.cat([a, b]))
attempt("index by cpu", lambda: a[torch.tensor([0, 1])])
attempt("index by cuda", lambda: b[torch.tensor([0, 1]).cuda()])
attempt("copy_", lambda: a.copy_(b))
attempt("numpy", lambda: torch.from_numpy(a.numpy()))
attempt("cross entropy", lambda: F.cross_entropy(torch.ones(2, 3, device="cuda"), torch.tensor([0, 1])))
""",
    "modules stay leaves": """
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.BatchNorm1d(8), nn.Linear(8, 2))
before = list(net.parameters())
moved = net.to("cuda")
facts["same"] = (moved is net, all(p is q for p, q in zip(before, net.parameters())), all(p.is_leaf for p in before))
facts["devices"] = sorted({str(t.device) for t in [*net.parameters(), *net.buffers()]})
opt = torch.optim.Adam(net.parameters(), lr=0.1)
for _ in range(2):
    opt.zero_grad()
    loss = F.cross_entropy(net(torch.randn(5, 4).cuda()), torch.tensor([0, 1, 0, 1, 0]).cuda())
    loss.backward()
    opt.step()
facts["grads"] = [(str(p.grad.device), p.grad is not None) for p in net.parameters()]
by_hand = nn.Parameter(torch.ones(2)).cuda(), nn.Parameter(torch.ones(2).cuda())
facts["parameter moved by hand"] = [p.is_leaf for p in by_hand]
facts["state"] = sorted({str(t.device) for t in net.state_dict().values()})
net.cpu()
facts["back"] = (str(before[0].device), before[0].is_leaf)
""",
    "an optimizer refuses a moved leaf": """
try:
    torch.optim.SGD([torch.ones(2, requires_grad=True).cuda()], lr=0.1)
except ValueError as error:
    facts["error"] = str(error)
""",
    "scaler and autocast": """
net = nn.Linear(3, 1).cuda()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.cuda.amp.GradScaler()
with torch.autocast("cuda"):
    loss = net(torch.ones(2, 3, device="cuda")).float().sum()
scaler.scale(loss).backward()
scaler.unscale_(opt)
torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
scaler.step(opt)
scaler.update()
facts["scaler"] = (scaler.is_enabled(), scaler.get_scale(), str(net.weight.grad.device))
""",
    "loader, pinning, generators": """
from torch.utils.data import DataLoader, TensorDataset
torch.cuda.manual_seed_all(1)
seen = []
for x, y in DataLoader(TensorDataset(torch.ones(4, 2), torch.ones(4)), batch_size=2, shuffle=True, pin_memory=True):
    x = x.to("cuda", non_blocking=True)
    seen.append((str(x.device), str(y.device)))
facts["batches"] = seen
g = torch.Generator(device="cuda").manual_seed(3)
facts["generator"] = (str(torch.rand(2, generator=g, device="cuda").device), str(g.device.type))
facts["pinned"] = str(torch.ones(2).pin_memory().cuda().device)
torch.cuda.synchronize(); torch.cuda.empty_cache()
facts["api"] = (torch.cuda.is_available(), torch.cuda.device_count() > 0, isinstance(torch.cuda.get_device_name(), str))
""",
    "custom functions, hooks, checkpoint": """
class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w
    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return grad * w + torch.zeros(2, device="cuda"), grad * x
x = torch.ones(2, device="cuda", requires_grad=True)
y = Double.apply(x, (torch.ones(2) * 2).cuda())
y.register_hook(lambda g: g * torch.ones(2, device="cuda"))
y.sum().backward()
facts["function"] = (str(y.device), x.grad.tolist(), str(x.grad.device))
(g,) = torch.autograd.grad((x * x).sum(), x, create_graph=True)
facts["double"] = (str(g.device), g.requires_grad)
from torch.utils.checkpoint import checkpoint
net = nn.Linear(2, 2).cuda()
checkpoint(net, torch.ones(1, 2, device="cuda", requires_grad=True), use_reentrant=False).sum().backward()
facts["checkpoint"] = str(net.weight.grad.device)
""",
    "layers": """
facts["lstm"] = str(nn.LSTM(3, 4).cuda()(torch.randn(5, 2, 3).cuda())[0].device)
from torch.nn.utils.rnn import pack_padded_sequence
packed = pack_padded_sequence(torch.ones(3, 2, 2).cuda(), torch.tensor([3, 2]))
facts["packed"] = str(nn.GRU(2, 2).cuda()(packed)[1].device)
facts["conv"] = str(nn.Conv2d(1, 2, 3, device="cuda")(torch.ones(1, 1, 5, 5, device="cuda")).device)
facts["attention"] = str(nn.TransformerEncoderLayer(8, 2, batch_first=True).cuda()(torch.randn(2, 5, 8).cuda()).device)
with torch.device("cuda"):
    facts["context"] = (str(torch.ones(1).device), str(nn.Linear(1, 1).weight.device))
d = torch.distributions.Normal(torch.zeros(2).cuda(), torch.ones(2).cuda())
facts["distribution"] = (str(d.rsample().device), str(d.log_prob(torch.zeros(2).cuda()).device))
facts["outputs"] = [str(t.device) for t in (*torch.ones(2, 2).cuda().max(dim=1), *torch.ones(4).cuda().split(2))]
facts["repr"] = "device='cuda:0'" in repr(torch.ones(2).cuda())
""",
}

HEAD = """
import json, os, sys
import torch
import torch.nn as nn
import torch.nn.functional as F
every = {}
"""
TAIL = """
print("FACTS " + json.dumps(every, default=str))
end = torch.randn(3).sum()
end.backward()
"""


def script(*names: str) -> str:
    """One program of several, which prints the facts of each and then reaches a sink that raises."""
    parts = [f"facts = every[{name!r}] = {{}}\ntorch.manual_seed(0)\n{PROGRAMS[name]}" for name in names]
    return HEAD + "\n".join(parts) + TAIL
