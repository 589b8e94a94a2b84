"""Grad modes in all their forms."""

TEXT = r"""
=== no_grad_block
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    y = x * 2
y.sum().backward()
=== nested_enable_grad
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    with torch.enable_grad():
        y = x * 2
y.sum().backward()
=== set_grad_enabled_nested
x = torch.rand(3, requires_grad=True)
with torch.set_grad_enabled(False):
    with torch.set_grad_enabled(True):
        y = x * 2
    z = x * 3
y.sum().backward()
z.sum().backward()
=== set_grad_enabled_as_statement
x = torch.rand(3, requires_grad=True)
torch.set_grad_enabled(False)
y = x * 2
torch.set_grad_enabled(True)
y.sum().backward()
=== set_grad_enabled_as_decorator_switches_off_at_once
@torch.set_grad_enabled(False)
def f(a):
    return a * 2
x = torch.rand(3, requires_grad=True)
y = x * 2
y.sum().backward()
=== set_grad_enabled_decorator_inside
@torch.set_grad_enabled(False)
def f(a):
    return a * 2
x = torch.rand(3, requires_grad=True)
f(x).sum().backward()
=== bare_no_grad_call_does_nothing
x = torch.rand(3, requires_grad=True)
torch.no_grad()
y = x * 2
y.sum().backward()
=== no_grad_decorator
@torch.no_grad()
def f(a):
    return a * 2
x = torch.rand(3, requires_grad=True)
f(x).sum().backward()
=== no_grad_decorator_without_parentheses
@torch.no_grad
def f(a):
    return a * 2
x = torch.rand(3, requires_grad=True)
f(x).sum().backward()
=== enable_grad_decorator
@torch.enable_grad()
def f(a):
    return a * 2
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    y = f(x)
y.sum().backward()
=== inference_mode_decorator
@torch.inference_mode()
def f(a):
    return a * 2
x = torch.rand(3, requires_grad=True)
f(x).sum().backward()
=== enable_grad_in_inference_mode
x = torch.rand(3, requires_grad=True)
with torch.inference_mode():
    with torch.enable_grad():
        y = x * 2
y.sum().backward()
=== inference_tensor_saved
x = torch.rand(3, requires_grad=True)
with torch.inference_mode():
    a = torch.rand(3)
(a * x).sum().backward()
=== inference_tensor_added
x = torch.rand(3, requires_grad=True)
with torch.inference_mode():
    a = torch.rand(3)
(a + x).sum().backward()
=== inference_tensor_changed_outside
with torch.inference_mode():
    a = torch.rand(3)
a.add_(1)
=== inference_tensor_made_trainable
with torch.inference_mode():
    a = torch.rand(3)
a.requires_grad_()
=== inference_mode_off
x = torch.rand(3, requires_grad=True)
with torch.inference_mode(False):
    y = x * 2
y.sum().backward()
=== inference_change_of_normal_tensor
x = torch.rand(3, requires_grad=True)
y = x * 2
with torch.inference_mode():
    y.add_(1)
y.sum().backward()
=== inference_change_of_saved
x = torch.rand(3, requires_grad=True)
y = x.exp()
with torch.inference_mode():
    y.add_(1)
y.sum().backward()
=== inference_change_of_leaf
x = torch.rand(3, requires_grad=True)
with torch.inference_mode():
    x.add_(1)
(x * 2).sum().backward()
=== factory_under_no_grad_is_trainable
with torch.no_grad():
    x = torch.rand(3, requires_grad=True)
(x * 2).sum().backward()
=== parameter_under_no_grad_is_trainable
with torch.no_grad():
    lin = nn.Linear(3, 1)
lin(torch.rand(2, 3)).sum().backward()
=== backward_inside_no_grad
x = torch.rand(3, requires_grad=True)
y = (x * x).sum()
with torch.no_grad():
    y.backward()
=== forward_and_backward_inside_no_grad
x = torch.rand(3, requires_grad=True)
with torch.no_grad():
    y = (x * x).sum()
    y.backward()
=== mode_restored_after_an_error
x = torch.rand(3, requires_grad=True)
try:
    with torch.no_grad():
        raise ValueError
except ValueError:
    pass
(x * 2).sum().backward()
=== flag_decides
x = torch.rand(3, requires_grad=True)
train = True
with torch.set_grad_enabled(train):
    y = x * 2
y.sum().backward()
=== mode_in_a_variable
x = torch.rand(3, requires_grad=True)
quiet = torch.no_grad()
with quiet:
    y = x * 2
y.sum().backward()
=== generator_leaks_no_grad
def rows(a):
    with torch.no_grad():
        yield a * 2
        yield a * 3
x = torch.rand(3, requires_grad=True)
g = rows(x)
first = next(g)
y = x * 2
y.sum().backward()
=== no_grad_reset_by_function
def f(a):
    with torch.no_grad():
        return a * 2
x = torch.rand(3, requires_grad=True)
y = x * f(x)
y.sum().backward()
=== requires_grad_inside_no_grad
x = torch.rand(3)
with torch.no_grad():
    x.requires_grad_()
    y = x * 2
(y * x).sum().backward()
"""
