"""Python around tensors: functions, containers, loops, comprehensions, errors, classes."""

TEXT = r"""
=== argument_changed_after_tanh
def f(a):
    a += 1
    return a
x = torch.rand(3, requires_grad=True)
y = x.tanh()
f(y).sum().backward()
=== argument_rebound
def f(a):
    a = a + 1
    return a
x = torch.rand(3, requires_grad=True)
f(x).sum().backward()
=== closure
x = torch.rand(3, requires_grad=True)
def f(a):
    return a * x
f(torch.ones(3)).sum().backward()
=== default_argument_is_kept
def f(a, h=torch.zeros(3)):
    h += a
    return h.sum()
x = torch.rand(3, requires_grad=True)
f(x).backward()
f(x).backward()
=== lambda_keeps
x = torch.rand(3, requires_grad=True)
square = lambda a: a * a
square(x).sum().backward()
=== list_of_parameters
ws = [torch.rand(3, requires_grad=True) for _ in range(3)]
loss = sum((w * 2).sum() for w in ws)
loss.backward()
w0 = ws[0]
=== dictionary
d = {'a': torch.rand(3, requires_grad=True), 'b': torch.rand(3, requires_grad=True)}
d['a'].sum().backward()
a, b = d['a'], d['b']
=== dictionary_by_get
d = {'a': torch.rand(3, requires_grad=True)}
d.get('a').sum().backward()
a = d['a']
=== tuple_unpacking
a, (b, c) = torch.rand(3, requires_grad=True), (torch.rand(3), torch.rand(3, requires_grad=True))
(a * b).sum().backward()
=== starred_unpacking
a, *rest = [torch.rand(3, requires_grad=True) for _ in range(3)]
rest[0].sum().backward()
r0, r1 = rest
=== walrus
x = torch.rand(3, requires_grad=True)
if (y := x.sum()).requires_grad:
    y.backward()
=== conditional_expression
x = torch.rand(3, requires_grad=True)
flag = False
y = x * 2 if flag else x.detach()
y.sum().backward()
=== early_return
def f(a):
    if a.dim() == 1:
        return a.detach()
    return a
x = torch.rand(3, requires_grad=True)
f(x).sum().backward()
=== try_finally
x = torch.rand(3, requires_grad=True)
try:
    y = x * 2
finally:
    z = x.detach()
y.sum().backward()
=== error_is_caught
x = torch.rand(3, requires_grad=True)
try:
    x.add_(1)
except RuntimeError:
    pass
(x * 2).sum().backward()
=== enumerate_and_zip
xs = [torch.rand(3, requires_grad=True) for _ in range(2)]
total = 0
for i, (a, b) in enumerate(zip(xs, reversed(xs))):
    total = total + (a * b).sum() * i
total.backward()
p, q = xs
=== while_loop
x = torch.rand(3, requires_grad=True)
y, n = x, 0
while n < 3:
    y = y * 2
    n += 1
y.sum().backward()
=== break_out
x = torch.rand(3, requires_grad=True)
y = x
for i in range(5):
    if i == 2:
        break
    y = y.exp()
y.sum().backward()
=== recursion
def power(a, n):
    return a if n == 1 else a * power(a, n - 1)
x = torch.rand(3, requires_grad=True)
power(x, 3).sum().backward()
=== generator_function
def halves(a):
    for i in range(3):
        yield a / 2
x = torch.rand(3, requires_grad=True)
sum(h.sum() for h in halves(x)).backward()
=== global_name
total = torch.zeros(())
def add(a):
    global total
    total = total + a.sum()
x = torch.rand(3, requires_grad=True)
add(x)
add(x * 2)
total.backward()
=== class_with_state
class Meter:
    def __init__(self):
        self.total = 0
    def add(self, value):
        self.total = self.total + value
x = torch.rand(3, requires_grad=True)
m = Meter()
m.add(x.sum())
m.add(x.mean())
m.total.backward()
=== property_gives_a_detached_value
class Holder:
    def __init__(self, w):
        self._w = w
    @property
    def w(self):
        return self._w.detach()
x = torch.rand(3, requires_grad=True)
Holder(x).w.sum().backward()
=== dataclass_field
from dataclasses import dataclass
@dataclass
class Batch:
    x: torch.Tensor
    y: torch.Tensor
w = torch.rand(3, requires_grad=True)
batch = Batch(torch.rand(3), torch.rand(3))
F.mse_loss(batch.x * w, batch.y).backward()
=== star_arguments
def f(*tensors, scale=1.0):
    return sum(t.sum() for t in tensors) * scale
x = torch.rand(3, requires_grad=True)
w = torch.rand(3, requires_grad=True)
f(x, w, scale=2.0).backward()
=== keyword_arguments
def f(**named):
    return named['a'] * named['b']
x = torch.rand(3, requires_grad=True)
f(a=x, b=torch.ones(3)).sum().backward()
=== decorator_of_the_program
def quiet(f):
    def inner(*args):
        with torch.no_grad():
            return f(*args)
    return inner
@quiet
def double(a):
    return a * 2
x = torch.rand(3, requires_grad=True)
double(x).sum().backward()
=== alias_is_the_same_tensor
x = torch.rand(3, requires_grad=True)
y = x.exp()
z = y
z += 1
y.sum().backward()
=== augmented_assignment_of_number_rebinds
x = torch.rand(3, requires_grad=True)
total = 0
total += x.sum()
total += x.mean()
total.backward()
=== augmented_assignment_of_plain_tensor
x = torch.rand(3, requires_grad=True)
total = torch.zeros(())
total += x.sum()
total += x.mean()
total.backward()
=== augmented_assignment_in_a_list
x = torch.rand(3, requires_grad=True)
ys = [x.exp()]
ys[0] += 1
ys[0].sum().backward()
=== attribute_changed_in_place
class Box:
    pass
x = torch.rand(3, requires_grad=True)
box = Box()
box.y = x.sigmoid()
box.y *= 2
box.y.sum().backward()
=== map_over_tensors
x = torch.rand(3, requires_grad=True)
parts = list(map(lambda t: t * 2, [x, x]))
torch.stack(parts).sum().backward()
=== match_statement
x = torch.rand(3, requires_grad=True)
mode = "cut"
match mode:
    case "keep":
        y = x * 2
    case _:
        y = x.detach()
y.sum().backward()
=== string_formatting_is_harmless
x = torch.rand(3, requires_grad=True)
loss = (x * 2).sum()
text = f"{loss.item():.3f} {loss}"
loss.backward()
=== assert_on_shape
x = torch.rand(3, requires_grad=True)
assert x.shape == (3,)
n = x.size(0)
(x * n).sum().backward()
=== deleted_name
x = torch.rand(3, requires_grad=True)
y = x * 2
loss = y.sum()
del y
loss.backward()
=== main_guard
def main():
    loss = (x * 2).sum()
    loss.backward()
x = torch.rand(3, requires_grad=True)
if __name__ == "__main__":
    main()
=== functions_in_a_dictionary
acts = {"relu": torch.relu, "exp": torch.exp}
x = torch.rand(3, requires_grad=True)
y = acts["exp"](x)
y += 1
y.sum().backward()
=== partial_function
from functools import partial
x = torch.rand(3, requires_grad=True)
double = partial(torch.mul, 2)
double(x).sum().backward()
=== from_import
from torch import no_grad, rand
x = rand(3, requires_grad=True)
with no_grad():
    y = x * 2
y.sum().backward()
=== alias_import
import torch as th
x = th.rand(3, requires_grad=True)
th.exp(x).sum().backward()
"""
