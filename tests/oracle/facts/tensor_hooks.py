"""Hooks of tensors: what they give back takes the place of the gradient, also in the graph that it gets."""

TEXT = r"""
=== hook_of_a_leaf_gives_a_constant
x = torch.rand(3, requires_grad=True)
x.register_hook(lambda g: torch.zeros_like(g))
g = torch.autograd.grad((x * x).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_of_a_leaf_scales
x = torch.rand(3, requires_grad=True)
x.register_hook(lambda g: g * 2)
g = torch.autograd.grad((x * x).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_of_a_leaf_detaches
x = torch.rand(3, requires_grad=True)
x.register_hook(lambda g: g.detach())
g = torch.autograd.grad((x * x).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_of_a_leaf_detaches_and_is_removed
x = torch.rand(3, requires_grad=True)
handle = x.register_hook(lambda g: g.detach())
handle.remove()
g = torch.autograd.grad((x * x).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_that_gives_nothing
x = torch.rand(3, requires_grad=True)
seen = []
x.register_hook(lambda g: seen.append(g))
g = torch.autograd.grad((x * x).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_of_a_result_cuts_what_lies_above
x = torch.rand(3, requires_grad=True)
y = x * 2
y.register_hook(lambda g: torch.ones_like(g))
g = torch.autograd.grad((y * y).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_of_a_result_leaves_what_lies_below
x = torch.rand(3, requires_grad=True)
y = x * x
y.register_hook(lambda g: torch.ones_like(g))
g = torch.autograd.grad((y * y).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_of_a_result_leaves_another_way
x = torch.rand(3, requires_grad=True)
y = x * 2
y.register_hook(lambda g: torch.ones_like(g))
g = torch.autograd.grad((y * y + x ** 3).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_that_brings_in_another_leaf
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
x.register_hook(lambda g: g * w)
g = torch.autograd.grad((x * 2).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_that_gives_another_leaf
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
x.register_hook(lambda g: w * 2)
g = torch.autograd.grad((x * x).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_of_what_is_asked_for
x = torch.rand(3, requires_grad=True)
y = x * 2
y.register_hook(lambda g: g.detach())
g = torch.autograd.grad((y * y).sum(), y, create_graph=True)[0]
g.sum().backward()
=== hook_of_what_is_changed_in_place_afterwards
x = torch.rand(3, requires_grad=True)
y = x * 2
y.register_hook(lambda g: g.detach())
y.mul_(3)
g = torch.autograd.grad((y * y).sum(), y, create_graph=True)[0]
g.sum().backward()
=== hook_of_what_is_changed_in_place_and_below
x = torch.rand(3, requires_grad=True)
y = x * 2
y.register_hook(lambda g: g.detach())
y.mul_(3)
g = torch.autograd.grad((y * y).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_of_a_second_result
x = torch.rand(3, requires_grad=True)
a, b = x.aminmax()
b.register_hook(lambda g: g.detach())
g = torch.autograd.grad((a * a * b * b).sum(), x, create_graph=True)[0]
g.sum().backward()
=== hook_of_a_leaf_before_backward_with_a_graph
x = torch.rand(3, requires_grad=True)
x.register_hook(lambda g: g.detach())
(x * x).sum().backward(create_graph=True)
x.grad.sum().backward()
=== hook_of_the_root
x = torch.rand(3, requires_grad=True)
y = (x * x).sum()
y.register_hook(lambda g: g.detach() * 2)
g = torch.autograd.grad(y, x, create_graph=True)[0]
g.sum().backward()
=== hook_that_saves_what_is_changed
x = torch.rand(3, requires_grad=True)
x.register_hook(lambda g: g.clamp(-1, 1))
g = torch.autograd.grad((x * x).sum(), x, create_graph=True)[0]
x.data.mul_(2)
g.sum().backward()
=== write_to_a_view_that_no_gradient_comes_to
x = torch.rand(3, requires_grad=True)
y = (x * 2).clone()
v = y[1:]
v.mul_(v)
class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, grad):
        return None
Nothing.apply(y).sum().backward()
=== write_to_a_tensor_that_no_gradient_comes_to
x = torch.rand(3, requires_grad=True)
y = (x * 2).clone()
y.mul_(y)
class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, grad):
        return None
Nothing.apply(y).sum().backward()
=== write_to_a_view_that_no_gradient_comes_to_twice
x = torch.rand(3, requires_grad=True)
y = (x * 2).clone()
v = y[1:]
v.mul_(2)
class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, grad):
        return None
z = Nothing.apply(y).sum()
z.backward(retain_graph=True)
z.backward()
=== write_to_a_view_that_a_gradient_comes_to_as_well
x = torch.rand(3, requires_grad=True)
y = (x * 2).clone()
v = y[1:]
v.mul_(v)
class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, grad):
        return None
(Nothing.apply(y).sum() + y.sum()).backward()
=== checkpoint_saves_an_inference_tensor
with torch.inference_mode():
    t = torch.rand(3)
torch.utils.checkpoint.checkpoint(lambda a: a, t, use_reentrant=False)
=== checkpoint_leaves_an_inference_tensor_by_name
with torch.inference_mode():
    t = torch.rand(3)
torch.utils.checkpoint.checkpoint(lambda a: a + 2, a=t, use_reentrant=False)
=== checkpoint_without_tracking_saves_nothing
with torch.inference_mode():
    t = torch.rand(3)
with torch.no_grad():
    torch.utils.checkpoint.checkpoint(lambda a: a + 2, t, use_reentrant=False)
=== checkpoint_of_a_leaf_with_inference_memory
with torch.inference_mode():
    t = torch.rand(3)
x = torch.rand(3, requires_grad=True)
x.data = t
x.sin()
torch.utils.checkpoint.checkpoint(lambda a: a + 2, x, use_reentrant=False)
"""
