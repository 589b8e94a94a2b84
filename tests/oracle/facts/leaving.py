"""How a value leaves the graph or torch altogether, and what does not cut."""

TEXT = r"""
=== tensor_of_loss
x = torch.rand(3, requires_grad=True)
loss = (x * 2).sum()
again = torch.tensor(loss)
again.backward()
=== tensor_of_loss_trainable
x = torch.rand(3, requires_grad=True)
loss = (x * 2).sum()
again = torch.tensor(loss, requires_grad=True)
again.backward()
=== tensor_of_list_of_losses
x = torch.rand(3, requires_grad=True)
losses = [(x * i).sum() for i in range(3)]
torch.tensor(losses).sum().backward()
=== as_tensor_of_list
x = torch.rand(3, requires_grad=True)
torch.as_tensor([x.sum(), x.mean()]).sum().backward()
=== float_tensor_of_list
x = torch.rand(3, requires_grad=True)
torch.FloatTensor([x.sum(), x.mean()]).sum().backward()
=== stack_of_losses
x = torch.rand(3, requires_grad=True)
losses = [(x * i).sum() for i in range(3)]
torch.stack(losses).sum().backward()
=== new_tensor
x = torch.rand(3, requires_grad=True)
y = x.new_tensor(x)
y.sum().backward()
=== asarray
x = torch.rand(3, requires_grad=True)
y = torch.asarray(x * 2)
y.sum().backward()
=== numpy_of_trainable
x = torch.rand(3, requires_grad=True)
a = x.numpy()
=== numpy_of_detached
x = torch.rand(3, requires_grad=True)
y = torch.from_numpy((x * 2).detach().numpy())
y.sum().backward()
=== numpy_force
x = torch.rand(3, requires_grad=True)
y = torch.from_numpy(x.numpy(force=True))
y.sum().backward()
=== asarray_of_numpy_on_trainable
import numpy as np
x = torch.rand(3, requires_grad=True)
a = np.asarray(x)
=== float_of_loss
x = torch.rand(3, requires_grad=True)
y = float(x.sum())
torch.tensor(y).backward()
=== item_for_logging_is_harmless
x = torch.rand(3, requires_grad=True)
loss = (x * 2).sum()
value = loss.item()
loss.backward()
=== tolist
x = torch.rand(3, requires_grad=True)
torch.tensor(x.tolist()).sum().backward()
=== item_as_factor
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
(w * x.sum().item()).sum().backward()
=== detach_one_of_two_paths
x = torch.rand(3, requires_grad=True)
q = x.round()
(x + (q - x).detach()).sum().backward()
=== round_has_a_zero_gradient
x = torch.rand(3, requires_grad=True)
x.round().sum().backward()
=== argmax
x = torch.rand(3, requires_grad=True)
x.argmax().float().backward()
=== comparison
x = torch.rand(3, requires_grad=True)
(x > 0.5).float().sum().backward()
=== long_and_back
x = torch.rand(3, requires_grad=True)
x.long().float().sum().backward()
=== double_and_back
x = torch.rand(3, requires_grad=True)
x.double().float().sum().backward()
=== double_leaf_is_another_tensor
x = torch.rand(3, requires_grad=True)
d = x.double()
d.retain_grad()
d.sum().backward()
=== factory_then_to
x = torch.rand(3, requires_grad=True).to(torch.float64)
x.sum().backward()
=== factory_then_arithmetic
x = torch.rand(3, requires_grad=True) * 0.1
x.sum().backward()
=== trainable_after_to
x = torch.rand(3).to(torch.float64).requires_grad_()
x.sum().backward()
=== parameter_of_computed
x = torch.rand(3, requires_grad=True)
p = nn.Parameter(x * 2)
p.sum().backward()
=== parameter_of_leaf_shares
x = torch.rand(3, requires_grad=True)
p = nn.Parameter(x)
p.sum().backward()
=== parameter_of_leaf_shares_version
x = torch.rand(3, requires_grad=True)
y = (x * x).sum()
p = nn.Parameter(x)
with torch.no_grad():
    p.add_(1)
y.backward()
=== clone_of_leaf
x = torch.rand(3, requires_grad=True)
c = x.clone()
c.sum().backward()
=== deepcopy_of_leaf
import copy
x = torch.rand(3, requires_grad=True)
c = copy.deepcopy(x)
c.sum().backward()
=== deepcopy_of_computed
import copy
x = torch.rand(3, requires_grad=True)
c = copy.deepcopy(x * 2)
=== zeros_like_has_no_history
x = torch.rand(3, requires_grad=True)
z = torch.zeros_like(x)
z.sum().backward()
=== max_with_indices
x = torch.rand(3, requires_grad=True)
values, indices = x.max(0)
values.backward()
=== indices_only
x = torch.rand(3, requires_grad=True)
values, indices = x.sort()
indices.float().sum().backward()
=== topk_values
x = torch.rand(3, requires_grad=True)
x.topk(2).values.sum().backward()
=== one_hot_cuts
x = torch.rand(2, 3, requires_grad=True)
F.one_hot(x.argmax(1), 3).float().sum().backward()
=== where_keeps
x = torch.rand(3, requires_grad=True)
torch.where(x > 0.5, x, torch.zeros(3)).sum().backward()
=== where_over_constants
x = torch.rand(3, requires_grad=True)
torch.where(x > 0.5, 1.0, 0.0).sum().backward()
=== multinomial
x = torch.rand(3, requires_grad=True)
torch.multinomial(x, 2).float().sum().backward()
=== bernoulli_keeps_a_zero_gradient
x = torch.rand(3, requires_grad=True)
torch.bernoulli(x).sum().backward()
=== heaviside_is_not_implemented
x = torch.rand(3, requires_grad=True)
torch.heaviside(x, torch.zeros(3)).sum().backward()
=== floor_divide_is_not_implemented
x = torch.rand(3, requires_grad=True)
(x // 2).sum().backward()
=== sum_of_list
x = torch.rand(3, requires_grad=True)
sum([x.sum(), x.mean()]).backward()
=== builtin_max_of_tensors
x = torch.rand(3, requires_grad=True)
max(x.sum(), x.mean()).backward()
=== straight_through
x = torch.rand(3, requires_grad=True)
hard = (x > 0.5).float()
y = hard - x.detach() + x
y.sum().backward()
=== inference_clone
with torch.inference_mode():
    a = torch.rand(3)
b = a.clone()
b.requires_grad_()
b.sum().backward()
=== data_as_input
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
(x.data * w).sum().backward()
"""
