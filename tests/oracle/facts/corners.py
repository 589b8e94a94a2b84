"""Corners: optimizers, losses and layers whose arguments change, custom functions, hooks, transforms of functions."""

TEXT = r"""
=== fused_step_goes_past_the_counter
w = torch.rand(3, requires_grad=True)
o = torch.optim.Adam([w], fused=True)
y = (w * w).sum()
y.backward(retain_graph=True)
o.step()
y.backward()
=== foreach_step_is_counted
w = torch.rand(3, requires_grad=True)
o = torch.optim.Adam([w], foreach=True)
y = (w * w).sum()
y.backward(retain_graph=True)
o.step()
y.backward()
=== fused_sgd_step
w = torch.rand(3, requires_grad=True)
o = torch.optim.SGD([w], lr=0.1, fused=True)
y = (w * w).sum()
y.backward(retain_graph=True)
o.step()
y.backward()
=== step_of_a_parameter_without_gradient
w = torch.rand(3, requires_grad=True)
v = torch.rand(3, requires_grad=True)
o = torch.optim.SGD([w, v], lr=0.1)
y = (w * w).sum()
z = (v * v).sum()
y.backward()
o.step()
z.backward()
=== maximize_option
w = torch.rand(3, requires_grad=True)
o = torch.optim.SGD([w], lr=0.1, maximize=True)
y = (w * w).sum()
y.backward(retain_graph=True)
o.step()
y.backward()
=== scaler_step_on_a_cpu
w = torch.rand(3, requires_grad=True)
o = torch.optim.SGD([w], lr=0.1)
s = torch.amp.GradScaler("cpu", enabled=False)
y = (w * w).sum()
s.scale(y).backward(retain_graph=True)
s.step(o)
s.update()
y.backward()
=== clip_value_between
w = torch.rand(3, requires_grad=True)
y = (w * w).sum()
y.backward(retain_graph=True)
nn.utils.clip_grad_value_([w], 0.1)
y.backward()
=== clip_norm_gives_the_norm
w = torch.rand(3, requires_grad=True)
(w * w).sum().backward()
n = nn.utils.clip_grad_norm_([w], 0.1)
n.backward()
=== gradient_changed_by_hand
w = torch.rand(3, requires_grad=True)
(w * w).sum().backward()
w.grad.mul_(0.5)
w.grad = None
(w * w).sum().backward()
=== gradient_kept_by_an_alias
w = torch.rand(3, requires_grad=True)
(w * w).sum().backward(create_graph=True)
g = w.grad
w.grad = None
g.sum().backward()
=== zero_grad_with_zeros_keeps_the_graph
w = torch.rand(3, requires_grad=True)
o = torch.optim.SGD([w], lr=0.1)
(w * w * w).sum().backward(create_graph=True)
o.zero_grad(set_to_none=False)
w.grad.sum().backward()
=== init_between_forward_and_backward
m = nn.Linear(3, 2)
x = torch.rand(2, 3, requires_grad=True)
y = m(x).sum()
nn.init.xavier_uniform_(m.weight)
y.backward()
=== init_of_bias_between
m = nn.Linear(3, 2)
x = torch.rand(2, 3, requires_grad=True)
y = m(x).sum()
nn.init.zeros_(m.bias)
y.backward()
=== reset_parameters_between
m = nn.Linear(3, 2)
x = torch.rand(2, 3, requires_grad=True)
y = m(x).sum()
m.reset_parameters()
y.backward()
=== parameter_replaced_between
m = nn.Linear(3, 2)
y = m(torch.rand(2, 3)).sum()
m.weight = nn.Parameter(torch.zeros(2, 3))
y.backward()
=== parameter_data_replaced_between
m = nn.Linear(3, 2)
x = torch.rand(2, 3, requires_grad=True)
y = m(x).sum()
m.weight.data = torch.zeros(2, 3)
y.backward()
=== module_moved_between
m = nn.Linear(3, 2)
x = torch.rand(2, 3, requires_grad=True)
y = m(x).sum()
m.double()
y.backward()
=== module_to_itself_between
m = nn.Linear(3, 2)
x = torch.rand(2, 3, requires_grad=True)
y = m(x).sum()
m.to("cpu")
y.backward()
=== frozen_between
m = nn.Linear(3, 2)
y = m(torch.rand(2, 3)).sum()
m.requires_grad_(False)
y.backward()
=== parameter_deleted
m = nn.Linear(3, 2)
y = m(torch.rand(2, 3)).sum()
w = m.weight
del m.weight
y.backward()
=== parameter_set_to_none
m = nn.Linear(3, 2)
m.bias = None
m(torch.rand(2, 3)).sum().backward()
=== buffer_is_written
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))
        self.w = nn.Parameter(torch.ones(3))
    def forward(self, x):
        self.seen += x.detach()
        return x * self.w * self.seen
m = Net()
a = m(torch.rand(3)).sum()
b = m(torch.rand(3)).sum()
a.backward()
=== buffer_takes_a_history
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))
        self.w = nn.Parameter(torch.ones(3))
    def forward(self, x):
        self.seen = self.seen + x * self.w
        return self.seen.sum()
m = Net()
m(torch.rand(3)).backward()
m(torch.rand(3)).backward()
=== batch_norm_statistics_between
m = nn.BatchNorm1d(3)
x = torch.rand(4, 3, requires_grad=True)
y = m(x).sum()
m(torch.rand(4, 3))
y.backward()
=== batch_norm_eval_statistics_between
m = nn.BatchNorm1d(3)
m.eval()
x = torch.rand(4, 3, requires_grad=True)
y = m(x).sum()
m.train()
m(torch.rand(4, 3))
y.backward()
=== batch_norm_eval_twice
m = nn.BatchNorm1d(3).eval()
x = torch.rand(4, 3, requires_grad=True)
y = m(x).sum() + m(x).sum()
y.backward()
=== tied_weights
a = nn.Linear(3, 3)
b = nn.Linear(3, 3)
b.weight = a.weight
b(torch.rand(2, 3)).sum().backward()
=== tied_weights_frozen_by_one
a = nn.Linear(3, 3)
b = nn.Linear(3, 3)
b.weight = a.weight
for p in b.parameters():
    p.requires_grad = False
a(torch.rand(2, 3)).sum().backward()
=== sequential_slice_shares
m = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
f = m[:2]
f(torch.rand(1, 3)).sum().backward()
=== relu_in_place_in_a_sequential
m = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 2))
m(torch.rand(1, 3)).sum().backward()
=== relu_then_relu_in_place
m = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.ReLU(inplace=True))
m(torch.rand(1, 3)).sum().backward()
=== residual_with_relu_in_place
m = nn.ReLU(inplace=True)
l = nn.Linear(3, 3)
x = torch.rand(1, 3)
h = l(x)
y = m(h) + h
y.sum().backward()
=== unfold_and_write
x = torch.rand(4, requires_grad=True)
y = x * 1
w = y.unfold(0, 2, 2)
w.mul_(2)
y.sum().backward()
=== as_strided_and_write
x = torch.rand(4, requires_grad=True)
y = x * 1
w = y.as_strided((2,), (2,))
w.mul_(2)
y.exp().sum().backward()
=== diagonal_write
x = torch.rand(3, 3, requires_grad=True)
y = x * 1
y.diagonal().fill_(0)
y.sum().backward()
=== fill_diagonal
x = torch.rand(3, 3, requires_grad=True)
y = x.exp()
y.fill_diagonal_(0)
y.sum().backward()
=== index_put_accumulate
x = torch.rand(3, requires_grad=True)
y = torch.zeros(3)
y.index_put_((torch.tensor([0, 0]),), x[:2], accumulate=True)
y.sum().backward()
=== scatter_into_zeros
x = torch.rand(3, requires_grad=True)
y = torch.zeros(3).scatter_(0, torch.tensor([0, 1, 2]), x)
y.sum().backward()
=== scatter_reduce_amax
x = torch.rand(3, requires_grad=True)
y = torch.zeros(2).scatter_reduce(0, torch.tensor([0, 1, 1]), x, "amax")
y.mul_(2)
y.sum().backward()
=== masked_scatter_written
x = torch.rand(3, requires_grad=True)
m = torch.tensor([True, False, True])
y = torch.zeros(3).masked_scatter(m, x)
m.logical_not_()
y.sum().backward()
=== where_condition_changed
x = torch.rand(3, requires_grad=True)
m = torch.tensor([True, False, True])
y = torch.where(m, x, torch.zeros(3))
m.fill_(False)
y.sum().backward()
=== mask_changed_after_indexing
x = torch.rand(3, requires_grad=True)
m = torch.tensor([True, False, True])
y = x[m]
m.fill_(False)
y.sum().backward()
=== index_changed_after_gather
x = torch.rand(3, requires_grad=True)
i = torch.tensor([0, 1])
y = x.gather(0, i)
i.add_(1)
y.sum().backward()
=== index_changed_after_embedding
e = nn.Embedding(4, 3)
i = torch.tensor([0, 1])
y = e(i)
i.add_(1)
y.sum().backward()
=== index_changed_after_select
x = torch.rand(3, requires_grad=True)
i = torch.tensor([0, 1])
y = x.index_select(0, i)
i.add_(1)
y.sum().backward()
=== target_changed_after_loss
x = torch.rand(2, 3, requires_grad=True)
t = torch.tensor([0, 1])
y = F.cross_entropy(x, t)
t.add_(1)
y.backward()
=== target_changed_after_bce_with_logits
x = torch.rand(3, requires_grad=True)
t = torch.rand(3)
y = F.binary_cross_entropy_with_logits(x, t)
t.mul_(0)
y.backward()
=== target_changed_after_huber
x = torch.rand(3, requires_grad=True)
t = torch.rand(3)
y = F.huber_loss(x, t)
t.mul_(0)
y.backward()
=== target_changed_after_l1
x = torch.rand(3, requires_grad=True)
t = torch.rand(3)
y = F.l1_loss(x, t)
t.mul_(0)
y.backward()
=== target_changed_after_nll
x = torch.rand(2, 3, requires_grad=True)
t = torch.tensor([0, 1])
y = F.nll_loss(F.log_softmax(x, 1), t)
t.zero_()
y.backward()
=== module_loss_target_changed
x = torch.rand(2, 3, requires_grad=True)
t = torch.tensor([0, 1])
y = nn.CrossEntropyLoss()(x, t)
t.zero_()
y.backward()
=== weights_of_a_loss_changed
x = torch.rand(2, 3, requires_grad=True)
w = torch.ones(3)
y = F.cross_entropy(x, torch.tensor([0, 1]), weight=w)
w.mul_(2)
y.backward()
=== as_subclass_is_a_view
class T(torch.Tensor):
    pass
x = torch.rand(3, requires_grad=True)
y = (x * 2).as_subclass(T)
y.sum().backward()
=== function_marks_dirty_and_saves
class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.mark_dirty(a)
        a.mul_(2)
        ctx.save_for_backward(a)
        return a
    @staticmethod
    def backward(ctx, g):
        a, = ctx.saved_tensors
        return g * 2
x = torch.rand(3, requires_grad=True)
y = x * 1
z = Double.apply(y)
z.add_(1)
z.sum().backward()
=== function_marks_dirty_a_view
class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.mark_dirty(a)
        return a.mul_(2)
    @staticmethod
    def backward(ctx, g):
        return g * 2
x = torch.rand(3, requires_grad=True)
y = x * 1
z = Double.apply(y[:2])
y.sum().backward()
=== function_marks_non_differentiable
class Two(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        b = a * 2
        c = a * 3
        ctx.mark_non_differentiable(c)
        return b, c
    @staticmethod
    def backward(ctx, gb, gc):
        return gb * 2
x = torch.rand(3, requires_grad=True)
b, c = Two.apply(x)
c.mul_(2)
(b + c).sum().backward()
=== function_with_setup_context
class Sq(torch.autograd.Function):
    @staticmethod
    def forward(a):
        return a * a
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
    @staticmethod
    def backward(ctx, g):
        a, = ctx.saved_tensors
        return 2 * a * g
x = torch.rand(3, requires_grad=True)
h = x * 1
y = Sq.apply(h)
h.add_(1)
y.sum().backward()
=== function_output_written
class Two(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2, a * 3
    @staticmethod
    def backward(ctx, gb, gc):
        return gb * 2 + gc * 3
x = torch.rand(3, requires_grad=True)
b, c = Two.apply(x)
b.mul_(2)
(b + c).sum().backward()
=== function_returns_its_input
class Same(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a
    @staticmethod
    def backward(ctx, g):
        return g * 2
x = torch.rand(3, requires_grad=True)
y = Same.apply(x)
y.mul_(2)
=== function_returns_a_view
class Part(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a[:2]
    @staticmethod
    def backward(ctx, g):
        return torch.cat([g, torch.zeros(1)])
x = torch.rand(3, requires_grad=True)
y = Part.apply(x * 1)
y.mul_(2)
=== once_differentiable
from torch.autograd.function import once_differentiable
class Sq(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return a * a
    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        a, = ctx.saved_tensors
        return 2 * a * g
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad(Sq.apply(x).sum(), x, create_graph=True)
g.sum().backward()
=== hook_on_a_tensor_replaces
x = torch.rand(3, requires_grad=True)
y = x * 2
y.register_hook(lambda g: g * 0)
y.sum().backward()
=== hook_on_a_frozen_tensor
x = torch.rand(3)
x.register_hook(lambda g: g * 0)
=== hook_of_a_node
x = torch.rand(3, requires_grad=True)
y = (x * 2).sum()
y.grad_fn.register_hook(lambda a, b: None)
y.backward()
=== saved_tensors_hooks_copy
x = torch.rand(3, requires_grad=True)
h = x * 1
with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
    y = h * h
h.add_(1)
y.sum().backward()
=== save_on_cpu
x = torch.rand(3, requires_grad=True)
h = x * 1
with torch.autograd.graph.save_on_cpu():
    y = h * h
h.add_(1)
y.sum().backward()
=== allow_mutation_on_saved
x = torch.rand(3, requires_grad=True)
h = x * 1
with torch.autograd.graph.allow_mutation_on_saved_tensors():
    y = h * h
    h.add_(1)
    y.sum().backward()
=== jacobian_functional
x = torch.rand(3, requires_grad=True)
j = torch.autograd.functional.jacobian(lambda t: t ** 2, x)
j.sum().backward()
=== jacobian_functional_with_graph
x = torch.rand(3, requires_grad=True)
j = torch.autograd.functional.jacobian(lambda t: t ** 2, x, create_graph=True)
j.sum().backward()
=== hessian_functional
x = torch.rand(3, requires_grad=True)
j = torch.autograd.functional.hessian(lambda t: (t ** 3).sum(), x)
j.sum().backward()
=== grad_with_allow_unused_materialized
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
g = torch.autograd.grad((x * 2).sum(), (x, w), allow_unused=True, materialize_grads=True)
g[1].sum().backward()
=== grad_batched
x = torch.rand(3, requires_grad=True)
y = x ** 2
g = torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True)
y.sum().backward()
=== backward_of_a_list
x = torch.rand(3, requires_grad=True)
torch.autograd.backward([(x * 2).sum(), (x * 3).sum()])
=== backward_of_two_that_share
x = torch.rand(3, requires_grad=True)
h = x.exp()
torch.autograd.backward([h.sum(), h.mean()])
=== vector_backward_without_gradient
x = torch.rand(3, requires_grad=True)
(x * 2).backward()
=== checkpoint_of_a_module_whose_input_learns_not
m = nn.Linear(3, 3)
y = torch.utils.checkpoint.checkpoint(m, torch.rand(2, 3), use_reentrant=True)
y.sum().backward()
=== checkpoint_sequential
m = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
y = torch.utils.checkpoint.checkpoint_sequential(m, 2, torch.rand(2, 3), use_reentrant=False)
y.sum().backward()
=== checkpoint_sequential_reentrant
m = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
y = torch.utils.checkpoint.checkpoint_sequential(m, 2, torch.rand(2, 3), use_reentrant=True)
y.sum().backward()
=== checkpoint_reentrant_and_grad
x = torch.rand(3, requires_grad=True)
y = torch.utils.checkpoint.checkpoint(lambda t: t * t, x, use_reentrant=True)
torch.autograd.grad(y.sum(), x)
=== generator_under_no_grad
def g(x):
    with torch.no_grad():
        yield x * 2
        yield x * 3
x = torch.rand(3, requires_grad=True)
it = g(x)
a = next(it)
b = x * 4
b.sum().backward()
=== generator_decorated_with_no_grad
@torch.no_grad()
def g(x):
    yield x * 2
x = torch.rand(3, requires_grad=True)
for a in g(x):
    b = x * 4
b.sum().backward()
=== class_decorated_with_no_grad
@torch.no_grad()
def f(x):
    with torch.enable_grad():
        return x * 2
x = torch.rand(3, requires_grad=True)
f(x).sum().backward()
=== set_grad_enabled_as_a_function_in_a_with
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    torch.set_grad_enabled(True)
    y = x * 2
z = x * 3
z.sum().backward()
=== inference_mode_decorator_result_used
@torch.inference_mode()
def f(x):
    return x * 2
x = torch.rand(3, requires_grad=True)
y = f(x)
z = x * y
=== inference_clone_outside
x = torch.rand(3, requires_grad=True)
with torch.inference_mode():
    y = torch.rand(3)
z = y.clone() * x
z.sum().backward()
=== attention_lies_in_order
x = torch.rand(2, 3, requires_grad=True)
y = F.scaled_dot_product_attention(x[None], x[None], x[None])[0]
y /= y[0]
=== attention_of_turned_ones_lies_in_order
x = torch.rand(3, 2, requires_grad=True).t()
y = F.scaled_dot_product_attention(x, x, x)
y.add_(1)
y.reshape(-1).mul_(y.reshape(-1))
y.sum().backward()
=== sum_of_an_attention_is_a_vector
x = torch.rand(2, 3, requires_grad=True)
y = F.scaled_dot_product_attention(x[None], x[None], x[None])[0].sum(0)
y /= y[0]
"""
