import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.code = nn.Linear(3, 2)
        self.head = nn.Linear(2, 1)

    def forward(self, x):
        hidden = self.code(x).detach()
        return self.head(hidden)


def unused(t):
    return t.exp().sum()


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
loss = net(torch.randn(4, 3)).mean()
loss.backward()
optimizer.step()
