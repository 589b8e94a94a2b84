"""Optimizers: what they may hold, which bump versions, and steps at the wrong moment."""

STEP_BETWEEN = """
=== step_between_{name}
net = {net}
opt = torch.optim.{opt}
x = {x}
y = net(x)
net(x).sum().backward()
opt.step()
y.sum().backward()
"""

TEXT = (
    "".join(
        STEP_BETWEEN.format(name=name, net=net, opt=opt, x=x).rstrip("\n")
        for name, net, opt, x in [
            ("linear", "nn.Linear(3, 1)", "SGD(net.parameters(), lr=0.1)", "torch.rand(2, 3)"),
            (
                "linear_trained_input",
                "nn.Linear(3, 1)",
                "SGD(net.parameters(), lr=0.1)",
                "torch.rand(2, 3, requires_grad=True)",
            ),
            (
                "two_linear",
                "nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))",
                "SGD(net.parameters(), lr=0.1)",
                "torch.rand(2, 3)",
            ),
            (
                "two_linear_adam",
                "nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))",
                "Adam(net.parameters())",
                "torch.rand(2, 3)",
            ),
            (
                "two_linear_fused",
                "nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))",
                "SGD(net.parameters(), lr=0.1, fused=True)",
                "torch.rand(2, 3)",
            ),
            ("conv", "nn.Conv2d(1, 1, 1)", "SGD(net.parameters(), lr=0.1)", "torch.rand(1, 1, 2, 2)"),
            ("batch_norm", "nn.BatchNorm1d(3)", "SGD(net.parameters(), lr=0.1)", "torch.rand(4, 3)"),
            ("layer_norm", "nn.LayerNorm(3)", "SGD(net.parameters(), lr=0.1)", "torch.rand(4, 3)"),
            ("prelu", "nn.PReLU()", "SGD(net.parameters(), lr=0.1)", "torch.rand(4, 3)"),
            ("embedding", "nn.Embedding(5, 2)", "SGD(net.parameters(), lr=0.1)", "torch.tensor([0, 1])"),
        ]
    )
    + r"""
=== optimizer_of_computed
w = torch.rand(3, requires_grad=True) * 0.1
opt = torch.optim.SGD([w], lr=0.1)
=== optimizer_of_nothing
opt = torch.optim.SGD([], lr=0.1)
=== optimizer_of_used_up_generator
net = nn.Linear(3, 1)
params = net.parameters()
count = len(list(params))
opt = torch.optim.SGD(params, lr=0.1)
=== optimizer_of_plain_tensor
w = torch.rand(3)
opt = torch.optim.SGD([w], lr=0.1)
=== training_loop
net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(3):
    opt.zero_grad()
    loss = F.mse_loss(net(torch.rand(2, 3)), torch.rand(2, 1))
    loss.backward()
    opt.step()
=== zero_grad_at_the_end
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
net(torch.rand(2, 3)).sum().backward()
opt.zero_grad()
=== zero_grad_keeping_tensors
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
net(torch.rand(2, 3)).sum().backward()
opt.zero_grad(set_to_none=False)
=== module_zero_grad
net = nn.Linear(3, 1)
net(torch.rand(2, 3)).sum().backward()
net.zero_grad()
=== zero_grad_between_backward_and_read
w = torch.rand(3, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.1)
(w * 2).sum().backward()
opt.zero_grad()
print(w.grad)
=== loss_outside_the_loop
w = torch.rand(3, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.1)
loss = (w ** 2).sum()
for step in range(2):
    opt.zero_grad()
    loss.backward()
    opt.step()
=== loss_outside_the_loop_retained
w = torch.rand(3, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.1)
loss = (w ** 2).sum()
for step in range(2):
    opt.zero_grad()
    loss.backward(retain_graph=True)
    opt.step()
=== gan_two_steps
gen = nn.Linear(3, 3)
disc = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
opt_g = torch.optim.SGD(gen.parameters(), lr=0.1)
opt_d = torch.optim.SGD(disc.parameters(), lr=0.1)
fake = gen(torch.rand(2, 3))
g_loss = disc(fake).sum()
d_loss = disc(fake.detach()).sum()
d_loss.backward()
opt_d.step()
g_loss.backward()
opt_g.step()
=== gan_right_order
gen = nn.Linear(3, 3)
disc = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
opt_g = torch.optim.SGD(gen.parameters(), lr=0.1)
opt_d = torch.optim.SGD(disc.parameters(), lr=0.1)
fake = gen(torch.rand(2, 3))
disc(fake.detach()).sum().backward()
opt_d.step()
opt_d.zero_grad()
disc(fake).sum().backward()
opt_g.step()
=== update_by_hand
w = torch.rand(3, requires_grad=True)
for step in range(2):
    (w ** 2).sum().backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
    w.grad.zero_()
=== update_by_hand_rebinds
w = torch.rand(3, requires_grad=True)
(w ** 2).sum().backward()
w = w - 0.1 * w.grad
(w ** 2).sum().backward()
=== update_by_hand_tracked
w = torch.rand(3, requires_grad=True)
(w ** 2).sum().backward()
w -= 0.1 * w.grad
=== update_by_data
w = torch.rand(3, requires_grad=True)
for step in range(2):
    (w ** 2).sum().backward()
    w.data -= 0.1 * w.grad
    w.grad = None
=== total_loss_kept
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
total = 0.0
for step in range(2):
    opt.zero_grad()
    loss = net(torch.rand(2, 3)).sum()
    loss.backward()
    opt.step()
    total += loss
print(total / 2)
=== clip_without_gradients
net = nn.Linear(3, 1)
nn.utils.clip_grad_norm_(net.parameters(), 1.0)
=== clip_with_gradients
net = nn.Linear(3, 1)
net(torch.rand(2, 3)).sum().backward()
nn.utils.clip_grad_norm_(net.parameters(), 1.0)
=== ema_update
net = nn.Linear(3, 1)
ema = nn.Linear(3, 1)
ema.requires_grad_(False)
net(torch.rand(2, 3)).sum().backward()
with torch.no_grad():
    for p, q in zip(net.parameters(), ema.parameters()):
        q.mul_(0.9).add_(p, alpha=0.1)
=== target_network
net = nn.Linear(3, 1)
target = nn.Linear(3, 1)
target.load_state_dict(net.state_dict())
x = torch.rand(2, 3)
with torch.no_grad():
    t = target(x)
F.mse_loss(net(x), t).backward()
=== load_state_dict_between
net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
y = net(torch.rand(2, 3)).sum()
net.load_state_dict(net.state_dict())
y.backward()
=== accumulation
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(4):
    (net(torch.rand(2, 3)).sum() / 2).backward()
    if step % 2 == 1:
        opt.step()
        opt.zero_grad()
=== step_needs_no_gradient
w = torch.rand(3, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.1)
opt.step()
=== held_but_not_used
w = torch.rand(3, requires_grad=True)
v = torch.rand(3, requires_grad=True)
opt = torch.optim.SGD([w, v], lr=0.1)
(w * 2).sum().backward()
opt.step()
=== scheduler
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
sched = torch.optim.lr_scheduler.StepLR(opt, 1)
net(torch.rand(2, 3)).sum().backward()
opt.step()
sched.step()
"""
)
