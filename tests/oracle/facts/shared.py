"""Writes to elements that share memory, and what brings the graph of a view up to date."""

TEXT = r"""
=== expanded_filled_whole
y = torch.rand(3).expand(2, 3)
y[...] = 0.5
=== expanded_filled_whole_under_no_grad
x = torch.rand(3, requires_grad=True)
y = x[:1].expand(2)
with torch.no_grad():
    y[:] = 0.5
=== expanded_assigned_to_itself
y = torch.rand(3).expand(2, 3)
y[...] = y
y.copy_(y)
=== expanded_written
x = torch.rand(1, 2).expand(3, 2)
x.add_(1)
=== row_of_an_expanded_one_written
x = torch.rand(2).expand(3, 2)
x[0] = 1.0
x[0].add_(1)
=== column_of_an_expanded_one_written
x = torch.rand(2).expand(3, 2)
x[:, 0] = 1.0
=== expanded_filled
x = torch.rand(2).expand(3, 2)
x.fill_(1.0)
x[x > 0.5] = 0.0
x[[0]] = 0.5
nn.init.zeros_(x)
=== expanded_by_one_is_not
x = torch.rand(3, 1).expand(3, 1)
x.add_(1)
=== expand_as_written
x = torch.rand(3).expand_as(torch.zeros(2, 3))
x.mul_(2)
=== broadcast_to_written
x = torch.rand(3).broadcast_to(2, 3)
x *= 2
=== broadcast_tensors_written
a, b = torch.broadcast_tensors(torch.rand(3, 1), torch.rand(3))
b += a
=== view_of_an_expanded_one_written
x = torch.rand(1, 3).expand(2, 3).t()[1:]
x.sub_(1)
=== row_of_a_transposed_expanded_one_written
x = torch.rand(1, 3).expand(2, 3).t()
x[0].sub_(1)
=== contiguous_copy_of_an_expanded_one_written
x = torch.rand(1, 3, requires_grad=True)
y = x.expand(2, 3).contiguous()
y.add_(1)
y.sum().backward()
=== clone_of_an_expanded_one_written
x = torch.rand(1, 3, requires_grad=True)
y = x.expand(2, 3).clone()
y.add_(1)
y.sum().backward()
=== reshape_of_an_expanded_one_copies
x = torch.rand(1, 3, requires_grad=True)
y = (x * 1).expand(2, 3)
z = y.reshape(-1)
z.add_(1)
y.exp().sum().backward()
=== sliding_windows_written
x = torch.rand(5)
x.unfold(0, 2, 1).add_(1)
=== strided_over_the_same_elements_written
x = torch.rand(5)
x.as_strided((2, 2), (1, 1)).add_(1)
=== strided_by_nothing_written
x = torch.rand(5)
x.as_strided((2, 2), (0, 1)).add_(1)
=== out_is_expanded
o = torch.zeros(3).expand(2, 3)
torch.add(torch.ones(2, 3), 1, out=o)
=== transposed_added_to_itself
x = torch.rand(3, 3)
x += x.t()
=== row_added_to_the_matrix
x = torch.rand(3, 3)
x.add_(x[0])
=== column_added_to_the_matrix
x = torch.rand(3, 3)
x.add_(x[:, 0])
=== first_element_divides_the_vector
x = torch.rand(3)
x /= x[0]
=== sum_divides_the_vector
x = torch.rand(3)
x /= x.sum()
=== shifted_by_one_in_place
x = torch.rand(3)
x[1:] = x[:-1]
=== one_half_written_to_the_other
x = torch.rand(4)
x[:2] = x[2:]
=== view_of_the_same_elements_added
x = torch.rand(3, 3)
x.add_(x.view(3, 3)).mul_(x.detach())
=== dropout_that_does_nothing_in_place
x = torch.rand(3, requires_grad=True)
y = F.dropout(x, 0.5, False, inplace=True)
y.sum().backward()
=== detach_does_not_bring_a_view_up_to_date
b = torch.zeros(3)
v = b[0:2]
b.mul_(torch.rand(3, requires_grad=True))
d = v.detach()
v.add_(1)
=== the_flag_does_not_bring_a_view_up_to_date
b = torch.zeros(3)
v = b[0:2]
b.mul_(torch.rand(3, requires_grad=True))
print(v.requires_grad, v.shape, v.grad)
v.add_(1)
=== a_comparison_does_not_bring_a_view_up_to_date
b = torch.zeros(3)
v = b[0:2]
b.mul_(torch.rand(3, requires_grad=True))
m = v > 0
v.add_(1)
=== is_leaf_brings_a_view_up_to_date
b = torch.zeros(3)
v = b[0:2]
b.mul_(torch.rand(3, requires_grad=True))
print(v.is_leaf)
v.add_(1)
=== a_tracked_use_brings_a_view_up_to_date
b = torch.zeros(3)
v = b[0:2]
b.mul_(torch.rand(3, requires_grad=True))
w = v * 0
v.add_(1)
=== a_use_without_tracking_does_not_bring_a_view_up_to_date
b = torch.zeros(3)
v = b[0:2]
b.mul_(torch.rand(3, requires_grad=True))
with torch.no_grad():
    w = v * 2
v.add_(1)
=== nothing_is_retained_of_a_view_that_still_is_a_leaf
b = torch.zeros(3)
v = b[0:2]
b.mul_(torch.rand(3, requires_grad=True))
v.retain_grad()
v.sum().backward()
=== a_hook_on_a_view_that_cannot_be_brought_up_to_date
x = torch.rand(3, requires_grad=True) * 1
a, b, c = x.unbind(0)
x.mul_(2)
a.register_hook(print)
=== retained_gradient_after_what_raises
x = torch.rand(2, 3, requires_grad=True)
y = torch.minimum(x, x)
y.retain_grad()
z = torch.maximum(y, y)
y.detach_()
z.sum().backward()
=== expanded_turned_in_place
x = torch.rand(3).expand(3, 3)
x.t_()
x.unsqueeze_(0).squeeze_()
=== split_pieces_written_to_the_whole
x = torch.rand(3)
a, b, c = torch.split(x, [1, 1, 1])
x += c
=== rows_written_to_the_whole
x = torch.rand(3, 3)
a, b, c = x
x /= b
=== rows_of_a_gradient_of_a_function
x = torch.rand(3, 3, requires_grad=True)
g = torch.func.grad(lambda t: t.tanh().sum())(x)
a, b, c = g
g.add_(b)
=== recomputed_by_a_number_needs_no_input
x = torch.rand(3, requires_grad=True)
y = x * 1
z = torch.utils.checkpoint.checkpoint(lambda t: t * 2, y, use_reentrant=False)
y.add_(1)
z.sum().backward()
=== recomputed_from_a_changed_input
x = torch.rand(3, requires_grad=True)
y = x * 1
z = torch.utils.checkpoint.checkpoint(lambda t: t.exp(), y, use_reentrant=False)
y.add_(1)
z.sum().backward()
=== reentrant_checkpoint_with_inputs
x = torch.rand(3, requires_grad=True)
z = torch.utils.checkpoint.checkpoint(lambda t: t.exp(), x, use_reentrant=True)
z.sum().backward(inputs=[x])
=== input_of_a_backward_is_retained
x = torch.rand(3, requires_grad=True)
y = x * 2
y.exp().sum().backward(inputs=[y])
opt = torch.optim.SGD([y], lr=0.1)
opt.step()
=== bias_alone_keeps_nothing
b = torch.rand(3, requires_grad=True)
y = F.linear(torch.rand(2, 3), torch.rand(3, 3), b).sum()
y.backward()
y.backward()
=== zeros_made_for_an_unused_input
x = torch.rand(3, requires_grad=True)
y = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad((y * 2).sum(), x, materialize_grads=True, create_graph=True)
z = g ** 2
z /= z
z.sum().backward()
=== optimizer_over_a_view_that_cannot_be_brought_up_to_date
x = torch.rand(3, 3, requires_grad=True)
a, b, c = x.chunk(3)
with torch.no_grad():
    c.pow_(2)
opt = torch.optim.SGD([a], lr=0.1)
=== detached_in_place_after_vmap
x = torch.rand(3, requires_grad=True)
y = x * 2
z = torch.vmap(lambda t: t ** 2)(y)
y.detach_()
z.sum().backward()
=== row_assigned_to_the_whole_matrix
x = torch.rand(3, 3)
y = x.unsqueeze(0)
y[0] = x[2]
=== backward_of_a_mask_written_into_an_expanded_one
x = torch.ones(3, 3, requires_grad=True)
y = (x * 1).expand(2, 3, 3)
y[y > 0.5] = 0.0
y.sum().backward()
=== backward_of_an_expanded_constant_that_took_a_value
w = torch.tensor(1.0, requires_grad=True)
y = torch.ones(3).expand(2, 3)
y[y > 0.5] = w
y.sum().backward()
=== backward_of_an_expanded_one_filled
x = torch.ones(3, requires_grad=True)
y = (x * 1).expand(2, 3)
y.zero_()
y.sum().backward()
=== backward_of_an_expanded_one_turned_in_place
x = torch.ones(3, 3, requires_grad=True)
y = (x * 1).expand(2, 3, 3)
y.unsqueeze_(0)
y.sum().backward()
=== rows_of_what_vmap_gives
x = torch.rand(3, requires_grad=True)
y = torch.vmap(lambda t: t * t)(x)
a, b, c = y
y += a
=== rows_of_what_einsum_gives
x = torch.rand(3, 3, requires_grad=True)
y = torch.einsum("ij,jk->ik", x, x)
a, b, c = y
y.div_(a)
=== a_product_under_autocast_is_narrow
x = torch.rand(2, 3)
with torch.autocast("cpu"):
    y = x @ torch.rand(3, 3)
z = y.float()
z.requires_grad_()
z.sum().backward()
=== doubles_stay_doubles
x = torch.rand(3, dtype=torch.float64)
y = (x * 2).float()
y.requires_grad_()
z = (x + torch.rand(3)).double()
z.requires_grad_()
(y.sum() + z.sum()).backward()
=== functions_make_zeros_of_missing_gradients
class Gives(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 1

    @staticmethod
    def backward(ctx, grad):
        return grad


class Keeps(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 1

    @staticmethod
    def backward(ctx, grad):
        return None


x = torch.ones(3, requires_grad=True)
Keeps.apply(Gives.apply(x)).sum().backward()
=== einsum_saves_views
x = torch.zeros(2, 3)
x.copy_(torch.rand(2, 3, requires_grad=True))
y = torch.einsum("ij,jk->ik", x, torch.rand(3, 2, requires_grad=True))
x.detach_()
y.sum().backward()
=== stacks_of_matrices_are_laid_flat_before_they_are_saved
x = torch.zeros(2, 2, 3)
x.copy_(torch.rand(2, 2, 3, requires_grad=True))
y = x @ torch.rand(3, 4, requires_grad=True)
x.detach_()
y.sum().backward()
=== a_matrix_is_saved_as_it_is
x = torch.zeros(2, 3)
x.copy_(torch.rand(2, 3, requires_grad=True))
y = x @ torch.rand(3, 4, requires_grad=True)
x.detach_()
y.sum().backward()
=== expanded_copied_to_itself
x = torch.rand(3).expand(2, 3)
x.copy_(x)
x.clamp_(min=0.2)
=== a_function_that_never_looks_at_what_it_saved
class Saves(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return a * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


x = torch.rand(3, requires_grad=True)
y = x * 1
z = Saves.apply(y)
y.mul_(2)
z.sum().backward(retain_graph=True)
z.sum().backward()
"""
