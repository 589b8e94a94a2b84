import torch

x = torch.randn(10, requires_grad=True)
with torch.no_grad():
    y = x * 2
loss = y.sum()
loss.backward()
print(x.grad)
