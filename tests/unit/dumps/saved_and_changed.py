import torch

x = torch.randn(3, requires_grad=True)
w = torch.randn(3)
y = (x * w).exp()
view = y[:1]
view.add_(1)
y.sum().backward()
