"""Modules: registration, freezing, what layers save, inplace activations, parameters replaced."""

TEXT = r"""
=== linear
lin = nn.Linear(3, 1)
lin(torch.rand(2, 3)).sum().backward()
=== unused_layer
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)
        self.b = nn.Linear(3, 3)
    def forward(self, x):
        return self.a(x)
net = Net()
net(torch.rand(2, 3)).sum().backward()
=== detached_encoder
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 3)
        self.head = nn.Linear(3, 1)
    def forward(self, x):
        return self.head(self.encoder(x).detach())
net = Net()
net(torch.rand(2, 3)).sum().backward()
=== encoder_under_no_grad
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 3)
        self.head = nn.Linear(3, 1)
    def forward(self, x):
        with torch.no_grad():
            h = self.encoder(x)
        return self.head(h)
net = Net()
net(torch.rand(2, 3)).sum().backward()
=== frozen_module
net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
net.requires_grad_(False)
net(torch.rand(2, 3)).sum().backward()
=== frozen_by_loop
net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
for p in net[0].parameters():
    p.requires_grad = False
net(torch.rand(2, 3)).sum().backward()
=== frozen_module_trained_input
net = nn.Linear(3, 1)
net.requires_grad_(False)
x = torch.rand(2, 3, requires_grad=True)
net(x).sum().backward()
=== plain_tensor_attribute
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.rand(3, requires_grad=True)
    def forward(self, x):
        return x * self.w
net = Net()
w = net.w
net(torch.rand(3)).sum().backward()
=== parameter_to_is_not_registered
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(3)).to(torch.float64)
    def forward(self, x):
        return x * self.w
net = Net()
net(torch.rand(3)).sum().backward()
=== plain_list_of_layers
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(3, 3), nn.Linear(3, 3)]
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
net = Net()
net(torch.rand(2, 3)).sum().backward()
=== module_list
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
net = Net()
net(torch.rand(2, 3)).sum().backward()
=== sigmoid_then_relu_in_place
net = nn.Sequential(nn.Linear(3, 3), nn.Sigmoid(), nn.ReLU(inplace=True))
net(torch.rand(2, 3)).sum().backward()
=== linear_then_relu_in_place
net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 1))
net(torch.rand(2, 3)).sum().backward()
=== conv_then_relu_in_place
net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(inplace=True))
net(torch.rand(1, 1, 5, 5)).sum().backward()
=== batch_norm_then_relu_in_place
net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.ReLU(inplace=True))
net(torch.rand(4, 3)).sum().backward()
=== layer_norm_then_relu_in_place
net = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.ReLU(inplace=True))
net(torch.rand(4, 3)).sum().backward()
=== softmax_then_relu_in_place
net = nn.Sequential(nn.Linear(3, 3), nn.Softmax(dim=-1), nn.ReLU(inplace=True))
net(torch.rand(4, 3)).sum().backward()
=== tanh_then_dropout_in_place_eval
net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Dropout(0.5, inplace=True)).eval()
net(torch.rand(4, 3)).sum().backward()
=== tanh_then_dropout_in_place_train
net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Dropout(0.5, inplace=True))
net(torch.rand(4, 3)).sum().backward()
=== relu_in_place_module_on_trained_input
net = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 1))
x = torch.rand(2, 3, requires_grad=True)
net(x).sum().backward()
=== residual_iadd_after_relu
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.act = nn.ReLU()
    def forward(self, x):
        y = self.act(self.lin(x))
        y += x
        return y
net = Block()
net(torch.rand(2, 3)).sum().backward()
=== residual_iadd_after_batch_norm
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.bn = nn.BatchNorm1d(3)
    def forward(self, x):
        y = self.bn(self.lin(x))
        y += x
        return y
net = Block()
net(torch.rand(2, 3)).sum().backward()
=== batch_norm_called_twice
bn = nn.BatchNorm1d(3)
a = bn(torch.rand(4, 3))
b = bn(torch.rand(4, 3))
(a + b).sum().backward()
=== parameter_assigned_tensor
lin = nn.Linear(3, 1)
lin.weight = torch.rand(1, 3)
=== parameter_replaced
lin = nn.Linear(3, 1)
old = lin.weight
lin.weight = nn.Parameter(torch.rand(1, 3))
lin(torch.rand(2, 3)).sum().backward()
=== parameter_data_assigned
lin = nn.Linear(3, 1)
lin.weight.data = torch.rand(1, 3)
lin(torch.rand(2, 3)).sum().backward()
=== module_to_double_keeps_leaves
lin = nn.Linear(3, 1).to(torch.float64)
lin(torch.rand(2, 3, dtype=torch.float64)).sum().backward()
=== buffer_is_not_trained
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(3))
        self.register_buffer('m', torch.ones(3))
    def forward(self, x):
        return x * self.w * self.m
net = Net()
net(torch.rand(3)).sum().backward()
=== parameter_of_computed_in_init
class Net(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.w = nn.Parameter(base * 2)
    def forward(self, x):
        return x * self.w
base = torch.rand(3, requires_grad=True)
net = Net(base)
net(torch.rand(3)).sum().backward()
=== shared_layer
lin = nn.Linear(3, 3)
net = nn.Sequential(lin, nn.Tanh(), lin)
net(torch.rand(2, 3)).sum().backward()
=== tied_weight
a = nn.Linear(3, 3, bias=False)
b = nn.Linear(3, 3, bias=False)
b.weight = a.weight
b(torch.rand(2, 3)).sum().backward()
=== state_kept_between_calls
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.h = torch.zeros(2, 3)
    def forward(self, x):
        self.h = torch.tanh(self.lin(x) + self.h)
        return self.h
net = Cell()
for i in range(2):
    net(torch.rand(2, 3)).sum().backward()
=== state_detached_between_calls
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.h = torch.zeros(2, 3)
    def forward(self, x):
        self.h = torch.tanh(self.lin(x) + self.h.detach())
        return self.h
net = Cell()
for i in range(2):
    net(torch.rand(2, 3)).sum().backward()
=== embedding
emb = nn.Embedding(5, 2)
emb(torch.tensor([0, 1])).sum().backward()
=== lstm
rnn = nn.LSTM(3, 4)
out, (h, c) = rnn(torch.rand(5, 2, 3))
out.sum().backward()
=== lstm_output_changed
rnn = nn.LSTM(3, 4)
out, (h, c) = rnn(torch.rand(5, 2, 3))
out += 1
(out.sum() + h.sum()).backward()
=== lstm_output_row_changed
rnn = nn.LSTM(3, 4)
out, (h, c) = rnn(torch.rand(5, 2, 3))
out[0] = 0.0
(out.sum() + h.sum()).backward()
=== lstm_output_through_a_view
rnn = nn.LSTM(3, 4)
out, (h, c) = rnn(torch.rand(5, 2, 3))
out.view(-1).zero_()
(out.sum() + h.sum()).backward()
=== lstm_output_state_changed
rnn = nn.LSTM(3, 4)
out, (h, c) = rnn(torch.rand(5, 2, 3))
h.add_(1)
(out.sum() + h.sum()).backward()
=== lstm_output_past_the_counter
rnn = nn.LSTM(3, 4)
out, (h, c) = rnn(torch.rand(5, 2, 3))
out.data.add_(1)
(out.sum() + h.sum()).backward()
=== lstm_of_two_layers_changed
rnn = nn.LSTM(3, 4, num_layers=2)
out, (h, c) = rnn(torch.rand(5, 2, 3))
out += 1
out.sum().backward()
=== lstm_of_two_layers
rnn = nn.LSTM(3, 4, num_layers=2, bias=False)
out, (h, c) = rnn(torch.rand(5, 2, 3))
out.sum().backward()
=== lstm_of_two_directions_changed
rnn = nn.LSTM(3, 4, bidirectional=True)
out, (h, c) = rnn(torch.rand(5, 2, 3))
out += 1
out.sum().backward()
=== lstm_projected_changed
rnn = nn.LSTM(3, 4, proj_size=2)
out, (h, c) = rnn(torch.rand(5, 2, 3))
out += 1
out.sum().backward()
=== lstm_in_double_precision_changed
rnn = nn.LSTM(3, 4).double()
out, (h, c) = rnn(torch.rand(5, 2, 3).double())
out += 1
out.sum().backward()
=== gru_changed
rnn = nn.GRU(3, 4, num_layers=2)
out, h = rnn(torch.rand(5, 2, 3))
out += 1
out.sum().backward()
=== lstm_hidden_carried
rnn = nn.GRU(3, 4)
h = torch.zeros(1, 2, 4)
for i in range(2):
    out, h = rnn(torch.rand(5, 2, 3), h)
    out.sum().backward()
=== cross_entropy
net = nn.Linear(3, 4)
loss = nn.CrossEntropyLoss()(net(torch.rand(2, 3)), torch.tensor([0, 1]))
loss.backward()
=== loss_on_argmax
net = nn.Linear(3, 4)
out = net(torch.rand(2, 3)).argmax(1).float()
F.mse_loss(out, torch.rand(2)).backward()
=== super_class_forward
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)
    def forward(self, x):
        return self.a(x)
class Net(Base):
    def __init__(self):
        super().__init__()
        self.b = nn.Linear(3, 3)
    def forward(self, x):
        return self.b(super().forward(x))
net = Net()
net(torch.rand(2, 3)).sum().backward()
=== gan_generator_not_trained_by_detached_fake
gen = nn.Linear(3, 3)
disc = nn.Linear(3, 1)
fake = gen(torch.rand(2, 3))
disc(fake.detach()).sum().backward()
=== set_to_eval_does_not_freeze
net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)).eval()
net(torch.rand(2, 3)).sum().backward()
=== parameter_list
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.ws = nn.ParameterList([nn.Parameter(torch.rand(3)) for _ in range(2)])
    def forward(self, x):
        return x * self.ws[0] + self.ws[1]
net = Net()
net(torch.rand(3)).sum().backward()
"""
