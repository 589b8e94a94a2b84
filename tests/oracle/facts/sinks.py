"""Backward, `torch.autograd.grad`, second times, custom functions, checkpoint."""

TEXT = r"""
=== grad_unused
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
torch.autograd.grad((x * 2).sum(), [x, w])
=== grad_allow_unused
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
torch.autograd.grad((x * 2).sum(), [x, w], allow_unused=True)
=== grad_of_plain_input
x = torch.rand(3, requires_grad=True)
w = torch.rand(3)
torch.autograd.grad((x * w).sum(), [x, w])
=== grad_materialize
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
g = torch.autograd.grad((x * 2).sum(), [x, w], materialize_grads=True)
=== grad_leaves_grad_alone
x = torch.rand(3, requires_grad=True)
(g,) = torch.autograd.grad((x * 2).sum(), x)
=== double_without_create_graph
x = torch.rand(3, requires_grad=True)
(g,) = torch.autograd.grad((x ** 2).sum(), x)
g.sum().backward()
=== double_with_create_graph
x = torch.rand(3, requires_grad=True)
(g,) = torch.autograd.grad((x ** 2).sum(), x, create_graph=True)
g.sum().backward()
=== penalty_of_linear_function
x = torch.rand(3, requires_grad=True)
(g,) = torch.autograd.grad((x * 2).sum(), x, create_graph=True)
g.sum().backward()
=== gradient_penalty
lin = nn.Linear(3, 1)
x = torch.rand(2, 3, requires_grad=True)
out = lin(x).tanh().sum()
(g,) = torch.autograd.grad(out, x, create_graph=True)
((g.norm() - 1) ** 2).backward()
=== backward_create_graph
x = torch.rand(3, requires_grad=True)
(x ** 3).sum().backward(create_graph=True)
x.grad.sum().backward()
=== backward_of_vector
x = torch.rand(3, requires_grad=True)
(x * 2).backward()
=== backward_of_vector_with_gradient
x = torch.rand(3, requires_grad=True)
(x * 2).backward(torch.ones(3))
=== backward_twice
x = torch.rand(3, requires_grad=True)
y = (x ** 2).sum()
y.backward()
y.backward()
=== backward_twice_nothing_saved
x = torch.rand(3, requires_grad=True)
y = (x * 2).sum()
y.backward()
y.backward()
=== backward_twice_add_only
x = torch.rand(3, requires_grad=True)
y = (x + 1).sum()
y.backward()
y.backward()
=== backward_twice_shared
x = torch.rand(3, requires_grad=True)
h = x.exp()
h.sum().backward()
(h * 2).sum().backward()
=== backward_twice_shared_nothing_saved
x = torch.rand(3, requires_grad=True)
h = x + 1
h.sum().backward()
h.mean().backward()
=== backward_twice_shared_view
x = torch.rand(3, requires_grad=True)
h = x.view(3, 1)
h.exp().sum().backward()
h.sin().sum().backward()
=== backward_twice_shared_mul
x = torch.rand(3, requires_grad=True)
h = x * 2
h.exp().sum().backward()
h.sin().sum().backward()
=== backward_retained
x = torch.rand(3, requires_grad=True)
y = (x ** 2).sum()
y.backward(retain_graph=True)
y.backward()
=== backward_retained_then_third
x = torch.rand(3, requires_grad=True)
y = (x ** 2).sum()
y.backward(retain_graph=True)
y.backward()
y.backward()
=== backward_of_plain
x = torch.rand(3)
x.sum().backward()
=== backward_of_leaf
x = torch.tensor(1.0, requires_grad=True)
x.backward()
=== backward_of_leaf_twice
x = torch.tensor(1.0, requires_grad=True)
x.backward()
x.backward()
=== backward_of_integer
x = torch.tensor([1, 2])
x.sum().backward()
=== backward_inputs
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
(x * w).sum().backward(inputs=[x])
=== backward_inputs_unused
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
(x * 2).sum().backward(inputs=[w])
=== backward_inputs_computed
x = torch.rand(3, requires_grad=True)
h = x * 2
(h * 2).sum().backward(inputs=[h])
=== backward_of_several
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
torch.autograd.backward([(x * 2).sum(), (w * 2).sum()])
=== backward_of_several_one_plain
x = torch.rand(3, requires_grad=True)
torch.autograd.backward([(x * 2).sum(), torch.tensor(1.0)])
=== loss_accumulated_then_backward
x = torch.rand(3, requires_grad=True)
total = 0
for i in range(3):
    total = total + (x * i).sum()
total.backward()
=== hidden_state_carried
x = torch.rand(3, requires_grad=True)
h = torch.zeros(3)
for i in range(2):
    h = torch.tanh(h + x)
    h.sum().backward()
=== hidden_state_detached
x = torch.rand(3, requires_grad=True)
h = torch.zeros(3)
for i in range(2):
    h = torch.tanh(h.detach() + x)
    h.sum().backward()
=== sum_of_two_losses_in_one_backward
x = torch.rand(3, requires_grad=True)
h = x.exp()
(h.sum() + h.mean()).backward()
=== loss_plus_plain_constant
x = torch.rand(3, requires_grad=True)
(x.sum() + torch.rand(3).sum()).backward()
=== function_own_backward
class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, g):
        return g * 2
x = torch.rand(3, requires_grad=True)
Twice.apply(x).sum().backward()
=== function_gradient_none
class Cut(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, g):
        return None
x = torch.rand(3, requires_grad=True)
Cut.apply(x).sum().backward()
=== function_wrong_number_of_gradients
class Two(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        return a * b
    @staticmethod
    def backward(ctx, g):
        return g
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
Two.apply(x, w).sum().backward()
=== function_saved_result_changed
class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        out = a.exp()
        ctx.save_for_backward(out)
        return out
    @staticmethod
    def backward(ctx, g):
        (out,) = ctx.saved_tensors
        return g * out
x = torch.rand(3, requires_grad=True)
y = Exp.apply(x)
y.add_(1)
y.sum().backward()
=== function_without_backward
class Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a / 2
x = torch.rand(3, requires_grad=True)
Half.apply(x).sum().backward()
=== function_not_static
class Old(torch.autograd.Function):
    def forward(self, a):
        return a * 2
    def backward(self, g):
        return g
x = torch.rand(3, requires_grad=True)
Old()(x)
=== function_second_input_none
class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, k):
        ctx.k = k
        return a * k
    @staticmethod
    def backward(ctx, g):
        return g * ctx.k, None
x = torch.rand(3, requires_grad=True)
k = torch.tensor(2.0, requires_grad=True)
Scale.apply(x, k).sum().backward()
=== function_non_differentiable_output
class Arg(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        out = a.round()
        ctx.mark_non_differentiable(out)
        return out
    @staticmethod
    def backward(ctx, g):
        return g
x = torch.rand(3, requires_grad=True)
Arg.apply(x).sum().backward()
=== checkpoint_keeps
from torch.utils.checkpoint import checkpoint
x = torch.rand(3, requires_grad=True)
checkpoint(lambda a: a.exp(), x, use_reentrant=False).sum().backward()
=== checkpoint_reentrant_of_plain_inputs
from torch.utils.checkpoint import checkpoint
lin = nn.Linear(3, 3)
out = checkpoint(lin, torch.rand(2, 3), use_reentrant=True)
out.sum().backward()
=== checkpoint_of_plain_inputs
from torch.utils.checkpoint import checkpoint
lin = nn.Linear(3, 3)
out = checkpoint(lin, torch.rand(2, 3), use_reentrant=False)
out.sum().backward()
=== func_grad
x = torch.rand(3, requires_grad=True)
g = torch.func.grad(lambda a: (a ** 2).sum())(x)
g.sum().backward()
=== higher_order_by_hand
w = torch.rand(3, requires_grad=True)
loss = (w ** 2).sum()
(g,) = torch.autograd.grad(loss, w, create_graph=True)
new = w - 0.1 * g
(new ** 2).sum().backward()
"""
