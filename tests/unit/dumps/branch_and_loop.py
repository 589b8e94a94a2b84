import torch

w = torch.randn(3, requires_grad=True)
h = torch.zeros(3)
for _ in range(2):
    h = torch.tanh(h * w)
loss = h.sum()
if torch.rand(1) > 0.5:
    loss = loss.detach() + w.sum()
loss.backward()
