"""What few programs do, but some: copies of views, hooks, derivatives of functions, complex and sparse tensors."""

TEXT = r"""
=== seldom_view_copy
x = torch.rand(3, requires_grad=True)
y = torch.view_copy(x, (3, 1))
y.mul_(2)
y.sum().backward()
=== seldom_select_copy
x = torch.rand(3, requires_grad=True)
y = torch.select_copy(x, 0, 1)
y.mul_(2)
y.sum().backward()
=== seldom_unbind_copy
x = torch.rand(3, 2, requires_grad=True)
a, b, c = torch.unbind_copy(x)
a.mul_(2)
a.sum().backward()
=== seldom_split_copy
x = torch.rand(4, requires_grad=True)
a, b = torch.split_copy(x, 2)
a.mul_(2)
a.sum().backward()
=== seldom_expand_copy
x = torch.rand(1, requires_grad=True)
y = torch.expand_copy(x, (3,))
y.mul_(2)
y.sum().backward()
=== seldom_diagonal_copy
x = torch.rand(3, 3, requires_grad=True)
y = torch.diagonal_copy(x)
y.exp_()
y.sum().backward()
=== seldom_squeeze_copy
x = torch.rand(3, 1, requires_grad=True)
y = torch.squeeze_copy(x)
y.add_(1)
y.sum().backward()
=== seldom_slice_copy
x = torch.rand(3, requires_grad=True)
y = torch.slice_copy(x, 0, 1)
y.add_(1)
y.sum().backward()
=== seldom_narrow_copy_method
x = torch.rand(3, requires_grad=True)
y = x.narrow_copy(0, 0, 2)
y.add_(1)
y.sum().backward()
=== seldom_detach_of_view_of_view
x = torch.rand(3, requires_grad=True)
y = x * 2
v = y[1:]
w = v[1:]
w.detach_()
=== seldom_detach_of_detached_view
x = torch.rand(3, requires_grad=True)
y = x.detach()
v = y[1:]
v.detach_()
v.sum().backward()
=== seldom_detach_of_plain_view
y = torch.rand(3)
v = y[1:]
v.detach_()
v.requires_grad_()
v.sum().backward()
=== seldom_embedding_bag_old_order
w = torch.rand(5, 3, requires_grad=True)
y = F.embedding_bag(w, torch.tensor([1, 2]), torch.tensor([0]))
y.sum().backward()
=== seldom_embedding_bag
w = torch.rand(5, 3, requires_grad=True)
y = F.embedding_bag(torch.tensor([1, 2]), w, torch.tensor([0]))
y.sum().backward()
=== seldom_embedding_bag_max_changed
w = torch.rand(5, 3, requires_grad=True)
h = w * 2
y = F.embedding_bag(torch.tensor([1, 2]), h, torch.tensor([0]), mode='max')
h.add_(1)
y.sum().backward()
=== seldom_embedding_bag_sum_weights
w = torch.rand(5, 3, requires_grad=True)
p = torch.rand(2, requires_grad=True)
h = w * 2
y = F.embedding_bag(torch.tensor([1, 2]), h, torch.tensor([0]), mode='sum', per_sample_weights=p)
h.add_(1)
y.sum().backward()
=== seldom_embedding_max_norm
w = torch.rand(5, 3, requires_grad=True)
h = w * 2
y = F.embedding(torch.tensor([1, 2]), h, max_norm=1.0)
y.sum().backward()
=== seldom_embedding_max_norm_leaf
w = torch.rand(5, 3, requires_grad=True)
y = F.embedding(torch.tensor([1, 2]), w, max_norm=1.0)
y.sum().backward()
=== seldom_embedding_module_max_norm_saved
e = nn.Embedding(5, 3, max_norm=1.0)
h = torch.rand(2, 3, requires_grad=True)
a = h @ e.weight.t()
b = e(torch.tensor([1, 2]))
(a.sum() + b.sum()).backward()
=== seldom_embedding_module_max_norm_twice
e = nn.Embedding(5, 3, max_norm=1.0)
a = e.weight.clone() @ torch.rand(3, 2)
b = e(torch.tensor([1, 2]))
(a.sum() + b.sum()).backward()
=== seldom_set_materialize_false_none
class Two(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.set_materialize_grads(False)
        return a * 2, a * 3
    @staticmethod
    def backward(ctx, g, h):
        if h is None:
            return g * 2
        return g * 2 + h * 3
x = torch.rand(3, requires_grad=True)
a, b = Two.apply(x)
a.sum().backward()
=== seldom_set_materialize_false_all_none
class Two(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.set_materialize_grads(False)
        return a * 2
    @staticmethod
    def backward(ctx, g):
        if g is None:
            return None
        return g * 2
class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, g):
        return None
x = torch.rand(3, requires_grad=True)
a = Two.apply(x)
Nothing.apply(a).sum().backward()
=== seldom_set_materialize_true_all_none
class Two(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, g):
        return g * 2
class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, g):
        return None
x = torch.rand(3, requires_grad=True)
a = Two.apply(x)
Nothing.apply(a).sum().backward()
=== seldom_setup_context_materialize
class Two(torch.autograd.Function):
    @staticmethod
    def forward(a):
        return a * 2, a * 3
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.set_materialize_grads(False)
    @staticmethod
    def backward(ctx, g, h):
        return g * 2 if g is not None else h
x = torch.rand(3, requires_grad=True)
a, b = Two.apply(x)
b.sum().backward()
=== seldom_mark_non_differentiable
class Two(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        b = a > 0.5
        c = a * 2
        ctx.mark_non_differentiable(b, c)
        return a * 3, b, c
    @staticmethod
    def backward(ctx, g, h, i):
        return g * 2
x = torch.rand(3, requires_grad=True)
a, b, c = Two.apply(x)
c.sum().backward()
=== seldom_func_grad_argnums
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
g, h = torch.func.grad(lambda t, u: (t * u).sum(), argnums=(0, 1))(x, w)
g.sum().backward()
=== seldom_func_grad_aux
x = torch.rand(3, requires_grad=True)
g, aux = torch.func.grad(lambda t: ((t ** 3).sum(), t * 2), has_aux=True)(x)
aux.sum().backward()
=== seldom_func_vjp_aux
x = torch.rand(3, requires_grad=True)
out, back, aux = torch.func.vjp(lambda t: (t ** 2, t * 3), x, has_aux=True)
aux.sum().backward()
=== seldom_func_linearize
x = torch.rand(3, requires_grad=True)
out, f = torch.func.linearize(lambda t: t ** 2, x)
f(torch.ones(3)).sum().backward()
=== seldom_func_functionalize
x = torch.rand(3, requires_grad=True)
f = torch.func.functionalize(lambda t: t ** 2)
f(x).sum().backward()
=== seldom_functional_call
m = nn.Linear(3, 2)
p = {k: v.detach().clone().requires_grad_() for k, v in m.named_parameters()}
out = torch.func.functional_call(m, p, (torch.rand(1, 3),))
out.sum().backward()
w = p['weight']
=== seldom_functional_call_detached
m = nn.Linear(3, 2)
p = {k: v.detach() for k, v in m.named_parameters()}
out = torch.func.functional_call(m, p, torch.rand(1, 3))
out.sum().backward()
=== seldom_functional_call_grad
m = nn.Linear(3, 2)
p = dict(m.named_parameters())
def loss(p, x):
    return torch.func.functional_call(m, p, x).sum()
g = torch.func.grad(loss)(p, torch.rand(1, 3))
g['weight'].sum().backward()
=== seldom_functional_call_partial
m = nn.Linear(3, 2)
w = torch.rand(2, 3, requires_grad=True)
out = torch.func.functional_call(m, {'weight': w * 2}, torch.rand(1, 3))
out.sum().backward()
=== seldom_stateless_functional_call
m = nn.Linear(3, 2)
w = torch.rand(2, 3, requires_grad=True)
out = torch.nn.utils.stateless.functional_call(m, {'weight': w * 2}, torch.rand(1, 3))
out.sum().backward()
=== seldom_autograd_functional_closure_param
w = torch.rand(3, requires_grad=True)
x = torch.rand(3)
j = torch.autograd.functional.jacobian(lambda t: t * w, x, create_graph=True)
j.sum().backward()
=== seldom_func_jacrev_argnums
w = torch.rand(3, requires_grad=True)
x = torch.rand(3)
a, b = torch.func.jacrev(lambda t, u: t * u, argnums=(0, 1))(x, w)
a.sum().backward()
=== seldom_differentiable_sgd
w = torch.rand(3, requires_grad=True)
v = w.clone()
opt = torch.optim.SGD([v], lr=0.1, differentiable=True)
v.grad = torch.ones(3)
opt.step()
v.sum().backward()
=== seldom_differentiable_sgd_leaf
w = torch.rand(3, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.1, differentiable=True)
(w * 2).sum().backward()
opt.step()
=== seldom_differentiable_adam_tracked_lr
w = torch.rand(3, requires_grad=True)
p = w.clone()
opt = torch.optim.Adam([p], lr=0.1, differentiable=True)
p.grad = torch.rand(3)
opt.step()
(p ** 2).sum().backward()
=== seldom_tensor_subclass_of_computed
class T(torch.Tensor):
    pass
x = torch.rand(3, requires_grad=True)
y = (x * 2).as_subclass(T)
y.sum().backward()
=== seldom_buffer
b = nn.Buffer(torch.rand(3))
b.sum().backward()
=== seldom_pickle_leaf
import pickle
x = torch.rand(3, requires_grad=True)
y = pickle.loads(pickle.dumps(x))
(y * 2).sum().backward()
=== seldom_pickle_plain
import pickle
x = torch.rand(3)
y = pickle.loads(pickle.dumps(x))
y.requires_grad_()
(y * 2).sum().backward()
=== seldom_pickle_module
import pickle
m = nn.Linear(3, 2)
n = pickle.loads(pickle.dumps(m))
n(torch.rand(1, 3)).sum().backward()
=== seldom_pickle_non_leaf
import pickle
x = torch.rand(3, requires_grad=True) * 2
y = pickle.loads(pickle.dumps(x))
y.sum().backward()
=== seldom_set_of_leaf
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    x.set_(torch.rand(3))
(x * 2).sum().backward()
=== seldom_set_with_tracking
x = torch.rand(3, requires_grad=True)
x.set_(torch.rand(3))
=== seldom_set_plain
x = torch.rand(3)
y = torch.rand(3, requires_grad=True)
x.set_(y.detach())
x.requires_grad_()
x.sum().backward()
=== seldom_set_saved
x = torch.rand(3)
y = torch.rand(3, requires_grad=True)
z = x * y
x.set_(torch.rand(3))
z.sum().backward()
=== seldom_set_data_saved
x = torch.rand(3)
y = torch.rand(3, requires_grad=True)
z = x * y
x.data = torch.rand(3)
z.sum().backward()
=== seldom_swap_tensors
a = torch.rand(3, requires_grad=True)
b = torch.rand(3)
torch.utils.swap_tensors(a, b)
(b * 2).sum().backward()
=== seldom_swap_tensors_other
a = torch.rand(3, requires_grad=True)
b = torch.rand(3)
torch.utils.swap_tensors(a, b)
(a * 2).sum().backward()
=== seldom_copy_copy_leaf
import copy
x = torch.rand(3, requires_grad=True)
y = copy.copy(x)
(y * 2).sum().backward()
=== seldom_copy_copy_nonleaf
import copy
x = torch.rand(3, requires_grad=True)
y = copy.copy(x * 2)
y.sum().backward()
=== seldom_copy_deepcopy_grad
import copy
x = torch.rand(3, requires_grad=True)
(x * 2).sum().backward()
y = copy.deepcopy(x)
=== seldom_copy_deepcopy_nonleaf
import copy
x = torch.rand(3, requires_grad=True)
y = copy.deepcopy(x * 2)
=== seldom_copy_deepcopy_list
import copy
x = torch.rand(3, requires_grad=True)
l = [x, x]
m = copy.deepcopy(l)
a, b = m
(a * 2).sum().backward()
=== seldom_copy_copy_parameter
import copy
p = nn.Parameter(torch.rand(3))
q = copy.copy(p)
(q * 2).sum().backward()
=== seldom_copy_deepcopy_module_with_state
import copy
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(3, 3)
        self.h = None
    def forward(self, x):
        self.h = self.l(x)
        return self.h
m = M()
m(torch.rand(1, 3))
n = copy.deepcopy(m)
=== seldom_compile_function
f = torch.compile(lambda t: t * 2, backend='eager')
x = torch.rand(3, requires_grad=True)
f(x).sum().backward()
=== seldom_compile_decorated
@torch.compile(backend='eager')
def f(t):
    return t.detach() * 2
x = torch.rand(3, requires_grad=True)
y = f(x)
y.sum().backward()
=== seldom_trace_module
n = nn.Linear(3, 2)
m = torch.jit.trace(n, torch.rand(1, 3))
m(torch.rand(1, 3)).sum().backward()
=== seldom_post_accumulate_clears
x = torch.rand(3, requires_grad=True)
def hook(p):
    p.grad = None
x.register_post_accumulate_grad_hook(hook)
(x * 2).sum().backward()
=== seldom_post_accumulate_step
x = torch.rand(3, requires_grad=True)
opt = torch.optim.SGD([x], lr=0.1)
def hook(p):
    opt.step()
    opt.zero_grad()
x.register_post_accumulate_grad_hook(hook)
(x * 2).sum().backward()
=== seldom_post_accumulate_step_then_again
x = torch.rand(3, requires_grad=True)
opt = torch.optim.SGD([x], lr=0.1)
def hook(p):
    opt.step()
    opt.zero_grad()
x.register_post_accumulate_grad_hook(hook)
y = (x * x).sum()
y.backward(retain_graph=True)
y.backward()
=== seldom_post_accumulate_not_with_grad
x = torch.rand(3, requires_grad=True)
x.register_post_accumulate_grad_hook(lambda p: p.grad.zero_())
torch.autograd.grad((x * 2).sum(), x)
=== seldom_hook_saves_gradient
x = torch.rand(3, requires_grad=True)
y = x * 2
seen = {}
def keep(g):
    seen['y'] = g
y.register_hook(keep)
y.sum().backward()
g = seen['y']
=== seldom_full_backward_hook_inplace
m = nn.Linear(3, 2)
m.register_full_backward_hook(lambda mod, gi, go: None)
y = m(torch.rand(1, 3))
y.add_(1)
=== seldom_full_backward_hook_relu_inplace
m = nn.Sequential(nn.Linear(3, 2), nn.ReLU(inplace=True))
m[0].register_full_backward_hook(lambda mod, gi, go: None)
m(torch.rand(1, 3)).sum().backward()
=== seldom_full_backward_pre_hook
m = nn.Sequential(nn.Linear(3, 2), nn.ReLU(inplace=True))
m[0].register_full_backward_pre_hook(lambda mod, go: None)
m(torch.rand(1, 3)).sum().backward()
=== seldom_module_backward_hook_old
m = nn.Linear(3, 2)
m.register_backward_hook(lambda mod, gi, go: None)
m(torch.rand(1, 3)).sum().backward()
=== seldom_hooks_pack
x = torch.rand(3, requires_grad=True)
with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
    h = x * 2
    y = h.exp()
y.add_(1)
y.sum().backward()
=== seldom_hooks_pack_clone
x = torch.rand(3, requires_grad=True)
with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
    y = x.exp()
y.add_(1)
y.sum().backward()
=== seldom_hooks_pack_input
x = torch.rand(3, requires_grad=True)
h = x * 2
with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
    y = h * h
h.add_(1)
y.sum().backward()
=== seldom_hooks_pack_twice
x = torch.rand(3, requires_grad=True)
with torch.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(), lambda a: torch.from_numpy(a)):
    y = x.exp()
y.sum().backward()
y.sum().backward()
=== seldom_hooks_inference
x = torch.rand(3, requires_grad=True)
with torch.inference_mode():
    t = torch.rand(3)
with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
    y = x * t
=== seldom_save_on_cpu
x = torch.rand(3, requires_grad=True)
with torch.autograd.graph.save_on_cpu():
    y = x.exp()
y.add_(1)
y.sum().backward()
=== seldom_save_on_cpu_input
x = torch.rand(3, requires_grad=True)
h = x * 2
with torch.autograd.graph.save_on_cpu():
    y = h * h
h.add_(1)
y.sum().backward()
=== seldom_allow_mutation
x = torch.rand(3, requires_grad=True)
with torch.autograd.graph.allow_mutation_on_saved_tensors():
    h = x * 2
    y = h * h
    h.add_(1)
    y.sum().backward()
=== seldom_multi_grad_hook
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
torch.autograd.graph.register_multi_grad_hook((x, w), lambda g: None)
(x * w).sum().backward()
=== seldom_custom_fwd
class F1(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type='cpu', cast_inputs=torch.float32)
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2
    @staticmethod
    @torch.amp.custom_bwd(device_type='cpu')
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * 2
x = torch.rand(3, requires_grad=True)
h = x * 1
y = F1.apply(h)
h.add_(1)
y.sum().backward()
=== seldom_custom_fwd_plain
class F1(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type='cpu')
    def forward(ctx, x):
        return x * 2
    @staticmethod
    @torch.amp.custom_bwd(device_type='cpu')
    def backward(ctx, g):
        return None
x = torch.rand(3, requires_grad=True)
F1.apply(x).sum().backward()
=== seldom_once_differentiable
from torch.autograd.function import once_differentiable
class F1(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return g * 2
x = torch.rand(3, requires_grad=True)
h = x ** 2
g, = torch.autograd.grad(F1.apply(h).sum(), x, create_graph=True)
g.sum().backward()
=== seldom_complex_leaf
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
y = (x * x.conj()).real.sum()
y.backward()
=== seldom_complex_view_as_real
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
v = torch.view_as_real(x)
v.mul_(2)
=== seldom_complex_view_as_real_2
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
y = x * 2
v = torch.view_as_real(y)
v.mul_(2)
y.abs().sum().backward()
=== seldom_complex_conj_view
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
y = x * 2
c = y.conj()
z = c * c
y.mul_(2)
z.abs().sum().backward()
=== seldom_complex_real_view
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
y = x.exp()
y.real.mul_(2)
y.abs().sum().backward()
=== seldom_complex_polar
a = torch.rand(3, requires_grad=True)
b = torch.rand(3, requires_grad=True)
torch.polar(a, b).abs().sum().backward()
=== seldom_complex_fft
x = torch.rand(4, requires_grad=True)
y = torch.fft.rfft(x)
y.mul_(2)
y.abs().sum().backward()
=== seldom_complex_fft_irfft
x = torch.rand(4, requires_grad=True)
y = torch.fft.irfft(torch.fft.rfft(x) * 2)
y.sum().backward()
=== seldom_sparse_embedding
e = nn.Embedding(5, 3, sparse=True)
e(torch.tensor([1, 2])).sum().backward()
=== seldom_sparse_embedding_adam
e = nn.Embedding(5, 3, sparse=True)
opt = torch.optim.SparseAdam(e.parameters())
e(torch.tensor([1, 2])).sum().backward()
opt.step()
opt.zero_grad()
=== seldom_sparse_mm
w = torch.rand(3, 2, requires_grad=True)
s = torch.eye(3).to_sparse()
torch.sparse.mm(s, w).sum().backward()
=== seldom_sparse_mm_learned
v = torch.rand(3, requires_grad=True)
s = torch.sparse_coo_tensor(torch.tensor([[0, 1, 2], [0, 1, 2]]), v, (3, 3))
torch.sparse.mm(s, torch.rand(3, 2)).sum().backward()
=== seldom_sparse_to_dense
x = torch.rand(3, 3, requires_grad=True)
x.to_sparse().to_dense().sum().backward()
=== seldom_sparse_sum
x = torch.rand(3, 3, requires_grad=True)
torch.sparse.sum(x.to_sparse()).backward()
=== seldom_sparse_values
x = torch.rand(3, 3, requires_grad=True)
s = x.to_sparse().coalesce()
s.values().sum().backward()
=== seldom_autocast_cpu
l = nn.Linear(3, 2)
with torch.autocast('cpu', dtype=torch.bfloat16):
    y = l(torch.rand(1, 3))
    z = y.exp()
z.float().sum().backward()
=== seldom_autocast_no_grad_cache
l = nn.Linear(3, 2)
with torch.autocast('cpu', dtype=torch.bfloat16):
    with torch.no_grad():
        l(torch.rand(1, 3))
    y = l(torch.rand(1, 3))
y.sum().backward()
=== seldom_nested_leaf
a = torch.rand(2, 3, requires_grad=True)
b = torch.rand(4, 3, requires_grad=True)
n = torch.nested.nested_tensor([a, b])
torch.nested.to_padded_tensor(n, 0.0).sum().backward()
"""
