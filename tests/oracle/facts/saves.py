"""What operations save for backward: seen by changing an operand or the result in place before backward.

The page of measured saves is turned into programs mechanically (each expression with its input and with its result
changed); the rest is written out.
"""

from __future__ import annotations

EXPRESSIONS: dict[str, str] = {
    "mul_scalar": "h * 2",
    "div_scalar": "h / 2",
    "rdiv_scalar": "2 / h",
    "pow_2": "h ** 2",
    "pow_1": "h ** 1",
    "rpow": "2 ** h",
    "add_scalar": "h + 1",
    "rsub": "1 - h",
    "mod": "h % 2",
    "neg": "-h",
    "abs": "h.abs()",
    "dot": "h @ h",
    "sum": "h.sum()",
    "mean": "h.mean()",
    "prod": "h.prod()",
    "max": "h.max()",
    "max_dim": "h.max(0).values",
    "norm": "h.norm()",
    "var": "h.var()",
    "std": "h.std()",
    "sqrt": "h.sqrt()",
    "rsqrt": "h.rsqrt()",
    "log": "h.log()",
    "log1p": "h.log1p()",
    "reciprocal": "h.reciprocal()",
    "sin": "h.sin()",
    "tanh": "h.tanh()",
    "sigmoid": "h.sigmoid()",
    "softmax": "h.softmax(0)",
    "log_softmax": "h.log_softmax(0)",
    "logsumexp": "h.logsumexp(0)",
    "relu": "h.relu()",
    "leaky_relu": "F.leaky_relu(h)",
    "elu": "F.elu(h)",
    "gelu": "F.gelu(h)",
    "silu": "F.silu(h)",
    "softplus": "F.softplus(h)",
    "clamp": "h.clamp(min=0)",
    "cumsum": "h.cumsum(0)",
    "cumprod": "h.cumprod(0)",
    "dropout": "F.dropout(h, 0.5)",
    "mse": "F.mse_loss(h, torch.zeros(3))",
    "l1": "F.l1_loss(h, torch.zeros(3))",
    "bce_logits": "F.binary_cross_entropy_with_logits(h, torch.zeros(3))",
    "where": "torch.where(torch.tensor([True, False, True]), h, 0.0)",
    "cat": "torch.cat([h, h])",
    "exp": "h.exp()",
    "erf": "h.erf()",
    "floor": "h.floor()",
    "pow_0": "h.pow(0)",
    "pow_half": "h ** 0.5",
    "square": "h.square()",
    "masked_fill": "h.masked_fill(torch.tensor([True, False, True]), 0.0)",
    "sort": "h.sort().values",
    "hardtanh": "F.hardtanh(h)",
    "relu6": "F.relu6(h)",
    "normalize": "F.normalize(h, dim=0)",
}


def _table() -> str:
    pieces = []
    for name, expression in EXPRESSIONS.items():
        for what, change in (("input", "h.add_(1)"), ("result", "y.add_(1)")):
            pieces.append(
                f"\n=== saves_{name}_{what}\nx = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)\nh = x.clone()\n"
                f"y = {expression}\nz = y.sum()\n{change}\nz.backward()"
            )
    return "".join(pieces)


TEXT = (
    _table()
    + r"""
=== mul_w_then_x_add_w_trainable
x = torch.rand(3)
w = torch.rand(3, requires_grad=True)
y = (x * w).sum()
x.add_(1)
y.backward()
=== mul_w_then_x_changed_w_frozen
x = torch.rand(3, requires_grad=True)
h = x * 1
w = torch.rand(3)
y = (h * w).sum()
h.add_(1)
y.backward()
=== mul_w_then_w_changed_w_frozen
x = torch.rand(3, requires_grad=True)
w = torch.rand(3)
y = (x * w).sum()
w.add_(1)
y.backward()
=== x_plus_w_then_x_changed
x = torch.rand(3)
w = torch.rand(3, requires_grad=True)
y = (x + w).sum()
x.add_(1)
y.backward()
=== mm_changed_left
x = torch.rand(2, 3)
w = torch.rand(3, 2, requires_grad=True)
y = (x @ w).sum()
x.zero_()
y.backward()
=== linear_frozen_input_weight_changed_under_no_grad
lin = nn.Linear(3, 1)
y = lin(torch.rand(2, 3)).sum()
with torch.no_grad():
    lin.weight.add_(1)
y.backward()
=== linear_trained_input_weight_changed_under_no_grad
lin = nn.Linear(3, 1)
x = torch.rand(2, 3, requires_grad=True)
y = lin(x).sum()
with torch.no_grad():
    lin.weight.add_(1)
y.backward()
=== exp_then_input_leaf_changed_between_two_backwards
x = torch.rand(3, requires_grad=True)
y = x.exp().sum()
y.backward(retain_graph=True)
with torch.no_grad():
    x.add_(1)
y.backward()
=== log_then_input_leaf_changed_between_two_backwards
x = torch.rand(3, requires_grad=True)
y = x.log().sum()
y.backward(retain_graph=True)
with torch.no_grad():
    x.add_(1)
y.backward()
=== mask_changed_after_masked_fill
x = torch.rand(2, 2, requires_grad=True)
mask = torch.tensor([[True, False], [False, True]])
y = x.masked_fill(mask, 0.0)
mask.fill_(False)
y.sum().backward()
=== index_tensor_changed
x = torch.rand(3, requires_grad=True)
idx = torch.tensor([0, 1])
y = x[idx]
idx.add_(1)
y.sum().backward()
=== gather_index_changed
x = torch.rand(3, requires_grad=True)
idx = torch.tensor([0, 1])
y = x.gather(0, idx)
idx.add_(1)
y.sum().backward()
=== embedding_index_changed
emb = nn.Embedding(5, 2)
idx = torch.tensor([0, 1])
y = emb(idx)
idx.add_(1)
y.sum().backward()
=== target_changed_after_cross_entropy
x = torch.rand(2, 3, requires_grad=True)
target = torch.tensor([0, 1])
y = F.cross_entropy(x, target)
target.add_(1)
y.backward()
=== target_changed_after_mse
x = torch.rand(3, requires_grad=True)
target = torch.rand(3)
y = F.mse_loss(x, target)
target.add_(1)
y.backward()
=== condition_changed_after_where
x = torch.rand(3, requires_grad=True)
c = torch.tensor([True, False, True])
y = torch.where(c, x, 0.0)
c.fill_(False)
y.sum().backward()
=== softmax_by_hand_in_place
x = torch.rand(3, requires_grad=True)
e = x.exp()
e /= e.sum()
e.sum().backward()
=== normalise_in_place_by_norm
x = torch.rand(3, requires_grad=True)
y = x * 1
y /= y.norm()
y.sum().backward()
=== square_by_hand_in_place
x = torch.rand(3, requires_grad=True)
y = x + 1
z = y * y
y.add_(1)
z.sum().backward()
=== addcmul_factor_changed
x = torch.rand(3, requires_grad=True)
f = torch.rand(3)
y = torch.addcmul(f, x, f)
f.add_(1)
y.sum().backward()
=== addcmul_addend_changed
x = torch.rand(3, requires_grad=True)
a = torch.rand(3)
y = torch.addcmul(a, x, torch.rand(3))
a.add_(1)
y.sum().backward()
=== lerp_weight_number
x = torch.rand(3, requires_grad=True)
e = torch.rand(3)
y = torch.lerp(x, e, 0.5)
e.add_(1)
y.sum().backward()
=== saved_twice_only_one_branch_used
x = torch.rand(3, requires_grad=True)
h = x * 1
a = h.sin()
c = h * 2
h.add_(1)
c.sum().backward()
=== saved_but_freed_before_the_change
x = torch.rand(3, requires_grad=True)
y = x.exp()
y.sum().backward()
y.add_(1)
z = (x * 2).sum()
z.backward()
=== float_power_of_single_precision_changed
x = torch.rand(3, requires_grad=True)
y = x + 1
z = y.float_power(2)
y.add_(1)
z.sum().backward()
=== float_power_of_double_precision_changed
x = torch.rand(3, requires_grad=True)
y = x.double() + 1
z = y.float_power(2)
y.add_(1)
z.sum().backward()
=== float_power_result_changed
x = torch.rand(3, requires_grad=True)
z = torch.float_power(x + 1, torch.rand(3, requires_grad=True))
z.add_(1)
z.sum().backward()
=== norm_of_linalg_changed
x = torch.rand(3, 3, requires_grad=True)
y = x + 1
z = torch.linalg.norm(y)
y.add_(1)
z.backward()
=== batch_norm_in_training_changed
x = torch.rand(3, 3, requires_grad=True)
y = x + 1
z = F.batch_norm(y, None, None, training=True)
y.add_(1)
z.pow(2).sum().backward()
=== batch_norm_in_evaluation_changed
x = torch.rand(3, 3, requires_grad=True)
y = x + 1
z = F.batch_norm(y, torch.zeros(3), torch.ones(3))
y.add_(1)
z.pow(2).sum().backward()
"""
)
