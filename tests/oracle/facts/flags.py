"""`requires_grad`, `retain_grad`, hooks and `.grad` of what is not a leaf."""

TEXT = r"""
=== trainable_integers
x = torch.tensor([1, 2, 3], requires_grad=True)
=== integers_made_trainable
x = torch.tensor([1, 2, 3])
x.requires_grad_()
=== flag_on_computed_is_no_change
x = torch.rand(3, requires_grad=True)
y = x * 2
y.requires_grad_()
y.sum().backward()
=== flag_off_on_computed
x = torch.rand(3, requires_grad=True)
y = x * 2
y.requires_grad_(False)
=== attribute_off_on_computed
x = torch.rand(3, requires_grad=True)
y = x * 2
y.requires_grad = False
=== flag_off_before_use
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
x.requires_grad_(False)
(x * w).sum().backward()
=== flag_off_after_use
x = torch.rand(3, requires_grad=True)
y = (x * 2).sum()
x.requires_grad_(False)
y.backward()
=== flag_off_and_on_after_use
x = torch.rand(3, requires_grad=True)
y = (x * 2).sum()
x.requires_grad_(False)
x.requires_grad_(True)
y.backward()
=== flag_on_after_use
x = torch.rand(3)
y = x * 2
x.requires_grad_()
y.sum().backward()
=== flag_on_untracked_result
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    y = x * 2
y.requires_grad_()
y.sum().backward()
=== flag_on_detached_loss
x = torch.rand(3, requires_grad=True)
loss = (x * 2).sum().detach()
loss.requires_grad_()
loss.backward()
=== flag_on_loss_of_untracked
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    loss = (x * 2).sum()
loss.requires_grad = True
loss.backward()
=== retain_grad
x = torch.rand(3, requires_grad=True)
y = x * 2
y.retain_grad()
y.sum().backward()
print(y.grad)
=== retain_grad_of_plain
x = torch.rand(3)
x.retain_grad()
=== retain_grad_of_leaf
x = torch.rand(3, requires_grad=True)
x.retain_grad()
x.sum().backward()
=== retain_grad_then_change
x = torch.rand(3, requires_grad=True)
y = x * 2
y.retain_grad()
y.add_(1)
y.sum().backward()
=== grad_of_computed
x = torch.rand(3, requires_grad=True)
y = x * 2
y.sum().backward()
z = y.grad
=== grad_used_afterwards
x = torch.rand(3, requires_grad=True)
(x * 2).sum().backward()
y = x.grad * 2
y.sum().backward()
=== hook_on_plain
x = torch.rand(3)
x.register_hook(lambda g: g)
=== hook_on_computed
x = torch.rand(3, requires_grad=True)
y = x * 2
y.register_hook(lambda g: g * 2)
y.sum().backward()
=== data_of_other_dtype
x = torch.rand(3, requires_grad=True)
x.data = x.data * 2
(x * 2).sum().backward()
=== resize_trainable
x = torch.rand(3, requires_grad=True)
x.resize_(5)
=== parameter_of_integers
p = nn.Parameter(torch.tensor([1, 2]))
=== parameter_not_trainable
p = nn.Parameter(torch.rand(3), requires_grad=False)
x = torch.rand(3, requires_grad=True)
(p * x).sum().backward()
=== like_is_not_trainable
x = torch.rand(3, requires_grad=True)
y = torch.ones_like(x)
y.sum().backward()
=== detach_in_place_then_flag
x = torch.rand(3, requires_grad=True)
y = x * 2
y.detach_().requires_grad_()
y.sum().backward()
=== frozen_with_a_gradient_keeps_it
x = torch.rand(3, requires_grad=True)
(x * 2).sum().backward()
x.requires_grad_(False)
=== gradient_assigned
x = torch.rand(3, requires_grad=True)
x.grad = torch.ones(3)
=== name_bound_again
x = torch.rand(3, requires_grad=True)
x = x * 2
x.sum().backward()
"""
