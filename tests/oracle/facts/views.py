"""Views and changes of them or of their base."""

TEXT = r"""
=== view_of_leaf_changed
x = torch.rand(3, requires_grad=True)
v = x.view(-1)
v.add_(1)
=== view_of_view_of_leaf_changed
x = torch.rand(3, 3, requires_grad=True)
x.t()[0].add_(1)
=== slice_of_leaf_changed
x = torch.rand(3, requires_grad=True)
x[0:2].mul_(2)
=== unbind_view_changed
x = torch.rand(3, 3, requires_grad=True)
a, b, c = (x * 1).unbind(0)
a.add_(1)
=== split_view_changed
x = torch.rand(3, requires_grad=True)
a, b, c = (x * 1).split(1)
a.add_(1)
=== chunk_view_changed
x = torch.rand(3, requires_grad=True)
a, b, c = (x * 1).chunk(3)
a.add_(1)
=== iterated_view_changed
x = torch.rand(3, 3, requires_grad=True)
for row in x * 1:
    row.add_(1)
=== unbind_of_plain_tensor_changed
x = torch.rand(3, 3)
w = torch.rand(3, requires_grad=True)
a, b, c = x.unbind(0)
a.add_(1)
(a * w).sum().backward()
=== split_then_base_changed_then_used
x = torch.rand(3, requires_grad=True)
y = x * 1
a, b, c = y.split([1, 1, 1])
y.add_(1)
a.sum().backward()
=== split_used_then_base_changed
x = torch.rand(3, requires_grad=True)
y = x * 1
a, b, c = y.split(1)
z = a.sum()
y.add_(1)
z.backward()
=== unbind_then_base_changed_then_used
x = torch.rand(3, requires_grad=True)
y = x * 1
a, b, c = y.unbind(0)
y.add_(1)
(a * 2).sum().backward()
=== view_made_under_no_grad_changed
x = torch.rand(3, requires_grad=True)
y = x * 1
with torch.no_grad():
    v = y.view(-1)
v.add_(1)
=== view_of_leaf_made_under_no_grad_changed
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    v = x.view(-1)
v.add_(1)
=== view_and_change_both_under_no_grad
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    v = x[0:2]
    v.add_(1)
(x * 2).sum().backward()
=== view_made_outside_changed_under_no_grad
x = torch.rand(3, requires_grad=True)
v = x.view(-1)
with torch.no_grad():
    v.add_(1)
v.sum().backward()
=== change_of_view_reaches_base
x = torch.rand(3, requires_grad=True)
w = torch.rand(2, requires_grad=True)
y = x * 1
v = y[0:2]
v.mul_(w)
y.sum().backward()
=== change_of_base_reaches_view
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
y = x * 1
v = y[0:2]
y.mul_(w)
v.sum().backward()
=== change_of_plain_base_through_view
w = torch.rand(2, requires_grad=True)
buf = torch.zeros(3)
v = buf[0:2]
v.copy_(w)
buf.sum().backward()
=== plain_buffer_row_by_row
w = torch.rand(3, requires_grad=True)
buf = torch.zeros(3, 3)
for i in range(3):
    buf[i] = w * i
buf.sum().backward()
=== view_of_saved_result_changed
x = torch.rand(3, requires_grad=True)
y = x.exp()
y.view(-1).add_(1)
y.sum().backward()
=== reshape_shares
x = torch.rand(3, requires_grad=True)
y = x.exp()
y.reshape(3, 1).add_(1)
y.sum().backward()
=== reshape_of_turned_copies
x = torch.rand(2, 3, requires_grad=True)
y = x.exp()
y.t().reshape(-1).add_(1)
y.sum().backward()
=== contiguous_is_the_same
x = torch.rand(3, requires_grad=True)
y = x.exp()
y.contiguous().add_(1)
y.sum().backward()
=== squeeze_shares
x = torch.rand(1, 3, requires_grad=True)
y = x.exp()
y.squeeze(0).add_(1)
y.sum().backward()
=== flatten_of_flat_is_the_same
x = torch.rand(3, requires_grad=True)
y = x.exp()
y.flatten().add_(1)
y.sum().backward()
=== index_by_list_copies
x = torch.rand(3, requires_grad=True)
y = x.exp()
y[[0, 1]].add_(1)
y.sum().backward()
=== index_by_mask_copies
x = torch.rand(3, requires_grad=True)
y = x.exp()
y[y > 0].add_(1)
y.sum().backward()
=== index_by_slice_shares
x = torch.rand(3, requires_grad=True)
y = x.exp()
y[0:2].add_(1)
y.sum().backward()
=== turned_shares
x = torch.rand(2, 2, requires_grad=True)
y = x.exp()
y.T.add_(1)
y.sum().backward()
=== detach_in_place_of_view
x = torch.rand(3, requires_grad=True)
v = (x * 1).view(-1)
v.detach_()
=== detach_in_place_of_base
x = torch.rand(3, requires_grad=True)
y = x * 2
y.detach_()
y.sum().backward()
=== view_dtype_has_no_gradient
x = torch.rand(3, requires_grad=True)
v = x.view(torch.int32)
v.sum().backward()
=== diagonal_set
x = torch.rand(3, 3, requires_grad=True)
y = x * 1
y.diagonal().zero_()
y.sum().backward()
=== column_set
x = torch.rand(3, 3, requires_grad=True)
y = x.softmax(-1)
y[:, 0] = 0.0
y.sum().backward()
=== einsum_that_only_permutes_shares
x = torch.rand(3, requires_grad=True)
y = x.exp()
torch.einsum('i->i', y).add_(1)
y.sum().backward()
=== as_tensor_is_the_same
x = torch.rand(3, requires_grad=True)
y = torch.as_tensor(x)
y.sum().backward()
=== to_same_dtype_is_the_same
x = torch.rand(3, requires_grad=True)
y = x.to(torch.float32)
y.sum().backward()
=== dropout_in_eval_is_the_same
x = torch.rand(3, requires_grad=True)
y = x.exp()
F.dropout(y, 0.5, training=False).add_(1)
y.sum().backward()
=== identity_is_the_same
x = torch.rand(3, requires_grad=True)
y = x.exp()
nn.Identity()(y).add_(1)
y.sum().backward()
=== view_without_grad_fn_times_a_tensor_backward_twice
x = torch.rand(3, 3, requires_grad=True)
with torch.no_grad():
    v = x[...]
y = (v * torch.rand(3, 3)).sum()
y.backward()
y.backward()
=== view_without_grad_fn_times_a_number_backward_twice
x = torch.rand(3, 3, requires_grad=True)
with torch.no_grad():
    v = x[...]
y = (v * 2).sum()
y.backward()
y.backward()
=== view_without_grad_fn_matrix_product_backward_twice
x = torch.rand(3, 3, requires_grad=True)
with torch.no_grad():
    v = x[...]
y = (v @ torch.rand(3, 3)).sum()
y.backward()
y.backward()
=== view_without_grad_fn_divided_backward_twice
x = torch.rand(3, 3, requires_grad=True)
with torch.no_grad():
    v = x[...]
y = (v / torch.rand(3, 3)).sum()
y.backward()
y.backward()
=== leaf_times_a_number_backward_twice
x = torch.rand(3, 3, requires_grad=True)
y = (x * 2).sum()
y.backward()
y.backward()
=== leaf_times_a_tensor_in_place_backward_twice
x = torch.rand(3, 3, requires_grad=True)
y = x + 1
y *= 2
y.sum().backward()
y.sum().backward()
"""
