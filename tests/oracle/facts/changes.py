"""In-place changes: of leaves, of what is saved, behind autograd's back, and of what has no history yet."""

TEXT = r"""
=== leaf_add_
x = torch.rand(3, requires_grad=True)
x.add_(1)
=== leaf_iadd
x = torch.rand(3, requires_grad=True)
x += 1
=== leaf_setitem
x = torch.rand(3, requires_grad=True)
x[0] = 0.0
=== leaf_setitem_mask
x = torch.rand(3, requires_grad=True)
x[x > 0] = 0.0
=== leaf_add_under_no_grad
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    x.add_(1)
(x * 2).sum().backward()
=== leaf_changed_before_it_is_trainable
x = torch.rand(3)
x.add_(1)
x.requires_grad_()
(x * 2).sum().backward()
=== nonleaf_setitem_mask
x = torch.rand(3, requires_grad=True)
y = x * 2
y[y > 0.5] = 0.0
y.sum().backward()
=== saved_setitem_mask
x = torch.rand(3, requires_grad=True)
y = x.exp()
y[y > 0.5] = 0.0
y.sum().backward()
=== setitem_on_saved_input
x = torch.rand(3, requires_grad=True)
y = x * 1
z = y * y
y[0] = 1.0
z.sum().backward()
=== exp_then_add_
x = torch.rand(3, requires_grad=True)
y = x.exp()
y.add_(1)
y.sum().backward()
=== exp_then_slice_iadd
x = torch.rand(3, requires_grad=True)
y = x.exp()
y[0:2] += 1
y.sum().backward()
=== exp_then_list_index_iadd
x = torch.rand(3, requires_grad=True)
y = x * 2
y[[0, 1]] += 1
y.sum().backward()
=== saved_changed_under_no_grad
x = torch.rand(3)
w = torch.rand(3, requires_grad=True)
y = (x * w).sum()
with torch.no_grad():
    x.add_(1)
y.backward()
=== data_add_is_not_seen
x = torch.rand(3, requires_grad=True)
y = (x * x).sum()
x.data.add_(1)
y.backward()
=== detach_add_is_seen
x = torch.rand(3, requires_grad=True)
y = (x * x).sum()
x.detach().add_(1)
y.backward()
=== data_setitem_is_not_seen
x = torch.rand(3, requires_grad=True)
y = (x * x).sum()
x.data[0] = 9.0
y.backward()
=== detach_setitem_is_seen
x = torch.rand(3, requires_grad=True)
y = (x * x).sum()
x.detach()[0] = 9.0
y.backward()
=== data_assigned_between
x = torch.rand(3, requires_grad=True)
y = (x * x).sum()
x.data = torch.zeros(3)
y.backward()
=== numpy_write_is_not_seen
x = torch.rand(3)
w = torch.rand(3, requires_grad=True)
y = (x * w).sum()
x.numpy()[0] = 7.0
y.backward()
=== zero_on_relu_result
x = torch.rand(3, requires_grad=True)
y = x.relu()
y.zero_()
y.sum().backward()
=== fill_cuts_the_history
x = torch.rand(3, requires_grad=True)
y = x * 2
y.fill_(1.0)
y.sum().backward()
=== zero_cuts_the_history_then_add
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
y = x * 2
y.zero_()
y += w
y.sum().backward()
=== copy_into_plain_buffer
x = torch.rand(3, requires_grad=True)
buf = torch.zeros(3)
buf.copy_(x)
buf.sum().backward()
=== copy_under_no_grad_has_no_history
x = torch.rand(3, requires_grad=True)
buf = torch.zeros(3)
with torch.no_grad():
    buf.copy_(x)
buf.sum().backward()
=== setitem_into_plain_buffer
x = torch.rand(3, requires_grad=True)
buf = torch.zeros(3)
buf[0] = x[0]
buf.sum().backward()
=== setitem_of_number_into_buffer
x = torch.rand(3, requires_grad=True)
buf = torch.zeros(3)
buf[0] = x.sum().item()
buf.sum().backward()
=== iadd_into_plain_buffer
x = torch.rand(3, requires_grad=True)
buf = torch.zeros(3)
buf += x
buf.sum().backward()
=== nograd_iadd_on_nonleaf_is_not_tracked
x = torch.rand(3, requires_grad=True)
y = x * 2
with torch.no_grad():
    y *= 3
y.sum().backward()
=== mul_self_by_itself
x = torch.rand(3, requires_grad=True)
y = x * 1
y.mul_(y)
y.sum().backward()
=== pow_in_place_saves_a_copy
x = torch.rand(3, requires_grad=True)
y = x * 1
y.pow_(2)
y.sum().backward()
=== div_in_place
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
y = x * 1
y.div_(w)
y.sum().backward()
=== clamp_in_place
x = torch.rand(3, requires_grad=True)
y = x * 1
y.clamp_(min=0.5)
y.sum().backward()
=== exp_in_place_then_add_in_place
x = torch.rand(3, requires_grad=True)
y = x * 1
y.exp_()
y.add_(1)
y.sum().backward()
=== masked_fill_scores
x = torch.rand(2, 2, requires_grad=True)
scores = x @ x
scores.masked_fill_(torch.tensor([[True, False], [False, True]]), -1e9)
scores.softmax(-1).sum().backward()
=== masked_fill_after_softmax
x = torch.rand(2, 2, requires_grad=True)
p = x.softmax(-1)
p.masked_fill_(torch.tensor([[True, False], [False, True]]), 0.0)
p.sum().backward()
=== relu_in_place_after_sigmoid
x = torch.rand(3, requires_grad=True)
F.relu(x.sigmoid(), inplace=True).sum().backward()
=== dropout_in_place_after_tanh
x = torch.rand(3, requires_grad=True)
F.dropout(x.tanh(), 0.5, inplace=True).sum().backward()
=== dropout_in_place_after_relu
x = torch.rand(3, requires_grad=True)
F.dropout(x.relu(), 0.5, inplace=True).sum().backward()
=== relu_in_place_after_dropout
x = torch.rand(3, requires_grad=True)
F.relu(F.dropout(x, 0.5), inplace=True).sum().backward()
=== relu_in_place_on_leaf
x = torch.rand(3, requires_grad=True)
F.relu(x, inplace=True).sum().backward()
=== relu_in_place_on_plain_input
x = torch.rand(3)
w = torch.rand(3, requires_grad=True)
(F.relu(x, inplace=True) * w).sum().backward()
=== relu_in_place_after_relu
x = torch.rand(3, requires_grad=True)
F.relu(x.relu(), inplace=True).sum().backward()
=== relu_in_place_after_gelu
x = torch.rand(3, requires_grad=True)
F.relu(F.gelu(x), inplace=True).sum().backward()
=== silu_in_place
x = torch.rand(3, requires_grad=True)
F.silu(x * 1, inplace=True).sum().backward()
=== silu_in_place_after_exp
x = torch.rand(3, requires_grad=True)
F.silu(x.exp(), inplace=True).sum().backward()
=== leaky_relu_in_place_after_sigmoid
x = torch.rand(3, requires_grad=True)
F.leaky_relu(x.sigmoid(), inplace=True).sum().backward()
=== residual_relu_in_place_then_iadd
x = torch.rand(2, 3, requires_grad=True)
lin = nn.Linear(3, 3)
o = F.relu(lin(x), inplace=True)
o += x
o.sum().backward()
=== residual_identity_is_the_relu_input
x = torch.rand(2, 3, requires_grad=True)
lin = nn.Linear(3, 3)
h = F.relu(x * 1)
out = lin(h)
F.relu(h, inplace=True)
(out + h).sum().backward()
=== out_keyword_with_trainable_input
x = torch.rand(3, requires_grad=True)
buf = torch.zeros(3)
torch.add(x, 1, out=buf)
=== out_keyword_into_trainable
x = torch.rand(3, requires_grad=True)
torch.add(torch.ones(3), 1, out=x)
=== out_keyword_plain
x = torch.rand(3, requires_grad=True)
buf = torch.zeros(3)
torch.add(torch.ones(3), 1, out=buf)
(buf * x).sum().backward()
=== init_does_not_track
w = torch.rand(3, 3, requires_grad=True)
nn.init.normal_(w)
(w * 2).sum().backward()
=== init_after_use
w = torch.rand(3, 3, requires_grad=True)
y = (w * w).sum()
nn.init.zeros_(w)
y.backward()
=== loop_alias_changes_saved
x = torch.rand(3, requires_grad=True)
y = x.exp()
for t in [y]:
    t *= 2
y.sum().backward()
=== expanded_changed
x = torch.rand(1, requires_grad=True)
y = (x * 1).expand(3)
y.add_(1)
=== detached_and_trainable_again
x = torch.rand(3, requires_grad=True)
y = x.detach().requires_grad_()
(y * 2).sum().backward()
=== hidden_change_after_backward_is_fine
x = torch.rand(3, requires_grad=True)
y = x.exp()
y.sum().backward()
y.add_(1)
=== grad_cleared_in_place
x = torch.rand(3, requires_grad=True)
(x * 2).sum().backward()
x.grad.zero_()
=== two_changes_only_one_after_the_save
x = torch.rand(3, requires_grad=True)
y = x * 2
y.add_(1)
z = y.exp()
z.sum().backward()
"""
