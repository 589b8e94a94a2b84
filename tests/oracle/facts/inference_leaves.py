"""Trainable inference tensors outside inference mode, next to ordinary tensors: a view of one learns nothing."""

TEXT = r"""
=== inference_vector_times_matrix
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
y = torch.matmul(x, torch.rand(3, 3))
y.sum().backward()
=== inference_matrix_times_vector
with torch.inference_mode():
    x = torch.rand(3, 3, requires_grad=True)
y = x @ torch.rand(3)
y.sum().backward()
=== inference_stack_times_matrix
with torch.inference_mode():
    x = torch.rand(2, 3, 3, requires_grad=True)
y = x @ torch.rand(3, 3)
y.sum().backward()
=== vector_times_inference_matrix
with torch.inference_mode():
    w = torch.rand(3, 3, requires_grad=True)
y = torch.rand(3) @ w
y.sum().backward()
=== inference_input_of_linear
with torch.inference_mode():
    x = torch.rand(2, 3, requires_grad=True)
y = F.linear(x, torch.rand(3, 3))
y.sum().backward()
=== inference_weight_of_linear
with torch.inference_mode():
    w = torch.rand(3, 3, requires_grad=True)
y = F.linear(torch.rand(2, 3), w)
y.sum().backward()
=== inference_bias_of_linear
with torch.inference_mode():
    b = torch.rand(3, requires_grad=True)
y = F.linear(torch.rand(2, 3), torch.rand(3, 3), b)
y.sum().backward()
=== inference_operand_of_einsum
with torch.inference_mode():
    x = torch.rand(2, 3, requires_grad=True)
y = torch.einsum("ij,jk->ik", x, torch.rand(3, 3))
y.sum().backward()
=== inference_operand_of_inner
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
y = torch.inner(x, torch.rand(3))
y.backward()
=== inference_operand_of_kron
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
y = torch.kron(torch.rand(3), x)
y.sum().backward()
=== inference_prediction_that_is_broadcast
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
y = F.l1_loss(x, torch.rand(3, 3))
y.backward()
=== inference_prediction_as_it_is
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
y = F.l1_loss(x, torch.rand(3))
y.backward()
=== inference_vector_next_to_a_parameter
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
w = torch.rand(3, 3, requires_grad=True)
y = x @ w
=== inference_leaf_normalized
with torch.inference_mode():
    x = torch.rand(3, 3, requires_grad=True)
y = F.normalize(x, dim=0)
y.sum().backward()
=== data_from_inference_mode_normalized
x = torch.rand(3, 3, requires_grad=True)
with torch.inference_mode():
    x.data = x.data * 2
y = F.normalize(x, dim=0)
y.sum().backward()
=== inference_leaf_added_with_a_factor
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
y = torch.add(x, x, alpha=2)
y.sum().backward()
=== inference_leaf_as_target_of_kl_div
with torch.inference_mode():
    x = torch.rand(3, requires_grad=True)
y = F.kl_div(torch.rand(3), x, reduction="sum")
y.backward()
=== inference_target_of_kl_div_with_a_parameter
with torch.inference_mode():
    x = torch.rand(3)
w = torch.rand(3, requires_grad=True)
y = F.kl_div(w, x, reduction="sum")
y.backward()
"""
