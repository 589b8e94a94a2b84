"""Sizes changed in place without tracking: the grad_fn goes on to take a gradient of the old ones."""

TEXT = r"""
=== turned_past_autograd
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
with torch.no_grad():
    y.t_()
(y * 3).sum().backward()
=== turned_past_autograd_is_the_loss
x = torch.rand(1, requires_grad=True)
y = x * 2
with torch.no_grad():
    y.squeeze_()
y.backward()
=== turned_square_past_autograd
x = torch.rand(3, 3, requires_grad=True)
y = x * 2
with torch.no_grad():
    y.transpose_(0, 1)
(y * 3).sum().backward()
=== more_dimensions_past_autograd
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
y.retain_grad()
with torch.no_grad():
    y.unsqueeze_(0)
(y * 3).sum().backward()
=== fewer_dimensions_past_autograd
x = torch.rand(1, 3, requires_grad=True)
y = x * 2
with torch.no_grad():
    y.squeeze_()
(y * 3).sum().backward()
=== turned_there_and_back_past_autograd
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
with torch.no_grad():
    y.t_()
    y.t_()
(y * 3).sum().backward()
=== turned_back_under_tracking
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
with torch.no_grad():
    y.t_()
y.t_()
(y * 3).sum().backward()
=== used_before_it_was_turned_past_autograd
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
z = y + 1
with torch.no_grad():
    y.t_()
z.sum().backward()
=== asked_for_after_it_was_turned_past_autograd
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
z = y + 1
with torch.no_grad():
    y.t_()
torch.autograd.grad(z.sum(), [y])
=== turned_past_autograd_next_to_another_leaf
x = torch.rand(2, 3, requires_grad=True)
w = torch.rand(3, 2, requires_grad=True)
y = x * 2
with torch.no_grad():
    y.t_()
(y * w).sum().backward()
=== view_turned_past_autograd
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
v = y.view(3, 2)
with torch.no_grad():
    v.t_()
(v * 3).sum().backward()
=== base_turned_past_autograd_under_a_view
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
v = y.view(3, 2)
with torch.no_grad():
    y.t_()
(v * 3).sum().backward()
=== fresh_leaf_turned_past_autograd
x = torch.rand(2, 3, requires_grad=True)
with torch.no_grad():
    x.t_()
(x * 3).sum().backward()
=== broadcast_makes_up_for_it
x = torch.rand(3, requires_grad=True)
y = x * 2
y.unsqueeze_(0)
with torch.no_grad():
    y.swapaxes_(0, 1)
(y * x).sum().backward()
=== expand_does_not_make_up_for_it
x = torch.rand(3, requires_grad=True)
y = x * 2
y.unsqueeze_(0)
with torch.no_grad():
    y.swapaxes_(0, 1)
y.expand(3, 3).sum().backward()
=== strided_anew_past_autograd
x = torch.rand(4, requires_grad=True)
y = x * 2
with torch.no_grad():
    y.as_strided_((2, 2), (2, 1))
(y * 3).sum().backward()
=== cut_off_and_turned
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
y.detach().t_()
(y * 3).sum().backward()
=== turned_in_inference_mode
x = torch.rand(2, 3, requires_grad=True)
y = x * 2
with torch.inference_mode():
    y.t_()
y.sum().backward()
=== over_an_array_of_the_same_memory
x = torch.rand(3, requires_grad=True)
y = x * 2
a = torch.from_numpy(y.detach().numpy())
v = y.unflatten(0, (1, -1))
v.sub_(a)
=== over_a_part_of_itself_from_an_array
a = torch.from_numpy(torch.rand(3).numpy())
a.sub_(a[0])
"""
