"""Modules and their state: copies, state dicts, averages, parametrizations; and what comes back in several parts."""

TEXT = r"""
=== vector_to_parameters_then_backward
m = nn.Linear(3, 2)
loss = m(torch.rand(2, 3)).pow(2).sum()
v = torch.nn.utils.parameters_to_vector(m.parameters())
torch.nn.utils.vector_to_parameters(v * 0.5, m.parameters())
loss.backward()
=== parameters_to_vector_is_tracked
m = nn.Linear(3, 2)
v = torch.nn.utils.parameters_to_vector(m.parameters())
v.add_(1)
v.pow(2).sum().backward()
=== parameters_to_vector_under_no_grad
m = nn.Linear(3, 2)
with torch.no_grad():
    v = torch.nn.utils.parameters_to_vector(m.parameters())
v.sum().backward()
=== named_tuple_of_sort_by_index
x = torch.rand(3, requires_grad=True)
r = x.sort()
r[0].sum().backward()
=== named_tuple_of_sort_indices
x = torch.rand(3, requires_grad=True)
r = x.sort(descending=True)
r.indices.float().sum().backward()
=== named_tuple_of_svd
x = torch.rand(3, 3, requires_grad=True)
r = torch.linalg.svd(x)
r.S.sum().backward()
=== named_tuple_of_svd_changed
x = torch.rand(3, 3, requires_grad=True)
u, s, v = torch.linalg.svd(x)
u.add_(1)
s.sum().backward()
=== named_tuple_of_eigh
x = torch.rand(3, 3, requires_grad=True)
r = torch.linalg.eigh(x @ x.t())
r.eigenvalues.sum().backward()
=== named_tuple_of_qr
x = torch.rand(3, 3, requires_grad=True)
q, r = torch.linalg.qr(x)
r.mul_(2)
q.sum().backward()
=== svdvals_changed
x = torch.rand(3, 3, requires_grad=True)
s = torch.linalg.svdvals(x)
s.mul_(2)
s.sum().backward()
=== topk_unpacked
x = torch.rand(5, requires_grad=True)
v, i = x.topk(2)
v.mul_(2)
v.sum().backward()
=== topk_indices_changed
x = torch.rand(5, requires_grad=True)
v, i = x.topk(2)
i.mul_(0)
v.sum().backward()
=== kthvalue_indices_changed
x = torch.rand(5, requires_grad=True)
r = x.kthvalue(2)
r.indices.add_(1)
r.values.backward()
=== mode_result
x = torch.rand(5, requires_grad=True)
v, i = torch.mode(x)
v.backward()
v.backward()
=== slogdet_pair
x = torch.eye(3).requires_grad_()
sign, logdet = torch.linalg.slogdet(x)
logdet.backward()
=== aminmax_pair
x = torch.rand(3, requires_grad=True)
r = torch.aminmax(x)
(r.min + r.max).backward()
=== var_mean_pair
x = torch.rand(3, requires_grad=True)
v, m = torch.var_mean(x)
x.detach().mul_(2)
v.backward()
=== std_mean_changed
x = torch.rand(3, requires_grad=True)
s, m = torch.std_mean(x)
s.add_(1)
m.backward()
=== frexp_pair
x = torch.rand(3, requires_grad=True)
m, e = torch.frexp(x)
m.sum().backward()
=== unique_values
x = torch.rand(3, requires_grad=True)
y = torch.unique(x)
y.sum().backward()
=== unique_consecutive_values
x = torch.rand(3, requires_grad=True)
y = torch.unique_consecutive(x)
y.sum().backward()
=== histc_of_trained
x = torch.rand(3, requires_grad=True)
y = torch.histc(x, 3)
y.sum().backward()
=== bucketize_of_trained
x = torch.rand(3, requires_grad=True)
y = torch.bucketize(x, torch.tensor([0.5]))
y.float().sum().backward()
=== searchsorted_of_trained
x = torch.rand(3, requires_grad=True)
y = torch.searchsorted(x, torch.tensor([0.5]))
y.float().sum().backward()
=== swap_tensors_of_leaves
a = torch.rand(3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
torch.utils.swap_tensors(a, b)
(a * 2).sum().backward()
=== set_makes_it_share
a = torch.zeros(3)
b = torch.ones(3, requires_grad=True)
with torch.no_grad():
    a.set_(b)
(a * b).sum().backward()
=== state_dict_is_detached
m = nn.Linear(3, 2)
s = m.state_dict()
s["weight"].sum().backward()
=== state_dict_keeps_vars
m = nn.Linear(3, 2)
s = m.state_dict(keep_vars=True)
s["weight"].sum().backward()
=== state_dict_shares_memory
m = nn.Linear(3, 2)
y = m(torch.rand(1, 3)).exp().sum()
x = torch.rand(2, 3, requires_grad=True)
y = m(x).sum()
m.state_dict()["weight"].mul_(2)
y.backward()
=== load_state_dict_assign_between
m = nn.Linear(3, 2)
x = torch.rand(2, 3, requires_grad=True)
y = m(x).sum()
m.load_state_dict({"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}, assign=True)
y.backward()
=== load_state_dict_assign_keeps_the_flag
m = nn.Linear(3, 2)
m.weight.requires_grad_(False)
m.load_state_dict({"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}, assign=True)
m(torch.rand(1, 3)).sum().backward()
=== load_state_dict_assign_shares
m = nn.Linear(3, 2)
n = nn.Linear(3, 2)
m.load_state_dict(n.state_dict(), assign=True)
x = torch.rand(2, 3, requires_grad=True)
y = m(x).sum()
with torch.no_grad():
    n.weight.zero_()
y.backward()
=== load_state_dict_assign_with_optimizer
m = nn.Linear(3, 2)
o = torch.optim.SGD(m.parameters(), 0.1)
m.load_state_dict({"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}, assign=True)
m(torch.rand(1, 3)).sum().backward()
o.step()
=== saved_and_loaded
import io
m = nn.Linear(3, 2)
buffer = io.BytesIO()
torch.save(m.state_dict(), buffer)
buffer.seek(0)
m.load_state_dict(torch.load(buffer))
m(torch.rand(1, 3)).sum().backward()
=== deepcopy_of_non_leaf
import copy
x = torch.rand(3, requires_grad=True)
y = copy.deepcopy(x * 2)
=== deepcopy_keeps_the_gradient
import copy
m = nn.Linear(3, 2)
m(torch.rand(1, 3)).sum().backward()
n = copy.deepcopy(m)
=== deepcopy_keeps_frozen
import copy
m = nn.Linear(3, 2)
m.bias.requires_grad_(False)
n = copy.deepcopy(m)
n(torch.rand(1, 3)).sum().backward()
=== copy_of_a_leaf_is_a_new_leaf
import copy
x = torch.rand(3, requires_grad=True)
y = copy.copy(x)
(y * 2).sum().backward()
=== copy_of_a_module_shares_parameters
import copy
m = nn.Linear(3, 2)
n = copy.copy(m)
n(torch.rand(1, 3)).sum().backward()
=== deepcopy_of_a_view_of_a_leaf
import copy
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    v = x[:2]
w = copy.deepcopy(v)
=== deepcopy_of_shared_parameters
import copy
m = nn.Linear(3, 3)
n = nn.Sequential(m, m)
k = copy.deepcopy(n)
k[0](torch.rand(1, 3)).sum().backward()
=== deepcopy_of_a_dict
import copy
d = {"a": torch.rand(3, requires_grad=True)}
e = copy.deepcopy(d)
a = d["a"]
b = e["a"]
(b * 2).sum().backward()
=== swa_averages
m = nn.Linear(3, 2)
from torch.optim.swa_utils import AveragedModel
s = AveragedModel(m)
m(torch.rand(1, 3)).sum().backward()
s.update_parameters(m)
s(torch.rand(1, 3)).sum().backward()
=== swa_average_is_a_copy
m = nn.Linear(3, 2)
from torch.optim.swa_utils import AveragedModel
s = AveragedModel(m)
s(torch.rand(1, 3)).sum().backward()
=== swa_update_between
m = nn.Linear(3, 2)
from torch.optim.swa_utils import AveragedModel
s = AveragedModel(m)
x = torch.rand(2, 3, requires_grad=True)
y = s(x).sum()
s.update_parameters(m)
y.backward()
=== swa_module_names
m = nn.Linear(3, 2)
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
s = AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.9))
s.module(torch.rand(1, 3)).sum().backward()
=== weight_norm_old
m = nn.utils.weight_norm(nn.Linear(3, 2))
m(torch.rand(1, 3)).sum().backward()
=== weight_norm_old_write_weight
m = nn.utils.weight_norm(nn.Linear(3, 2))
m.weight.mul_(2)
=== weight_norm_new
m = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
m(torch.rand(1, 3)).sum().backward()
=== weight_norm_new_double_use
m = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
w = m.weight
w.sum().backward()
m.weight.sum().backward()
=== weight_norm_weight_once
m = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
w = m.weight
w.sum().backward()
w.sum().backward()
=== weight_norm_removed
m = nn.utils.weight_norm(nn.Linear(3, 2))
nn.utils.remove_weight_norm(m)
m(torch.rand(1, 3)).sum().backward()
=== spectral_norm_old
m = nn.utils.spectral_norm(nn.Linear(3, 2))
m(torch.rand(1, 3)).sum().backward()
=== spectral_norm_new
m = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))
m(torch.rand(1, 3)).sum().backward()
=== spectral_norm_twice_before_backward
m = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))
a = m(torch.rand(1, 3)).sum()
b = m(torch.rand(1, 3)).sum()
(a + b).backward()
=== spectral_norm_old_twice_before_backward
m = nn.utils.spectral_norm(nn.Linear(3, 2))
a = m(torch.rand(1, 3)).sum()
b = m(torch.rand(1, 3)).sum()
(a + b).backward()
=== orthogonal_parametrization
m = nn.utils.parametrizations.orthogonal(nn.Linear(3, 3))
m(torch.rand(1, 3)).sum().backward()
=== registered_parametrization_assigned
import torch.nn.utils.parametrize as P
class Twice(nn.Module):
    def forward(self, w):
        return w * 2
    def right_inverse(self, w):
        return w / 2
m = nn.Linear(3, 3)
P.register_parametrization(m, "weight", Twice())
m.weight = torch.zeros(3, 3)
m(torch.rand(2, 3)).sum().backward()
=== registered_parametrization_of_plain_module
import torch.nn.utils.parametrize as P
class Symmetric(nn.Module):
    def forward(self, w):
        return w.triu() + w.triu(1).transpose(-1, -2)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(3, 3))
        P.register_parametrization(self, "w", Symmetric())
    def forward(self, x):
        return x @ self.w
m = Net()
m(torch.rand(2, 3)).sum().backward()
=== parametrization_with_a_parameter_of_its_own
import torch.nn.utils.parametrize as P
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.ones(()))
    def forward(self, w):
        return w * self.s
m = nn.Linear(3, 3)
P.register_parametrization(m, "weight", Scale())
m(torch.rand(2, 3)).sum().backward()
=== parametrization_removed
import torch.nn.utils.parametrize as P
class Twice(nn.Module):
    def forward(self, w):
        return w * 2
m = nn.Linear(3, 3)
P.register_parametrization(m, "weight", Twice())
P.remove_parametrizations(m, "weight")
m(torch.rand(2, 3)).sum().backward()
=== parametrization_that_detaches
import torch.nn.utils.parametrize as P
class Stop(nn.Module):
    def forward(self, w):
        return w.detach()
m = nn.Linear(3, 3)
P.register_parametrization(m, "weight", Stop())
m(torch.rand(2, 3)).sum().backward()
=== pruned_weight
import torch.nn.utils.prune as prune
m = nn.Linear(3, 3)
prune.l1_unstructured(m, "weight", amount=0.3)
m(torch.rand(2, 3)).sum().backward()
=== pruned_weight_trained_twice
import torch.nn.utils.prune as prune
m = nn.Linear(3, 3)
prune.random_unstructured(m, name="weight", amount=0.3)
m(torch.rand(2, 3)).sum().backward()
m(torch.rand(2, 3)).sum().backward()
=== functional_call_detached
from torch.func import functional_call
m = nn.Linear(3, 2)
p = {k: v.detach() for k, v in m.named_parameters()}
functional_call(m, p, (torch.rand(1, 3),)).sum().backward()
=== functional_call_of_new_leaves
from torch.func import functional_call
m = nn.Linear(3, 2)
w = torch.rand(2, 3, requires_grad=True)
b = torch.rand(2, requires_grad=True)
functional_call(m, {"weight": w, "bias": b}, (torch.rand(1, 3),)).sum().backward()
=== functional_call_in_part
from torch.func import functional_call
m = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
w = torch.rand(2, 3, requires_grad=True)
functional_call(m, {"0.weight": w}, (torch.rand(1, 3),)).sum().backward()
=== functional_call_updates_a_buffer
from torch.func import functional_call
m = nn.BatchNorm1d(3)
w = torch.rand(3, requires_grad=True)
functional_call(m, {"weight": w}, torch.rand(4, 3)).sum().backward()
=== functional_call_with_keywords
from torch.func import functional_call
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(3))
    def forward(self, x, scale=1):
        return (x * self.w * scale).sum()
m = Net()
w = torch.rand(3, requires_grad=True)
functional_call(m, {"w": w}, (torch.rand(3),), {"scale": 2}).backward()
=== stateful_functional_call_in_a_loop
from torch.func import functional_call
m = nn.Linear(3, 2)
p = dict(m.named_parameters())
for i in range(2):
    loss = functional_call(m, p, (torch.rand(1, 3),)).pow(2).sum()
    g = torch.autograd.grad(loss, list(p.values()), create_graph=True)
    p = {k: v - 0.1 * d for (k, v), d in zip(p.items(), g)}
functional_call(m, p, (torch.rand(1, 3),)).sum().backward()
=== compiled_function_is_itself
@torch.compile(backend="eager")
def f(x):
    return x.exp()
x = torch.rand(3, requires_grad=True)
y = f(x)
y.add_(1)
y.sum().backward()
=== sparse_product
i = torch.tensor([[0, 1], [1, 0]])
s = torch.sparse_coo_tensor(i, torch.ones(2), (2, 2))
x = torch.rand(2, 2, requires_grad=True)
torch.sparse.mm(s, x).sum().backward()
=== sparse_of_trained_values
i = torch.tensor([[0, 1], [1, 0]])
v = torch.ones(2, requires_grad=True)
s = torch.sparse_coo_tensor(i, v, (2, 2))
s.to_dense().sum().backward()
=== sparse_embedding
e = nn.Embedding(4, 3, sparse=True)
e(torch.tensor([1, 2])).sum().backward()
=== sparse_coalesced_values
i = torch.tensor([[0, 1], [1, 0]])
v = torch.ones(2, requires_grad=True)
s = torch.sparse_coo_tensor(i, v, (2, 2)).coalesce()
s.values().sum().backward()
=== complex_modulus
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
x.abs().sum().backward()
=== complex_from_parts
a = torch.rand(3, requires_grad=True)
b = torch.rand(3)
z = torch.complex(a, b)
z.add_(1)
z.abs().sum().backward()
=== complex_view_as_real_changed
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
y = x * 2
r = torch.view_as_real(y)
r.mul_(2)
y.abs().sum().backward()
=== complex_conj_written
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
y = (x * 1).conj()
y.mul_(2)
y.abs().sum().backward()
=== complex_angle
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
x.angle().sum().backward()
=== complex_polar
a = torch.rand(3, requires_grad=True)
b = torch.rand(3, requires_grad=True)
torch.polar(a, b).real.sum().backward()
=== fft_of_real
x = torch.rand(4, requires_grad=True)
y = torch.fft.fft(x)
y.mul_(2)
y.abs().sum().backward()
=== rfft_there_and_back
x = torch.rand(4, requires_grad=True)
y = torch.fft.irfft(torch.fft.rfft(x))
y.sum().backward()
y.sum().backward()
=== parametrize_cached
import torch.nn.utils.parametrize as P
class Twice(nn.Module):
    def forward(self, w):
        return w * 2
m = nn.Linear(3, 3)
P.register_parametrization(m, "weight", Twice())
with P.cached():
    a = m(torch.rand(2, 3)).sum()
    b = m(torch.rand(2, 3)).sum()
    a.backward()
    b.backward()
=== parametrize_cached_saves
import torch.nn.utils.parametrize as P
class Exp(nn.Module):
    def forward(self, w):
        return w.exp()
m = nn.Linear(3, 3)
P.register_parametrization(m, "weight", Exp())
with P.cached():
    a = m(torch.rand(2, 3)).sum()
    b = m(torch.rand(2, 3)).sum()
    a.backward()
    b.backward()
=== parametrize_uncached
import torch.nn.utils.parametrize as P
class Exp(nn.Module):
    def forward(self, w):
        return w.exp()
m = nn.Linear(3, 3)
P.register_parametrization(m, "weight", Exp())
a = m(torch.rand(2, 3)).sum()
b = m(torch.rand(2, 3)).sum()
a.backward()
b.backward()
=== parametrize_cached_step
import torch.nn.utils.parametrize as P
class Exp(nn.Module):
    def forward(self, w):
        return w.exp()
m = nn.Linear(3, 3)
P.register_parametrization(m, "weight", Exp())
opt = torch.optim.SGD(m.parameters(), 0.1)
with P.cached():
    m(torch.rand(2, 3)).sum().backward()
    opt.step()
    m(torch.rand(2, 3)).sum().backward()
=== vector_into_parameters_of_another_between
m = nn.Linear(3, 3)
n = nn.Linear(3, 3)
x = torch.rand(2, 3, requires_grad=True)
loss = m(x).pow(2).sum()
nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(n.parameters()), m.parameters())
loss.backward()
=== replaced_in_a_copy_of_the_module
import copy
m = nn.Linear(3, 3)
n = copy.copy(m)
loss = n(torch.rand(2, 3)).sum()
m.weight = nn.Parameter(torch.zeros(3, 3))
loss.backward()
"""
