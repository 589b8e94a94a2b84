"""What single operations keep, give back and refuse, where their arguments decide it."""

TEXT = r"""
=== chain_matmul_is_a_product
a = torch.rand(2, 3, requires_grad=True)
b = torch.rand(3, 3)
y = torch.chain_matmul(a, b, torch.rand(3, 2))
y.sum().backward()
=== chain_matmul_saves_its_factors
a = torch.rand(2, 3, requires_grad=True)
b = torch.rand(3, 3)
y = torch.chain_matmul(a, b)
b.mul_(2)
y.sum().backward()
=== multi_dot_of_three
a = torch.rand(2, 3, requires_grad=True)
b = torch.rand(3, 3)
y = torch.linalg.multi_dot([a, b, torch.rand(3, 2)])
y.add_(1)
y.sum().backward()
=== multi_dot_saves_its_factors
a = torch.rand(2, 3, requires_grad=True)
b = torch.rand(3, 3)
c = torch.rand(3, 2)
y = torch.linalg.multi_dot([a, b, c])
c.mul_(2)
y.sum().backward()
=== multi_dot_of_two_by_itself
a = torch.rand(3, 3, requires_grad=True)
b = torch.rand(3, 3)
y = torch.linalg.multi_dot((a, b))
a.detach().mul_(2)
y.sum().backward()
=== multi_dot_of_two_vectors
a = torch.rand(3, requires_grad=True)
b = torch.rand(3)
y = torch.linalg.multi_dot((a, b))
y.backward()
y.backward()
=== tensordot_saves
a = torch.rand(3, 3, requires_grad=True)
b = torch.rand(3, 3)
y = torch.tensordot(a, b, dims=1)
b.mul_(2)
y.sum().backward()
=== tensordot_saves_not_itself
a = torch.rand(3, 3, requires_grad=True)
b = torch.rand(3, 3)
c = a * 1
y = torch.tensordot(c, b, dims=([1], [0]))
c.mul_(2)
y.sum().backward()
=== tensordot_written
a = torch.rand(3, 3, requires_grad=True)
b = torch.rand(3, 3)
y = torch.tensordot(a, b, 2)
y.add_(1)
y.backward()
=== tensordot_detached_in_place
a = torch.rand(3, 3, requires_grad=True)
b = torch.rand(3, 3)
y = torch.tensordot(a, b, 1)
y.detach_()
=== tensordot_of_dims_zero
a = torch.rand(3, requires_grad=True)
b = torch.rand(3)
y = torch.tensordot(a, b, 0)
b.add_(1)
y.sum().backward()
=== reflect_pad_saves
x = torch.rand(1, 3, requires_grad=True)
h = x * 1
y = F.pad(h, (1, 1), mode="reflect")
h.add_(1)
y.sum().backward()
=== reflect_pad_freed
x = torch.rand(1, 3, requires_grad=True)
y = F.pad(x, (1, 1), mode="reflect").sum()
y.backward()
y.backward()
=== replicate_pad_freed
x = torch.rand(1, 3, requires_grad=True)
y = F.pad(x, (1, 1), mode="replicate").sum()
y.backward()
y.backward()
=== circular_pad_freed
x = torch.rand(1, 3, requires_grad=True)
y = F.pad(x, (1, 1), mode="circular").sum()
y.backward()
y.backward()
=== constant_pad_freed
x = torch.rand(1, 3, requires_grad=True)
y = F.pad(x, (1, 1), value=2.0).sum()
y.backward()
y.backward()
=== circular_pad_of_changed
x = torch.rand(1, 3, requires_grad=True)
h = x * 1
y = F.pad(h, (1, 1), mode="circular")
h.add_(1)
y.sum().backward()
=== reflection_module_changed
x = torch.rand(1, 1, 3, requires_grad=True)
h = x * 1
y = nn.ReflectionPad1d(1)(h)
h.add_(1)
y.sum().backward()
=== poisson_nll_log
x = torch.rand(3, requires_grad=True)
t = torch.rand(3)
h = x * 1
y = F.poisson_nll_loss(h, t)
h.add_(1)
y.backward()
=== poisson_nll_target
x = torch.rand(3, requires_grad=True)
t = torch.rand(3)
y = F.poisson_nll_loss(x, t)
t.add_(1)
y.backward()
=== poisson_nll_no_log
x = torch.rand(3, requires_grad=True)
t = torch.rand(3)
h = x * 1
y = F.poisson_nll_loss(h, t, log_input=False)
h.add_(1)
y.backward()
=== poisson_nll_full
x = torch.rand(3, requires_grad=True)
t = torch.rand(3)
y = F.poisson_nll_loss(x, t, full=True)
t.add_(1)
y.backward()
=== poisson_module
x = torch.rand(3, requires_grad=True)
t = torch.rand(3)
y = nn.PoissonNLLLoss()(x, t)
y.backward()
y.backward()
=== attention_saves_value
q = torch.rand(1, 1, 3, 4, requires_grad=True)
k = torch.rand(1, 1, 3, 4)
v = torch.rand(1, 1, 3, 4)
y = F.scaled_dot_product_attention(q, k, v)
v.mul_(2)
y.sum().backward()
=== attention_result_written
q = torch.rand(1, 1, 3, 4, requires_grad=True)
k = torch.rand(1, 1, 3, 4)
v = torch.rand(1, 1, 3, 4)
y = F.scaled_dot_product_attention(q, k, v)
y.mul_(2)
y.sum().backward()
=== attention_twice_backward
q = torch.rand(1, 1, 3, 4, requires_grad=True)
y = F.scaled_dot_product_attention(q, q, q).sum()
y.backward()
y.backward()
=== attention_query_changed
x = torch.rand(1, 1, 3, 4, requires_grad=True)
q = x * 1
y = F.scaled_dot_product_attention(q, q, q)
q.add_(1)
y.sum().backward()
=== attention_mask_changed
x = torch.rand(1, 1, 3, 4, requires_grad=True)
m = torch.zeros(3, 3)
y = F.scaled_dot_product_attention(x, x, x, attn_mask=m)
m.add_(1)
y.sum().backward()
=== attention_double_backward
q = torch.rand(1, 1, 3, 4, requires_grad=True)
y = F.scaled_dot_product_attention(q, q, q)
g, = torch.autograd.grad(y.sum(), q, create_graph=True)
g.sum().backward()
=== matrix_norm_fro
x = torch.rand(3, 3, requires_grad=True)
h = x * 1
y = torch.linalg.matrix_norm(h)
h.add_(1)
y.backward()
=== matrix_norm_nuc
x = torch.rand(3, 3, requires_grad=True)
h = x * 1
y = torch.linalg.matrix_norm(h, 'nuc')
h.add_(1)
y.backward()
=== matrix_norm_two
x = torch.rand(3, 3, requires_grad=True)
h = x * 1
y = torch.linalg.matrix_norm(h, 2)
h.add_(1)
y.backward()
=== matrix_norm_one
x = torch.rand(3, 3, requires_grad=True)
h = x * 1
y = torch.linalg.matrix_norm(h, 1)
h.add_(1)
y.backward()
=== matrix_norm_written
x = torch.rand(2, 3, 3, requires_grad=True)
y = torch.linalg.matrix_norm(x)
y.add_(1)
y.sum().backward()
=== linalg_norm_of_matrix
x = torch.rand(3, 3, requires_grad=True)
h = x * 1
y = torch.linalg.norm(h, 'fro')
h.add_(1)
y.backward()
=== linalg_norm_of_matrix_two
x = torch.rand(3, 3, requires_grad=True)
h = x * 1
y = torch.linalg.norm(h, 2)
h.add_(1)
y.backward()
=== matrix_power_two
x = torch.rand(3, 3, requires_grad=True)
h = x * 1
y = torch.linalg.matrix_power(h, 2)
h.add_(1)
y.sum().backward()
=== matrix_power_one
x = torch.rand(3, 3, requires_grad=True)
h = x * 1
y = torch.linalg.matrix_power(h, 1)
h.add_(1)
y.sum().backward()
=== matrix_power_three_written
x = torch.rand(3, 3, requires_grad=True)
y = torch.matrix_power(x, 3)
y.add_(1)
y.sum().backward()
=== matrix_power_zero
x = torch.rand(3, 3, requires_grad=True)
y = torch.matrix_power(x, 0)
y.sum().backward()
=== matrix_power_negative
x = torch.eye(3).requires_grad_()
h = x * 1
y = torch.matrix_power(h, -1)
y.add_(1)
y.sum().backward()
=== cdist_twice
x = torch.rand(3, 3, requires_grad=True)
g, = torch.autograd.grad(torch.cdist(x, torch.rand(2, 3)).sum(), x, create_graph=True)
g.sum().backward()
=== cdist_p1_twice
x = torch.rand(3, 3, requires_grad=True)
g, = torch.autograd.grad(torch.cdist(x, torch.rand(2, 3), p=1.0).sum(), x, create_graph=True)
g.sum().backward()
=== pdist_twice
x = torch.rand(3, 3, requires_grad=True)
g, = torch.autograd.grad(F.pdist(x).sum(), x, create_graph=True)
g.sum().backward()
=== igamma_once
x = torch.rand(3, requires_grad=True)
torch.igamma(torch.rand(3), x).sum().backward()
=== igamma_other
x = torch.rand(3, requires_grad=True)
torch.igamma(x, torch.rand(3)).sum().backward()
=== igamma_twice
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad(torch.igamma(torch.rand(3), x).sum(), x, create_graph=True)
g.sum().backward()
=== igammac_twice
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad(torch.special.gammaincc(torch.rand(3), x).sum(), x, create_graph=True)
g.sum().backward()
=== logical_not_in_place
x = torch.rand(3, requires_grad=True)
y = x * 2
y.logical_not_()
y.sum().backward()
=== logical_and_in_place
x = torch.rand(3, requires_grad=True)
y = x * 2
y.logical_and_(torch.ones(3))
y.sum().backward()
=== comparison_in_place
x = torch.rand(3, requires_grad=True)
y = x * 2
y.gt_(0.5)
y.sum().backward()
=== logical_not_of_leaf
x = torch.rand(3, requires_grad=True)
x.logical_not_()
=== atleast_2d_of_two
x = torch.rand(3, requires_grad=True)
a, b = torch.atleast_2d(x, torch.rand(3))
a.sum().backward()
=== atleast_1d_of_two
x = torch.rand((), requires_grad=True)
a, b = torch.atleast_1d(x, torch.rand(3))
a.mul_(2)
=== atleast_3d_of_list
x = torch.rand(3, requires_grad=True)
a, b = torch.atleast_3d([x, torch.rand(3)])
(a + b).sum().backward()
=== atleast_1d_of_a_vector_is_itself
x = torch.rand(3, requires_grad=True)
y = torch.atleast_1d(x)
y.requires_grad_(False)
=== real_of_real
x = torch.rand(3, requires_grad=True)
y = torch.real(x)
y.sum().backward()
=== real_of_real_is_itself
x = torch.rand(3, requires_grad=True)
y = torch.real(x)
y.requires_grad = False
x.sum().backward()
=== real_attribute_of_real
x = torch.rand(3, requires_grad=True)
y = x.real
y.retain_grad()
y.sum().backward()
=== imag_of_complex
x = torch.rand(3, dtype=torch.cfloat, requires_grad=True)
x.imag.sum().backward()
=== pooled_with_indices_and_written
x = torch.rand(1, 1, 4, 4, requires_grad=True)
y, where = F.max_pool2d(x, 2, return_indices=True)
y.mul_(2)
y.sum().backward()
=== pooled_with_indices_and_unpooled
x = torch.rand(1, 1, 4, 4, requires_grad=True)
y, where = F.max_pool2d(x, 2, return_indices=True)
F.max_unpool2d(y, where, 2).sum().backward()
=== pooled_with_indices_changed
x = torch.rand(1, 1, 4, 4, requires_grad=True)
y, where = F.max_pool2d(x, 2, return_indices=True)
where.add_(1)
y.sum().backward()
=== pooled_by_a_module_with_indices
x = torch.rand(1, 1, 4, 4, requires_grad=True)
y, where = nn.MaxPool2d(2, return_indices=True)(x)
y.relu_()
y.sum().backward()
=== adaptive_pool_with_indices
x = torch.rand(1, 1, 4, 4, requires_grad=True)
y, where = F.adaptive_max_pool2d(x, 2, return_indices=True)
y.relu_()
y.sum().backward()
=== unique_values_and_counts
x = torch.rand(3, requires_grad=True)
y, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
w = torch.rand(3, requires_grad=True)
(w[inverse] * 2).sum().backward()
=== both_ends_by_name
x = torch.rand(3, requires_grad=True)
r = torch.aminmax(x)
(r.min + r.max).backward()
=== solution_of_least_squares
x = torch.rand(3, 3, requires_grad=True)
r = torch.linalg.lstsq(x, torch.rand(3, 2))
r.solution.sum().backward()
=== upper_factor_of_lu
x = torch.rand(3, 3, requires_grad=True)
torch.linalg.lu(x).U.sum().backward()
=== statistics_of_batch_norm_in_eval_changed
x = torch.rand(4, 3, requires_grad=True)
mean = torch.zeros(3)
y = F.batch_norm(x, mean, torch.ones(3))
mean.add_(1)
y.sum().backward()
=== gradient_of_a_division_that_rounds
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad(torch.div(torch.rand(3), x, rounding_mode="floor").sum(), x, create_graph=True)
g.sum().backward()
=== gradient_of_a_hard_sigmoid
x = torch.rand(3, requires_grad=True)
g, = torch.autograd.grad(F.hardsigmoid(x).sum(), x, create_graph=True)
g.sum().backward()
=== real_spectrum_keeps_its_input
x = torch.rand(4, requires_grad=True)
h = x * 1
y = torch.fft.rfft(h)
h.add_(1)
y.abs().sum().backward()
=== complex_spectrum_keeps_nothing
x = torch.rand(4, dtype=torch.cfloat, requires_grad=True)
h = x * 1
y = torch.fft.fft(h)
h.add_(1)
y.abs().sum().backward()
"""
