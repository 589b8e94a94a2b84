"""Programs that the random test found and made small: each once told engine and torch apart."""

TEXT = r"""
=== attribute_on_over_computed
x = torch.rand(3, requires_grad=True)
y = x * x
y.requires_grad = True
=== attribute_on_over_view_of_leaf
x = torch.rand(3, requires_grad=True)
y = x[0]
y.requires_grad = True
=== view_under_no_grad_still_requires_grad
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    v = x[0:2]
(v * 2).sum().backward()
=== view_by_iteration_under_no_grad
x = torch.rand(3, requires_grad=True)
with torch.set_grad_enabled(False):
    a, b, c = x
=== view_of_computed_under_no_grad
x = torch.rand(3, requires_grad=True)
y = x * 2
with torch.no_grad():
    v = y[0:2]
v.sum().backward()
=== flatten_of_flat_leaf_is_the_leaf
x = torch.rand(3, requires_grad=True)
y = x.flatten()
y.sum().backward()
=== reshape_of_scalar_is_a_view
x = torch.rand((), requires_grad=True)
v = x.reshape(1)
torch.autograd.grad(x, v)
=== numpy_under_no_grad
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    a = x.numpy()
=== setitem_under_no_grad_keeps_the_flag
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    x[:] = 0.5
x.sum().backward()
=== slice_changed_under_no_grad_keeps_the_history
x = torch.rand(3, requires_grad=True)
y = x - 0.5
with torch.no_grad():
    y[1:] -= 2
y *= y
y.sum().backward()
=== detach_in_place_of_base_leaves_its_view
x = torch.rand(3, requires_grad=True)
v = x.view(-1)
x.detach_()
v.sum().backward()
=== detach_in_place_of_base_leaves_the_saved_view
x = torch.rand(3, requires_grad=True)
y = x.sigmoid()
v = y.unsqueeze(0)
y.add_(1)
y.detach_()
v.sum().backward()
=== detach_in_place_after_backward_keeps_the_gradient
x = torch.tensor(1.0, requires_grad=True)
x.backward()
x.detach_()
=== leaky_relu_in_place_alone
x = torch.rand(3, requires_grad=True)
y = x + 1
F.leaky_relu(y, inplace=True)
y.sum().backward()
=== elu_in_place_alone
x = torch.rand(3, requires_grad=True)
y = x + 1
F.elu(y, inplace=True)
y.sum().backward()
=== silu_in_place_alone
x = torch.rand(3, requires_grad=True)
y = x + 1
F.silu(y, inplace=True)
y.sum().backward()
=== max_values_of_matrix
x = torch.rand(3, 3, requires_grad=True)
torch.max(x, 0).values.sum().backward()
=== max_first_of_pair
x = torch.rand(3, 3, requires_grad=True)
x.max(dim=0)[0].sum().backward()
=== sort_values_of_scalar
x = torch.rand((), requires_grad=True)
x.sort().values.backward()
=== sort_values_twice
x = torch.rand(3, requires_grad=True)
y = x.sort(0).values.norm()
y.backward()
y.backward()
=== max_values_of_plain
x = torch.rand(3)
x.max(0).values.backward()
=== einsum_of_two_is_no_view
x = torch.rand(3, 3, requires_grad=True)
y = torch.einsum('ij,jk->ik', x, x)
y -= 2
=== einsum_matrix_vector_set
x = torch.rand(3, 3, requires_grad=True)
y = torch.einsum('ij,j->i', x, torch.rand(3))
y[0] = 0.5
y.sum().backward()
=== sign_saves_nothing_at_all
x = torch.rand(3, requires_grad=True)
y = x.sign()
y.norm().backward()
y.sum().backward()
=== floor_saves_nothing_at_all
x = torch.rand(3, requires_grad=True)
y = x.floor()
y.sum().backward()
y.mean().backward()
=== grad_of_unreached_input_frees_nothing
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
y = (x * x).sum()
torch.autograd.grad(y, w, allow_unused=True)
y.backward()
=== grad_of_sibling_view_frees_nothing
x = torch.rand(3, requires_grad=True)
a, b, c = x * x
torch.autograd.grad(c, a, allow_unused=True)
c.backward()
=== grad_stops_at_its_input
x = torch.rand(3, requires_grad=True)
y = x.tanh()
y -= y
torch.autograd.grad(y.sum(), y)
y.sum().backward()
=== grad_of_itself
x = torch.rand((), requires_grad=True)
y = x * 2
torch.autograd.grad(y, y)
y.backward()
=== grad_of_itself_with_graph_is_a_constant
x = torch.rand((), requires_grad=True)
(g,) = torch.autograd.grad(x, x, create_graph=True)
g.backward()
=== grad_with_graph_then_changed
x = torch.rand(3, requires_grad=True)
h = x.tanh()
h.add_(h)
y = h.prod()
torch.autograd.grad(y, h, create_graph=True)
y.backward()
=== backward_inputs_off_the_path
x = torch.rand(3, requires_grad=True)
y = x.exp()
y.add_(1)
other = x * 2
y.sum().backward(inputs=[other])
=== chunk_then_base_changed_then_used
x = torch.rand(3, requires_grad=True)
y = x * 1
a, b, c = y.chunk(3)
y[:] = 0.5
d = c.norm()
=== unbind_of_leaf_changed_through_detach
x = torch.rand(3, requires_grad=True)
a, b, c = x
a.detach().mul_(2)
d = b.sum()
=== unbind_element_changed_under_no_grad
x = torch.rand(3, requires_grad=True)
a, b, c = x
with torch.no_grad():
    c.sin_()
d = c + c
=== view_from_no_grad_then_base_changed
x = torch.rand(3, requires_grad=True)
y = x * 1
with torch.no_grad():
    v = y[...]
y[[0]] = 0.5
z = v.sum()
=== view_from_inference_mode_changed
x = torch.rand(3, requires_grad=True)
p = torch.ones(3)
with torch.inference_mode():
    v = p[...]
v.add_(x)
=== view_of_detached_leaf_changed
x = torch.rand(3, requires_grad=True)
v = x[0]
x.detach_()
v.mul_(2)
=== function_whose_backward_returns_nothing
class Cut(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 3
    @staticmethod
    def backward(ctx, grad):
        pass
x = torch.rand(3, requires_grad=True)
Cut.apply(x).sum().backward()
=== layer_norm_then_elu_in_place
x = torch.rand(3, requires_grad=True)
y = F.layer_norm(x, x.shape)
F.elu(y, inplace=True)
y.norm().backward()
=== condition_on_shape_rebinding
x = torch.rand(3, requires_grad=True)
if x.dim() > 1:
    y = x
else:
    y = x.exp()
y[0] = 0.5
y.mean().backward()
=== root_asked_for_runs_nothing
x = torch.ones(3, requires_grad=True)
y = torch.mean(x)
y /= y
torch.autograd.grad(y, [y])
y.backward()
=== view_of_stale_view_is_refused
x = torch.rand(3, requires_grad=True)
y = x * 1
a, b, c = torch.split(y, [1, 1, 1])
y *= 2
b[0] = 0.5
=== retain_grad_asks_a_stale_view
x = torch.rand(3, requires_grad=True)
a, b, c = x.split(1)
b.detach().mul_(2)
b.retain_grad()
=== setter_does_not_ask_a_stale_view
x = torch.ones((), requires_grad=True)
p = torch.rand(3)
a, b, c = p
p.sub_(x)
a.requires_grad = False
=== target_of_kl_div_is_saved
x = torch.ones(3, 3, requires_grad=True)
t = torch.rand(3, 3)
y = F.kl_div(x, t)
t.mul_(2)
y.backward()
=== einsum_is_a_view_of_its_product
a = torch.randn(3, 3)
y = torch.einsum('ij,jk->ik', a, a)
y.detach_()
=== operands_of_einsum_are_saved
a = torch.rand(2, 3)
b = torch.rand(3, 3, requires_grad=True)
y = torch.einsum('ij,jk->ik', a, b)
a -= 0.5
y.sum().backward()
=== vector_of_einsum_is_saved
a = torch.rand(3, 3, requires_grad=True)
b = torch.rand(3)
y = torch.einsum('ij,j->i', a, b)
b[b > 0.5] = 0.0
y.sum().backward()
=== operand_of_einsum_is_not_saved_for_itself
a = torch.rand(3, 3, requires_grad=True)
b = torch.rand(3)
h = a * 1
y = torch.einsum('ij,j->i', h, b)
h.add_(1)
y.sum().backward()
=== smooth_l1_saves_both
x = torch.rand(3, requires_grad=True)
h = x * x
y = F.smooth_l1_loss(h, h)
h[h > 0.5] = 0.0
y.backward()
=== smooth_l1_of_a_detached_input
x = torch.rand(3, requires_grad=True)
h = x.sum()
y = F.smooth_l1_loss(h, h)
h.detach_()
y.backward()
=== write_to_a_view_is_freed
x = torch.rand((), requires_grad=True)
y = torch.rand(2, 3).sub(x)
y[0] -= 2
loss = y.sum()
loss.backward()
loss.backward()
=== lerp_by_a_number_keeps_nothing
x = torch.ones(3, requires_grad=True)
y = torch.lerp(x, x, 0.5).sum()
y.backward()
y.backward()
=== lerp_by_a_tensor_is_freed
x = torch.ones(3, requires_grad=True)
y = torch.lerp(x, x, torch.rand(3)).sum()
y.backward()
y.backward()
=== another_output_of_the_same_node_is_unused
x = torch.rand(3, 3, requires_grad=True)
a, b, c = x
torch.autograd.grad(a.sum(), [c])
=== another_output_of_the_same_node_gets_none
x = torch.rand(3, 3, requires_grad=True)
a, b, c = x.unbind(0)
g = torch.autograd.grad(a.sum(), [c], allow_unused=True)
loss = g[0] is None
(a * 2).sum().backward()
=== root_that_is_one_of_many_outputs
x = torch.rand(3, requires_grad=True)
a, b, c = x
torch.autograd.grad(a, [b])
=== detach_in_inference_mode_does_nothing
x = torch.rand(3, requires_grad=True)
y = x * 2
a, b, c = y
with torch.inference_mode():
    a.detach_()
    y.detach_()
y.sum().backward()
=== inference_mode_false_ends_inference_mode
x = torch.zeros(3, requires_grad=True)
with torch.inference_mode():
    with torch.inference_mode(False):
        loss = x.norm()
loss.backward()
=== inference_mode_false_ends_no_grad
x = torch.zeros(3, requires_grad=True)
with torch.no_grad():
    with torch.inference_mode(False):
        loss = x.norm()
loss.backward()
=== gradient_made_in_inference_mode
x = torch.rand(3, 3, requires_grad=True)
with torch.inference_mode():
    x.grad = torch.zeros_like(x)
x.norm().backward()
=== gradient_made_in_inference_mode_and_a_new_graph
x = torch.rand(3, 3, requires_grad=True)
with torch.inference_mode():
    x.grad = torch.zeros_like(x)
x.norm().backward(create_graph=True)
=== gradient_made_in_inference_mode_of_another_leaf
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
with torch.inference_mode():
    x.grad = torch.zeros_like(x)
(x * w).sum().backward(inputs=[w])
=== parameter_made_in_inference_mode
with torch.inference_mode():
    w = nn.Parameter(torch.rand(3))
w.sum().backward()
=== parameter_made_in_inference_mode_with_another
x = torch.rand(3, requires_grad=True)
with torch.inference_mode():
    w = nn.Parameter(torch.rand(3, 3))
y = w @ x
=== inference_leaf_is_not_saved_by_itself
with torch.inference_mode():
    x = torch.full((3,), 0.5, requires_grad=True)
y = x.cumprod(0)
=== inference_leaf_times_a_number
with torch.inference_mode():
    x = torch.full((3,), 0.5, requires_grad=True)
y = x * 2
y.sum().backward()
=== inference_leaf_and_a_mean
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
y = x.mean()
=== inference_leaf_changed_by_a_number
with torch.inference_mode():
    x = torch.ones(3, requires_grad=True)
F.dropout(x, 0.5, inplace=True)
=== inference_leaf_iterated
with torch.inference_mode():
    x = torch.ones(3, requires_grad=True)
a, b, c = x
a.backward()
=== detached_inference_tensor_may_be_changed
with torch.inference_mode():
    x = torch.ones(3)
x.data.add_(1)
y = x.detach()
y.mul_(2)
y.sum().backward()
=== view_of_a_detached_inference_tensor_may_not
with torch.inference_mode():
    x = torch.ones(3)
y = x.detach()
y[0].add_(1)
=== detached_inference_tensor_is_not_saved
with torch.inference_mode():
    x = torch.ones(3)
y = x.detach() * torch.rand(3, requires_grad=True)
=== data_of_an_inference_tensor_is_not_counted
with torch.inference_mode():
    x = torch.ones(3)
x.data = torch.ones(3)
y = x * torch.rand(3, requires_grad=True)
=== data_set_to_an_inference_tensor_stays_counted
x = torch.ones(3)
with torch.inference_mode():
    x.data = torch.zeros(3)
x.add_(1)
x.sum().backward()
=== pieces_have_dimensions
x = torch.ones(3, requires_grad=True)
a, b, c = x.chunk(3)
if a.dim() > 1:
    x = x + 1
else:
    x[1:] = 0.5
=== gradient_set_on_one_of_two
x = torch.full((3,), 0.5)
w = torch.rand(3)
if w.sum() > 0:
    x = x.tanh()
x.grad = torch.zeros_like(x)
=== inference_data_in_place_goes_past_the_checks
x = torch.randn(3, 3, requires_grad=True)
a, b, c = x
with torch.inference_mode():
    a.data = a * 2
a.mul_(a)
=== random_fill_of_an_expanded_tensor
x = torch.rand(3, requires_grad=True)
y = x.expand(2, 3)
nn.init.normal_(y)
=== random_fill_of_an_expanded_tensor_by_method
y = torch.rand(3).expand(2, 3)
y.uniform_()
=== zeros_into_an_expanded_tensor
y = torch.rand(3).expand(2, 3)
nn.init.zeros_(y)
=== inference_leaf_augmented
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
x += 1
=== leaf_moved_into_the_graph
x = torch.ones((), requires_grad=True)
y = torch.add(x, x)
x.requires_grad_(False)
x.lerp_(y, 0.5)
y.backward()
=== data_set_to_an_inference_tensor
x = torch.tensor([0.75], requires_grad=True)
with torch.inference_mode():
    x.data = torch.ones_like(x)
loss = x.mean()
=== data_of_an_inference_leaf_set_to_an_ordinary_tensor
with torch.inference_mode():
    x = torch.ones(3, requires_grad=True)
x.data = torch.ones(3)
x.exp().sum().backward()
=== assignment_to_all_is_no_view
x = torch.full((), 0.5, requires_grad=True)
y = torch.add(x, torch.rand(3))
y[...] = 0.5
loss = torch.sum(y)
torch.autograd.grad(loss, [x])
loss.backward()
=== assignment_to_a_full_slice_is_a_view
x = torch.full((), 0.5, requires_grad=True)
y = torch.add(x, torch.rand(3))
y[:] = 0.5
loss = torch.sum(y)
torch.autograd.grad(loss, [x])
loss.backward()
=== assignment_to_some_rows_is_a_view
x = torch.full((), 0.5, requires_grad=True)
y = torch.add(x, torch.rand(3, 3))
y[0:3, 0:2] = 0.5
loss = torch.sum(y)
torch.autograd.grad(loss, [x])
loss.backward()
=== assignment_to_all_rows_is_no_view
x = torch.full((), 0.5, requires_grad=True)
y = torch.add(x, torch.rand(3, 3))
y[0:3, ..., :4] = 0.5
loss = torch.sum(y)
torch.autograd.grad(loss, [x])
loss.backward()
=== augmented_assignment_to_all
x = torch.rand(3, requires_grad=True)
y = x + x
y[...] += 2
loss = y.sum()
loss.backward()
loss.backward()
=== inference_leaf_as_a_parameter
with torch.inference_mode():
    x = torch.ones(3)
w = nn.Parameter(x)
=== array_keeps_its_shape
x = torch.from_numpy(torch.ones(3).numpy())
y = x.flatten()
y.requires_grad = True
x.sum().backward()
=== untracked_write_leaves_the_view_behind
x = torch.rand(3, 3)
with torch.no_grad():
    v = x.unsqueeze(0)
    F.elu(v, inplace=True)
x.requires_grad_()
y = x * v
=== hook_replaces_the_output
x = torch.rand(2, 3, requires_grad=True)
net = nn.Linear(3, 3)
net.register_forward_hook(lambda module, inputs, output: output.detach())
net(x).sum().backward()
=== hook_that_was_removed
x = torch.rand(2, 3, requires_grad=True)
net = nn.Linear(3, 3)
handle = net.register_forward_hook(lambda module, inputs, output: output.detach())
handle.remove()
net(x).sum().backward()
=== hook_of_a_class
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = []
        self.layer = nn.Linear(3, 3)
        self.layer.register_forward_hook(self.keep)
    def keep(self, module, inputs, output):
        self.seen.append(output)
    def forward(self, t):
        return self.layer(t)
net = Net()
net(torch.rand(2, 3))
net.seen[0].sum().backward()
=== pre_hook_replaces_the_input
x = torch.rand(2, 3, requires_grad=True)
net = nn.Linear(3, 3)
net.register_forward_pre_hook(lambda module, inputs: (inputs[0].detach(),))
net(x).sum().backward()
=== pre_hook_saves_a_leaf_from_relu_in_place
x = torch.rand(2, 3, requires_grad=True)
net = nn.ReLU(inplace=True)
net.register_forward_pre_hook(lambda module, inputs: inputs[0].clone())
net(x).sum().backward()
=== backward_hook_makes_views
net = nn.Linear(3, 3)
net.register_full_backward_hook(lambda module, into, out: None)
y = net(torch.rand(2, 3))
y.mul_(2)
=== backward_hook_before_relu_in_place
x = torch.rand(2, 3, requires_grad=True)
net = nn.ReLU(inplace=True)
net.register_full_backward_hook(lambda module, into, out: None)
net(x * 1)
=== checkpoint_makes_its_result_again
x = torch.rand(3, requires_grad=True)
y = torch.utils.checkpoint.checkpoint(lambda t: t.exp(), x, use_reentrant=False)
y.mul_(2)
y.sum().backward()
=== checkpoint_keeps_its_inputs
x = torch.rand(3, requires_grad=True) * 1
y = torch.utils.checkpoint.checkpoint(lambda t: t * t, x, use_reentrant=False)
x.mul_(2)
y.sum().backward()
=== checkpoint_that_saves_nothing_looks_at_nothing
x = torch.rand(3, requires_grad=True) * 1
y = torch.utils.checkpoint.checkpoint(lambda t: t + 1, x, use_reentrant=False)
x.mul_(2)
y.sum().backward()
=== reentrant_checkpoint_keeps_its_inputs
x = torch.rand(3, requires_grad=True) * 1
y = torch.utils.checkpoint.checkpoint(lambda t: t + 1, x, use_reentrant=True)
x.mul_(2)
y.sum().backward()
=== reentrant_checkpoint_and_parameters
x = torch.rand(2, 3, requires_grad=True)
net = nn.Linear(3, 3)
y = torch.utils.checkpoint.checkpoint(net, x, use_reentrant=True)
y.sum().backward()
=== reentrant_checkpoint_is_freed
x = torch.rand(3, requires_grad=True)
y = torch.utils.checkpoint.checkpoint(lambda t: t + 1, x, use_reentrant=True).sum()
y.backward()
y.backward()
=== vmap_runs_the_function
x = torch.rand(3, requires_grad=True)
y = torch.vmap(lambda t: t.tanh())(x)
y.neg_()
y.norm().backward()
=== vmap_gives_back_its_input
x = torch.rand(3)
y = torch.vmap(lambda t: t)(x)
y.requires_grad_()
x.sum().backward()
=== functional_gradient_of_what_is_linear
x = torch.rand(3, requires_grad=True)
g = torch.func.grad(lambda t: (t * 2).sum())(x)
g.sum().backward()
=== functional_gradient_has_a_graph
x = torch.rand(3, requires_grad=True)
g = torch.func.grad(lambda t: t.exp().sum())(x)
g.sum().backward()
=== functional_gradient_and_value
x = torch.rand(3, requires_grad=True)
g, value = torch.func.grad_and_value(lambda t: (t ** 2).sum())(x)
(g.sum() + value).backward()
=== product_under_autocast_keeps_casts
x = torch.rand(2, 3)
w = torch.rand(3, 3, requires_grad=True)
with torch.autocast('cpu', dtype=torch.bfloat16):
    y = x @ w
x.mul_(2)
y.sum().backward()
=== sum_under_autocast_is_freed
x = torch.rand(2, 3)
w = torch.rand(3, 3, requires_grad=True)
with torch.autocast('cpu', dtype=torch.bfloat16):
    y = (x @ w).sum()
y.backward()
y.backward()
=== function_under_autocast
w = torch.rand(3, 3, requires_grad=True)
@torch.autocast('cpu', dtype=torch.bfloat16)
def f(t):
    return t @ w
f(torch.rand(2, 3)).sum().backward()
=== given_vectors_are_frozen
table = nn.Embedding.from_pretrained(torch.rand(4, 3))
y = table(torch.tensor([2])).sum()
y.backward()
=== given_vectors_are_trained
table = nn.Embedding.from_pretrained(torch.rand(4, 3), freeze=False)
y = table(torch.tensor([2])).sum()
y.backward()
=== view_that_was_not_asked_since_its_base_changed
w = torch.rand(3, requires_grad=True)
x = torch.ones(3, 3)
a, b = x[0], x[1]
a.mul_(w)
b.add_(1)
=== view_that_was_asked_since_its_base_changed
w = torch.rand(3, requires_grad=True)
x = torch.ones(3, 3)
a, b = x[0], x[1]
a.mul_(w)
c = b * 2
b.add_(1)
b.sum().backward()
=== view_that_had_a_graph_before
w = torch.rand(3, requires_grad=True)
x = torch.ones(3, 3)
a = x[0]
a.mul_(w)
x.add_(w)
a.add_(w)
a.sum().backward()
=== view_of_a_view_that_was_not_asked
w = torch.rand(3, requires_grad=True)
x = torch.ones(3, 3)
a = x[0]
x.mul_(w)
a.view(-1).mul_(2)
x.sum().backward()
=== saved_view_whose_base_changed
x = torch.rand(3, requires_grad=True)
y = x * 2
a, b, c = y
z = a.exp() * a.median()
y[:1] = 0.5
z.backward()
=== view_of_a_frozen_base_and_out
x = torch.rand(2, 3, requires_grad=True)
with torch.no_grad():
    v = x.permute(1, 0)
x.detach_()
torch.exp(v, out=v)
=== frozen_view_of_a_trained_base
x = torch.full((), 0.5, requires_grad=True)
with torch.no_grad():
    v = x.view_as(x)
v.requires_grad_()
y = torch.sigmoid(v)
v.requires_grad_(False)
y.backward()
=== frozen_view_of_a_trained_base_used_again
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    v = x[:2]
v.requires_grad_()
v.requires_grad_(False)
(v * 2).sum().backward()
=== filled_inference_leaf
with torch.inference_mode():
    x = torch.rand(3, 3, requires_grad=True)
x.uniform_()
=== contiguous_column_is_a_copy
x = torch.rand(3, 2)
y = x[:, 0].contiguous()
y.detach_()
=== contiguous_row_is_the_row
x = torch.rand(3, 2)
y = x[0].contiguous()
y.detach_()
=== gradient_for_a_divisor_depends_on_it
w = torch.rand(3)
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad((w / x).sum(), x, create_graph=True)
g.sum().backward()
=== gradient_for_a_dividend_depends_on_the_divisor
w = torch.rand(3, requires_grad=True)
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad((x / w).sum(), x, create_graph=True)
g.sum().backward()
=== gradient_of_a_quotient_by_a_number
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad((x / 2).sum(), x, create_graph=True)
g.sum().backward()
=== gradient_for_a_modulus_depends_on_it
w = torch.rand(3)
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad(torch.fmod(w, x).sum(), x, create_graph=True)
g.sum().backward()
=== gradient_of_a_modulus_by_a_number
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad((x % 0.3).sum(), x, create_graph=True)
g.sum().backward()
=== retained_and_then_detached
x = torch.rand(3, requires_grad=True)
y = x.erf()
z = F.tanhshrink(y)
y.retain_grad()
y.detach_()
z.sum().backward()
=== retained_gradients_come_with_autograd_grad
x = torch.rand(3, requires_grad=True)
y = (x * 2).sum()
y.retain_grad()
torch.autograd.grad(y, [y])
y.detach_()
=== retained_gradient_before_what_is_asked_for
x = torch.rand(3, requires_grad=True)
y = x * 2
y.retain_grad()
z = y.exp()
torch.autograd.grad(z.sum(), [z])
y.detach_()
=== retained_gradient_on_the_way_to_an_input
x = torch.rand(3, requires_grad=True)
y = x * 2
y.retain_grad()
y.exp().sum().backward(inputs=[x])
y.detach_()
=== untracked_use_asks_for_no_graph
x = torch.tensor(0.5, requires_grad=True)
y = x * 2
v = y.view(1)
y.tanh_()
with torch.no_grad():
    z = torch.minimum(y, v)
    y.detach_()
v.backward()
=== view_without_tracking_is_saved
x = torch.ones(3, 3, requires_grad=True)
y = x.mean(0)
with torch.no_grad():
    v = y[:]
z = v ** 3
y.add_(y)
z.sum().backward()
=== view_without_tracking_is_not_saved_for_another
x = torch.ones(3, 3, requires_grad=True)
w = torch.rand(3)
y = x.mean(0)
with torch.no_grad():
    v = y[:]
z = v * w
w.add_(1)
z.sum().backward()
=== saved_by_a_custom_function_and_detached_in_place
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return a * a
    @staticmethod
    def backward(ctx, grad):
        a, = ctx.saved_tensors
        return 2 * grad * a
x = torch.rand(3, requires_grad=True)
y = x + x
z = Square.apply(y)
y.detach_()
z.sum().backward()
=== largest_of_an_expanded_tensor_and_its_row
x = torch.ones(3, 3)
y = x.broadcast_to((3, *x.shape)).max(dim=0)[0]
a, b, c = y
y.copy_(a)
=== sum_of_a_turned_tensor_and_its_row
x = torch.rand(2, 3, 3).permute(2, 1, 0).sum(2)
x.copy_(x[0])
=== power_of_a_number_lies_in_order
x = 2 ** torch.rand(2, 3, requires_grad=True).t()
y = x.contiguous()
y.mul_(2)
torch.exp(x).sum().backward()
=== logsigmoid_lies_in_order
x = F.logsigmoid(torch.rand(2, 3, requires_grad=True).t())
x.contiguous().detach_()
=== overwritten_by_a_product_is_copied_and_freed
x = torch.ones(3)
w = torch.ones(3, requires_grad=True)
x.mul_(w)
x.sum().backward()
(x + 0).sum().backward()
=== overwritten_by_a_product_with_a_frozen_factor
x = torch.ones(3, requires_grad=True) + 0
x *= 2
x.sum().backward()
(x + 0).sum().backward()
=== overwritten_row_by_augmented_product
x = torch.ones(3, 3)
w = torch.ones((), requires_grad=True)
x *= w
x.sum().backward()
x[0].sum().backward()
=== retained_twice_asks_no_stale_view
x = torch.ones(3, 3, requires_grad=True)
y = x * 2
a, b, c = y.chunk(3)
a.retain_grad()
y.neg_()
a.retain_grad()
y.sum().backward()
=== turned_in_place_leaves_the_base_alone
x = torch.rand(2, 3, 3, requires_grad=True)
y = x + 0
v = y[0]
v.t_()
y.sum().backward()
y.sum().backward()
=== squeezed_in_place_and_written
x = torch.rand(2, 1, 3, requires_grad=True)
y = x + 0
v = y[0]
v.squeeze_()
v.mul_(2)
y.sum().backward()
v.sum().backward()
=== gradient_of_cross_entropy_depends_on_its_input
x = torch.rand(4, 3)
y = torch.zeros(4, dtype=torch.long)
w = torch.rand(3, 2, requires_grad=True)
g, = torch.autograd.grad(F.cross_entropy(x @ w, y), w, create_graph=True)
g.pow(2).sum().backward()
=== gradient_of_cross_entropy_with_soft_targets
a = torch.rand(3, 3, requires_grad=True)
b = torch.rand(3, 3)
g, = torch.autograd.grad(F.cross_entropy(a, b), a, create_graph=True)
g.sum().backward()
=== gradient_of_a_frozen_convolution_has_an_empty_graph
a = torch.rand(1, 3, 3, requires_grad=True)
b = torch.rand(3, 3, 1)
g, = torch.autograd.grad(F.conv1d(a, b).sum(), a, create_graph=True)
g.sum().backward()
=== gradient_of_a_convolution_for_its_bias
m = nn.Conv1d(3, 3, 1)
g, = torch.autograd.grad(m(torch.rand(1, 3, 3)).sum(), m.bias, create_graph=True)
g.sum().backward()
=== gradient_of_a_linear_layer_is_a_constant
m = nn.Linear(3, 3)
g, = torch.autograd.grad(m(torch.rand(1, 3)).sum(), m.weight, create_graph=True)
g.sum().backward()
=== gradient_of_a_norm_for_its_weight
m = nn.LayerNorm(3)
g, = torch.autograd.grad(m(torch.rand(3, 3)).sum(), m.weight, create_graph=True)
g.sum().backward()
=== gradient_of_a_recurrent_layer
m = nn.GRU(3, 3)
a = torch.rand(4, 1, 3, requires_grad=True)
g, = torch.autograd.grad(m(a)[0].sum(), a, create_graph=True)
g.sum().backward()
=== gradient_of_chosen_rows_is_a_constant
a = torch.rand(3, 3, requires_grad=True)
g, = torch.autograd.grad(a[[0, 1]].sum(), a, create_graph=True)
g.sum().backward()
=== logarithm_of_a_frozen_factor
a = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad(torch.xlogy(a, torch.rand(3)).sum(), a, create_graph=True)
g.sum().backward()
=== scaled_up_twice_backward
a = torch.rand(1, 3, 3, requires_grad=True)
y = F.interpolate(a, scale_factor=2).sum()
y.backward()
y.backward()
=== scaled_by_areas_twice_backward
a = torch.rand(1, 3, 3, requires_grad=True)
y = F.interpolate(a, size=2, mode="area").sum()
y.backward()
y.backward()
=== shuffled_pixels_twice_backward
a = torch.rand(1, 4, 3, 3, requires_grad=True)
y = F.pixel_shuffle(a, 2).sum()
y.backward()
y.backward()
=== reentrant_checkpoint_makes_zeros
class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 1
    @staticmethod
    def backward(ctx, grad):
        return None
x = torch.rand(2, 3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
y = torch.utils.checkpoint.checkpoint(lambda t: t.exp() * w, x, use_reentrant=True)
Nothing.apply(y).sum().backward()
=== checkpoint_without_reentry_makes_none
class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 1
    @staticmethod
    def backward(ctx, grad):
        return None
x = torch.rand(2, 3, requires_grad=True)
y = torch.utils.checkpoint.checkpoint(lambda t: t.exp(), x, use_reentrant=False)
Nothing.apply(y).sum().backward()
=== reentrant_checkpoint_of_two_results
x = torch.rand(2, 3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
y = torch.utils.checkpoint.checkpoint(lambda t: (t.exp() * w, t * 2), x, use_reentrant=True)
y[1].sum().backward()
=== checkpoint_of_two_results
x = torch.rand(2, 3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
y = torch.utils.checkpoint.checkpoint(lambda t: (t.exp() * w, t * 2), x, use_reentrant=False)
y[1].sum().backward()
=== reentrant_checkpoint_of_two_results_without_a_trained_input
m = nn.Linear(3, 3)
a, b = torch.utils.checkpoint.checkpoint(lambda t: (m(t), t * 2), torch.rand(2, 3), use_reentrant=True)
a.sum().backward()
=== instance_norm_alone
a = torch.rand(1, 3, 3, requires_grad=True)
r = F.instance_norm(a)
with torch.no_grad():
    r.add_(1)
r.sum().backward()
r.sum().backward()
=== instance_norm_with_statistics
a = torch.rand(1, 3, 3, requires_grad=True)
mean = torch.zeros(3)
r = F.instance_norm(a, mean, torch.ones(3))
r.sum().backward()
mean.mul_(2)
=== row_added_to_what_a_module_gives
x = torch.ones(3, 3, requires_grad=True)
y = nn.Sigmoid()(x)
y.add_(y[1])
=== turned_result_of_a_module_is_copied
x = torch.ones(2, 3, requires_grad=True)
y = nn.Tanh()(x.t())
y.reshape(-1).mul_(2)
y.sum().backward()
=== softmax_module_lies_in_order
x = torch.ones(2, 3, requires_grad=True)
y = nn.Softmax(0)(x.t())
y.reshape(-1).mul_(2)
y.sum().backward()
"""
