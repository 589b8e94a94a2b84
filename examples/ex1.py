import torch
x = torch.randn(10, requires_grad=False)
y = x * 2
loss = y.sum()
loss.backward()
print(x.grad)
